"""tunedeck: change the config of a running job and see what became of it.

This module is all that a task needs. Outside a deck every function does its plain work, so that a script with
checkpoints still runs by itself.
"""

from __future__ import annotations

import time as _time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.worker.loop import Loop

__all__ = ["Done", "checkpoint", "sleep"]
__version__ = "0.1.0"

#: The reload loop of this process. The worker sets it; a process forked from the worker clears it.
_loop: Loop | None = None


class Done(Exception):  # noqa: N818 - it is no error
    """Raised by a task to end the job as finished."""


def checkpoint(config: Any, **metrics: Any) -> Any:
    """Report metrics and return the config that runs from here on.

    For code that can't yield, such as a framework's callback. A value is converted to a number only when it is
    sampled, at most 20 times a second, so a tensor costs nothing at the other steps.

    Args:
        config: The config that the caller has.
        **metrics: Numbers to report, by name.

    Returns:
        The newest config that was accepted; `config` itself outside a deck.

    Raises:
        SystemExit: The job is being stopped.
    """
    return config if _loop is None else _loop.checkpoint(metrics)


def sleep(seconds: float) -> None:
    """Sleep, but come back at once when a reload is waiting for the next checkpoint.

    Args:
        seconds: The longest time to sleep.
    """
    if _loop is None:
        _time.sleep(seconds)
    else:
        _loop.sleep(seconds)
