"""A job: its file, its worker and its reloads.

The steps of its life are those of `tui.engine.jobs.lifecycle`, those of a reload those of
`tui.engine.reloads.reloads`. Here they meet: what comes from the file goes to the worker, and what the worker says
becomes rows and states.

A job without a valid config is `stopped` and waits: the first good save starts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from tui.config.key_patterns import Patterns
from tui.engine import paths
from tui.engine.deck.spec import JobSpec
from tui.engine.history.job_history import History
from tui.engine.jobs import lifecycle, worker_queries
from tui.engine.jobs.joining import Joining
from tui.engine.jobs.publisher import Emit, Publisher
from tui.engine.jobs.supervisor import Supervisor
from tui.engine.jobs.worker_queries import WorkerQueries
from tui.engine.jobs.worker_run import WorkerRun
from tui.engine.jobs.worker_slot import Launch, WorkerSlot, payload
from tui.engine.metrics.recorder import Recorder
from tui.engine.metrics.verdicts import Verdicts
from tui.engine.reloads import checks
from tui.engine.reloads.candidate import Candidate, Data, Unanswered
from tui.engine.reloads.config_file import ConfigFile
from tui.engine.reloads.reloads import Reloads
from tui.engine.scrollback import Scrollback
from tui.protocol import messages
from tui.protocol.messages import Problem, Reload, State
from tui.runners.base import StuckError

#: What the system takes for the rows or columns of a terminal.
_LARGEST = (1 << 16) - 1


class Job:
    """One job of the deck.

    Args:
        spec: What the deck says of it.
        file: Its config file.
        history: Where its reloads are kept.
        launch: Starts a worker that reports to the given owner; raises LaunchError or OSError.
        emit: Takes every event of the job.

    Attributes:
        restart_patterns: Of the keys that can't change live.
        hints: What an editor may hint at.
        recorder: Keeps its metrics.
        verdicts: Judge what its changes do.
    """

    def __init__(self, spec: JobSpec, file: ConfigFile, history: History, launch: Launch, emit: Emit) -> None:
        self.spec = spec
        self.name = spec.name
        self.file = file
        self.history = history
        # Other commands have no checkpoints to count.
        settle = spec.settle if spec.counts else spec.settle._replace(steps=0)
        self.reloads = Reloads(self.name, history.newest(), paths.who(), history.run(), settle=settle)
        self._record = Publisher(self.name, history, emit)
        self._slot = WorkerSlot(spec, self.reloads, self._record, launch, self)
        self._gate = checks.Gate(spec, self._admit, self._skip) if spec.check is not None else None
        self._supervisor = Supervisor(spec, self.reloads, self._record, self._slot)
        self._checked: deque[tuple[float, int]] = deque(maxlen=100)  # when a content was seen, and its version
        self._called_off = asyncio.Event()  # a start that waits for its check waits no longer
        self._judge = WorkerQueries()
        self._joining = Joining(spec, self._record, self.reloads)
        self._emit = emit
        self.recorder = Recorder(self.name, spec.config, spec.metrics, emit)
        self.verdicts = Verdicts(self.recorder, self._record.judge)
        self.hints = messages.Hints(self.name, None, spec.restart_keys)
        self.restart_patterns = Patterns(spec.restart_keys)
        file.listeners.append(self.offer)

    @property
    def state(self) -> State:
        """The last `State` event."""
        return self._record.state

    @property
    def metrics(self) -> messages.Metrics | None:
        """The last `Metrics` event of this worker."""
        return self._record.metrics

    @property
    def scrollback(self) -> Scrollback:
        """The newest lines of its output."""
        return self._record.scrollback

    @property
    def record(self) -> Publisher:
        """What it tells."""
        return self._record

    @property
    def live(self) -> bool:
        """A worker exists."""
        return self._slot.live

    @property
    def unloadable(self) -> bool:
        """The last worker could not even load its task."""
        return self._slot.attempt.unloadable

    @property
    def ending(self) -> bool:
        """Whether its worker is being ended."""
        return bool(self._slot.attempt.ending)

    @property
    def busy(self) -> bool:
        """Whether something is done for it in the background: its worker is replaced, or tried again."""
        return self._slot.tasks.busy

    @property
    def expected(self) -> bool:
        """The job is about to start, or waits for a valid config to start with."""
        return self._slot.wanted or self._slot.restarting

    @property
    def refused_at_start(self) -> bool:
        """The worker has refused the config, and none has run before: the job waits for a better one."""
        return self._slot.wanted and self._slot.attempt.refusal is not None and self.reloads.last is None

    @property
    def running(self) -> messages.Running:
        """Which version runs, since when, and whether the file differs from it."""
        version = self.reloads.running
        differs = version is not None and self.file.text != self.reloads.text
        return messages.Running(self.name, version, self._slot.attempt.since if self.live else None, differs)

    def needs_restart(self, data: Data) -> bool:
        """Return whether a new worker is needed for a config to be taken."""
        if self.spec.on_change == "restart" or self.restart_patterns.differ(self._slot.attempt.config, data):
            return True
        return self.spec.command is not None and self.spec.command.changed(self._slot.attempt.config, data)

    async def ask(self, data: Data) -> Mapping[str, Any] | None:
        """Return what the worker says to a config that it does not get, None where there is no worker.

        Raises:
            Unanswered: It has not answered.
        """
        worker = self._slot.worker
        return await self._judge.ask(worker, data) if worker is not None and self.live else None

    async def checked(self) -> Problem | None:
        """Wait until its check has seen what is in the file, and return what that objects to."""
        if self._gate is None:
            return None
        await self._gate.settled(unless=self._called_off)
        return self._gate.problem

    def version_of(self, seen: float) -> int | None:
        """Return which version a content has become that was first seen then; None before its check has ended."""
        return next((version for when, version in self._checked if when == seen), None)

    async def stack(self) -> str:
        """Return where the task is.

        Raises:
            Unanswered: The worker has not answered, or there is none.
        """
        worker = self._slot.worker
        if worker is None or not self.live:
            raise Unanswered("it has no worker: ctrl+r starts it")
        return await self._judge.stack(worker)

    def refuse(self, candidate: Candidate, status: str, problem: Problem) -> None:
        """Give a row to content that was refused before it was written."""
        self._record.add(self.reloads.refuse(candidate, status, problem, time.time()), candidate.text)

    @property
    def problem(self) -> messages.Problem | None:
        """What is wrong with the file, as far as this job minds."""
        return checks.problem_with(self.file, self.spec)

    @property
    def document(self) -> messages.Document:
        """The file as it is on disk, with what this job minds of it."""
        file, problem = self.file, self.problem
        lines = self.restart_patterns.lines(file.marks) if self.restart_patterns and problem is None else ()
        errors = problem.all if problem is not None else ()
        return messages.Document(self.name, file.text, file.digest, problem, file.missing, errors, lines)

    def offer(self, candidate: Candidate) -> None:
        """Take new content; where the job has a check, once it has passed it."""
        candidate = checks.examine(candidate, self.spec)
        if self._gate is None:
            self._admit(candidate)
        else:
            self._gate.put(candidate)

    def _admit(self, candidate: Candidate) -> None:
        """Give a version and a row to content that was checked, keep both, and send it if it is to be sent."""
        slot = self._slot
        starts = slot.wanted and candidate.data is not None
        waits = self.state.state == "backoff"
        row = self.reloads.begin(
            candidate,
            live=self.live or starts or waits,
            step=self.metrics.step if self.metrics else 0,
            time=time.time(),
        )
        self._checked.append((candidate.seen, row.version))
        self._record.add(row, candidate.text)
        if row.source == "start" and row.changes:
            changed = ", ".join(change.key for change in row.changes)
            self._record.notice(f"v{row.version} starts from the file, which differs from v{row.base} in {changed}")
        if row.status == "sent":
            if starts and slot.worker is None:
                slot.start()
            elif starts:
                self._supervisor.start_after_refusal()
            elif waits:
                slot.hurry()
            elif slot.worker is not None:
                self._deliver()
        elif slot.wanted and candidate.data is None:
            assert row.error is not None
            self._record.move("stopped", reason=f"waiting for a valid config: {row.error.message}")
        self.show_running()

    def _skip(self, candidate: Candidate) -> None:
        row = self.reloads.skip(candidate, time.time())
        self._checked.append((candidate.seen, row.version))
        self._record.add(row, candidate.text)

    def _deliver(self) -> None:
        """Give the newest reload to the worker, or to a new one."""
        pending = self.reloads.pending
        assert pending is not None
        attempt, (version, candidate) = self._slot.attempt, pending
        renew = self.spec.on_change == "restart" or self.restart_patterns.differ(attempt.config, candidate.data)
        if self.state.state == "paused" and (self.spec.reload_may_end_worker or renew):
            return  # until it is resumed
        if attempt.knows(version) or (attempt.ending == "replace" and self.spec.task is not None):
            return  # it came up with it, and has not answered yet, or the next one comes up with it
        worker = self._slot.worker
        assert worker is not None
        if renew and self._judge.rules and attempt.accepted != version:
            # A new worker has not the state of this one: this one judges before it is ended.
            if attempt.asked != version:
                attempt.asked = version
                worker.send(payload(version, candidate, restart=True))
                asyncio.get_running_loop().call_later(
                    worker_queries.ANSWER_PATIENCE, self._end_silence, attempt, version
                )
        elif renew or not worker.send(payload(version, candidate)):
            attempt.ending = attempt.ending or "replace"  # from now on its end is no answer to what it was given before
            self._slot.replace()
        else:
            attempt.give(version, candidate.data)

    async def start(self, *, held: bool = False) -> None:
        """Start the job with the file as it stands; a live one is stopped first.

        Args:
            held: Its worker is paused from the beginning.

        Raises:
            StuckError: The worker did not end.
        """
        async with self._turn():
            if self._slot.closed:
                return
            self._called_off.clear()
            self._slot.wanted = False  # a save that comes meanwhile leaves it to this start
            self._slot.restarting = True  # the end of the old worker is not the end of the job
            self._slot.held = held
            try:
                await self._quit()
                await self.remember(await self.file.current("start", time.monotonic()))
                # Anew: there may be another content by now. From here on nothing waits.
                candidate = await self.file.current("start", time.monotonic(), taken=True)
                self._slot.wanted = True
            finally:
                self._slot.restarting = False
            self._slot.restarts.reset()
            self.offer(candidate)
            if self._gate is not None:
                if self._slot.attempt.since is not None:  # else nobody has seen another state yet
                    self._record.move("stopped", reason="waits for its check")
                await self._gate.settled(unless=self._called_off)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Have the turn of the slot, by the user's wish."""
        self._slot.wishes += 1
        try:
            async with self._slot.turn:
                yield
        finally:
            self._slot.wishes -= 1

    async def remember(self, candidate: Candidate) -> None:
        """Learn what ran last, in an engine before this one: what differs from it is told with the start."""
        if self.reloads.last is not None or self.reloads.former is not None:
            return
        try:
            version = self.history.ran_before(self.reloads.newest + 1)
            text = self.history.text(version) if version is not None else None
        except sqlite3.Error as error:
            self._record.notice(f"what ran last can't be read from the history: {error}", "warning")
            return
        if version is None or text is None:
            return
        if text != candidate.text:
            candidate = await self.file.draft(text.encode("utf-8", "replace"), "start", 0.0)
        data = checks.examine(candidate, self.spec).data
        if data is not None:
            self.reloads.former = version, data

    async def stop(self) -> None:
        """End the worker in order, and wait until nothing of it is left.

        Raises:
            StuckError: It did not end.
        """
        self.hurry()
        self._slot.wanted = False
        self._called_off.set()
        async with self._turn():
            self._slot.wanted = False
            await self._quit()
            if self.state.state == "stopped" and self.state.reason is not None and not self._slot.closed:
                self._record.move("stopped")  # it waits for nothing any more

    def hurry(self) -> None:
        """Wait no longer, in a stop that goes on, for a task that ends by its own means."""
        if self._slot.worker is not None and self._slot.attempt.ending:
            self._slot.worker.hurry()

    async def close(self) -> None:
        """End the worker in order, for good: no start that is waiting comes after it.

        Raises:
            StuckError: It did not end.
        """
        self._slot.closed = True
        if self._gate is not None:
            await self._gate.close()
        await self.stop()

    async def _quit(self) -> None:
        """End the worker by the user's wish, or the wait for the next one."""
        self._slot.attempt.ending = "stop"
        if self.state.state == "backoff":
            self._slot.give_up()
            self._supervisor.end("stopped")
        if not await self._slot.end():
            raise StuckError(self.state.reason)
        if self.live:  # it ended by itself, while a reload was about to replace it
            self._supervisor.end("stopped")

    def pause(self) -> str:
        """Hold the job: no checkpoint returns until it is resumed, whichever worker comes to it.

        Return why that can't be done, nothing where it was.
        """
        ends = self._slot.attempt.ending == "stop" and not self._slot.restarting
        if self._slot.worker is not None and self.state.state in ("starting", "running") and not ends:
            self._slot.hold()
        return "" if self.state.state == "paused" else self._without_worker

    def resume(self) -> str:
        """Let a paused job go on, with the config that came meanwhile; return why that can't be done."""
        if self.state.state == "paused":
            self._slot.release()
            if self._slot.outdated and self._slot.worker is not None:
                self._deliver()
        return "" if self.live else self._without_worker

    @property
    def _without_worker(self) -> str:
        if self.state.state == "backoff":
            return "it waits for its next try: ctrl+r ends the wait, ctrl+t stops it"
        return f"it is {self.state.state}" if not self.live else "it is being stopped"

    def resize(self, rows: int, columns: int) -> None:
        """Give its terminal, if it has one, the size in which a viewer shows it; so has the next worker's."""
        self._slot.size = size = min(max(rows, 1), _LARGEST), min(max(columns, 1), _LARGEST)
        if self._slot.worker is not None:
            self._slot.worker.resize(*size)

    def show_running(self) -> None:
        """Tell which version runs, if that is news."""
        self._record.run(self.running)

    def worker_started(self, pid: int) -> None:
        """The worker process exists."""
        # It may have loaded its task already: this comes over another connection.
        self._record.be(replace(self.state, pid=pid, time=time.time()))

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """Take a message of the worker."""
        kind = message["kind"]
        if kind in ("metrics", "block"):
            self._measure(message)
        elif kind == "rejected":
            self._refuse(message)
        elif kind == "applied":
            self._take_receipt(message)
        elif kind in ("judged", "stack"):
            self._judge.answered(message)
        elif kind == "accepted":
            self._slot.attempt.accepted = message["version"]
            self._renew()
        elif kind == "loaded":
            self._learn(message)
        elif kind == "paused":
            if self.state.state == "paused":
                self._record.move("paused", pid=self.state.pid, reason=f"held at step {message['step']:,}")
        elif kind in ("blocking", "lingers"):
            reason = lifecycle.blocking_words(message) if kind == "blocking" else message["message"]
            self._record.move(self.state.state, pid=self.state.pid, reason=reason)
        elif kind in ("unloadable", "refused", "raised", "host ended", "departed"):
            self._slot.attempt.blame(message)
        elif kind == "breached":
            self._take_back(message)
        else:
            self._joining.take(message)

    async def measure(self) -> None:
        """Measure what its processes use; of a job in a host nobody can tell."""
        pid = self.state.pid
        if pid is not None and self.live and not self.spec.hosted:
            await self.recorder.measure(pid, self.metrics.step if self.metrics else None, self.reloads.run)

    def _measure(self, message: Mapping[str, Any]) -> None:
        if message["kind"] == "metrics":
            self._record.measure(message["step"], message["values"])
        else:
            self.recorder.take(message, self.reloads.run)

    def worker_wrote(self, data: bytes) -> None:
        """Take output of the job."""
        self._record.write(data, self.reloads.running)

    def worker_exited(self, code: int | None) -> None:
        """The worker ended: decide what that means."""
        self._record.end_lines(self.reloads.running)
        self._judge.lost()
        self._supervisor.take_end(code)
        self.show_running()

    def worker_gone(self) -> None:
        """Nothing of the worker is left."""
        self._record.end_lines(self.reloads.running)
        self._slot.worker = None

    def _take_receipt(self, message: Mapping[str, Any]) -> None:
        self._slot.attempt.take()
        self._slot.ran = True
        effective = message.get("effective", ())
        if message.get("ranks") is not None:
            self.history.count(message["version"], message["ranks"])
        rows = self.reloads.applied(message["version"], message["step"], message["at"], effective)
        self._record.update(rows)
        for row in rows:
            if row.version == message["version"] and row.source != "start":
                self.verdicts.begin(row)
        self.show_running()

    def _refuse(self, message: Mapping[str, Any]) -> None:
        """The worker does not take a config: it goes on with what it has, or ends if that is its first."""
        version = message["version"]
        rows = self.reloads.rejected(version, message["message"], message.get("errors", ()))
        if version == self._slot.attempt.first:
            self._slot.attempt.refusal = rows[0].error.message if rows and rows[0].error else message["message"]
        self._record.update(rows)
        self._renew()
        if self.live and self.reloads.pending is None:
            self._go_back(self.reloads.overdue(seen=time.monotonic(), time=time.time()))
        self.show_running()

    def _renew(self) -> None:
        """Start a new worker, if it is that for which the newest config that nobody has refused was accepted."""
        pending, attempt = self.reloads.pending, self._slot.attempt
        if self.live and pending is not None and pending[0] == attempt.accepted:
            self._deliver()

    def _end_silence(self, attempt: WorkerRun, version: int) -> None:
        """Replace a worker that was asked and has not answered: the next one will judge."""
        waits = attempt is self._slot.attempt and not attempt.ending and attempt.accepted != version
        pending = self.reloads.pending
        if self.live and waits and pending is not None and pending[0] == version:
            attempt.accepted = version
            patience = worker_queries.ANSWER_PATIENCE
            reason = f"has not said within {patience:g} s whether it takes v{version}: it is ended for it"
            self._record.move(self.state.state, pid=self.state.pid, reason=reason)
            self._deliver()

    def _learn(self, message: Mapping[str, Any]) -> None:
        """The worker has loaded its task: take what it says of the config that the task wants."""
        self._slot.attempt.loaded = True
        self._judge.loaded(message.get("rules", False))
        patterns = (*self.spec.restart_keys, *message.get("restart", ()))
        hints = messages.Hints(self.name, message.get("schema"), tuple(dict.fromkeys(patterns)))
        if (hints.schema, hints.restart) != (self.hints.schema, self.hints.restart):
            self.hints = hints
            self._record.learn(hints.schema)
            self.restart_patterns = Patterns(hints.restart)
            self._emit(hints)
            self._emit(self.document)
        if self.state.state != "paused":
            self._record.move("running", pid=self.state.pid)

    def _take_back(self, message: Mapping[str, Any]) -> None:
        """A guard has found that a reload does harm: go back to what ran before, once."""
        self._go_back(
            self.reloads.breach(message["version"], message["message"], seen=time.monotonic(), time=time.time())
        )

    def _go_back(self, row: Reload | None) -> None:
        if row is not None:
            self._record.add(row, self.reloads.pending_text)
            self._deliver()
