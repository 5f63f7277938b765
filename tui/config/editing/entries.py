"""How entries of a list or mapping come and go in its text, in lines of their own or in brackets.

A comment belongs to the entry that begins last before it on its line, or else to the one that follows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ruamel.yaml.nodes import Node

from tui.config.editing.tree import Slot, Span, Tree, flow


class Lost(Exception):  # noqa: N818 - it is no error of ours
    """A comment would be lost, or stand beside something else."""


class Impossible(Exception):  # noqa: N818 - as above
    """The entries can't be changed one by one."""


class Splice(NamedTuple):
    """A range of the text, and what is to stand there instead."""

    start: int
    end: int
    new: str


def applied(text: str, splices: list[Splice]) -> str:
    """Return a text with all of some changes.

    Raises:
        Impossible: They overlap.
    """
    parts, place = [], 0
    for start, end, new in sorted(splices, key=lambda splice: splice[:2]):
        if start < place:
            raise Impossible
        parts += [text[place:start], new]
        place = end
    return "".join([*parts, text[place:]])


class Entries:
    """The entries of one list or mapping.

    Args:
        tree: The config.
        node: What they are in; it has at least one.
        begin: Where the text begins that is theirs: after what is before the first one.
    """

    def __init__(self, tree: Tree, node: Node, begin: int) -> None:
        self._tree = tree
        self._node = node
        self._begin = begin
        self.slots: list[Slot] = tree.entries(node)
        self._ends = [tree.end(slot) for slot in self.slots]

    def changed(self, gone: Mapping[int, bool], added: Mapping[int, list[str]]) -> list[Splice]:
        """Return how entries go, and others come before those with their numbers.

        Args:
            gone: The numbers of those that go, and whether they come again elsewhere, with their comments.
            added: Their texts, without the indentation of the first line; those of `chunk` as it returned them.

        Raises:
            Lost: A comment has lost its entry.
            Impossible: None stays.
        """
        if len(gone) == len(self.slots):
            raise Impossible
        for index, moves in gone.items():
            if not moves:
                self.require_bare(index)
        if flow(self._node):
            return self._in_flow(gone, added)
        return self._in_block(gone, added)

    def place(self) -> int:
        """Return before which number a key is added: after all, but before what would get a newline by that."""
        open_end = self._ends[-1] == len(self._tree.text) and self._tree.open_ended()
        return len(self.slots) - (1 if open_end else 0)

    def require_bare(self, index: int) -> None:
        """Raise `Lost` where an entry has comments."""
        if comments := self.comments(index):
            raise Lost(self._tree.text[slice(*comments[0])].rstrip())

    def comments(self, index: int) -> list[Span]:
        """Return the comments of an entry: those before it, in it, and behind it on its line."""
        start, end = self.slots[index].start, self._ends[index]
        behind = min(self._tree.line_end(end), self._limit(index))
        return self._leading(index) + self._tree.comments(start, behind)

    def chunk(self, index: int) -> str | None:
        """Return the lines of an entry with its comments, None where they are not all its own."""
        start, end = self.slots[index].start, self._ends[index]
        if flow(self._node) or not self._tree.begins_line(start):
            text = self._tree.text[start:end]
            cut = flow(self._node) and ("\n" in text or "\r" in text)
            return None if cut or self.comments(index) else text
        text = self._tree.text[self._chunk_start(index) : self._tree.line_end(self._ends[index])]
        return text.removeprefix(self._indent())

    def _limit(self, index: int) -> int:
        if index + 1 < len(self.slots):
            return self.slots[index + 1].start
        return int(self._node.end_mark.index) if flow(self._node) else len(self._tree.text)

    def _leading(self, index: int) -> list[Span]:
        begin = self._ends[index - 1] if index else self._begin
        found = self._tree.comments(begin, self.slots[index].start)
        return [span for span in found if self._tree.begins_line(span[0])]

    def _chunk_start(self, index: int) -> int:
        """Return where the line of an entry begins, or that of the first comment before it."""
        leading = self._leading(index)
        return self._tree.line_start(leading[0][0] if leading else self.slots[index].start)

    def _indent(self) -> str:
        """Return what stands before each entry on its line."""
        return " " * self._tree.column(self.slots[0].start)

    def _in_block(self, gone: Mapping[int, bool], added: Mapping[int, list[str]]) -> list[Splice]:
        tree, splices = self._tree, []
        kept = next(index for index in range(len(self.slots)) if index not in gone)
        compact = not tree.begins_line(self.slots[0].start)
        if compact and kept:
            splices.append(self._bare(self.slots[0].start, self.slots[kept].start))
        for index in gone:
            if index > kept:
                splices.append(Splice(tree.line_end(self._ends[index - 1]), tree.line_end(self._ends[index]), ""))
            elif not compact:
                splices.append(Splice(self._chunk_start(index), self._chunk_start(index + 1), ""))
        indent, newline = self._indent(), tree.newline
        for index, texts in added.items():
            if index > kept:
                place = tree.line_end(self._ends[index - 1])
                splices.append(Splice(place, place, "".join(f"{newline}{indent}{text}" for text in texts)))
            elif compact:
                if texts[0].startswith("#"):  # on the line of the outer dash it would belong to that
                    first = self.slots[0].start
                    splices.append(Splice(tree.end_before(first), first, newline + indent))
                place = self.slots[kept].start
                splices.append(Splice(place, place, "".join(f"{text}{newline}{indent}" for text in texts)))
            else:
                place = self._chunk_start(kept)
                splices.append(Splice(place, place, "".join(f"{indent}{text}{newline}" for text in texts)))
        return splices

    def _bare(self, start: int, end: int) -> Splice:
        if comments := self._tree.comments(start, end):
            raise Lost(self._tree.text[slice(*comments[0])].rstrip())
        return Splice(start, end, "")

    def _in_flow(self, gone: Mapping[int, bool], added: Mapping[int, list[str]]) -> list[Splice]:
        kept = next(index for index in range(len(self.slots)) if index not in gone)
        splices = [self._out_of_flow(index, first=index < kept) for index in gone]
        for index, texts in added.items():
            splices += self._after_in_flow(index - 1, texts) if index > kept else [self._first_in_flow(kept, texts)]
        return splices

    def _out_of_flow(self, index: int, *, first: bool) -> Splice:
        tree, start, end = self._tree, self.slots[index].start, self._ends[index]
        whole = Splice(start, self.slots[index + 1].start, "") if first else Splice(self._end_before(index), end, "")
        if not tree.comments(whole.start, whole.end):
            return whole
        comma = tree.token_after(end)
        if comma.kind == ",":
            end = comma.end
        if tree.begins_line(start) and not tree.text[end : tree.line_end(end)].strip():
            start, end = tree.line_start(start), tree.line_end(end)
            end += len(tree.newline) if tree.text.startswith(tree.newline, end) else 0
        return Splice(start, end, "")

    def _end_before(self, index: int) -> int:
        """Return where the entry before another ends, with its comma where ``a:`` would mean ``a`` without one."""
        tree, end = self._tree, self._ends[index - 1]
        bare = self.slots[index - 1].after is None and tree.text[end - 1] == ":"
        return tree.token_after(end).end if bare and tree.token_after(self._ends[index]).kind != "," else end

    def _first_in_flow(self, kept: int, texts: list[str]) -> Splice:
        tree, start = self._tree, self.slots[kept].start
        if not tree.begins_line(start):
            return Splice(start, start, "".join(f"{text}, " for text in texts))
        place = self._chunk_start(kept)
        indent = tree.text[tree.line_start(start) : start]
        return Splice(place, place, "".join(f"{indent}{text},{tree.newline}" for text in texts))

    def _after_in_flow(self, index: int, texts: list[str]) -> list[Splice]:
        """Return how entries come after another one, and what is behind it on its line."""
        tree, place = self._tree, self._ends[index]
        after = tree.token_after(place)
        line = tree.line_end(place)
        comma = after.end if after.kind == "," and after.end <= line else None
        gap = " " if self.slots[index].after == place else ""  # nothing is the value
        commented = bool(tree.comments(comma or place, min(line, self._limit(index))))
        like = self.slots[min(index + 1, len(self.slots) - 1)].start
        if not commented and not tree.begins_line(like):
            return [Splice(place, place, gap + "".join(f", {text}" for text in texts))]
        indent = tree.text[tree.line_start(like) : like] if tree.begins_line(like) else " " * tree.column(like)
        lines = ",".join(f"{tree.newline}{indent}{text}" for text in texts)
        behind = comma or place
        if tree.token_after(behind).start >= line:
            behind = line  # after the comment, if there is one
        if comma is not None:
            return [Splice(behind, behind, f"{lines},")]
        return [Splice(place, place, f"{gap},"), Splice(behind, behind, lines)]


def begin_of(tree: Tree, node: Node) -> int:
    """Return where the text of the entries of a list or mapping begins."""
    if flow(node):
        start = tree.content(node)
        return start + 1 if tree.text[start] in "[{" else start
    return tree.end_before(tree.entry(node, 0).start)
