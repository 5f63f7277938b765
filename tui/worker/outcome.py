"""How a task ended, in words: for the engine and for the job's log."""

from __future__ import annotations

import os
import sys
import traceback

from tui.worker import task

_LIBRARY = os.path.dirname(os.path.abspath(os.__file__))
_MACHINERY = {
    os.path.dirname(os.path.abspath(__file__)),
    os.path.join(_LIBRARY, "importlib"),
    os.path.join(_LIBRARY, "asyncio"),
}


def describe(error: BaseException) -> str:
    """Return the last line of a traceback, or the message where a task could not be found."""
    if isinstance(error, task.TaskError):
        return str(error)
    return "".join(traceback.format_exception_only(type(error), error)).strip()


def print_traceback(error: BaseException) -> None:
    """Print the traceback as the task's own program would: from the first frame that is not ours."""
    frame = error.__traceback__
    while frame is not None and _is_machinery(frame.tb_frame.f_code.co_filename):
        frame = frame.tb_next
    traceback.print_exception(type(error), error, frame, file=sys.stderr)


def _is_machinery(path: str) -> bool:
    """Whether this file only leads to the task: ours, the import system, an event loop's start."""
    return path.startswith("<frozen importlib") or os.path.dirname(os.path.abspath(path)) in _MACHINERY
