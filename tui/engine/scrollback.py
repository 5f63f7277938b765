"""The job's output: blocks of whole lines as they came, and the scrollback that holds the newest of them.

A flood costs what it takes to read it and to count its lines. Text is made of a block when somebody wants to see it.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

from tui.engine.small_screen import SmallScreen, moves, reach
from tui.protocol import messages

#: A line is cut here, in bytes, so that no job can fill the memory with one.
LONGEST_LINE = 1 << 16

#: How many bytes of output are kept, what keeping them takes included.
KEPT = 16 << 20

#: What a block takes besides its bytes.
_OVERHEAD = 300

#: A job that prints line by line would make a block of each: those that come within so many seconds are put together,
#: up to so many bytes.
_TOGETHER = 0.02
_TOGETHER_BYTES = 1 << 13

#: The begin of a control sequence whose end is still to come, and how much of it is waited for.
_CUT = re.compile(rb"\x1b(\[[0-9;:?]*)?\Z")
_LONGEST_CUT = 32


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Some lines of output that came together.

    Attributes:
        first: The number of the first one; the first line ever has the number 0.
        count: How many they are.
        data: Their bytes, each line with its newline.
        version: Which was running when they were received.
        time: Seconds since the epoch.
    """

    first: int
    count: int
    data: bytes
    version: int | None
    time: float

    @property
    def end(self) -> int:
        """The number of the line after the last one."""
        return self.first + self.count

    @property
    def text(self) -> str:
        """The lines as text, newlines between them. Broken UTF-8 becomes U+FFFD, never an error."""
        text = self.data[:-1].decode("utf-8", "replace")
        return "\n".join(map(last_drawn, text.split("\n"))) if "\r" in text else text

    @property
    def drawn(self) -> bytes:
        """The lines of `text` as UTF-8, each with its newline."""
        if self.data.isascii() and b"\r" not in self.data:
            return self.data
        return f"{self.text}\n".encode()

    def since(self, number: int) -> LineBlock:
        """Return the part from line `number` on, which must be in the block."""
        if number <= self.first:
            return self
        place = 0
        for _ in range(number - self.first):
            place = self.data.index(b"\n", place) + 1
        return LineBlock(number, self.end - number, self.data[place:], self.version, self.time)

    def parts(self, size: int) -> Iterator[LineBlock]:
        """Yield the block in parts of about `size` bytes, of whole lines."""
        first, start, length = self.first, 0, len(self.data)
        while start < length:
            end = length if length - start <= size else self.data.find(b"\n", start + size) + 1
            count = self.end - first if end == length else self.data.count(b"\n", start, end)
            yield LineBlock(first, count, self.data[start:end], self.version, self.time)
            first, start = first + count, end

    def lines(self, job: str) -> messages.Lines:
        """Return the message that carries the block."""
        return messages.Lines(job, self.first, self.text, self.version, time=self.time)


@dataclass(frozen=True)
class Output(messages.Event):
    """A job has written something; `block` are the lines that it completed. This is no message, it stays in here."""

    block: LineBlock | None


def last_drawn(line: str) -> str:
    """Return what a line shows in the end, where carriage returns have gone back to its start."""
    return line.rstrip("\r").rpartition("\r")[2]


def _whole_sequences(data: bytes) -> tuple[bytes, bytes]:
    """Return output up to a control sequence whose end is still to come, and that."""
    if b"\x1b" not in data[-_LONGEST_CUT:]:
        return data, b""
    cut = _CUT.search(data, len(data) - _LONGEST_CUT if len(data) > _LONGEST_CUT else 0)
    place = len(data) if cut is None else cut.start()
    return data[:place], data[place:]


class Scrollback:
    """The newest lines of a job, bounded by the memory that they take, and the line that it has begun.

    What a carriage return goes back over is not kept: a progress bar that draws itself a million times is one line, the
    last of them, as on a terminal. An output that goes back over whole lines is drawn on a small screen.

    Attributes:
        end: The number of the next line.
    """

    def __init__(self, limit: int = KEPT) -> None:
        self.end = 0
        self._limit = limit
        self.size = 0
        self.blocks: list[LineBlock] = []
        self.rest = bytearray()  # of the line that was begun: since the last carriage return that something followed
        self._cut = b""  # the begin of a control sequence
        self._screen: SmallScreen | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def first(self) -> int:
        """The number of the oldest line that is kept."""
        return self.blocks[0].first if self.blocks else self.end

    @property
    def begun(self) -> str:
        """The line that has no end yet, as it stands; several where they may still be drawn again."""
        return self._screen.text if self._screen is not None else last_drawn(self.rest.decode("utf-8", "replace"))

    def write(self, data: bytes, version: int | None, time: float) -> LineBlock | None:
        """Take output as it came, and return the lines that it completes."""
        data, self._cut = _whole_sequences(self._cut + data)
        if self._screen is None and moves(data):
            self._screen = SmallScreen(self._decoder.decode(bytes(self.rest)), reach(data))
            self.rest.clear()
        if self._screen is not None:
            taken = self._draw(self._screen, data)
        else:
            parts = range(0, len(data), LONGEST_LINE)
            taken = b"".join(self._whole(data[start : start + LONGEST_LINE]) for start in parts)
        return self._add(taken, version, time) if taken else None

    def finish(self, version: int | None, time: float) -> LineBlock | None:
        """Return the line that was begun as a whole one: the output has ended."""
        if self._screen is not None:
            self._screen.write(self._decoder.decode(self._cut, final=True))
            rest = self._screen.text.encode()
        else:
            rest = bytes(self.rest) + self._cut
        self.rest.clear()
        self._screen, self._cut = None, b""
        self._decoder.reset()
        return self._add(rest + b"\n", version, time) if rest else None

    def _draw(self, screen: SmallScreen, data: bytes) -> bytes:
        """Return the lines that nothing goes back over any more."""
        lines = screen.write(self._decoder.decode(data))
        if screen.is_calm and not self._decoder.getstate()[0]:
            *above, begun = screen.lines
            lines += above
            self.rest[:] = begun.encode()
            self._screen = None
        return "".join(f"{line}\n" for line in lines).encode()

    def block(self, number: int) -> LineBlock | None:
        """Return lines from `number` on, from the oldest that is kept where `number` is gone; None at the end."""
        if number >= self.end or not self.blocks:
            return None
        place = bisect_right(self.blocks, number, key=attrgetter("first"))
        return self.blocks[max(place - 1, 0)].since(number)

    def newest(self, size: int, after: int = 0) -> int:
        """Return the number of the first of the newest lines that take `size` bytes, by whole blocks.

        It is no lower than `after`; who asks often asks for no more than what came since.
        """
        number = self.end
        for block in reversed(self.blocks):
            size -= len(block.data)
            if size < 0 or number <= after:
                break
            number = block.first
        return max(number, after)

    def _whole(self, data: bytes) -> bytes:
        """Return the whole lines that `data`, no longer than a line may be, completes; keep the rest."""
        head, tail = data.find(b"\n") + 1, data.rfind(b"\n") + 1
        if not head:
            return b"".join(self._go_on(data))
        if len(self.rest) + head - 1 > LONGEST_LINE:
            # It may be no longer than allowed, without what carriage returns go back over.
            begin = b"".join((*self._go_on(data[: head - 1]), self.rest, b"\n"))
        else:
            begin = bytes(self.rest) + data[:head]
        self.rest.clear()
        self._go_on(data[tail:])
        return begin + data[head:tail]

    def _go_on(self, data: bytes) -> list[bytes]:
        """Go on with the line that was begun; return what had to be cut off it, as lines."""
        rest = self.rest
        begin, returned, again = data.partition(b"\r")
        if begin and rest.endswith(b"\r"):
            rest.clear()
        rest += begin
        cut = []
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\r"):
            place = LONGEST_LINE
            while place > LONGEST_LINE - 3 and rest[place] & 0xC0 == 0x80:  # in the middle of a character
                place -= 1
            cut.append(rest[:place] + b"\n")
            del rest[:place]
        if returned:
            # Returns at the end stand for one: the next thing after it may be the newline.
            last = again.rstrip(b"\r").rpartition(b"\r")[2]
            if last:
                rest[:] = last
            if rest and not rest.endswith(b"\r") and (not last or again.endswith(b"\r")):
                rest += b"\r"
        return [bytes(line) for line in cut]

    def _add(self, data: bytes, version: int | None, time: float) -> LineBlock:
        block = LineBlock(self.end, data.count(b"\n"), data, version, time)
        self.end = block.end
        last = self.blocks[-1] if self.blocks else None
        if (
            last is not None
            and len(last.data) + len(data) <= _TOGETHER_BYTES
            and last.version == version
            and 0 <= time - last.time < _TOGETHER
        ):
            self.blocks[-1] = LineBlock(last.first, last.count + block.count, last.data + data, version, last.time)
            self.size += len(data)
        else:
            self.blocks.append(block)
            self.size += len(data) + _OVERHEAD
        if self.size > self._limit:
            self._trim()
        return block

    def _trim(self) -> None:
        # A tenth at a time: taking single blocks off the front of a list would cost its length each time.
        count = 0
        while self.size > self._limit * 0.9:
            self.size -= len(self.blocks[count].data) + _OVERHEAD
            count += 1
        del self.blocks[:count]
