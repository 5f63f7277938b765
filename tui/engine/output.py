"""The job's output: bytes to lines, and the scrollback that holds the newest of them."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

#: A line without an end is cut here, so that no job can fill the memory with one.
LONGEST_LINE = 1 << 16

#: Text, the version that was running when it was received, seconds since the epoch.
Line = tuple[str, int | None, float]


class LineSplitter:
    """Cuts a stream of bytes into lines. Broken UTF-8 becomes U+FFFD, never an error.

    What a carriage return goes back over is not kept: a progress bar that draws itself a million times is one line, the
    last of them, as on a terminal.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that `data` completes, without their ends."""
        text = self._rest + self._decoder.decode(data)
        *lines, self._rest = text.split("\n")
        if "\r" in text:
            lines = [_last_drawn(line) for line in lines]
            # Returns at the end are kept: the next thing after them may be the newline.
            kept = self._rest.rstrip("\r")
            self._rest = _last_drawn(kept) + self._rest[len(kept) :]
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = ""
        return lines

    def end(self) -> list[str]:
        """Return what is left when the stream has ended: at most one line."""
        rest = self._rest + self._decoder.decode(b"", final=True)
        self._rest = ""
        self._decoder.reset()
        return [_last_drawn(rest)] if rest else []


def _last_drawn(line: str) -> str:
    """Return what a line shows in the end, where carriage returns have gone back to its start."""
    return line.rstrip("\r").rpartition("\r")[2]


class Scrollback:
    """The newest lines of a job, bounded by their characters.

    Attributes:
        first: The number of the oldest line that is kept; the first line ever has the number 0.
    """

    def __init__(self, limit: int = 16 << 20) -> None:
        self._limit = limit
        self._size = 0
        self._lines: list[Line] = []
        self.first = 0

    @property
    def end(self) -> int:
        """The number of the next line."""
        return self.first + len(self._lines)

    def add(self, lines: Sequence[Line]) -> int:
        """Append lines, forget the oldest where the bound is passed, and return the number of the first new one."""
        number = self.end
        self._lines.extend(lines)
        self._size += sum(map(_weight, lines))
        if self._size > self._limit:
            self._trim()
        return number

    def since(self, number: int, most: int) -> tuple[int, tuple[Line, ...]]:
        """Return the number of the first of the lines, and the lines from `number` on, at most `most`.

        The first number is larger than the one asked for where lines have been forgotten.
        """
        start = max(number - self.first, 0)
        return self.first + start, tuple(self._lines[start : start + most])

    def _trim(self) -> None:
        # In slabs of a tenth: taking single lines off the front of a list would cost its length each time.
        count = 0
        while self._size > self._limit * 0.9:
            self._size -= _weight(self._lines[count])
            count += 1
        del self._lines[:count]
        self.first += count


def _weight(line: Line) -> int:
    return len(line[0]) + 100  # what the tuple and the numbers in it take
