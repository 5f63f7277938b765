"""How one value takes the place of another in the text of a config: what is the same in both keeps its bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tui.config.diff import same
from tui.config.editing import spelling
from tui.config.editing.entries import Entries, Impossible, Lost, Splice, begin_of
from tui.config.editing.tree import Slot, Token, Tree, flow, ordered

_INDICATOR = re.compile(r"[|>][-+0-9]*")
_BLANKS = re.compile(r"[ \t]*(\r\n?|\n)?")


class Rewriter:
    """Finds what is to be changed in a text.

    Args:
        tree: The config.
        quote: All text is to stand in such quotes.
    """

    def __init__(self, tree: Tree, quote: str) -> None:
        self._tree = tree
        self._text = tree.text
        self._quote = quote

    def value(self, slot: Slot, old: Any, new: Any) -> list[Splice]:
        """Return how a value becomes another one: entry by entry, where both have some.

        Raises:
            Lost: A comment would be.
            Impossible: It can't be done so.
        """
        node, data = slot.node, spelling.data_of(new)
        if slot.alias is None and data:
            try:
                if isinstance(old, dict) and isinstance(data, dict):
                    return self._mapping(node, old, new)
                if isinstance(old, list) and isinstance(data, list) and old:
                    return self._list(node, old, new)
            except Impossible:
                pass
        return self.whole(slot, new)

    def whole(self, slot: Slot, new: Any, quote: str = "") -> list[Splice]:
        """Return how a value as a whole becomes another one; its anchor stays, its tag goes: the new has its own type.

        Raises:
            Lost: A comment would be.
        """
        tree, node = self._tree, slot.node
        inline = spelling.inline(new, flow=flow(slot.parent), quote=self._quote or quote or _quote_of(node, new))
        if slot.alias is not None:
            return [Splice(*slot.alias, inline)]
        if isinstance(node, ScalarNode) and node.style in ("|", ">"):
            return [*self._without_tags(slot), self._block(node, spelling.data_of(new), inline)]
        end = tree.end(slot)
        if end == slot.content:
            return self._fill(slot, inline)
        if isinstance(node, ScalarNode) or flow(node):
            return [*self._without_tags(slot), Splice(slot.content, end, inline)]
        if comments := tree.comments(slot.content, tree.line_end(end)):
            raise Lost(self._text[slice(*comments[0])].rstrip())
        return self._in_one_line(slot, end, inline)

    def _without_tags(self, slot: Slot) -> list[Splice]:
        return [self._without(token) for token in slot.properties if token.kind == "<tag>"]

    def _without(self, token: Token) -> Splice:
        """Return how a tag goes, with the blanks around it, or with its line where nothing else is on that."""
        start, blanks = token.start, _BLANKS.match(self._text, token.end)
        assert blanks is not None
        if blanks[1] is None:
            return Splice(start, blanks.end(), "")
        if self._tree.begins_line(start):
            return Splice(self._tree.line_start(start), blanks.end(), "")
        return Splice(len(self._text[:start].rstrip(" \t")), blanks.start(1), "")

    def _fill(self, slot: Slot, new: str) -> list[Splice]:
        """Put a value where there is nothing, but perhaps an anchor or a tag."""
        tree, text = self._tree, self._text
        if slot.properties:
            return self._behind_properties(slot, new)
        if slot.after is not None or slot.key is None:
            gap = " " if text[slot.content - 1] not in " \t" else ""
            return [Splice(slot.content, slot.content, gap + new)]
        if flow(slot.parent):
            return [Splice(slot.content, slot.content, f": {new}")]
        line = tree.line_end(slot.content)
        return [Splice(line, line, f"{tree.newline}{' ' * tree.column(slot.start)}: {new}")]

    def _behind_properties(self, slot: Slot, new: str) -> list[Splice]:
        last = slot.properties[-1]
        if last.kind == "<tag>":
            return [*self._without_tags(slot._replace(properties=slot.properties[:-1])), Splice(*last[:2], new)]
        return [*self._without_tags(slot), Splice(last.end, last.end, f" {new}")]

    def _in_one_line(self, slot: Slot, end: int, new: str) -> list[Splice]:
        """Put a value in one line in the place of several: behind its colon, or below the comments that follow that."""
        tree, place = self._tree, slot.properties[-1].end if slot.properties else slot.after
        if place is None or not tree.begins_line(slot.content):
            return [*self._without_tags(slot), Splice(slot.content, end, new)]
        if any(tree.begins_line(start) for start, _ in tree.comments(place, slot.content)):
            # Behind the colon the value would leave them to the next entry. A list may begin in the column of its key.
            deeper = "" if tree.column(slot.content) > tree.column(slot.start) else "  "
            return [*self._without_tags(slot), Splice(slot.content, end, deeper + new)]
        line = tree.line_start(slot.content)
        line -= 2 if self._text[line - 2 : line] == "\r\n" else 1
        head = self._behind_properties(slot, new) if slot.properties else [Splice(place, place, f" {new}")]
        return [*head, Splice(max(line, place), end, "")]

    def _block(self, node: ScalarNode, value: Any, inline: str) -> Splice:
        """Return what takes the place of a block scalar: another one, where the new value has lines."""
        start = self._tree.content(node)
        head, end, indent = self._tree.body(node)
        rest = _INDICATOR.sub("", self._text[start:head].rstrip(), 1)
        if not indent or not isinstance(value, str) or not _block_like(value):
            return Splice(start, end, inline + rest)
        lines = value.removesuffix("\n").split("\n")
        header = ("|" if value.endswith("\n") else "|-") + rest
        body = [f"{' ' * indent}{line}" if line else "" for line in lines]
        return Splice(start, end, self._tree.newline.join([header, *body]))

    def _mapping(self, node: Node, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> list[Splice]:
        slots = self._slots(node)
        kinds = {_kind(key): key for key in new}
        splices: list[Splice] = []
        for kind, key in {_kind(key): key for key in old}.items():
            if kind in kinds and kind in slots and not same(old[key], spelling.data_of(new[kinds[kind]])):
                splices += self.value(slots[kind][1], old[key], new[kinds[kind]])
        olds = {_kind(key): value for key, value in old.items()}
        gone = [kind for kind in olds if kind not in kinds]
        added = {
            key: new[key]
            for kind, key in kinds.items()
            if kind not in slots and (kind not in olds or not same(olds[kind], spelling.data_of(new[key])))
        }
        if not gone and not added:
            return splices
        if not isinstance(node, MappingNode) or any(kind not in slots for kind in gone):
            raise Impossible
        if flow(node) and not gone:
            return splices + self.add_in_flow(node, added)
        if not slots:
            raise Impossible
        entries = Entries(self._tree, node, begin_of(self._tree, node))
        texts = [self._entry(key, value, node) for key, value in added.items()]
        numbers = dict.fromkeys((slots[kind][0] for kind in gone), False)
        return splices + entries.changed(numbers, {entries.place(): texts} if texts else {})

    def _slots(self, node: Node) -> dict[Any, tuple[int, Slot]]:
        """Return the slots of the keys that a mapping, or an ordered one, has of its own, with their numbers."""
        nodes = node.value if ordered(node) else [node]
        if not all(isinstance(part, MappingNode) for part in nodes):
            raise Impossible
        return {
            _kind(self._tree.key(key)): (index, self._tree.entry(part, index))
            for part in nodes
            for index, (key, _) in enumerate(part.value)
            if key.tag != "tag:yaml.org,2002:merge"
        }

    def _entry(self, key: Any, value: Any, node: Node) -> str:
        inside = flow(node)
        name = spelling.key(key, flow=inside, quote=key_quote(node) or self._quote)
        return f"{name}: {spelling.inline(value, flow=inside, quote=self._quote)}"

    def add_in_flow(self, node: MappingNode, added: Mapping[Any, Any]) -> list[Splice]:
        """Return how keys are added to a mapping in brackets."""
        start = self._tree.content(node) if node.value or flow(node) else node.start_mark.index
        texts = [self._entry(key, value, node) for key, value in added.items()]
        if not node.value:
            return [self._first_in_brackets(start + 1, int(node.end_mark.index) - 1, ", ".join(texts))]
        if self._text[start] != "{":  # a single pair in a list needs no braces, two do
            slot = self._tree.entry(node, 0)
            end = self._tree.end(slot)
            return [Splice(slot.start, slot.start, "{"), Splice(end, end, f", {', '.join(texts)}}}")]
        return Entries(self._tree, node, start + 1).changed({}, {len(node.value): texts})

    def _first_in_brackets(self, start: int, end: int, text: str) -> Splice:
        """Return how a text comes between brackets that hold comments at most; one on the first line stays there."""
        tree, line = self._tree, self._tree.line_end(start)
        if not tree.comments(start, min(line, end)):
            return Splice(start, start, text)
        indent = self._text[tree.line_start(end) : end]
        return Splice(line, line, f"{tree.newline}{indent}  {text}")

    def _list(self, node: Node, old: list[Any], new: list[Any]) -> list[Splice]:
        if not isinstance(node, SequenceNode):
            raise Impossible
        entries = Entries(self._tree, node, begin_of(self._tree, node))
        before, after = [_canonical(item) for item in old], [_canonical(spelling.data_of(item)) for item in new]
        splices: list[Splice] = []
        gone: dict[int, bool] = {}
        added: dict[int, list[int]] = {}
        for kind, a, a_end, b, b_end in _operations(before, after):
            if kind == "equal":
                continue
            pairs = min(a_end - a, b_end - b)
            if a_end - a != b_end - b or _moves(before[a:a_end], after, before):
                pairs = next((at for at in range(pairs) if entries.comments(a + at)), pairs)
            for offset in range(pairs):
                splices += self.value(entries.slots[a + offset], old[a + offset], new[b + offset])
            gone.update(dict.fromkeys(range(a + pairs, a_end), False))
            if a == len(old) > entries.place():
                splices += self._closed(entries.slots[-1])
            if b + pairs < b_end:
                added[a + pairs if a_end - a > pairs else a_end] = list(range(b + pairs, b_end))
        if not gone and not added:
            return splices
        texts = dict(self._added(node, entries, gone, added, before, after, new))
        return splices + entries.changed(gone, texts)

    def _closed(self, slot: Slot) -> list[Splice]:
        """Return how the block scalar at the end of a value becomes text in quotes, which can be followed."""
        while not isinstance(slot.node, ScalarNode):
            slot = self._tree.entry(slot.node, len(slot.node.value) - 1)
        return self.whole(slot, slot.node.value, '"')

    def _added(
        self,
        node: Node,
        entries: Entries,
        gone: dict[int, bool],
        added: dict[int, list[int]],
        before: list[str],
        after: list[str],
        new: list[Any],
    ) -> Iterator[tuple[int, list[str]]]:
        """Yield the texts of what is added to a list: of an item that has gone elsewhere its own, with its comments."""
        quote = self._quote or _item_quote(node)
        for place, numbers in added.items():
            texts = []
            for number in numbers:
                moved = next((at for at in gone if not gone[at] and before[at] == after[number]), None)
                chunk = entries.chunk(moved) if moved is not None else None
                if chunk is not None and moved is not None:
                    gone[moved] = True
                    texts.append(chunk)
                else:
                    text = spelling.inline(new[number], flow=flow(node), quote=quote)
                    texts.append(text if flow(node) else f"- {text}")
            yield place, texts


def _quote_of(node: Node, new: Any) -> str:
    """Return the quotes of a text in which another text is to stand too."""
    if isinstance(node, ScalarNode) and node.style in ("'", '"') and isinstance(spelling.data_of(new), str):
        return str(node.style)
    return ""


def key_quote(node: Node) -> str:
    """Return the quotes in which the last key of a mapping stands, none where it has none."""
    style = node.value[-1][0].style if node.value else None
    return str(style) if style in ("'", '"') else ""


def _item_quote(node: Node) -> str:
    last = node.value[-1] if node.value else None
    return last.style if isinstance(last, ScalarNode) and last.style in ("'", '"') else ""


def _block_like(value: str) -> bool:
    """Return whether a text can stand in lines of its own, without a digit in its header."""
    if "\n" not in value or value.endswith("\n\n") or value[0] in " \t\n":
        return False
    return all(letter.isprintable() or letter in "\n\t" for letter in value)


def _kind(key: Any) -> tuple[type, Any]:
    return type(key), key


def _canonical(value: Any) -> str:
    """Return the same text for the same data, whatever the order of its keys."""
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{key!r}: {_canonical(item)}' for key, item in value.items()))}}}"
    return f"[{', '.join(map(_canonical, value))}]" if isinstance(value, list) else repr(value)


def _operations(before: list[str], after: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    """Return what becomes of the items of a list; each stays in its place where none has moved, come or gone."""
    changed = [index for index, (one, other) in enumerate(zip(before, after, strict=False)) if one != other]
    if len(before) == len(after) and not Counter(before[at] for at in changed) & Counter(after[at] for at in changed):
        return [("replace", at, at + 1, at, at + 1) for at in changed]
    return SequenceMatcher(None, before, after, autojunk=False).get_opcodes()


def _moves(some: list[str], after: list[str], before: list[str]) -> bool:
    """Return whether one of some items is elsewhere, more often than it was."""
    return any(after.count(item) >= before.count(item) for item in some)
