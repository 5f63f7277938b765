"""Changes values in the text of a config, and not one byte beside them.

Every edit is checked: the new text is parsed, and means exactly what was intended, or nothing is changed.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NoReturn

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tui.config import keys
from tui.config.diff import same
from tui.config.document import ConfigError
from tui.config.editing import spelling
from tui.config.editing.tree import Slot, Tree, empty, flow, ordered
from tui.protocol.messages import Problem

#: So many keys are named where none is like the one that was asked for.
_SHOWN = 6

_BLANK = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?=[\r\n]|$)")
_COMMENT = re.compile(r"#[^\r\n]*")
_INDICATOR = re.compile(r"[|>][-+0-9]*")
_TAGS = re.compile(r"![^\s,\[\]{}]*[ \t]*")


def set_typed(text: str, values: Mapping[str, str], *, add: bool) -> str:
    """Return the text of a config with values as somebody has typed them, all of them or none.

    Args:
        text: The text of the config.
        values: By their key paths, for `spelling.read`.
        add: A key that is not there is made; else it is refused, with the one that may be meant.

    Raises:
        ConfigError: As `set_values` and `spelling.read`; or a key is not there.
    """
    return set_values(text, {path: spelling.read(value) for path, value in values.items()}, add=add)


def set_values(text: str, values: Mapping[str, Any], *, add: bool = True) -> str:
    """Return the text of a config with other values, all of them or none.

    Args:
        text: The text of the config.
        values: By their key paths; plain data, or `spelling.Spelled` as their user has written it.
        add: Keys that are not there may be made.

    Raises:
        ConfigError: The text is no config, a path leads nowhere, or a value can't be changed by itself.
    """
    paths = {path: _steps(path) for path in values}
    for (one, a), (other, b) in combinations(paths.items(), 2):
        if a[: len(b)] == b[: len(a)]:
            raise ConfigError(Problem(f"{one} and {other} can't be set together: one is in the other", key=other))
    tree = Tree(text)
    if not add:
        for path, steps in paths.items():
            _require(tree, path, steps)
    for path, value in values.items():
        tree = _Edit(tree, path, paths[path], value).result()
    return tree.text


def _steps(path: str) -> tuple[Any, ...]:
    try:
        return keys.steps(path)
    except ValueError as error:
        raise ConfigError(Problem(str(error))) from error


def _require(tree: Tree, path: str, steps: tuple[Any, ...]) -> None:
    """See that there is a value at a path, or what is there that has a place for none, of which the edit will tell."""
    data, way = tree.document.data, ""
    for number, step in enumerate(steps):
        inner = _get(data, step)
        if inner is keys.MISSING and isinstance(data, dict) and not isinstance(step, (list, dict)):
            message = f"there is no {path}{_suggested(data, way, steps[number:])} (--add makes a new key)"
            line, column = _place(tree, way)
            raise ConfigError(Problem(message, line, column, path))
        if inner is keys.MISSING:
            return
        data, way = inner, keys.child(way, step)


def _suggested(data: dict[Any, Any], way: str, missing: tuple[Any, ...]) -> str:
    """Return which path may be meant where the first of the missing steps is no key of `data`, which is at `way`."""
    names = {str(key): key for key in data}
    name = keys.nearest(str(missing[0]), names)
    if name is None:
        known = ", ".join([*names][:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        return f": {f'{way} has' if way else 'there are'} {known}" if names else ""
    key, rest = names[name], missing[1:]
    found, meant = data[key], keys.child(way, key)
    for step in rest:
        found = _get(found, step)
        if found is keys.MISSING:
            break
        meant = keys.child(meant, step)
    return f": did you mean {meant}?"


def _place(tree: Tree, way: str) -> tuple[int | None, int | None]:
    mark = tree.document.marks.get(way)
    return mark.value if way and mark is not None else (None, None)


class _Edit:
    """One value on its way into the text."""

    def __init__(self, tree: Tree, path: str, steps: tuple[Any, ...], value: Any) -> None:
        self._tree = tree
        self._text = tree.text
        self._path = path
        self._steps = steps
        # In a file of JSON all text stays in double quotes, and a value is spelled as JSON has it.
        root = tree.root
        self._json = flow(root) and (not root.value or any(key.style == '"' for key, _ in root.value))
        self._value = spelling.data_of(value) if self._json else value

    def result(self) -> Tree:
        """Return the edited text, parsed."""
        slot = self._walk()
        intended = copy.deepcopy(self._tree.document.data)
        new = slot[1] if isinstance(slot, tuple) and not isinstance(slot, Slot) else ()
        if self._json and not _in_json(self._value, *new):
            self._refuse(
                self._tree.root, f"{self._path} can't be set to {spelling.inline(self._value)}: JSON has no such value"
            )
        whole: Any = intended
        for step in self._steps[:-1]:
            whole = _get(whole, step)
        if isinstance(whole, set):
            self._refuse(self._tree.root, f"{self._path} is in a set, whose items have no values: edit it by hand")
        old = _put(intended, self._steps, spelling.data_of(self._value))
        if old is not keys.MISSING and same(old, spelling.data_of(self._value)):
            return self._tree
        node = slot.node if isinstance(slot, Slot) else slot[0]
        lost = None
        for text in self._candidates(slot):
            try:
                tree = Tree(text)
            except ConfigError:
                continue
            if same(tree.document.data, intended):
                missing = self._tree.comments() - tree.comments()
                if not missing:
                    return tree
                lost = lost or next(iter(missing))
        if lost is not None:
            parts = self._parts(old)
            if parts:  # each by itself leaves alone what is around it
                return Tree(set_values(self._text, parts))
            words = f"{self._path} can't be replaced as a whole: the comment {lost!r} in it would be lost"
            self._refuse(node, f"{words}; set what is in it, or edit it by hand")
        raise self._error(node, f"{self._path} can't be set without changing what is around it: edit it by hand")

    def _parts(self, old: Any) -> dict[str, Any]:
        """Return the changes inside a mapping that loses no key, or a list that stays as long; else nothing."""
        new = spelling.data_of(self._value)
        if isinstance(old, dict) and isinstance(new, dict) and old.keys() <= new.keys():
            pairs = [(key, old.get(key, keys.MISSING), value) for key, value in new.items()]
        elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            pairs = [(index, *items) for index, items in enumerate(zip(old, new, strict=True))]
        else:
            return {}
        return {
            keys.child(self._path, key): value
            for key, was, value in pairs
            if was is keys.MISSING or not same(was, value)
        }

    def _refuse(self, node: Node, message: str) -> NoReturn:
        raise self._error(node, message)

    def _error(self, node: Node, message: str) -> ConfigError:
        mark = node.start_mark
        return ConfigError(Problem(message, mark.line + 1, mark.column + 1, self._path))

    def _walk(self) -> Slot | tuple[MappingNode, tuple[Any, ...]]:
        """Return where the value stands; or what it is to be added to, and the steps that are missing."""
        node: Node = self._tree.root
        path = ""
        for number, step in enumerate(self._steps):
            self._require_own(node, path)
            slot = self._tree.find(node, step)
            rest = self._steps[number:]
            if slot is None:
                return self._require_mapping(node, path, rest), rest
            path = keys.child(path, step)
            if number == len(self._steps) - 1:
                if slot.alias is None:
                    self._require_own(slot.node, path)
                return slot
            if slot.alias is not None:
                name = self._text[slice(*slot.alias)]
                self._refuse(slot.node, f"{path} is the alias {name}: what is in it belongs to other keys too")
            node = slot.node
        raise AssertionError("a path has a step")

    def _require_own(self, node: Node, path: str) -> None:
        if self._tree.shared(node):
            name = f"*{node.anchor}"
            self._refuse(node, f"{path} is used elsewhere as {name}: a change of {self._path} would change that too")

    def _require_mapping(self, node: Node, path: str, rest: tuple[Any, ...]) -> MappingNode:
        step = rest[0]
        if ordered(node):
            self._refuse(node, f"{path} is an ordered map, a list of pairs: add {_shown(step)} to it by hand")
        if isinstance(node, SequenceNode):
            count = len(node.value)
            self._refuse(node, f"{path} is a list of {count}: it has no {_shown(step)}, the first item is {path}[0]")
        if not isinstance(node, MappingNode):
            self._refuse(node, f"{path} is a single value, it has no {_shown(step)} in it: set {path} as a whole")
        data = self._tree.document.data
        for walked in self._steps[: len(self._steps) - len(rest)]:
            data = _get(data, walked)
        if len(rest) > 1 and _get(data, step) is not keys.MISSING:
            where = keys.child(path, step)
            self._refuse(node, f"{where} is merged from elsewhere by '<<': what is in it belongs to other keys too")
        if any(type(other) is int for other in rest[1:]):
            self._refuse(node, f"there is no {keys.child(path, step)}: a list must be set as a whole")
        if any(isinstance(other, (list, dict)) for other in rest):
            self._refuse(node, f"{_shown(step)} is no key")
        return node

    def _candidates(self, slot: Slot | tuple[MappingNode, tuple[Any, ...]]) -> Iterator[str]:
        """Yield texts that should mean what is intended, the best one first."""
        if isinstance(slot, Slot):
            if isinstance(slot.node, ScalarNode) and slot.node.style in ("|", ">") and slot.alias is None:
                yield from self._new_block(slot.node)
            if not flow(slot.parent) and slot.alias is None and self._alike(slot.node):
                yield self._splice(slot.node, self._lines(self._tree.column(self._tree.start(slot.node))))
            for quote in (self._quote(slot.node), '"'):
                yield self._replace(slot, spelling.inline(self._value, flow=flow(slot.parent), quote=quote))
        elif flow(slot[0]) or not slot[0].value:
            yield from self._add_in_flow(*slot)
        else:
            yield from self._add_in_block(*slot)

    def _quote(self, node: Node) -> str:
        if self._json:
            return '"'
        return node.style if isinstance(node, ScalarNode) and node.style in ("'", '"') else ""

    def _alike(self, node: Node) -> bool:
        """Return whether the new value can stand in lines of its own, as the old one does."""
        data = spelling.data_of(self._value)
        kind = list if isinstance(node, SequenceNode) else dict
        return not isinstance(node, ScalarNode) and not flow(node) and isinstance(data, kind) and bool(data)

    def _lines(self, column: int) -> str:
        return f"{self._tree.newline}{' ' * column}".join(spelling.lines(self._value))

    def _splice(self, node: Node, new: str) -> str:
        """Put `new` in the place of a value; its anchor stays, its tag goes: the new value has its own type."""
        start, begin = self._tree.start(node), node.start_mark.index
        kept = _TAGS.sub("", self._text[begin:start]) if start > begin else ""
        return self._text[:begin] + kept + new + self._text[self._tree.end(node) :]

    def _replace(self, slot: Slot, new: str) -> str:
        if slot.alias is not None:
            return self._text[: slot.alias[0]] + new + self._text[slot.alias[1] :]
        node, start = slot.node, self._tree.start(slot.node)
        if isinstance(node, ScalarNode):
            if node.style in ("|", ">"):
                head, end, _ = self._tree.body(node)
                comment = _INDICATOR.sub("", self._text[start:head].rstrip(), 1)
                begin = int(node.start_mark.index)
                kept = _TAGS.sub("", self._text[begin:start])
                return self._splice_raw(begin, end, kept + new + comment)
            if empty(node):
                return self._fill(slot, start, new)
        elif not flow(node) and slot.after is not None:
            return self._hoist(slot.after, node, new)
        return self._splice(node, new)

    def _splice_raw(self, start: int, end: int, new: str) -> str:
        return self._text[:start] + new + self._text[end:]

    def _fill(self, slot: Slot, place: int, new: str) -> str:
        """Put a value where there is only the colon or the dash."""
        if slot.key is not None and slot.after is None and not flow(slot.parent):
            mark = self._text.rindex("?", 0, slot.key.start_mark.index)
            line = self._tree.line_end(int(slot.key.end_mark.index))
            return self._splice_raw(line, line, f"{self._tree.newline}{' ' * self._tree.column(mark)}: {new}")
        if slot.key is not None and slot.after is None:
            place, new = int(slot.key.end_mark.index), f": {new}"
        elif slot.after is not None:
            place = slot.after
        if self._text[place - 1 : place] not in (" ", "\t", "") and not new.startswith(":"):
            new = f" {new}"
        return self._splice_raw(place, place, new)

    def _hoist(self, after: int, node: Node, new: str) -> str:
        """Put a value in one line in the place of several: after the colon, before the comments that follow it."""
        start, begin = self._tree.start(node), int(node.start_mark.index)
        head = self._text[:after]
        if start > begin:
            after = begin + len(self._text[begin:start].rstrip())
            head = (self._text[:begin] + _TAGS.sub("", self._text[begin:after])).rstrip()
        gap = self._text[after:start]
        if "\n" not in gap and "\r" not in gap:
            return self._splice(node, new)
        comments = re.sub(r"(?:\r\n?|\n)[ \t]*$", "", gap)
        return f"{head} {new}{comments}{self._text[self._tree.end(node) :]}"

    def _new_block(self, node: ScalarNode) -> Iterator[str]:
        """Yield a block scalar with the new text, where that has lines."""
        value = spelling.data_of(self._value)
        if not isinstance(value, str) or "\n" not in value or value.endswith("\n\n"):
            return
        start = self._tree.start(node)
        head, end, indent = self._tree.body(node)
        if not indent:
            return
        rest = _INDICATOR.sub("", self._text[start:head].rstrip("\r\n"), 1)
        lines = value.removesuffix("\n").split("\n")
        body = [f"{' ' * indent}{line}" if line else "" for line in lines]
        header = ("|" if value.endswith("\n") else "|-") + rest
        yield self._splice_raw(start, end, self._tree.newline.join([header, *body]))

    def _add_in_block(self, node: MappingNode, rest: tuple[Any, ...]) -> Iterator[str]:
        tree, last = self._tree, node.value[-1][0]
        begin = int(last.start_mark.index)
        before = self._text[:begin].rstrip(" ")
        if before.endswith("?") and len(before) < begin:
            begin = len(before) - 1
        column, step, style = tree.column(begin), self._indent(), last.style or ""
        lines = [
            f"{' ' * (column + level * step)}{spelling.key(name, quote=style)}:" for level, name in enumerate(rest)
        ]
        lines[-1] += f" {spelling.inline(self._value)}"
        place = tree.line_end(tree.last_end(node))
        yield self._splice_raw(place, place, "".join(f"{tree.newline}{line}" for line in lines))
        # A block scalar that ends with the file, without a newline, would get one.
        place = begin - column
        yield self._splice_raw(place, place, "".join(f"{line}{tree.newline}" for line in lines))

    def _indent(self) -> int:
        """Return how far a mapping is indented in another one, in this file."""
        for key, value in self._tree.root.value:
            if isinstance(value, MappingNode) and not flow(value) and value.value:
                inner = self._tree.column(value.value[0][0].start_mark.index)
                outer = self._tree.column(key.start_mark.index)
                if inner > outer:
                    return inner - outer
        return 2

    def _add_in_flow(self, node: MappingNode, rest: tuple[Any, ...]) -> Iterator[str]:
        tree = self._tree
        style = (node.value[-1][0].style if node.value else "") or ('"' if self._json else "")
        value = spelling.data_of(self._value) if len(rest) > 1 else self._value
        for name in reversed(rest[1:]):
            value = {name: value}
        quote = '"' if self._json else ""
        entry = f"{spelling.key(rest[0], flow=True, quote=style)}: {spelling.inline(value, flow=True, quote=quote)}"
        if not node.value:
            place = tree.start(node) + 1
            yield self._splice_raw(place, place, entry)
            return
        end = tree.last_end(node)
        begin = int(node.start_mark.index)
        if self._text[tree.start(node)] != "{":  # a single pair in a list needs no braces, two do
            yield f"{self._text[:begin]}{{{self._text[begin:end]}, {entry}}}{self._text[end:]}"
            return
        key = int(node.value[-1][0].start_mark.index)
        prefix = self._text[key - tree.column(key) : key]
        own_line = not prefix.strip() and key - len(prefix) > node.start_mark.index
        sep = tree.newline + prefix if own_line else " "
        tail = _COMMENT.sub(lambda found: " " * len(found[0]), self._text[end : node.end_mark.index - 1])
        comma = tail.find(",")
        place = end + comma + 1 if comma >= 0 else end
        after = ""
        if own_line and (blank := _BLANK.match(self._text, place)):
            after = self._text[place : blank.end()]
        gap = " " if comma < 0 and self._text[end - 1] == ":" else ""  # nothing is the last value
        middle = gap + ("" if comma >= 0 else ",") + after + sep + entry + ("," if comma >= 0 else "")
        yield self._splice_raw(place, place + len(after), middle)


def _in_json(value: Any, *names: Any) -> bool:
    """Return whether JSON has words for a value and for new keys: not for dates, infinity and keys that are no text."""
    if isinstance(value, dict):
        return _in_json(None, *names, *value) and all(map(_in_json, value.values()))
    if isinstance(value, list):
        return _in_json(None, *names) and all(map(_in_json, value))
    finite = not isinstance(value, float) or math.isfinite(value)
    plain = value is None or isinstance(value, (str, bool, int, float))
    return finite and plain and all(isinstance(name, str) for name in names)


def _shown(step: Any) -> str:
    return f"[{step}]" if type(step) is int else f"key {step}"


def _get(data: Any, step: Any) -> Any:
    """Return what a step leads to in plain data."""
    if isinstance(data, list):
        return data[step] if type(step) is int and 0 <= step < len(data) else keys.MISSING
    if isinstance(data, dict):
        key = keys.choose(data, step)
        return keys.MISSING if key is keys.MISSING else data[key]
    return keys.MISSING


def _put(data: Any, steps: tuple[Any, ...], value: Any) -> Any:
    """Set a value in plain data, and return what was there."""
    for step in steps[:-1]:
        inner = _get(data, step)
        if inner is keys.MISSING:
            inner = data[step] = {}
        data = inner
    last = steps[-1]
    old = _get(data, last)
    if isinstance(data, dict):
        known = keys.choose(data, last)
        last = last if known is keys.MISSING else known
    data[last] = value
    return old
