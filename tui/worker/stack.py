"""Says where a task is: the stack of its thread, or what its coroutine waits for. Asked from another thread."""

from __future__ import annotations

import sys
import threading
import traceback
from types import FrameType
from typing import TYPE_CHECKING, Any, Iterator

if TYPE_CHECKING:
    import asyncio

    from tui.worker.loop import Loop

#: So many frames are told of the innermost; more are those of a recursion without end.
MOST = 100


def of(loop: Loop, thread: int) -> str:
    """Return the stack of a task, as a traceback would show it, the innermost frame last.

    Args:
        loop: That drives the task.
        thread: The id of the thread that the task was loaded in; a coroutine may be on another.
    """
    home, task = loop.coroutine
    if home is not None and task is not None:
        import asyncio

        if asyncio.current_task(home) is not task:
            return _told(list(_awaited(task)), "waits, in")
        thread = getattr(home, "_thread_id", thread)
    if thread == threading.get_ident():  # of a host, whose jobs are each loaded in a thread of their own
        return "its module is being imported"
    frames = []
    frame = sys._current_frames().get(thread)
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return _told(frames[::-1], "is in")


def _awaited(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """Yield the frames of a task that waits, from the outermost to what it waits in."""
    waits: Any = task.get_coro()
    while waits is not None:
        frame = next(
            (getattr(waits, f"{kind}_frame") for kind in ("cr", "gi", "ag") if hasattr(waits, f"{kind}_frame")), None
        )
        if frame is None:
            return
        yield frame
        inner = next(getattr(waits, name) for name in ("cr_await", "gi_yieldfrom", "ag_await") if hasattr(waits, name))
        if inner is not None and not any(hasattr(inner, f"{kind}_frame") for kind in ("cr", "gi", "ag")):
            inner = frame.f_locals.get("generator")  # a step of an async generator does not say whose it is
        waits = inner


def _told(frames: list[FrameType], how: str) -> str:
    from tui.worker.watchdog import is_users

    theirs = next((place for place, frame in enumerate(frames) if is_users(frame.f_code.co_filename)), 0)
    found = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in frames[theirs:][-MOST:])
    return f"The task {how} (innermost last):\n{''.join(found.format())}" if found else "The task has ended"
