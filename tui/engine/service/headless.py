"""Without a viewer: every event to standard output, as JSON lines or as a log for people.

A thread of its own writes, so that a slow reader never holds up a job. Events wait for it, of metrics the latest; log
lines beyond `MOST_WAITING` are dropped, and counted where they are missing.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tui import wording
from tui.config.problems import place_words
from tui.engine.scrollback import LineBlock, Output
from tui.export import harmless
from tui.protocol import codec, messages
from tui.protocol.messages import Change, Event
from tui.wording import misleading, retyped

#: So many bytes of log lines wait for a slow reader, each block of them counted as so many more.
MOST_WAITING = 4 << 20
OVERHEAD = 300

#: Seconds for which events gather before they are written: a printer that is woken for each block of a flood takes the
#: interpreter from the engine each time.
_GATHER = 0.005

#: Seconds that a reader gets at the end for all that is waiting, then once more for the events among it.
LAST_WORDS = 1.0

#: What a reader of ``--json`` gets besides lines; the rest is for viewers.
PUBLIC = (
    messages.State,
    messages.Dropped,
    messages.Metrics,
    messages.Reload,
    messages.Ranks,
    messages.Judged,
    messages.Notice,
    messages.DeckChange,
    messages.Gone,
)


class Printer:
    """Writes events to a file descriptor in the background.

    Args:
        form: Turns an event, or a block of log lines, into the bytes to write, empty for nothing; a line stays a line.
        descriptor: Where to write.
    """

    def __init__(self, form: Callable[[Event], bytes], descriptor: int = 1) -> None:
        self._form = form
        self._descriptor = descriptor
        self.queue: deque[Event] = deque()
        self._waiting = 0
        self._metrics: dict[str, int] = {}  # the places in the queue where the latest of a job stand
        self._dropped: dict[str, int] = {}
        self._change = threading.Condition()
        self._closing = self._hurried = False
        # A pipe that is ready takes so much at once: a reader that stops reading never holds us up in a write. More
        # for a file would not stay in the processor's cache.
        self._at_once = 1 << 18 if _is_never_full(descriptor) else select.PIPE_BUF
        self._thread = threading.Thread(target=self._run, name="printer", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Take an event, without ever waiting for the reader."""
        with self._change:
            idle = not self.queue
            if isinstance(event, Output):
                if event.block is None or not self._has_room(event.job, event.block):
                    return
            elif isinstance(event, messages.Metrics) and event.job in self._metrics:
                self.queue[self._metrics[event.job]] = event
                return
            elif not isinstance(event, PUBLIC) or (isinstance(event, messages.Judged) and event.verdict is None):
                return
            self._metrics.pop(event.job, None)
            if isinstance(event, messages.Metrics):
                self._metrics[event.job] = len(self.queue)
            self.queue.append(event)
            if idle:
                self._change.notify()

    def close(self, *, wait: bool = True) -> None:
        """Write what is waiting, and end.

        Args:
            wait: However long the reader takes. Otherwise one that does not keep up gets events before lines, and
                after twice `LAST_WORDS` nothing more.
        """
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join(None if wait else LAST_WORDS)
        self._hurried = True
        self._thread.join(LAST_WORDS)

    def _has_room(self, job: str, block: LineBlock) -> bool:
        if self._waiting >= MOST_WAITING:
            self._dropped[job] = self._dropped.get(job, 0) + block.count
            return False
        self._waiting += len(block.data) + OVERHEAD
        if count := self._dropped.pop(job, 0):
            self.queue.append(messages.Dropped(job, count))
        return True

    def _take(self) -> list[Event]:
        with self._change:
            while not self.queue and not self._closing:
                self._change.wait()
            if not self._closing:
                self._change.wait(_GATHER)
            batch = list(self.queue)
            self.queue.clear()
            self._metrics.clear()
            self._waiting = 0
            if self._closing:
                batch.extend(messages.Dropped(job, count) for job, count in self._dropped.items())
                self._dropped.clear()
            return batch

    def _run(self) -> None:
        while batch := self._take():
            try:
                for piece in self._pieces(batch):
                    self._write(piece)
            except OSError as error:
                # The reader has gone. That is no reason to lose the jobs; they can still be attached to.
                with contextlib.suppress(OSError):  # the terminal of both has gone
                    print(f"tunedeck: standard output: {error.strerror}; the jobs go on unheard", file=sys.stderr)
                self._form = lambda _: b""

    def _pieces(self, batch: Iterable[Event]) -> Iterator[bytes]:
        """Yield what is to be written for a batch, in pieces, so that `close` can leave out lines at any time."""
        piece, size = [], 0
        for event in self._sift(batch):
            piece.append(self._form(event))
            size += len(piece[-1])
            if size >= self._at_once:
                yield b"".join(piece)
                piece, size = [], 0
        yield b"".join(piece)

    def _sift(self, batch: Iterable[Event]) -> Iterator[Event]:
        """Yield the events, in a hurry without the lines among them."""
        dropped: dict[str, int] = {}
        for event in batch:
            if not isinstance(event, Output):
                yield from (messages.Dropped(job, count) for job, count in dropped.items())
                dropped.clear()
                yield event
            elif event.block is not None:
                for block in event.block.parts(self._at_once // 4):
                    if self._hurried:
                        dropped[event.job] = dropped.get(event.job, 0) + block.count
                    else:
                        yield Output(event.job, block)
        yield from (messages.Dropped(job, count) for job, count in dropped.items())

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            select.select([], [self._descriptor], [])
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(self._descriptor, rest[: self._at_once]) :]


def _is_never_full(descriptor: int) -> bool:
    """Tell whether a write takes no longer than it takes to copy: to a file, or to nowhere."""
    found = os.fstat(descriptor)
    nowhere = Path(os.devnull).stat().st_rdev
    return stat.S_ISREG(found.st_mode) or (stat.S_ISCHR(found.st_mode) and found.st_rdev == nowhere)


def as_json(event: Event) -> bytes:
    """Form an event as one JSON object a line, and log lines one by one."""
    if isinstance(event, Output):
        return codec.encode_lines(event.block.lines(event.job)) if event.block else b""
    return codec.encode(event)


class Readable:
    """Forms events as a log for people; the same checkpoint is not told twenty times a second.

    Args:
        width: The width of the longest job name.
    """

    def __init__(self, width: int) -> None:
        self._width = width

    def __call__(self, event: Event) -> bytes:
        """Return the lines for `event`, empty for none."""
        if isinstance(event, Output):
            if event.block is None:
                return b""
            begin = f"{self._begin(event.job, event.block.time)}| ".encode("utf-8", "replace")
            return begin + event.block.drawn[:-1].replace(b"\n", b"\n" + begin) + b"\n"
        text = _words(event)
        if text is None:
            return b""
        said = "\n".join(map(harmless, text.split("\n")))  # a terminal obeys what a config or a validator says
        return f"{self._begin(event.job, None)}{said}\n".encode("utf-8", "replace")

    def _begin(self, job: str, at: float | None) -> str:
        return f"{time.strftime('%H:%M:%S', time.localtime(at))} {job:<{self._width}} "


def change_words(change: Change) -> str:
    """Return a change in short, such as ``lr 0.1 → 0.05``, and of what type the value was and is where that differs."""
    old = "–" if change.added else value_words(change.old)
    new = "–" if change.removed else value_words(change.new)
    kinds = retyped(change)
    return f"{harmless(change.key)} {old} → {new}" + (f" ({kinds})" if kinds else "")


def value_words(value: object) -> str:
    """Return a value of a config in short, as a config would say it."""
    plain = isinstance(value, str) and not misleading(value)
    text = harmless(str(value) if plain else json.dumps(codec.jsonable(value), ensure_ascii=False))
    return text if len(text) <= 40 else text[:39] + "…"


def _words(event: Event) -> str | None:
    if isinstance(event, messages.State):
        details = (f"pid {event.pid}" if event.pid else "", event.reason or "")
        return " ".join(filter(None, ("*", event.state, *details)))
    if isinstance(event, messages.Reload):
        return reload_words(event)
    if isinstance(event, messages.Judged):
        return f"* v{event.version} effect: {wording.evidence(event)}"
    if isinstance(event, messages.Dropped):
        return f"* {event.count} lines were dropped here"
    if isinstance(event, messages.Notice):
        return f"* {event.severity}: {event.message}"
    return None


def reload_words(row: messages.Reload) -> str:
    """Return a reload in one line."""
    parts = [f"* v{row.version} {row.status}", f"({row.source})"]
    if row.by is not None:
        parts.append(f"by v{row.by}")
    if row.status == "applied":
        parts.append(f"by {wording.ranks(row.ranks)}" if row.ranks else "")
        parts.append(f"at step {row.step} in {row.latency_ms:.1f} ms" if row.latency_ms is not None else "")
    if row.error is not None:
        said = place_words(row.error)
        # What follows the first line of a crash is its traceback, which is in the log.
        parts.append(said.split("\n")[0] if row.status == "reverted" else said)
    parts.append(", ".join(map(change_words, row.changes)))
    return " ".join(filter(None, parts))
