"""Whose code runs: in a host, what a job starts belongs to the job.

A thread does not inherit context variables, so `tui.checkpoint` and `print` in a thread that a task has started would
not know their job. The one variable that says it is handed on, and no other: Python's own rules hold for the rest.
Coroutines, tasks and callbacks of asyncio inherit it by themselves.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable

from tui.worker import current


def install() -> None:
    """Hand on the job to threads, and to what is given to a pool of threads, from here on."""
    threading.Thread.start = _start_with(threading.Thread.start)  # type: ignore[assignment,method-assign]
    ThreadPoolExecutor.submit = _submit_with(ThreadPoolExecutor.submit)  # type: ignore[method-assign]


def _start_with(plain: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def start(self: threading.Thread) -> None:
        loop = current.hosted.get()
        if loop is not None:
            run = self.run

            def run_for_job() -> None:
                del self.run  # the cycle would keep the thread and the job
                current.hosted.set(loop)
                run()

            self.run = run_for_job  # type: ignore[method-assign]
        plain(self)

    return start


def _submit_with(plain: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    def submit(self: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        loop = current.hosted.get()

        def call_for_job(*args: Any, **kwargs: Any) -> Any:
            variable = current.hosted  # a fork in the call makes a new one
            token = variable.set(loop)  # also where it is None: the pool's thread may be some job's
            try:
                return function(*args, **kwargs)
            finally:
                variable.reset(token)

        return plain(self, call_for_job, *args, **kwargs)

    return submit
