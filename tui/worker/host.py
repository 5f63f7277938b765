"""A worker that holds many jobs: each thread job in its own thread, all asyncio jobs on one event loop.

The main thread receives and hands on by job. It never runs a task's code: a job is also imported in a thread of its
own, so a slow import holds up nobody else. Only a module that two jobs import makes one wait for the other, as
Python's import lock wants it; an import inside a coroutine, of a module that another job is just importing, makes
the event loop wait.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, Callable

from tui.worker import current, job_context, stdio, task_import
from tui.worker.channel import Channel, listen
from tui.worker.failures import describe, print_traceback, raised
from tui.worker.run import TaskRun

if TYPE_CHECKING:
    from tui.worker.event_loop import JobEventLoop

#: Jobs whose metrics are sampled at one tick: 500 samples a second in all, 20 a job where there are few.
SAMPLES = 25


def host(channel: Channel) -> None:
    """Hold jobs until the engine closes the connection."""
    stdio.install()
    job_context.install()
    Host(channel).serve()


class Host:
    """The jobs of this process, by name.

    Args:
        channel: The connection to the engine.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._runs: dict[str, HostedRun] = {}
        self._coroutines: JobEventLoop | None = None
        self._starting = threading.Lock()
        self._turn = 0

    def serve(self) -> None:
        """Receive until the engine is gone; then ask every job to stop."""
        listen(self._channel, self.handle, self.tick)
        for one in list(self._runs.values()):
            one.loop.put({"kind": "leave"})

    def handle(self, message: dict[str, Any]) -> None:
        """Start a run, or hand a message to the one that it is for; it may have ended just now."""
        job = message["job"]
        if message["kind"] == "setup":
            self._runs[job] = HostedRun(self, self._channel, message)
            self._runs[job].start()
        elif job in self._runs:
            self._runs[job].intake.put(message)

    def tick(self) -> None:
        """Ask some jobs for their metrics, in turn, and look after the event loop."""
        runs = list(self._runs.values())
        for offset in range(min(len(runs), SAMPLES)):
            runs[(self._turn + offset) % len(runs)].loop.sample()
        self._turn += SAMPLES
        if runs and self._coroutines is not None:
            self._coroutines.watchdog.look()

    def coroutines(self) -> JobEventLoop:
        """Return the event loop, which starts when the first job needs it."""
        from tui.worker.event_loop import JobEventLoop

        with self._starting:
            if self._coroutines is None:
                self._coroutines = JobEventLoop()
            return self._coroutines

    def forget(self, ended: HostedRun) -> None:
        """Give up a run before it tells its end: the job may be set up again at once."""
        if self._runs.get(ended.job) is ended:
            del self._runs[ended.job]


class HostedRun(TaskRun):
    """One run of one job of a host: from its setup to `ended`."""

    def __init__(self, host: Host, channel: Channel, setup: dict[str, Any]) -> None:
        self.job = setup["job"]
        self._host = host
        self._outlet = stdio.Outlet(channel, self.job)
        super().__init__(self._outlet, setup)

    def start(self) -> None:
        """Load and run the task elsewhere."""
        thread = threading.Thread(target=self._work, name=f"tunedeck-{self.job}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system's limit
            self._outlet.send({"kind": "unloadable", "message": describe(error)})
            self._end(1)

    def _work(self) -> None:
        current.inside = True
        current.hosted.set(self.loop)
        code: int | None = 1
        try:
            function = self.load(hosted=True)
            if function is not None and self._setup["runner"] == "asyncio":
                self._host.coroutines().start(self._run_async(function))
                code = None
            elif function is not None:
                code = self._run(function)
        finally:
            if code is not None:
                self._end(code)

    def _run(self, function: Callable[[Any], Any]) -> int:
        try:
            self.call(function)
        except BaseException as error:
            return self._tell(error)
        return 0

    async def _run_async(self, function: Callable[[Any], Any]) -> None:
        code = 1
        try:
            await self.loop.run_async(function, self._setup["loop"])
            code = 0
        except BaseException as error:
            code = self._tell(error)
        finally:
            try:
                await self._host.coroutines().end_rest()
            finally:
                self._end(code)

    def _tell(self, error: BaseException) -> int:
        """Tell of an exception, as the end of a program of its own would; return the exit code."""
        if isinstance(error, SystemExit):
            if error.code is None or isinstance(error.code, int):
                return (error.code or 0) & 0xFF
            print(error.code, file=sys.stderr)
            return 1
        try:
            print_traceback(error)
        finally:
            self._outlet.send(raised(error, self.loop.step))
        return 1

    def _end(self, code: int) -> None:
        if self.module is not None:
            task_import.forget(self.module)
        self._host.forget(self)
        self.intake.close()
        self.loop.put({"kind": "over"})  # for a thread that the task has left behind: it ends at its next checkpoint
        self._outlet.end(code)
