"""Jobs that start once others have come so far; see `depends_on`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tui.engine.jobs.job import Job
from tui.protocol.messages import ENDED, State


class StartOrder:
    """Has jobs wait for others. What was reached once counts, whatever becomes of that job later.

    Args:
        jobs: All jobs, by name.
    """

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self._jobs = jobs
        self._reached: dict[str, set[str]] = {}
        self._waiting: set[str] = set()
        self._news = asyncio.Event()

    def take(self, state: State) -> None:
        """A job has come into a state."""
        reached = self._reached.setdefault(state.job, set())
        reached |= {"started"} if state.pid is not None else set()
        reached |= {"ready"} if state.state == "running" else set()
        reached |= {"finished"} if state.state == "finished" else set()
        self._news.set()

    @property
    def moves(self) -> bool:
        """A job waits no longer, and is about to start."""
        return any(name in self._jobs and not self._lacking(self._jobs[name]) for name in self._waiting)

    async def start(self, job: Job) -> None:
        """Start a job when all has come that it waits for, unless somebody starts, stops or removes it before."""
        self._waiting.add(job.name)
        try:
            while said := self._lacking(job):
                if job.state.reason != said:
                    job.record.move("stopped", reason=said)
                self._news.clear()
                await self._news.wait()
                if self._jobs.get(job.name) is not job or job.state.state != "stopped" or job.state.reason != said:
                    return
        finally:
            self._waiting.discard(job.name)
        await job.start()

    def _lacking(self, job: Job) -> str:
        """Return what a job waits for, in words; nothing where it may start."""
        lacking = [
            self._words(name, wanted)
            for name, wanted in job.spec.depends_on.items()
            if wanted not in self._reached.get(name, ())
        ]
        return f"waits for {', '.join(lacking)}" if lacking else ""

    def _words(self, name: str, wanted: str) -> str:
        other = self._jobs.get(name)
        if other is None:
            return f"{name}, which is not in the deck"
        state, reason = other.state.state, other.state.reason
        if state not in ENDED or (state == "stopped" and reason is not None):
            return f"{name} to be {wanted}"
        return f"{name}, which is {state} and was never {wanted}: start it, or start this one all the same"
