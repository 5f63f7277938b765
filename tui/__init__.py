"""tunedeck: change the config of a running job and see what became of it.

This module is all that a task needs. Outside a deck every function does its plain work, so that a script with
checkpoints still runs by itself.
"""

from __future__ import annotations

import time as _time

from tui.worker import current as _current
from tui.worker.current import Done

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path
    from typing import Any

__all__ = ["Done", "asleep", "checkpoint", "join", "rank", "ranks", "sleep", "state_dir", "stopping"]
__version__ = "0.1.0"


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
    loop = _current.loop
    if loop is None:
        if not _current.inside:  # the whole of what a script pays that runs by itself
            return config
        loop = _current.hosted.get()
    if loop is None:
        if _current.address is None:
            return config
        return _current.joining.first_checkpoint(config, metrics)
    return loop.checkpoint(metrics)


def sleep(seconds: float) -> None:
    """Sleep, but come back at once when a reload is waiting for the next checkpoint.

    Args:
        seconds: The longest time to sleep.
    """
    loop = _current.loop or _current.hosted.get()
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
    loop = _current.loop or _current.hosted.get()
    if loop is None:
        import asyncio

        await asyncio.sleep(seconds)
    else:
        await loop.asleep(seconds)


def stopping() -> bool:
    """Tell whether the job is to stop or to start anew: who asks this is given the time to end by its own means.

    A loop that asks it now and then, and ends when it says so, gets no exception and no signal before the whole grace
    of the job is over. Outside a deck it is always False.
    """
    loop = _current.loop or _current.hosted.get()
    if loop is None and _current.address is not None:
        loop = _current.joining.join()
    return False if loop is None else loop.asked_to_stop()


def join(config: str | PathLike[str], name: str | None = None, output: bool = False) -> Any:
    """Make this process, a notebook or a script that was started by hand, a job of a deck of its own.

    From then on `checkpoint` is live, and ``tunedeck ls`` and ``tunedeck attach`` find the deck, which ends with the
    process. The process stays yours: a stop makes `stopping` True, and raises and signals nothing. When the deck ends
    or dies the process goes on with the config that it has. A second call returns the config that runs.

    Inside a deck it joins that one.

    Args:
        config: The config file.
        name: Of the job; else that of the script.
        output: Show in the deck, too, what is printed from now on to `sys.stdout` and `sys.stderr`.

    Returns:
        The config.

    Raises:
        tui.worker.own_deck.JoinError: The config is not right, or a deck runs with it already; a RuntimeError.
    """
    from tui.worker import own_deck

    return own_deck.join(config, name, output)


def rank() -> int:
    """Return which of the processes of its job this one is, counted from 0; 0 outside a deck."""
    return _member()[0]


def ranks() -> int:
    """Return how many processes of its job there are; 1 outside a deck."""
    return _member()[1]


def _member() -> tuple[int, int]:
    loop = _current.loop or _current.hosted.get()
    if loop is not None:
        return loop.rank, loop.ranks
    if _current.address is None:
        return 0, 1
    found: tuple[int, int] = _current.joining.member()
    return found


def state_dir() -> Path:
    """Return a folder that lasts over restarts of the job, for what it saves and loads; outside a deck the current one.

    It is made when it is first asked for.
    """
    from pathlib import Path

    loop = _current.loop or _current.hosted.get()
    if loop is None and _current.address is not None:
        loop = _current.joining.join()
    folder = Path(loop.state_dir if loop is not None and loop.state_dir else ".")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


if _current.address is not None:
    from tui.worker import joined as _  # noqa: F401
