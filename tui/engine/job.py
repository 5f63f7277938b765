"""A job: its state, its worker and its reloads. The steps of its life are those of `tui.engine.life`.

A job without a valid config is `stopped` and waits: the first good save starts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tui import events
from tui.engine import life
from tui.engine.check import Gate
from tui.engine.files import ConfigFile
from tui.engine.history import History
from tui.engine.output import LineSplitter, Scrollback
from tui.engine.reload import Candidate, Reloads
from tui.engine.spec import JobSpec
from tui.engine.tasks import Tasks
from tui.events import LIVE, Reload, State
from tui.runners.base import LaunchError, Owner, Payload, StuckError, Worker

Emit = Callable[[events.Event], None]
Launch = Callable[[Owner, Payload], Worker]


class Job:
    """One job of the deck.

    Args:
        spec: What the deck says of it.
        file: Its config file.
        history: Where its reloads are kept.
        launch: Starts a worker that reports to the given owner; raises LaunchError or OSError.
        emit: Takes every event of the job.

    Attributes:
        state: The last `State` event.
        metrics: The last `Metrics` event of this worker.
        unloadable: The last worker could not even load its task.
    """

    def __init__(self, spec: JobSpec, file: ConfigFile, history: History, launch: Launch, emit: Emit) -> None:
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
        self._gate = Gate(spec.check, spec.config, spec.cwd, self._admit, self._skip) if spec.check else None
        self._restarts = life.Restarts(spec.restart)
        self._lifecycle = asyncio.Lock()  # two viewers may press keys at once
        self._hurry = asyncio.Event()  # ends a backoff
        self._tasks = Tasks()
        self._wanted = False  # to start with the next valid config
        self._restarting = False
        self._closed = False
        self._ending = ""  # why the worker is being ended by us: "stop", "replace", or not at all
        self._given = self._first = 0  # the version that the worker was given last, and the one that it starts with
        self._answered = False  # the worker has taken its first config
        self._kept = 0  # a version that the worker keeps until it has
        self._cause: str | None = None
        self._refusal: str | None = None  # why the worker does not start with the config that it was given
        self._ran = False  # since the user started it
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
    def refused_at_start(self) -> bool:
        """The worker has refused the config, and none has run before: the job waits for a better one."""
        return self._wanted and self._refusal is not None and self.reloads.last is None

    @property
    def running(self) -> events.Running:
        """Which version runs, since when, and whether the file differs from it."""
        version = self.reloads.running
        differs = version is not None and self.file.text != self.reloads.text
        return events.Running(self.name, version, self._since if self.live else None, differs)

    @property
    def problem(self) -> events.Problem | None:
        """What is wrong with the file, as far as this job minds."""
        if self.spec.as_text and self.file.text is not None:
            return None
        return self.file.problem or self._fault(self.file.data)

    def offer(self, candidate: Candidate) -> None:
        """Take new content; where the job has a check, once it has passed it."""
        if self.spec.as_text and self.file.text is not None:
            candidate = replace(candidate, data=candidate.text, problem=None)
        else:
            fault = self._fault(candidate.data)
            if fault is not None:
                candidate = replace(candidate, data=None, problem=fault)
        if self._gate is None:
            self._admit(candidate)
        else:
            self._gate.put(candidate)

    def _fault(self, data: Mapping[str, Any] | str | None) -> events.Problem | None:
        """Return what the schema objects to in the file's data, or which value the command needs that it lacks."""
        if data is not None and (fault := self.file.faults.get(self.spec.schema)):
            return fault
        if self.spec.command is not None and data is not None:
            try:
                self.spec.command.fill(data, self.spec.config)
            except LaunchError as error:
                return events.Problem(str(error))
        return None

    def _admit(self, candidate: Candidate) -> None:
        """Give a version and a row to content that was checked, keep both, and send it if it is to be sent."""
        starts = self._wanted and candidate.data is not None
        waits = self.state.state == "backoff"
        row = self.reloads.begin(
            candidate,
            live=self.live or starts or waits,
            step=self.metrics.step if self.metrics else 0,
            time=time.time(),
        )
        self._add(row, candidate.text)
        if row.status == "sent":
            if starts and self._worker is None:
                self._start()
            elif starts:
                self._start_after_refusal()
            elif waits:
                self._restarts.reset()
                self._hurry.set()
            elif self._worker is not None:
                self._deliver()
        elif self._wanted and candidate.data is None:
            assert row.error is not None
            self._move("stopped", reason=f"waiting for a valid config: {row.error.message}")
        self.show_running()

    def _skip(self, candidate: Candidate) -> None:
        self._add(self.reloads.skip(candidate, time.time()), candidate.text)

    def _deliver(self) -> None:
        """Give the newest reload to the worker, or to a new one."""
        pending = self.reloads.pending
        assert pending is not None
        if self.state.state == "paused" and self.spec.reload_may_end_worker:
            return  # until it is resumed
        if pending[0] in (self._given, self._kept):
            return  # it came up with it, and has not answered yet
        assert self._worker is not None
        if self.spec.on_change == "restart" or not self._worker.send(_payload(*pending)):
            self._ending = self._ending or "replace"  # from now on its end is no answer to what it was given before
            self._tasks.start(self._replace())
        elif self._answered:
            self._given = pending[0]
        else:
            self._kept = pending[0]

    async def _replace(self) -> None:
        """End the worker, and start a new one with the newest config."""
        async with self._lifecycle:
            if not self._to_be_replaced:
                return
            worker, self._ending = self._worker, "replace"
            self._restarts.reset()
            if await self._end_worker():
                self._start()
                return
        assert worker is not None
        await worker.wait_gone()  # it could not be killed, but may end some time
        async with self._lifecycle:
            if self._ending == "replace" and self._to_be_replaced:
                self._start()

    @property
    def _to_be_replaced(self) -> bool:
        """No stop came before, and no other reload has started a worker with the newest config."""
        pending = self.reloads.pending
        return self.live and not self._closed and pending is not None and pending[0] != self._given

    async def start(self) -> None:
        """Start the job with the file as it stands; a live one is stopped first.

        Raises:
            StuckError: The worker did not end.
        """
        async with self._lifecycle:
            if self._closed:
                return
            self._restarting = True  # the end of the old worker is not the end of the job
            try:
                await self._quit()
                candidate = await self.file.current("start", time.monotonic())
                self._wanted = True
            finally:
                self._restarting = False
            self._restarts.reset()
            self.offer(candidate)
            if self._gate is not None:
                await self._gate.settled()

    async def stop(self) -> None:
        """End the worker in order, and wait until nothing of it is left.

        Raises:
            StuckError: It did not end.
        """
        async with self._lifecycle:
            self._wanted = False
            await self._quit()

    async def close(self) -> None:
        """End the worker in order, for good: no start that is waiting comes after it.

        Raises:
            StuckError: It did not end.
        """
        self._closed = True
        if self._gate is not None:
            await self._gate.close()
        await self.stop()

    def pause(self) -> None:
        """Hold the job: no checkpoint returns until it is resumed."""
        if self._worker is not None and self.state.state in ("starting", "running"):
            self._worker.pause()
            how = "stopped by SIGSTOP" if self.spec.command else "from its next checkpoint on"
            self._move("paused", pid=self.state.pid, reason=how)

    def resume(self) -> None:
        """Let a paused job go on, with the config that came meanwhile."""
        if self._worker is not None and self.state.state == "paused":
            self._worker.resume()
            self._move("running", pid=self.state.pid)
            if self.spec.reload_may_end_worker and self._to_be_replaced:
                self._deliver()

    async def _quit(self) -> None:
        """End the worker by the user's wish, or the wait for the next one."""
        self._ending = "stop"
        if self.state.state == "backoff":
            self._tasks.cancel()
            self._end("stopped")
        if not await self._end_worker():
            raise StuckError(self.state.reason)
        if self.live:  # it ended by itself, while a reload was about to replace it
            self._end("stopped")

    async def _end_worker(self) -> bool:
        """End the worker, and return whether it is gone: one that shares its process with others may not be."""
        worker = self._worker
        if worker is not None and self.live:
            try:
                await worker.stop(signal.Signals[self.spec.stop_signal], self.spec.grace)
            except StuckError as error:
                self._move(self.state.state, pid=self.state.pid, reason=str(error))
                return False
        elif worker is not None:
            await worker.wait_gone()
        self._ending = ""
        return True

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
        self._emit_state(replace(self.state, pid=pid, time=time.time()))

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """Take a message of the worker."""
        kind = message["kind"]
        if kind == "metrics":
            self.metrics = events.Metrics(self.name, message["step"], message["values"])
            self._emit(self.metrics)
        elif kind == "rejected":
            self._refuse(message)
        elif kind == "applied":
            self._answered = True
            self._given, self._kept = self._kept or self._given, 0
            self._ran = True
            self._update(self.reloads.applied(message["version"], message["step"], message["at"]))
            self.show_running()
        elif kind == "loaded":
            if self.state.state != "paused":
                self._move("running", pid=self.state.pid)
        elif kind == "paused":
            if self.state.state == "paused":
                self._move("paused", pid=self.state.pid, reason=f"held at step {message['step']:,}")
        elif kind == "blocking":
            seconds = message["seconds"]
            reason = (
                f"blocks the event loop of its host for {seconds:.1f} s: {message.get('where')}" if seconds else None
            )
            self._move(self.state.state, pid=self.state.pid, reason=reason)
        elif kind in ("unloadable", "raised"):
            self.unloadable = kind == "unloadable"
            what = "could not load the task: " if self.unloadable and self.spec.task else ""
            self._cause = what + message["message"]

    def worker_wrote(self, data: bytes) -> None:
        """Take output of the job."""
        self._add_lines(self._splitter.feed(data))

    def worker_exited(self, code: int | None) -> None:
        """The worker ended: decide what that means."""
        self._add_lines(self._splitter.end())
        failed = code != 0 or self.state.pid is None
        if failed and self.state.pid is None and self._cause is None:
            self.unloadable = True
            self._cause = f"the interpreter did not start the worker: {life.exit_words(code)}"
        reason = (self._cause or life.exit_words(code)) if failed else None
        if self._ending == "replace":
            self.reloads.lost()
        elif self._ending == "stop":
            self._end("stopped", code)
        elif self._refusal is not None:
            self._go_without(code, self._refusal)
        elif self._kept and self.spec.reload_may_end_worker:
            self.reloads.lost()
            self._wait(0.0, code, f"{reason or 'it ended'}; trying v{self._kept}, which came meanwhile")
        elif self._dies_of_reload():
            self._revert(code, reason)
        else:
            self._fall(code, reason)
        self.show_running()

    def worker_gone(self) -> None:
        """Nothing of the worker is left."""
        self._add_lines(self._splitter.end())
        self._worker = None

    def _refuse(self, message: Mapping[str, Any]) -> None:
        """The worker does not take a config: it goes on with what it has, or ends if that is its first."""
        version = message["version"]
        rows = self.reloads.rejected(version, message["message"], message.get("errors", ()))
        if version == self._first:
            self._refusal = rows[0].error.message if rows and rows[0].error else message["message"]
        self._update(rows)
        self.show_running()

    def _go_without(self, code: int | None, reason: str) -> None:
        """The worker has refused to start: try a newer config, go back to the one that ran, or wait for a good one."""
        last = self.reloads.last
        if self.reloads.pending is not None:
            self._start_after_refusal()
        elif self._ran and last is not None and last[0] != self._first:
            self.reloads.lost()
            self._wait(0.0, code, f"{reason}; going back to v{last[0]}")
        else:
            self._wanted = True
            self._end("stopped", code, f"waiting for a valid config: {reason}")

    def _start_after_refusal(self) -> None:
        """Start with the newest config once the worker that has refused an older one is gone."""
        self.reloads.lost()
        self._wanted = False
        self._given = 0
        self._move("starting")
        self._tasks.start(self._replace())

    def _dies_of_reload(self) -> bool:
        pending = self.reloads.pending
        return (
            self.spec.reload_may_end_worker
            and pending is not None
            and pending[0] == self._given
            and pending[1].source not in ("guard", "start")
            and self.reloads.last is not None
        )

    def _revert(self, code: int | None, reason: str | None) -> None:
        """Start the last good version again, whatever the policy says, once."""
        reason = reason or "it ended"
        *rows, new = self.reloads.revert(reason, seen=time.monotonic(), time=time.time())
        self._update(rows)
        assert self.reloads.last is not None
        self._add(new, self.reloads.last[1].text)
        self._wait(0.0, code, f"{reason}; going back to v{self.reloads.last[0]} as v{new.version}")

    def _fall(self, code: int | None, reason: str | None) -> None:
        """The worker ended by itself: try again, if the policy says so."""
        up = time.time() - (self._since or time.time())
        new = self.unloadable and self.reloads.last is None
        delay = None if new else self._restarts.delay(failed=reason is not None, up=up)
        if delay is None:
            if self._restarts.looping:
                reason = f"crash loop: {life.MOST_TRIES} ends in a row, the last one: {reason or 'finished'}"
            self._end("crashed" if reason is not None else "finished", code, reason)
        else:
            self.reloads.lost()
            self._wait(delay, code, reason or "finished")

    def _end(self, state: str, code: int | None = None, reason: str | None = None) -> None:
        self._update(self.reloads.ended(f"the worker ended before it answered: {reason or state}"))
        self._move(state, exit_code=code, reason=reason)

    def _wait(self, delay: float, code: int | None, reason: str) -> None:
        self._hurry.clear()
        self._move("backoff", exit_code=code, reason=reason, retry_at=time.time() + delay)
        self._tasks.start(self._try_again(delay))

    async def _try_again(self, delay: float) -> None:
        if self._worker is not None:
            await self._worker.wait_gone()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), delay)
        self._start()

    def _start(self) -> None:
        """Start a worker with the newest config that is to be taken, or with the one that ran last."""
        self._ran = self._ran and not self._wanted
        self._wanted = False
        self._ending = ""
        self._cause = self._refusal = None
        self.unloadable = False
        self.metrics = None
        self._since = time.time()
        chosen = self.reloads.pending or self.reloads.last
        assert chosen is not None
        self._given = self._first = chosen[0]
        self._kept, self._answered = 0, False
        self._move("starting")
        try:
            self._worker = self._launch(self, _payload(*chosen))
        except (OSError, LaunchError) as error:
            self.unloadable = True
            self._cause = f"the worker could not be started: {error}"
            self._worker = None
            self.worker_exited(None)

    def _move(self, state: str, **fields: Any) -> None:
        life.move(self.name, self.state.state, state)
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

    def _add(self, row: Reload, text: str) -> None:
        self._keep(lambda: self.history.add(row, text))
        self._emit(row)

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


def _payload(version: int, candidate: Candidate) -> Payload:
    assert candidate.data is not None
    return Payload(version, candidate.data, candidate.text)
