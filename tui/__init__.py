"""tunedeck: change the config of a running job and see what became of it.

This module is all that a task needs. Outside a deck every function does its plain work, so that a script with
checkpoints still runs by itself.
"""

from __future__ import annotations

import time as _time
from contextvars import ContextVar as _ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.worker.loop import Loop

__all__ = ["Done", "asleep", "checkpoint", "sleep"]
__version__ = "0.1.0"

#: The reload loop of this process, where the process is one job's: any thread of a framework may come to it.
_loop: Loop | None = None
#: The reload loop of the job whose code runs here, where one process hosts many jobs.
_hosted: _ContextVar[Loop | None] = _ContextVar("tunedeck", default=None)
# The worker sets them; a process forked from the worker clears them.


class Done(Exception):  # noqa: N818 - it is no error
    """Raised by a task to end the job as finished."""


def checkpoint(config: Any, **metrics: Any) -> Any:
    """Report metrics and return the config that runs from here on.

    For code that can't yield, such as a framework's callback. A value is converted to a number only when it is
    sampled, at most 20 times a second, so a tensor costs nothing at the other steps.

    A paused job is held here until it is resumed. Async code would block its event loop by that: it is held at its
    next `yield`, between two calls, or in `asleep`.

    Args:
        config: The config that the caller has.
        **metrics: Numbers to report, by name.

    Returns:
        The newest config that was accepted; `config` itself outside a deck.

    Raises:
        SystemExit: The job is being stopped.
        asyncio.CancelledError: The same in async code: it ends the coroutine and spares the event loop.
    """
    loop = _loop or _hosted.get()
    return config if loop is None else loop.checkpoint(metrics)


def sleep(seconds: float) -> None:
    """Sleep, but come back at once when a reload is waiting for the next checkpoint.

    Args:
        seconds: The longest time to sleep.
    """
    loop = _loop or _hosted.get()
    if loop is None:
        _time.sleep(seconds)
    else:
        loop.sleep(seconds)


async def asleep(seconds: float) -> None:
    """Sleep in async code, but come back at once when a reload is waiting for the next checkpoint.

    It works in any event loop, also in one that a plain function runs by itself.

    Args:
        seconds: The longest time to sleep.
    """
    loop = _loop or _hosted.get()
    if loop is None:
        import asyncio

        await asyncio.sleep(seconds)
    else:
        await loop.asleep(seconds)
