"""The text of a file and what of it an editor can hold, both ways, byte by byte.

The editor widget knows one line ending, drops a byte order mark in the first cell, and breaks lines at characters
that are no line ends in a file. `FileText` gives it a text that it can hold and takes an edited one back, so that
every line which was not touched keeps its exact characters and its own line ending.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from tui.app.sanitize import picture

BOM = "\ufeff"

#: A line end in a file; anything else that Python calls a line boundary stays within its line.
_ENDING = re.compile(r"\r\n|\n|\r")

#: What an editor line must not contain: it would break the line, or reach the terminal as a command.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")

#: From so many lines on a difference need not be the smallest one.
LONG = 1000

#: Private characters to stand in for a control character whose picture is taken.
_SPARE = range(0xE000, 0xF8FF)


def visible(text: str) -> str:
    """Return `text` with every control character but tab and line ends shown by its picture."""
    return _CONTROL.sub(lambda match: picture(match[0]), text)


class Span(NamedTuple):
    """The smallest range of two texts outside of which they are equal, as offsets."""

    start: int
    old_end: int
    new_end: int


def changed_span(old: str, new: str) -> Span:
    """Return the range in which `old` and `new` differ."""
    limit = min(len(old), len(new))
    start = _common(old, new, limit)
    rest = limit - start
    tail = _common(old[len(old) - rest :][::-1], new[len(new) - rest :][::-1], rest)
    return Span(start, len(old) - tail, len(new) - tail)


def _common(old: str, new: str, limit: int) -> int:
    """Return the length of the common start, found by halving: slices compare much faster than characters."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


class ChangedRows(NamedTuple):
    """The smallest range of the lines of two texts outside of which they are equal."""

    start: int
    old_end: int
    new_end: int


def changed_rows(old: Sequence[str], new: Sequence[str]) -> ChangedRows:
    """Return the rows in which `old` and `new` differ."""
    limit = min(len(old), len(new))
    head = next((i for i in range(limit) if old[i] != new[i]), limit)
    tail = next((i for i in range(limit - head) if old[-1 - i] != new[-1 - i]), limit - head)
    return ChangedRows(head, len(old) - tail, len(new) - tail)


def matching_lines(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield difflib opcodes from `old` to `new`, computed on the part that differs only."""
    head, old_end, new_end = changed_rows(old, new)
    if head:
        yield "equal", 0, head, 0, head
    # Lines that stand there many times over are no help in a long text, and cost the square of their number.
    middle = SequenceMatcher(None, old[head:old_end], new[head:new_end], autojunk=new_end - head > LONG)
    for tag, i1, i2, j1, j2 in middle.get_opcodes():
        yield tag, i1 + head, i2 + head, j1 + head, j2 + head
    if old_end < len(old):
        yield "equal", old_end, len(old), new_end, len(new)


def moved_row(old: str, new: str, row: int) -> int:
    """Return where the line at `row` of `old` stands in `new`, or would stand if it is gone."""
    target = row
    for tag, i1, i2, j1, j2 in matching_lines(old.split("\n"), new.split("\n")):
        if i1 <= row < i2:
            target = j1 + row - i1 if tag == "equal" else min(j1 + row - i1, max(j1, j2 - 1))
            break
    return min(target, new.count("\n"))


class FileText:
    """The text of a file, and `shown`: the same for an editor, lines parted by newlines only."""

    def __init__(self, text: str) -> None:
        self.text = text
        body = text.removeprefix(BOM)
        self._mark = text[: len(text) - len(body)]
        self._lines = _ENDING.split(body)
        self._endings = _ENDING.findall(body)
        self._stand_ins = _stand_ins(body)
        table = str.maketrans(self._stand_ins)
        self._shown = [line.translate(table) for line in self._lines]
        self.shown = "\n".join(self._shown)

    def restore(self, shown: str) -> str:
        """Return the file's text for an edited `shown`; what was not touched comes back as it was."""
        if shown == self.shown:
            return self.text
        table = str.maketrans({stand_in: control for control, stand_in in self._stand_ins.items()})
        edited = shown.split("\n")
        parts = [self._mark]
        ending = self._endings[0] if self._endings else "\n"
        for row, origin, equal in self._origins(edited):
            if origin is not None and origin < len(self._endings):
                ending = self._endings[origin]
            parts.append(self._lines[origin] if equal and origin is not None else edited[row].translate(table))
            parts.append(ending)
        return "".join(parts[:-1])

    def _origins(self, edited: list[str]) -> Iterator[tuple[int, int | None, bool]]:
        """Yield each edited row with the original row that it comes from, and whether the two are equal."""
        for tag, i1, i2, j1, j2 in matching_lines(self._shown, edited):
            for row in range(j1, j2):
                origin = i1 + row - j1
                yield row, origin if origin < i2 else None, tag == "equal"


def _stand_ins(text: str) -> dict[str, str]:
    """Return a visible character for each control character of `text`, none of them in `text` already."""
    chosen: dict[str, str] = {}
    spare = (chr(code) for code in _SPARE if chr(code) not in text)
    for control in sorted(set(_CONTROL.findall(text))):
        wish = picture(control)
        chosen[control] = next(spare) if wish in text or wish in chosen.values() else wish
    return chosen
