"""The event loop on which a host runs its asyncio jobs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Coroutine

from tui.worker import current
from tui.worker.loop import Loop
from tui.worker.watchdog import Watchdog

#: Threads for blocking calls, more than asyncio's few: they are those of all jobs.
POOL = 64


class JobEventLoop:
    """One event loop in a thread of its own.

    Attributes:
        watchdog: Sees whether a job keeps the event loop for itself.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_task_factory(self._make_task)
        self.loop.set_default_executor(ThreadPoolExecutor(POOL, "tunedeck-pool"))
        self._owners: weakref.WeakKeyDictionary[Any, Loop | None] = weakref.WeakKeyDictionary()
        thread = threading.Thread(target=self._run, name="tunedeck-asyncio", daemon=True)
        thread.start()
        assert thread.ident is not None
        self.watchdog = Watchdog(self.loop, thread.ident, self._owners)

    def start(self, job: Coroutine[Any, Any, None]) -> None:
        """Run a job's coroutine, for the job whose code calls."""
        self.loop.call_soon_threadsafe(self.loop.create_task, job)  # in a copy of this context

    async def end_rest(self) -> None:
        """End the tasks that the calling job has left behind, as `asyncio.run` does."""
        mine = current.hosted.get()
        rest = [task for task in asyncio.all_tasks() if self._owners.get(task) is mine]
        rest.remove(asyncio.current_task())  # type: ignore[arg-type]
        for task in rest:
            task.cancel()
        if rest:
            with contextlib.suppress(asyncio.CancelledError):  # by the engine, which has waited long enough
                await asyncio.wait(rest)

    def _make_task(self, loop: asyncio.AbstractEventLoop, coro: Any, **more: Any) -> asyncio.Task[Any]:
        """Make a task and remember whose it is: nobody can look into another thread's context later."""
        context = more.get("context")
        owner = current.hosted.get() if context is None else context.get(current.hosted)
        task = asyncio.Task(coro, loop=loop, **more)
        self._owners[task] = owner
        return task

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self.loop.is_closed():
            # A SystemExit that leaves a task of some job tears through; the event loop itself is whole, and whoever
            # awaits that task is told.
            with contextlib.suppress(BaseException):
                self.loop.run_forever()
