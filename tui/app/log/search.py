"""The lines of a log that a user looks for: found in slices, so that no search holds up the screen."""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from tui.app.model.log_buffer import LogBuffer
from tui.app.model.log_line import Line
from tui.app.model.query import Query, query

#: What introduces, in a filter, what is to be hidden.
HIDE = "!"

#: How long one slice may take, in seconds, and how many lines are looked at between two looks at the clock.
SLICE = 0.006
CHUNK = 64

#: The pause between two slices. From a key to the screen it takes some ten turns of the loop: with none there would be
#: a slice in each of them.
BREATH = 0.002


@dataclass(frozen=True)
class Filter:
    """Which lines of a log are shown: those that `query` finds, or those that it does not."""

    query: Query
    hide: bool

    def shows(self, line: Line) -> bool:
        """Tell whether a line stays; rules and notes always do."""
        return not line.is_output or self.query.finds(line) is not self.hide

    def __str__(self) -> str:
        return f"{'without' if self.hide else 'only'} {self.query.text}"


def line_filter(text: str) -> Filter | None:
    """Return the filter that `text` asks for; raises ValueError for a broken regular expression."""
    sought = query(text.removeprefix(HIDE))
    return Filter(sought, text.startswith(HIDE)) if sought is not None else None


#: What is taken for a mistake in any job's output.
ERRORS = Query(
    "errors",
    re.compile(
        r"Traceback \(most recent call last\)"
        r"|\b(?:ERROR|FATAL|CRITICAL|PANIC|SEVERE)\b"
        r"|^\s*(?:[Ee]rror|[Ff]atal(?: error)?|[Pp]anic)\b\s*[:\[(]"
        r"|^(?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*)?(?:Error|Exception)\b"
        r"|\[(?:error|crit|alert|emerg|E)\]"  # servers
        r"|:\d+: (?:fatal )?error:"  # compilers
        r"|^[EF]\d{4} \d\d:"  # glog: the letter, month and day
        r"|level=(?:error|fatal)\b"
    ),
)


class FilteredLines:
    """The lines of a buffer that pass a test, in order, by their numbers.

    New lines are taken in as they come; the old ones from the newest on, a slice at a time, so that what is on the
    screen comes first.
    """

    def __init__(self, test: Callable[[Line], bool], end: int) -> None:
        self.numbers: list[int] = []
        self.test = test
        self._low = self._high = end

    def __len__(self) -> int:
        return len(self.numbers)

    def complete(self, buffer: LogBuffer) -> bool:
        """Tell whether every line of the buffer has been looked at."""
        return self._low <= buffer.base and self._high >= buffer.end

    def sync(self, buffer: LogBuffer) -> int:
        """Take in new lines and forget those that are gone; return how many places at the front have gone."""
        start = max(self._high, buffer.base)
        self.numbers += self._pick(buffer, start, buffer.end)
        self._high = max(start, buffer.end)
        self._low = max(self._low, buffer.base)
        gone = bisect_left(self.numbers, buffer.base)
        del self.numbers[:gone]
        return gone

    def scan(self, buffer: LogBuffer, seconds: float = SLICE) -> int:
        """Go on with the old lines for a while; return how many places have come in at the front."""
        deadline = time.monotonic() + seconds
        found: list[int] = []
        while self._low > buffer.base and time.monotonic() < deadline:
            start = max(self._low - CHUNK, buffer.base)
            found += reversed(self._pick(buffer, start, self._low))
            self._low = start
        self.numbers[:0] = reversed(found)
        return len(found)

    def _pick(self, buffer: LogBuffer, start: int, end: int) -> list[int]:
        test = self.test
        return [number for number, line in enumerate(buffer.part(start, end), start) if test(line)]

    def beside(self, number: int, by: int) -> int | None:
        """Return the nearest one after `number`, or before it where `by` is negative, around the ends."""
        if not self.numbers:
            return None
        place = bisect_left(self.numbers, number + 1) if by > 0 else bisect_left(self.numbers, number) - 1
        return self.numbers[place % len(self.numbers)]

    def place(self, number: int | None) -> int | None:
        """Return the place of `number`, counted from 1, or None where it is no match."""
        if number is None:
            return None
        place = bisect_left(self.numbers, number)
        return place + 1 if place < len(self.numbers) and self.numbers[place] == number else None
