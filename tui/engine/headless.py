"""Without a viewer: every event to standard output, as JSON lines or as a log for people.

A thread of its own writes, so that a slow reader never holds up a job. Events wait for it; log lines beyond
`MOST_LINES` are dropped, and counted where they are missing.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

from tui import events
from tui.events import Change, Event

#: So many log lines wait for a slow reader.
MOST_LINES = 20_000

#: What a reader of ``--json`` gets; the rest is for viewers.
_PUBLIC = (events.State, events.Log, events.Dropped, events.Metrics, events.Reload, events.Notice)


class Printer:
    """Writes events to a file descriptor in the background.

    Args:
        form: Turns an event into the bytes to write, empty for nothing.
        descriptor: Where to write.
    """

    def __init__(self, form: Callable[[Event], bytes], descriptor: int = 1) -> None:
        self._form = form
        self._descriptor = descriptor
        self._queue: deque[Event] = deque()
        self._lines = 0
        self._dropped: dict[str, int] = {}
        self._change = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="printer", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Take an event, without ever waiting for the reader."""
        with self._change:
            if isinstance(event, events.Lines):
                for text, version, at in event.lines:
                    self._put_line(events.Log(event.job, text, version, time=at))
            elif isinstance(event, _PUBLIC):
                self._queue.append(event)
            self._change.notify()

    def close(self) -> None:
        """Write what is waiting, and end."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join()

    def _put_line(self, line: events.Log) -> None:
        if self._lines >= MOST_LINES:
            self._dropped[line.job] = self._dropped.get(line.job, 0) + 1
            return
        if count := self._dropped.pop(line.job, 0):
            self._queue.append(events.Dropped(line.job, count))
        self._queue.append(line)
        self._lines += 1

    def _take(self) -> list[Event]:
        with self._change:
            while not self._queue and not self._closing:
                self._change.wait()
            batch = list(self._queue)
            self._queue.clear()
            self._lines = 0
            if self._closing:
                batch.extend(events.Dropped(job, count) for job, count in self._dropped.items())
                self._dropped.clear()
            return batch

    def _run(self) -> None:
        while batch := self._take():
            try:
                self._write(b"".join(map(self._form, batch)))
            except OSError as error:
                # The reader has gone. That is no reason to lose the jobs; they can still be attached to.
                print(f"tunedeck: standard output: {error.strerror}; the jobs go on unheard", file=sys.stderr)
                self._form = lambda _: b""

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # whoever shares it with us has made it so
                select.select([], [self._descriptor], [])


class Readable:
    """Forms events as a log for people; the same checkpoint is not told twenty times a second.

    Args:
        width: The width of the longest job name.
    """

    def __init__(self, width: int) -> None:
        self._width = width

    def __call__(self, event: Event) -> bytes:
        """Return the line for `event`, empty for none."""
        text = _words(event)
        if text is None:
            return b""
        clock = time.strftime("%H:%M:%S", time.localtime(event.time if isinstance(event, events.Log) else None))
        return f"{clock} {event.job:<{self._width}} {text}\n".encode("utf-8", "replace")


def change_words(change: Change) -> str:
    """Return a change in short, such as ``lr 0.1 → 0.05``."""
    return f"{change.key} {_value(change.old)} → {_value(change.new)}"


def _value(value: object) -> str:
    text = "–" if value is None else str(events.jsonable(value))
    return text if len(text) <= 40 else text[:39] + "…"


def _words(event: Event) -> str | None:
    if isinstance(event, events.Log):
        return f"| {event.line}"
    if isinstance(event, events.State):
        details = (f"pid {event.pid}" if event.pid else "", event.reason or "")
        return " ".join(filter(None, ("*", event.state, *details)))
    if isinstance(event, events.Reload):
        return reload_words(event)
    if isinstance(event, events.Dropped):
        return f"* {event.count} lines were dropped here"
    if isinstance(event, events.Notice):
        return f"* {event.severity}: {event.message}"
    return None


def reload_words(row: events.Reload) -> str:
    """Return a reload in one line."""
    parts = [f"* v{row.version} {row.status}", f"({row.source})"]
    if row.by is not None:
        parts.append(f"by v{row.by}")
    if row.status == "applied":
        parts.append(f"at step {row.step} in {row.latency_ms:.1f} ms" if row.latency_ms is not None else "")
    if row.error is not None:
        where = f"line {row.error.line}:{row.error.column}: " if row.error.line is not None else ""
        parts.append(where + row.error.message)
    parts.append(", ".join(map(change_words, row.changes)))
    return " ".join(filter(None, parts))
