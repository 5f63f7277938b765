"""Sees when a job keeps the event loop of all asyncio jobs for itself, and says where."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, Mapping

from tui.worker import current

if TYPE_CHECKING:
    from tui.worker.loop import Loop

#: Seconds that a step of a coroutine may take, and between two messages that it still does.
STEP_PATIENCE = 0.5
REPEAT = 1.0

_LIBRARY = os.path.join(os.path.dirname(os.path.abspath(os.__file__)), "")
_WORKER = os.path.dirname(os.path.abspath(__file__))
_NOT_THEIRS = (_LIBRARY, os.path.join(os.path.dirname(_WORKER), "__init__.py"), os.path.join(_WORKER, ""))


class Watchdog:
    """Asks the event loop for a sign of life and, where none comes, finds out whose code runs.

    Args:
        loop: The event loop.
        thread: The id of its thread.
        owners: Whose each task is.
        clock: Tells the time.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        thread: int,
        owners: Mapping[Any, Loop | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = loop
        self._thread = thread
        self._owners = owners
        self.clock = clock
        self._alive = True
        self._suspect: Loop | None = None
        self._first = True
        self._asked = self._since = self._next = 0.0
        self._accused = False

    def look(self) -> None:
        """Take one look, from another thread; call it many times a second."""
        now = self.clock()
        if self._alive:
            self._acquit()
            self._alive = False
            self._first = True
            self._asked = now
            self._loop.call_soon_threadsafe(self._answer)
            return
        # A job is blamed for what it does at a stretch, not for the queue of all others before it.
        suspect = self._running()
        if suspect is not self._suspect:
            self._acquit()
            self._suspect = suspect
            self._since = self._asked if self._first else now
            self._next = self._since + STEP_PATIENCE
        self._first = False
        if suspect is not None and now >= self._next:
            self._next = now + REPEAT
            self._accused = True
            seconds = round(now - self._since, 3)
            suspect.channel.send({"kind": "blocking", "seconds": seconds, "where": self._where()})

    def _answer(self) -> None:
        self._alive = True

    def _acquit(self) -> None:
        if self._suspect is not None and self._accused:
            self._suspect.channel.send({"kind": "blocking", "seconds": 0})
        self._suspect = None
        self._accused = False

    def _running(self) -> Loop | None:
        task = asyncio.current_task(self._loop)
        if task is not None:
            return self._owners.get(task)
        # A plain callback is no task, but the frame that calls it knows its context.
        for frame in self._frames():
            handle = frame.f_locals.get("self") if frame.f_code.co_name == "_run" else None
            if isinstance(handle, asyncio.Handle):
                context = getattr(handle, "_context", None)
                return None if context is None else context.get(current.hosted)
        return None

    def _where(self) -> str:
        """Name the innermost frame that is neither ours nor Python's own, or the innermost of all."""
        frames = self._frames()
        theirs = (frame for frame in frames if is_users(frame.f_code.co_filename))
        frame = next(theirs, frames[0] if frames else None)
        if frame is None:
            return ""
        return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno} in {frame.f_code.co_name}"

    def _frames(self) -> list[FrameType]:
        frames = []
        frame = sys._current_frames().get(self._thread)
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
        return frames


def is_users(path: str) -> bool:
    """Tell whether the code in a file is neither ours nor Python's own."""
    if "site-packages" in path or "dist-packages" in path:
        return True
    return not path.startswith(("<frozen", *_NOT_THEIRS))
