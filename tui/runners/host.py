"""One worker for all thread and asyncio jobs of a deck: the host. Each job has a seat in it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tui.runners.base import Owner, Payload, StuckError
from tui.runners.process import Place, Process
from tui.runners.task import Task
from tui.runners.termination import LONG
from tui.worker.stopping import ASKS

_NO_CANCEL = "it does not let itself be cancelled, or another job blocks their event loop, whose log then says so"

#: Seconds that a host gets on each rung when it is ended; its jobs have been asked before.
_RUNG = 0.5

#: Seconds that a job gets at least to come to its checkpoint: without that it would be called stuck at once.
_LEAST = 0.25


class HostProcess:
    """One process that holds jobs, from its start to the end of its last descendant.

    Args:
        owner: Told of the host itself: its start, its end, and the output that belongs to no single job.
        python: Its interpreter; ours where none is named.
        cwd: The folder in which it runs.

    Attributes:
        open: It can take more jobs: it has not ended.

    Raises:
        OSError: The interpreter can't be started.
    """

    def __init__(self, owner: Owner, python: str | None, cwd: Path) -> None:
        self.open = True
        self._owner = owner
        self._pid: int | None = None
        self._seats: dict[str, Seat] = {}
        self._process = Process(self, python, Place(cwd))
        self._process.send({"kind": "host"})

    def seat(self, owner: Owner, setup: Mapping[str, Any], payload: Payload) -> Seat:
        """Start a job in the host, as `ProcessRunner` does in a process of its own."""
        seat = self._seats[setup["job"]] = Seat(owner, setup, payload, self._process.send)
        if self._pid is not None:
            owner.worker_started(self._pid)
        return seat

    async def end(self) -> None:
        """End the process, and what is left of its jobs with it."""
        self.open = False
        self._process.hang_up()
        await self._process.tree.end((_RUNG, signal.SIGTERM), (_RUNG, signal.SIGKILL))

    def worker_started(self, pid: int) -> None:
        """The host exists, and so do the workers of its jobs."""
        self._pid = pid
        self._owner.worker_started(pid)
        for seat in self._seats.values():
            seat.owner.worker_started(pid)

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """Pass a message on to the job that it is about."""
        if "job" not in message:  # what keeps the host from running keeps its jobs from it too
            for owner in (self._owner, *(seat.owner for seat in self._seats.values())):
                owner.worker_said(message)
            return
        seat = self._seats.get(message["job"])
        if seat is None:
            return  # a job that has ended: this is what one of its threads still says
        if message["kind"] == "ended":
            del self._seats[message["job"]]
            seat.owner.worker_exited(message["code"])
            seat.leave()
        elif message["kind"] == "stopping":
            seat.take_stopping(message["how"])
        elif message["kind"] == "wrote":
            seat.owner.worker_wrote(message["text"].encode("utf-8", "replace"))
        else:
            seat.owner.worker_said(message)

    def worker_wrote(self, data: bytes) -> None:
        """Take what C code or a child process of any job wrote."""
        self._owner.worker_wrote(data)

    def worker_exited(self, code: int | None) -> None:
        """The host ended, and all its jobs with it."""
        self.open = False
        self._owner.worker_exited(code)
        for seat in self._seats.values():
            if self._pid is not None:  # else it has never been one
                seat.owner.worker_said({"kind": "host ended", "code": code})
            seat.owner.worker_exited(code)

    def worker_gone(self) -> None:
        """Nothing of the host is left: its jobs may be started again."""
        self._owner.worker_gone()
        for seat in self._seats.values():
            seat.leave()


class Seat(Task):
    """One job in the host.

    Args:
        owner: Told of everything that happens to the job.
        setup: See `Task`.
        payload: See `Task`.
        post: Sends a message to the host.
    """

    def __init__(
        self, owner: Owner, setup: Mapping[str, Any], payload: Payload, post: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self.owner = owner
        self._runner = setup["runner"]
        self._gone = asyncio.Event()
        self._news = asyncio.Event()
        self._how = ""
        self._hurried = False
        super().__init__(setup, payload, post)

    async def stop(self, number: int, grace: float) -> None:  # noqa: ARG002 - a signal would reach all of the host
        """Ask the task to end; a coroutine is cancelled after half the grace.

        Raises:
            StuckError: It has not ended after the grace.
        """
        rung = max(grace / 2, _LEAST)
        self._hurried, self._how = False, ""
        self._tell("stop")
        if await self._gone_within(rung):
            return
        if self._how == ASKS and await self._gone_by_itself(max(grace, LONG) - rung):
            return
        if self._runner == "asyncio":
            self._tell("cancel")
        if not await self._gone_within(rung):
            what = "a thread can't be killed" if self._runner == "thread" else _NO_CANCEL
            raise StuckError(f"asked to stop, but it reaches no checkpoint, and {what}: restart the host to end it")

    async def _gone_by_itself(self, seconds: float) -> bool:
        """Return whether a task that ends by its own means has done so in time; it may say that it no longer does."""
        until = time.monotonic() + seconds
        reason = "it ends by its own means; a second stop does not wait for that"
        self.owner.worker_said({"kind": "ending", "reason": reason, "until": time.time() + seconds})
        while (left := until - time.monotonic()) > 0 and self._how == ASKS and not self._hurried:
            self._news.clear()
            gone, news = asyncio.create_task(self._gone.wait()), asyncio.create_task(self._news.wait())
            await asyncio.wait([gone, news], timeout=left, return_when=asyncio.FIRST_COMPLETED)
            gone.cancel(), news.cancel()
            if self._gone.is_set():
                return True
        self._tell("leave")
        return False

    def take_stopping(self, how: str) -> None:
        """The task says how it ends."""
        self._how = how
        self._news.set()

    def hurry(self) -> None:
        """Wait no longer for a task that ends by its own means."""
        self._hurried = True
        self._news.set()

    async def wait_gone(self) -> None:
        """Wait until the job has ended."""
        await self._gone.wait()

    def leave(self) -> None:
        """Nothing of the job is left."""
        self._gone.set()
        self.owner.worker_gone()

    async def _gone_within(self, seconds: float) -> bool:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._gone.wait(), seconds)
        return self._gone.is_set()
