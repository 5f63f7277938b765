"""The newest lines of a job in the viewer: kept within bounds, each under a number that it keeps for good.

Whoever looks at a line never loses its place when older ones go. A block of plain text is taken over without a look at
each line, since a flood brings a hundred thousand of them a second.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import TypeVar

from rich.cells import cell_len

from tui.app.model.log_line import Line
from tui.app.model.sgr import SgrState
from tui.app.sanitize import MAX_LENGTH, bare, is_clean, sanitize

#: How much scrollback is kept; a reader who has scrolled up may hold on to twice as much.
MAX_LINES = 100_000
MAX_BYTES = 16 << 20

#: Lines are dropped this many at a time: one by one would move the whole list each time.
SLAB = 1_000

#: What a line takes in a list, and what it takes to know where some lines came from.
_SLOT = 8
ORIGIN = 160

#: Version and time of lines of which neither is known.
NOWHERE: tuple[int | None, float] = None, 0.0

_number = itemgetter(0)

T = TypeVar("T")


class LogBuffer:
    """The last lines of a job, each under a number that it keeps.

    Attributes:
        base: The number of the oldest line.
        width: Of the widest line ever, in cells.
        held: The number of a line that a reader looks at; it is kept a while longer.
        begun: The line that has no end yet, and those above it that may still change; none where there is none.
        lost: How many lines of the job are not here, or no more.
    """

    def __init__(self, max_lines: int = MAX_LINES, max_bytes: int = MAX_BYTES) -> None:
        self.base = 0
        self.width = 0
        self.held: int | None = None
        self.begun: list[Line] = []
        self.lost = 0
        self._texts: list[str] = []
        self.size = 0
        self._odd: dict[int, Line] = {}  # the lines that are no output
        self.origins: list[tuple[int, tuple[int | None, float]]] = []  # from which number on: version, time
        self._rules: list[tuple[int, int]] = []  # number and version of each mark, and of the last one that is gone
        self.max_lines = max_lines
        self._max_bytes = max_bytes
        self.expected = 0
        self._marked: int | None = None
        self._pen = SgrState()

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def written(self) -> bool:
        """Whether there is a line of output, not only marks."""
        return len(self._texts) > len(self._odd)

    @property
    def end(self) -> int:
        """The number that the next line will get."""
        return self.base + len(self._texts)

    def __getitem__(self, number: int) -> Line:
        """Return the line with that number; raises IndexError for one that is not here."""
        if not self.base <= number < self.end:
            raise IndexError(number)
        return self.part(number, number + 1)[0]

    def part(self, start: int, end: int) -> list[Line]:
        """Return the lines with numbers from `start` up to `end`, both within the buffer."""
        found = []
        place = bisect_right(self.origins, start, key=_number)
        origin = self.origins[place - 1][1] if place else NOWHERE
        for number, text in enumerate(self._texts[start - self.base : max(end - self.base, 0)], start):
            while place < len(self.origins) and self.origins[place][0] <= number:
                origin = self.origins[place][1]
                place += 1
            found.append(self._odd.get(number) or Line(text, *origin))
        return found

    def extend(self, first: int, lines: Sequence[str], version: int | None = None, time: float = 0.0) -> None:
        """Add lines of which the first has the number `first` in the engine's count."""
        if first > self.expected:
            self.lost += first - self.expected
            self._pen.lift()
            if self._texts or self.expected:
                self._add_odd(Line("", dropped=first - self.expected))
        self.expected = first + len(lines)
        self.begun = []
        if version is not None:
            self.mark(version)
        if not self.origins or self.origins[-1][1] != (version, time):
            self.origins.append((self.end, (version, time)))
            self.size += ORIGIN
        self._add(lines)
        self._prune()

    def begin(self, text: str) -> None:
        """Take the line that was begun as it stands now, and those above it that may change; an empty text is none."""
        version, time = self.origins[-1][1] if self.origins else NOWHERE
        lines = [self._pen.code + sanitize(line) for line in text.split("\n")] if text else []
        self.begun = [Line(line, version, time) for line in lines]
        self._widen(lines)

    def mark(self, version: int) -> None:
        """Note that `version` runs from here on; lines of an older one that come late change nothing."""
        if self._marked is None or version > self._marked:
            self._marked = version
            self._rules.append((self.end, version))
            self._add_odd(Line("", mark=version))

    def lift_pen(self) -> None:
        """Let colours that are still on end here: another process goes on."""
        self._pen.lift()

    def is_rule(self, number: int) -> bool:
        """Tell whether a line is the mark of a version."""
        return number in self._odd and self._odd[number].mark is not None

    def rule(self, version: int) -> int | None:
        """Return the number of the mark of `version`, or of the oldest line that is left of it."""
        number = next((number for number, marked in self._rules if marked == version), None)
        return None if number is None or not self._texts else max(number, self.base)

    def version_at(self, number: int) -> int | None:
        """Return the version that ran when a line came; None before the first one."""
        place = bisect_right(self._rules, number, key=_number)
        return self._rules[place - 1][1] if place else None

    def clear(self) -> None:
        """Forget all lines; those to come get the numbers that they would have got."""
        self._forget(len(self._texts))
        self.width = self.lost = 0
        self.held = None

    def snapshot(self) -> LogBuffer:
        """Return a copy that stays as it is, for a view that was frozen."""
        copy = LogBuffer(self.max_lines, self._max_bytes)
        copy.base, copy.width, copy.begun, copy.lost = self.base, self.width, self.begun, self.lost
        copy._texts, copy._odd = self._texts.copy(), self._odd.copy()
        copy.origins, copy._rules = self.origins.copy(), self._rules.copy()
        return copy

    def _add(self, lines: Sequence[str]) -> None:
        if max(map(len, lines)) > MAX_LENGTH or not is_clean("\n".join(lines)) or self._pen.code:
            lines = list(map(self._finish, lines))
        self._texts += lines
        self.size += sum(map(sys.getsizeof, lines)) + _SLOT * len(lines)
        self._widen(lines)

    def _finish(self, line: str) -> str:
        """Return a line harmless, with the colours that are on at its begin."""
        code = self._pen.code
        if "\x1b" in line:
            self._pen.follow(line)
        return code + sanitize(line)

    def _widen(self, lines: Sequence[str]) -> None:
        for line in lines:
            if len(line) > self.width or not line.isascii():
                self.width = max(self.width, cell_len(bare(line)))

    def _add_odd(self, line: Line) -> None:
        self._odd[self.end] = line
        self._texts.append("")
        self.size += sys.getsizeof("") + _SLOT

    def _prune(self) -> None:
        crowded = self.size > self._max_bytes
        if len(self._texts) - self.max_lines < SLAB and not crowded:
            return
        room = self._max_bytes * 3 // 4 if crowded else self._max_bytes
        count, left = 0, self.size
        while len(self._texts) - count > self.max_lines or left > room:
            left -= sys.getsizeof(self._texts[count]) + _SLOT
            count += 1
        if self.held is not None and len(self._texts) < 2 * self.max_lines and self.size < 2 * self._max_bytes:
            count = min(count, max(self.held - self.base, 0))
        self.lost += count - sum(number < self.base + count for number in self._odd)
        self._forget(count)

    def _forget(self, count: int) -> None:
        """Forget the oldest lines, and the versions of which no line is left."""
        self.size -= sum(map(sys.getsizeof, self._texts[:count])) + _SLOT * count
        del self._texts[:count]
        self.base += count
        self._odd = {number: line for number, line in self._odd.items() if number >= self.base}
        self.size -= ORIGIN * _drop(self.origins, self.base)
        _drop(self._rules, self.base)


def _drop(items: list[tuple[int, T]], number: int) -> int:
    """Forget those that end before `number`, each goes on to the next; return how many they were."""
    count = max(bisect_right(items, number, key=_number) - 1, 0)
    del items[:count]
    return count
