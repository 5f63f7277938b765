"""Changes values in the text of a config, and not one byte beside them.

Every edit is checked: the new text is parsed, and means exactly what was intended, or nothing is changed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import combinations
from typing import Any, NoReturn

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from tui.config import keys
from tui.config.diff import same
from tui.config.document import ConfigDocument, ConfigError
from tui.config.editing import in_place, spelling
from tui.config.editing.entries import Entries, Impossible, Lost, Splice, applied, begin_of
from tui.config.editing.rewriter import Rewriter, key_quote
from tui.config.editing.tree import Slot, Tree, document_of, flow, keep, know, ordered, tree_of
from tui.protocol.messages import Problem

#: So many keys are named where none is like the one that was asked for.
_SHOWN = 6

Candidate = Callable[[], list[Splice]]


def set_typed(text: str, values: Mapping[str, str], *, add: bool, known: ConfigDocument | None = None) -> str:
    """Return the text of a config with values as somebody has typed them, all of them or none.

    Args:
        text: The text of the config.
        values: By their key paths, for `spelling.read`.
        add: A key that is not there is made; else it is refused, with the one that may be meant.
        known: Its document, where somebody has parsed it.

    Raises:
        ConfigError: As `set_values` and `spelling.read`; or a key is not there.
    """
    return set_values(text, {path: spelling.read(value) for path, value in values.items()}, add=add, known=known)


def set_values(text: str, values: Mapping[str, Any], *, add: bool = True, known: ConfigDocument | None = None) -> str:
    """Return the text of a config with other values, all of them or none.

    Args:
        text: The text of the config.
        values: By their key paths; plain data, or `spelling.Spelled` as their user has written it.
        add: Keys that are not there may be made.
        known: Its document, where somebody has parsed it.

    Raises:
        ConfigError: The text is no config, a path leads nowhere, or a value can't be changed by itself.
    """
    paths = _paths(values)
    made = in_place.set_values(text, values, document_of(text) or known)
    return know(made).text if made is not None else keep(_edited(tree_of(text), values, paths, add=add)).text


def edited(tree: Tree, values: Mapping[str, Any], *, add: bool = True) -> Tree:
    """Return a config with other values, parsed; see `set_values`."""
    return _edited(tree, values, _paths(values), add=add)


def _paths(values: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return the steps of each path."""
    paths = {path: _steps(path) for path in values}
    for (one, a), (other, b) in combinations(paths.items(), 2):
        if a[: len(b)] == b[: len(a)]:
            raise ConfigError(Problem(f"{one} and {other} can't be set together: one is in the other", key=other))
    return paths


def _edited(tree: Tree, values: Mapping[str, Any], paths: Mapping[str, tuple[Any, ...]], *, add: bool) -> Tree:
    if not add:
        for path, steps in paths.items():
            _require(tree, path, steps)
    for path, value in values.items():
        tree = _Edit(tree, path, paths[path], value).result()
    return tree


def _steps(path: str) -> tuple[Any, ...]:
    try:
        return keys.steps(path)
    except ValueError as error:
        raise ConfigError(Problem(str(error))) from error


def _require(tree: Tree, path: str, steps: tuple[Any, ...]) -> None:
    """See that there is a value at a path, or what is there that has a place for none, of which the edit will tell."""
    data, way = tree.document.data, ""
    for number, step in enumerate(steps):
        inner = keys.get(data, step)
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
        found = keys.get(found, step)
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
        self._data = spelling.data_of(value)
        self._value = spelling.in_json(value) if self._json else spelling.leaves(value)

    def result(self) -> Tree:
        """Return the edited text, parsed."""
        slot = self._walk()
        intended = copy.deepcopy(self._tree.document.data)
        new = slot[1] if not isinstance(slot, Slot) else ()
        if self._json and not _in_json(self._data, *new):
            self._refuse(
                self._tree.root, f"{self._path} can't be set to {spelling.inline(self._data)}: JSON has no such value"
            )
        whole: Any = intended
        for step in self._steps[:-1]:
            whole = keys.get(whole, step)
        if isinstance(whole, set):
            self._refuse(self._tree.root, f"{self._path} is in a set, whose items have no values: edit it by hand")
        old = _put(intended, self._steps, self._data)
        if old is not keys.MISSING and same(old, self._data):
            return self._tree
        node = slot.node if isinstance(slot, Slot) else slot[0]
        lost = None
        for candidate in self._candidates(slot, old):
            try:
                tree = Tree(applied(self._text, candidate()))
            except (ConfigError, Impossible):
                continue
            except Lost as comment:  # of an entry that goes: another way would give it to what stays
                lost = lost or str(comment)
                break
            if same(tree.document.data, intended):
                missing = self._tree.comment_texts() - tree.comment_texts()
                if not missing:
                    return tree
                lost = lost or next(iter(missing))
        if lost is not None:
            words = f"{self._path} can't be replaced as a whole: the comment {lost!r} in it would be lost"
            self._refuse(node, f"{words}; set what is in it, or edit it by hand")
        inner = self._tree.shared_in(node) if isinstance(slot, Slot) else None
        if inner is not None:
            self._refuse(node, f"{self._path} holds &{inner.anchor}, which is used elsewhere: set what is beside it")
        raise self._error(node, f"{self._path} can't be set without changing what is around it: edit it by hand")

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
            data = keys.get(data, walked)
        if len(rest) > 1 and keys.get(data, step) is not keys.MISSING:
            where = keys.child(path, step)
            self._refuse(node, f"{where} is merged from elsewhere by '<<': what is in it belongs to other keys too")
        if any(type(other) is int for other in rest[1:]):
            self._refuse(node, f"there is no {keys.child(path, step)}: a list must be set as a whole")
        if any(isinstance(other, (list, dict)) for other in rest):
            self._refuse(node, f"{_shown(step)} is no key")
        return node

    def _candidates(self, slot: Slot | tuple[MappingNode, tuple[Any, ...]], old: Any) -> Iterator[Candidate]:
        """Yield ways to a text that should mean what is intended, the best one first."""
        if not isinstance(slot, Slot):
            yield from self._additions(*slot)
            return
        rewriter = Rewriter(self._tree, '"' if self._json else "")
        yield partial(rewriter.value, slot, old, self._value)
        for quote in ("", '"'):
            yield partial(rewriter.whole, slot, self._value, quote)

    def _additions(self, node: MappingNode, rest: tuple[Any, ...]) -> Iterator[Candidate]:
        if flow(node) or not node.value:
            value = self._value
            for name in reversed(rest[1:]):
                value = {name: value}
            yield partial(Rewriter(self._tree, '"' if self._json else "").add_in_flow, node, {rest[0]: value})
            return
        lines = self._lines(node, rest)
        entries = Entries(self._tree, node, begin_of(self._tree, node))
        yield partial(entries.changed, {}, {entries.place(): [lines]})

    def _lines(self, node: MappingNode, rest: tuple[Any, ...]) -> str:
        """Return a new entry, and the mappings in which it is the only one, in lines of their own."""
        tree, step = self._tree, self._indent()
        column, style = tree.column(tree.entry(node, 0).start), key_quote(node)
        lines = [
            f"{' ' * (column + level * step)}{spelling.key(name, quote=style)}:" for level, name in enumerate(rest)
        ]
        return f"{tree.newline.join(lines).lstrip(' ')} {spelling.inline(self._value)}"

    def _indent(self) -> int:
        """Return how far a mapping is indented in another one, in this file."""
        for key, value in self._tree.root.value:
            if isinstance(value, MappingNode) and not flow(value) and value.value:
                inner = self._tree.column(value.value[0][0].start_mark.index)
                outer = self._tree.column(key.start_mark.index)
                if inner > outer:
                    return inner - outer
        return 2


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


def _put(data: Any, steps: tuple[Any, ...], value: Any) -> Any:
    """Set a value in plain data, and return what was there."""
    for step in steps[:-1]:
        inner = keys.get(data, step)
        if inner is keys.MISSING:
            inner = data[step] = {}
        data = inner
    last = steps[-1]
    old = keys.get(data, last)
    if isinstance(data, dict):
        known = keys.choose(data, last)
        last = last if known is keys.MISSING else known
    data[last] = value
    return old
