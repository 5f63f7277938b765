"""Which line of a log stands on which row: of all lines or of those that pass a filter, each on one row or wrapped."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable

from rich.cells import chop_cells

from tui.app.log.search import SLICE, FilteredLines
from tui.app.model.log_buffer import LogBuffer
from tui.app.model.log_line import Line
from tui.app.sanitize import bare


def cuts(text: str, width: int) -> list[int]:
    """Return where the rows of `text` begin, if no row is wider than `width` cells; no character is cut in two."""
    if text.isascii():
        return list(range(0, max(len(text), 1), width))
    starts, place = [0], 0
    for piece in chop_cells(text, width)[:-1]:
        place += len(piece)
        starts.append(place)
    return starts


class RowMap:
    """The rows of a log. They are counted from the oldest line that was looked at.

    Without filter and wrapping, nothing is kept: row and number then differ by the number of the oldest line.
    """

    def __init__(self, base: int) -> None:
        self.wrap = 0
        self._base = base
        self._chosen: FilteredLines | None = None
        self._starts: list[int] = []
        self._end = 0

    def choose(self, buffer: LogBuffer, test: Callable[[Line], bool] | None, wrap: int) -> None:
        """Begin anew with the lines that pass `test`, wrapped at a width or, with 0, not; `scan` finds the old ones."""
        self.wrap = wrap
        self._base = buffer.base
        plain = test is None and not wrap
        self._chosen = None if plain else FilteredLines(test or (lambda _: True), buffer.end)
        self._starts, self._end = [], 0

    def height(self, buffer: LogBuffer) -> int:
        """Return how many rows there are, without those of the line that was begun."""
        if self._chosen is None:
            return len(buffer)
        if not self.wrap:
            return len(self._chosen)
        return self._end - self._starts[0] if self._starts else 0

    def complete(self, buffer: LogBuffer) -> bool:
        """Tell whether every line of the buffer has its row."""
        return self._chosen is None or (self._chosen.complete(buffer) and not self._ahead())

    def _ahead(self) -> int:
        """Return how many lines were chosen, but not measured yet: the oldest of them."""
        return len(self._chosen) - len(self._starts) if self._chosen is not None and self.wrap else 0

    def sync(self, buffer: LogBuffer) -> int:
        """Take in new lines and forget those that are gone; return how many rows at the front have gone."""
        gone = buffer.base - self._base
        self._base = buffer.base
        if self._chosen is None:
            return gone
        ahead = self._ahead()
        gone = self._chosen.sync(buffer)
        if not self.wrap:
            return gone
        before = self._start()
        del self._starts[: max(gone - ahead, 0)]
        after = self._start()
        for number in self._chosen.numbers[max(ahead - gone, 0) + len(self._starts) :]:
            self._starts.append(self._end)
            self._end += self._rows_of(buffer[number])
        return after - before

    def _start(self) -> int:
        return self._starts[0] if self._starts else self._end

    def scan(self, buffer: LogBuffer) -> int:
        """Go on with the old lines for a moment; return how many rows have come in at the front."""
        if self._chosen is None:
            return 0
        if not self.wrap:
            return self._chosen.scan(buffer)
        deadline = time.monotonic() + SLICE
        if not self._ahead():
            self._chosen.scan(buffer, SLICE / 2)
        before = start = self._start()
        starts = []
        # A line may take long to measure, so the clock is looked at after each.
        for number in reversed(self._chosen.numbers[: self._ahead()]):
            start -= self._rows_of(buffer[number])
            starts.append(start)
            if time.monotonic() > deadline:
                break
        self._starts[:0] = reversed(starts)
        return before - start

    def begun(self, buffer: LogBuffer) -> int:
        """Return how many rows the lines take that may still change; they are the last ones."""
        return sum(map(self._rows_of, self.begun_lines(buffer)))

    def begun_lines(self, buffer: LogBuffer) -> list[Line]:
        """Return those of the lines that may still change which are shown."""
        return [line for line in buffer.begun if self._chosen is None or self._chosen.test(line)]

    def begun_at(self, row: int, buffer: LogBuffer) -> tuple[Line, int] | None:
        """Return which of these lines is at one of their rows, and which of its rows that is."""
        for line in self.begun_lines(buffer):
            rows = self._rows_of(line)
            if row < rows:
                return line, row
            row -= rows
        return None

    def _rows_of(self, line: Line) -> int:
        return len(cuts(bare(line.text), self.wrap)) if self.wrap and line.is_output else 1

    def at(self, row: int, buffer: LogBuffer) -> tuple[int, int]:
        """Return the number of the line at a row, and which of its rows that is; below the last, the line to come."""
        if self._chosen is None:
            number = self._base + row
            return min(number, buffer.end), max(number - buffer.end, 0)
        numbers, height = self._chosen.numbers, self.height(buffer)
        if row >= height:
            return buffer.end, row - height
        if not self.wrap:
            return numbers[row], 0
        row += self._starts[0]
        place = bisect_right(self._starts, row) - 1
        return numbers[place + self._ahead()], row - self._starts[place]

    def row(self, number: int, buffer: LogBuffer) -> int:
        """Return the first row of a line, or of the next one that is shown."""
        if self._chosen is None:
            return max(number - self._base, 0)
        place = bisect_left(self._chosen.numbers, number)
        if not self.wrap:
            return place
        place = max(place - self._ahead(), 0)
        return self._starts[place] - self._starts[0] if place < len(self._starts) else self.height(buffer)

    def numbers(self, first: int, last: int, buffer: LogBuffer) -> list[int]:
        """Return the numbers of the lines that are shown, from `first` to `last`, which must be in the buffer."""
        if self._chosen is None:
            return list(range(max(first, buffer.base), min(last + 1, buffer.end)))
        numbers = self._chosen.numbers
        return numbers[bisect_left(numbers, max(first, buffer.base)) : bisect_left(numbers, min(last + 1, buffer.end))]
