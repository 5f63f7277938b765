"""When the screen is drawn: at once after a silence, and in a stream of news no more often than the eye needs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tui.app.model.job import Part

#: Seconds from one drawing of a part to the next. What costs is the frame, not the line: output is drawn as often as it
#: looks alive, numbers that change all the time as often as they can be read.
PAUSES = {Part.LOG: 0.2, Part.METRICS: 0.8}
PAUSE = 0.08

#: What is due this soon after a frame is drawn with it: each frame costs more than what one more part adds to it.
SLACK = 0.1

_EACH = [part for part in Part if part]  # Python 3.10 counts nothing as a part too


class FrameScheduler:
    """Gathers what has changed, by job, until it is due.

    A timer of Textual would be a task of its own for each frame, a third of what the frame itself costs.
    """

    def __init__(self, draw: Callable[[dict[str, Part]], None], fail: Callable[[Exception], None]) -> None:
        self.pending: dict[str, Part] = {}
        self._draw = draw
        self._fail = fail
        self._drawn: dict[Part, float] = {}
        self._timer: asyncio.Handle | None = None
        self._due = 0.0

    def note(self, name: str, parts: Part) -> None:
        """Have parts of a job drawn as soon as they are due."""
        if parts:
            self.pending[name] = self.pending.get(name, Part.NOTHING) | parts
            self._plan(min(self._due_time(part) for part in _EACH if part in parts))

    def flush(self) -> None:
        """Draw now what is due, and plan for the rest."""
        now = time.monotonic()
        self._stop()
        due = Part.NOTHING
        for part in _EACH:
            if self._due_time(part) <= now + SLACK:
                due |= part
        drawn = {name: parts & due for name, parts in self.pending.items() if parts & due}
        self.pending = {name: parts & ~due for name, parts in self.pending.items() if parts & ~due}
        for parts in drawn.values():
            self._drawn.update(dict.fromkeys((part for part in _EACH if part in parts), now))
        self._draw(drawn)
        for name, parts in list(self.pending.items()):
            self.note(name, parts)

    def _due_time(self, part: Part) -> float:
        return self._drawn.get(part, 0.0) + PAUSES.get(part, PAUSE)

    def _plan(self, due: float) -> None:
        if self._timer is not None and due >= self._due:
            return
        self._stop()
        self._due = due
        loop = asyncio.get_running_loop()
        wait = due - time.monotonic()
        # At once without a timer: the loop would go to sleep between the news and the drawing of it.
        self._timer = loop.call_later(wait, self._tick) if wait > 0 else loop.call_soon(self._tick)

    def _tick(self) -> None:
        try:
            self.flush()
        except Exception as error:
            self._fail(error)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
