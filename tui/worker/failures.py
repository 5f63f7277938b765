"""How a task ended, in words: for the engine and for the job's log."""

from __future__ import annotations

import os
import sys
import traceback
import types
from typing import Any, Dict, Optional, Tuple

from tui.worker import task_import

#: So many characters of a traceback are told, its end: the whole is in the log.
MOST = 4_000

_LIBRARY = os.path.dirname(os.path.abspath(os.__file__))
_MACHINERY = {
    os.path.dirname(os.path.abspath(__file__)),
    os.path.join(_LIBRARY, "importlib"),
    os.path.join(_LIBRARY, "asyncio"),
}


def describe(error: BaseException) -> str:
    """Return the last line of a traceback, or the message where a task could not be found."""
    if isinstance(error, task_import.TaskError):
        return str(error)
    return "".join(traceback.format_exception_only(type(error), error)).strip()


def print_traceback(error: BaseException) -> None:
    """Print the traceback as the task's own program would: from the first frame that is not ours."""
    traceback.print_exception(type(error), error, _own_frames(error), file=sys.stderr)


def raised(error: BaseException, step: int) -> Dict[str, Any]:
    """Return the message that tells which exception has ended the task, after so many checkpoints."""
    lines = "".join(traceback.format_exception(type(error), error, _own_frames(error))).strip()
    shown = lines if len(lines) <= MOST else f"…{lines[-MOST:]}"
    return {"kind": "raised", "message": describe(error), "step": step, "traceback": shown}


def place(error: BaseException, folder: str) -> Tuple[Optional[str], Optional[int]]:
    """Return the file and the line at which a module can't be imported: of the user's own, below the folder, if any."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno
    frames = [(item.filename, item.lineno) for item in traceback.extract_tb(_own_frames(error))]
    own = [frame for frame in frames if os.path.abspath(frame[0]).startswith(folder + os.sep)]
    return (own or frames)[-1] if frames else (None, None)


def _own_frames(error: BaseException) -> Optional[types.TracebackType]:
    frame = error.__traceback__
    while frame is not None and _is_machinery(frame.tb_frame.f_code.co_filename):
        frame = frame.tb_next
    return frame


def _is_machinery(path: str) -> bool:
    """Whether this file only leads to the task: ours, the import system, an event loop's start."""
    return path.startswith("<frozen importlib") or os.path.dirname(os.path.abspath(path)) in _MACHINERY
