"""The lines of a job's output: made harmless on the way in, kept within bounds, numbered for good.

A line keeps its number when older ones are dropped, so that whoever looks at a line never loses its place. Of all
escape sequences only colours survive `sanitize`; they are turned into styles when a line is drawn.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

from rich.cells import cell_len

from tui.app.text import picture

#: How much scrollback is kept; a reader who has scrolled up may hold on to twice as much.
MAX_LINES = 50_000
MAX_CHARACTERS = 16 << 20

#: Lines are dropped this many at a time: one by one would move the whole list each time.
SLAB = 1_000

#: What is shown of a line without end.
MAX_LENGTH = 20_000

TAB = 8

_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_COLOR = re.compile("\x1b\\[[0-9;:]*m")
_ESCAPE = re.compile(
    "(?P<color>\x1b\\[[0-9;:]*m)"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"  # any other control sequence
    "|(?:\x1b[\\]P_^X]|[\x9d\x90\x9e\x9f\x98])[^\x07\x1b\x9c]*(?:\x07|\x9c|\x1b\\\\)?"  # a string up to its end
    "|\x1b[ -/]*[0-~]"
    "|[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\x1b]"
)


def sanitize(line: str) -> str:
    """Return `line` without anything that a terminal would obey but colours; tabs become blanks."""
    if len(line) > MAX_LENGTH:
        line = f"{line[:MAX_LENGTH]} … {len(line) - MAX_LENGTH:,} more characters"
    if not _HARMFUL.search(line):
        return line
    if "\r" in line:
        # A progress bar rewrites its line: what stands last is what a terminal would show.
        line = next((part for part in reversed(line.split("\r")) if part), "")
    line = _ESCAPE.sub(_harmless, line)
    return _expand_tabs(line) if "\t" in line else line


def _harmless(match: re.Match[str]) -> str:
    if match["color"]:
        return match[0]
    found = match[0]
    if len(found) > 1 or found in "\x07\x1b" or found > "\x7f":
        return ""
    return picture(found)


def _expand_tabs(line: str) -> str:
    pieces = []
    column = 0
    for piece in re.split("(\x1b\\[[0-9;:]*m|\t)", line):
        if piece == "\t":
            blanks = TAB - column % TAB
            pieces.append(" " * blanks)
            column += blanks
        else:
            pieces.append(piece)
            column += 0 if piece.startswith("\x1b") else cell_len(piece)
    return "".join(pieces)


def plain(text: str) -> str:
    """Return `text` as one harmless line without colours: for messages, keys and values."""
    return _COLOR.sub("", sanitize(" ".join(text.splitlines())))


def bare(line: str) -> str:
    """Return a sanitized line without its colours."""
    return _COLOR.sub("", line) if "\x1b" in line else line


class Line(NamedTuple):
    """A line of output, or a mark between two: version `mark` took effect, or `dropped` lines were lost."""

    text: str
    mark: int | None = None
    dropped: int = 0
    time: float = 0.0

    @property
    def is_output(self) -> bool:
        """Whether the job wrote it."""
        return self.mark is None and not self.dropped


class LineBuffer:
    """The last lines of a job, each under a number that it keeps.

    Attributes:
        base: The number of the oldest line that is still here.
        width: The widest line so far, in cells.
        held: The number of the first line that a reader looks at; None when nobody has scrolled up.
    """

    def __init__(self, max_lines: int = MAX_LINES, max_characters: int = MAX_CHARACTERS) -> None:
        self.base = 0
        self.width = 0
        self.held: int | None = None
        self._lines: list[Line] = []
        self._characters = 0
        self._max_lines = max_lines
        self._max_characters = max_characters
        self._expected: int | None = None
        self._marked: int | None = None
        self._rules: list[tuple[int, int]] = []  # number and version of each mark, and of the last one that is gone

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def end(self) -> int:
        """The number that the next line will get."""
        return self.base + len(self._lines)

    def __getitem__(self, number: int) -> Line:
        """Return the line with that number; raises IndexError for one that is not here."""
        if number < self.base:
            raise IndexError(number)
        return self._lines[number - self.base]

    def part(self, start: int, end: int) -> list[Line]:
        """Return the lines with numbers from `start` up to `end`, both within the buffer."""
        return self._lines[start - self.base : max(end - self.base, 0)]

    def extend(self, first: int, lines: Iterable[tuple[str, int | None, float]]) -> None:
        """Add lines of which the first has the number `first` in the engine's count."""
        if self._expected is not None and first > self._expected:
            self._add(Line("", dropped=first - self._expected))
        self._expected = first
        for text, version, moment in lines:
            if version is not None:
                self.mark(version)
            self._add(Line(sanitize(text), time=moment))
            self._expected += 1
        self._prune()

    def mark(self, version: int) -> None:
        """Note that `version` runs from here on; lines of an older one that come late change nothing."""
        if self._marked is None or version > self._marked:
            self._marked = version
            self._rules.append((self.end, version))
            self._add(Line("", mark=version))

    def rule(self, version: int) -> int | None:
        """Return the number of the mark of `version`, or of the oldest line that is left of it."""
        number = next((number for number, marked in self._rules if marked == version), None)
        return None if number is None or self.base == self.end else max(number, self.base)

    def version_at(self, number: int) -> int | None:
        """Return the version that ran when a line came; None before the first one."""
        place = bisect_right(self._rules, number, key=itemgetter(0))
        return self._rules[place - 1][1] if place else None

    def clear(self) -> None:
        """Forget all lines; those to come get the numbers that they would have got."""
        self.base = self.end
        self._lines.clear()
        self._characters = self.width = 0
        self.held = None
        self._forget_rules()

    def snapshot(self) -> LineBuffer:
        """Return a copy that stays as it is, for a view that was frozen."""
        copy = LineBuffer(self._max_lines, self._max_characters)
        copy.base, copy.width = self.base, self.width
        copy._lines, copy._rules = self._lines.copy(), self._rules.copy()
        return copy

    def _add(self, line: Line) -> None:
        self._lines.append(line)
        self._characters += len(line.text)
        length = len(line.text)
        if not line.text.isascii() or "\x1b" in line.text:
            length = cell_len(bare(line.text))
        self.width = max(self.width, length)

    def _prune(self) -> None:
        crowded = self._characters > self._max_characters
        if len(self._lines) - self._max_lines < SLAB and not crowded:
            return
        room = self._max_characters * 3 // 4 if crowded else self._max_characters
        count, left = 0, self._characters
        while len(self._lines) - count > self._max_lines or left > room:
            left -= len(self._lines[count].text)
            count += 1
        if self.held is not None and len(self._lines) < 2 * self._max_lines and self._characters < 2 * room:
            count = min(count, max(self.held - self.base, 0))
        self._characters -= sum(len(line.text) for line in self._lines[:count])
        del self._lines[:count]
        self.base += count
        self._forget_rules()

    def _forget_rules(self) -> None:
        """Forget the versions of which no line is left."""
        del self._rules[: max(bisect_right(self._rules, self.base, key=itemgetter(0)) - 1, 0)]
