"""A job: its state, its worker and its reloads.

The state is an explicit machine::

    stopped --> starting --> running --> finished      the worker ended with 0
       ^            |           |------> crashed       the worker ended with anything else
       |            v           v------> stopped       it was asked to
       |         (as running)
       +--- finished, crashed and stopped start again by the user's wish

A job without a valid config is `stopped` and waits: the first good save starts it.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tui import events
from tui.engine.deck import JobSpec
from tui.engine.files import ConfigFile
from tui.engine.history import History
from tui.engine.output import LineSplitter, Scrollback
from tui.engine.reload import Candidate, Reloads
from tui.events import LIVE, Reload, State
from tui.runners.process import Owner

_NEXT: dict[str, frozenset[str]] = {
    "stopped": frozenset({"starting", "stopped"}),
    "finished": frozenset({"starting", "stopped"}),
    "crashed": frozenset({"starting", "stopped"}),
    "starting": frozenset({"running", "finished", "crashed", "stopped"}),
    "running": frozenset({"finished", "crashed", "stopped"}),
}

Emit = Callable[[events.Event], None]


class Worker(Protocol):
    """What a job needs of a runner."""

    def setup(self, task: str, version: int, config: Mapping[str, Any], again: bool) -> None:
        """Tell the worker what to run."""

    def send(self, version: int, config: Mapping[str, Any]) -> None:
        """Hand a new config to the worker."""

    async def stop(self, number: int, grace: float) -> None:
        """End the worker and its tree."""

    async def wait_gone(self) -> None:
        """Wait until nothing of the worker is left."""


class Job:
    """One job of the deck.

    Args:
        spec: What the deck says of it.
        file: Its config file.
        history: Where its reloads are kept.
        launch: Starts a worker that reports to the given owner; raises OSError.
        emit: Takes every event of the job.

    Attributes:
        state: The last `State` event.
        metrics: The last `Metrics` event of this worker.
        unloadable: The last worker could not even load its task.
    """

    def __init__(
        self,
        spec: JobSpec,
        file: ConfigFile,
        history: History,
        launch: Callable[[Owner], Worker],
        emit: Emit,
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self.file = file
        self.history = history
        self.scrollback = Scrollback()
        self.state = State(self.name, "stopped", reason="not started yet")
        self.metrics: events.Metrics | None = None
        self.unloadable = False
        self.reloads = Reloads(self.name, history.newest())
        self._launch = launch
        self._emit = emit
        self._worker: Worker | None = None
        self._splitter = LineSplitter()
        self._lifecycle = asyncio.Lock()  # two viewers may press keys at once
        self._wanted = False  # to start with the next valid config
        self._restarting = False
        self._closed = False
        self._stopping = False
        self._cause: str | None = None
        self._since: float | None = None
        self._running: events.Running | None = None
        file.listeners.append(self.offer)

    @property
    def live(self) -> bool:
        """A worker exists."""
        return self.state.state in LIVE

    @property
    def expected(self) -> bool:
        """The job is about to start, or waits for a valid config to start with."""
        return self._wanted or self._restarting

    @property
    def running(self) -> events.Running:
        """Which version runs, since when, and whether the file differs from it."""
        version = self.reloads.running
        differs = version is not None and self.file.text != self.reloads.text
        return events.Running(self.name, version, self._since if self.live else None, differs)

    def offer(self, candidate: Candidate) -> None:
        """Take new content: give it a version and a row, keep both, and send it if it is to be sent."""
        starts = self._wanted and candidate.data is not None and self._worker is None
        row = self.reloads.begin(
            candidate, live=self.live or starts, step=self.metrics.step if self.metrics else 0, time=time.time()
        )
        self._keep(lambda: self.history.add(row, candidate.text))
        self._emit(row)
        if row.status == "sent":
            assert candidate.data is not None
            if starts:
                self._start(row.version, candidate.data)
            elif self._worker is not None:
                self._worker.send(row.version, candidate.data)
        self.show_running()

    async def start(self) -> None:
        """Start the job with the file as it stands; a live one is stopped first."""
        async with self._lifecycle:
            if self._closed:
                return
            self._restarting = True  # the end of the old worker is not the end of the job
            await self._end_worker()
            candidate = await self.file.current("start", time.monotonic())
            self._wanted = True
            self._restarting = False
            self.offer(candidate)
            if self._wanted and self.file.problem is not None:
                self._move("stopped", reason=f"waiting for a valid config: {self.file.problem.message}")

    async def stop(self) -> None:
        """End the worker in order, and wait until nothing of it is left."""
        async with self._lifecycle:
            self._wanted = False
            await self._end_worker()

    async def close(self) -> None:
        """End the worker in order, for good: no start that is waiting comes after it."""
        self._closed = True
        await self.stop()

    async def _end_worker(self) -> None:
        worker = self._worker
        if worker is not None and self.live:
            self._stopping = True
            await worker.stop(signal.Signals[self.spec.stop_signal], self.spec.grace)
        elif worker is not None:
            await worker.wait_gone()

    def show_running(self) -> None:
        """Tell which version runs, if that is news."""
        running = self.running
        before = self._running
        if before is None or (running.version, running.since, running.differs) != (
            before.version,
            before.since,
            before.differs,
        ):
            self._running = running
            self._emit(running)

    def worker_started(self, pid: int) -> None:
        """The worker process exists."""
        # It may have loaded its task already: this comes over another connection.
        self._emit_state(State(self.name, self.state.state, pid=pid))

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """Take a message of the worker."""
        kind = message["kind"]
        if kind == "metrics":
            self.metrics = events.Metrics(self.name, message["step"], message["values"])
            self._emit(self.metrics)
        elif kind == "applied":
            self._update(
                self.reloads.applied(message["version"], message["step"], message["at"], message["superseded"])
            )
            self.show_running()
        elif kind == "loaded":
            self._move("running", pid=self.state.pid)
        elif kind in ("unloadable", "raised"):
            self.unloadable = kind == "unloadable"
            self._cause = f"could not load the task: {message['message']}" if self.unloadable else message["message"]

    def worker_wrote(self, data: bytes) -> None:
        """Take output of the job."""
        self._add_lines(self._splitter.feed(data))

    def worker_exited(self, code: int | None) -> None:
        """The worker ended: decide what that means."""
        self._add_lines(self._splitter.end())
        if self._stopping:
            state, reason = "stopped", None
        elif code == 0 and self.state.pid is not None:
            state, reason = "finished", None
        else:
            if self.state.pid is None and self._cause is None:
                self.unloadable = True
                self._cause = f"the interpreter did not start the worker: {_describe(code)}"
            state, reason = "crashed", self._cause or _describe(code)
        self._update(self.reloads.ended(f"the worker ended before it answered: {reason or state}"))
        self._stopping = False
        self._move(state, exit_code=code, reason=reason)
        self.show_running()

    def worker_gone(self) -> None:
        """Nothing of the worker is left."""
        self._add_lines(self._splitter.end())
        self._worker = None

    def _start(self, version: int, config: Mapping[str, Any]) -> None:
        self._wanted = False
        self._cause = None
        self.unloadable = False
        self.metrics = None
        self._since = time.time()
        self._move("starting")
        try:
            self._worker = self._launch(self)
        except OSError as error:
            self.unloadable = True
            self._cause = f"the worker could not be started: {error}"
            self.worker_exited(None)
            return
        assert self.spec.task is not None
        self._worker.setup(self.spec.task, version, config, self.spec.loop)

    def _move(self, state: str, **fields: Any) -> None:
        if state not in _NEXT[self.state.state]:
            raise ValueError(f"job {self.name} is {self.state.state} and can't become {state}")
        self._emit_state(State(self.name, state, **fields))

    def _emit_state(self, state: State) -> None:
        self.state = state
        self._emit(state)

    def _add_lines(self, lines: list[str]) -> None:
        if lines:
            now = time.time()
            version = self.reloads.running
            batch = tuple((line, version, now) for line in lines)
            first = self.scrollback.add(batch)
            self._emit(events.Lines(self.name, first, batch, time=now))

    def _update(self, rows: list[Reload]) -> None:
        for row in rows:
            self._keep(lambda row=row: self.history.update(row))  # type: ignore[misc]
            self._emit(row)

    def _keep(self, write: Callable[[], None]) -> None:
        """Write to the history; where that fails the job goes on and the user is told."""
        try:
            write()
        except sqlite3.Error as error:
            self._emit(events.Notice(self.name, f"the history could not be written: {error}", "error"))


def _describe(code: int | None) -> str:
    if code is None:
        return "the worker was killed together with its shim"
    if code < 0:
        names = {item.value: item.name for item in signal.Signals}  # real-time signals have none
        return f"killed by {names.get(-code, f'signal {-code}')}"
    return f"ended with exit code {code}"
