"""A job with everything around it, none of it real."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

from tui.config.disk import store
from tui.config.disk.store import Content, StoreError
from tui.engine.deck.spec import JobSpec
from tui.engine.history import database
from tui.engine.history.job_history import History
from tui.engine.jobs.job import Job
from tui.engine.reloads.config_file import ConfigFile
from tui.protocol.messages import Event, Reload, State
from tui.runners.base import AT_CHECKPOINT, Owner, Payload, StuckError
from tui.runners.command import CommandSpec


class FakeWorker:
    """Notes what it is told; a test plays its part."""

    def __init__(self, payload: Payload) -> None:
        self.told: list[tuple[Any, ...]] = [("setup", payload.version, payload.data)]
        self.gone = asyncio.Event()
        self.asked = asyncio.Event()
        self.takes = True
        self.stuck = False

    def send(self, payload: Payload) -> bool:
        if self.takes:
            self.told.append(("reload", payload.version, payload.data))
        return self.takes

    def judge(self, number: int, data: Any) -> None:
        self.told.append(("judge", number, data))

    def stack(self, number: int) -> None:
        self.told.append(("stack", number))

    def pause(self) -> str:
        self.told.append(("pause",))
        return AT_CHECKPOINT

    def resume(self) -> None:
        self.told.append(("resume",))

    def resize(self, rows: int, columns: int) -> None:
        self.told.append(("resize", rows, columns))

    def hurry(self) -> None:
        self.told.append(("hurry",))

    async def stop(self, number: int, grace: float) -> None:
        self.told.append(("stop", number, grace))
        self.asked.set()
        if self.stuck:
            raise StuckError("restart the host")
        await self.gone.wait()

    async def wait_gone(self) -> None:
        await self.gone.wait()


class Play:
    """A job with everything around it, none of it real; the file's content is what a test says it is.

    Its database is closed after the test: the garbage collector may do so in another thread, which sqlite3 forbids.
    """

    opened: ClassVar[list[Play]] = []

    def __init__(self, text: str | None = "lr: 1\n", **policies: Any) -> None:
        self.events: list[Event] = []
        self.workers: list[FakeWorker] = []
        self.launched = [asyncio.Event() for _ in range(100)]
        self.launch_error: OSError | None = None
        self.connection = database.in_memory()
        Play.opened.append(self)
        config = policies.pop("config", Path("/nowhere/c.yaml"))
        self.history = History(self.connection, Path("/nowhere/.tunedeck"), config, "job")
        self.file = ConfigFile(config, lambda path, digest: None)
        self.text = text
        command = policies.pop("command", None)
        task = None if command else "job.py:run"
        spec = JobSpec("job", task, command, config, stop_signal="SIGINT", grace=3.0, **policies)
        self.job = Job(spec, self.file, self.history, self.launch, self.events.append)

    def close(self) -> None:
        Play.opened.remove(self)
        self.connection.close()

    def launch(self, owner: Owner, payload: Payload) -> FakeWorker:
        if self.launch_error is not None:
            raise self.launch_error
        self.launched[len(self.workers)].set()
        self.workers.append(FakeWorker(payload))
        return self.workers[-1]

    @property
    def worker(self) -> FakeWorker:
        return self.workers[-1]

    async def save(self, text: str | None) -> None:
        """Have the watch find this content; None for a missing file."""
        if text is None:
            await self.file.changed(StoreError("c.yaml is missing"), True, 0.0)
        else:
            await self.file.changed(Content(text.encode(), store.digest(text.encode())), True, 0.0)

    async def start(self) -> None:
        """Start the job with the first content."""
        listeners, self.file.listeners = self.file.listeners, []
        await self.save(self.text)
        self.file.listeners = listeners
        await self.job.start()

    async def run(self, *, rules: bool = False) -> None:
        """Start the job and let the worker, which may have rules to judge by, take the first config."""
        await self.start()
        self.job.worker_started(42)
        self.job.worker_said({"kind": "loaded", "rules": rules})
        self.apply(1)

    def apply(self, version: int, step: int = 0, superseded: tuple[int, ...] = (), at: float = 0.0) -> None:
        self.job.worker_said(
            {"kind": "applied", "version": version, "step": step, "at": at, "superseded": list(superseded)}
        )

    def reject(self, version: int, message: str = "no") -> None:
        self.job.worker_said({"kind": "rejected", "version": version, "message": message})

    def exit(self, code: int | None) -> None:
        self.job.worker_exited(code)

    def vanish(self) -> None:
        worker = self.worker
        self.job.worker_gone()
        worker.gone.set()

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.of(State)]

    def rows(self) -> dict[int, Reload]:
        return {event.version: event for event in self.of(Reload)}


def command_spec() -> CommandSpec:
    return CommandSpec("job", ("run", "{lr}"), Path("/nowhere/c.yaml"), "SIGHUP")


async def turn() -> None:
    """Let every task run until it waits for something."""
    for _ in range(20):
        await asyncio.sleep(0)
