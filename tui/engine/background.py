"""Work in the background that somebody holds on to: asyncio itself keeps no task alive."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class BackgroundTasks:
    """The running background tasks of one owner."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether any of it still runs."""
        return bool(self._running)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`; a failure comes to the loop's exception handler, and does not vanish with the task."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(_raise)

    def cancel(self) -> None:
        """Call all of it off."""
        for task in self._running:
            task.cancel()


def _raise(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.result()
