"""A job: its file, its worker and its reloads.

The steps of its worker's life are those of `tui.engine.jobs.supervisor`, those of a reload those of
`tui.engine.reloads.reloads`. Here they meet: what comes from the file goes to the worker, and what the worker says
becomes rows.

A job without a valid config is `stopped` and waits: the first good save starts it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tui import wording
from tui.config.disk.code_folders import CodeFolders
from tui.config.key_patterns import Patterns
from tui.engine import paths
from tui.engine.deck.spec import JobSpec, ProbationPeriod
from tui.engine.history.job_history import History
from tui.engine.jobs.code import Code, CodeChange
from tui.engine.jobs.joining import Joining
from tui.engine.jobs.publisher import Emit, JobPublisher
from tui.engine.jobs.supervisor import Supervisor
from tui.engine.jobs.worker_slot import Launch
from tui.engine.metrics.recorder import Recorder
from tui.engine.metrics.verdicts import Verdicts
from tui.engine.reloads import checks
from tui.engine.reloads.candidate import Candidate
from tui.engine.reloads.config_file import ConfigFile
from tui.engine.reloads.reloads import Reloads
from tui.engine.scrollback import Scrollback
from tui.protocol import messages
from tui.protocol.messages import Problem, Reload, State

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
        folders: Watches the code; without it nobody does.

    Attributes:
        record: What it tells.
        supervisor: Has its worker.
        hints: What an editor may hint at.
        recorder: Keeps its metrics.
        verdicts: Judge what its changes do.
    """

    def __init__(
        self,
        spec: JobSpec,
        file: ConfigFile,
        history: History,
        launch: Launch,
        emit: Emit,
        folders: CodeFolders | None = None,
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self.file = file
        self.history = history
        self.reloads = Reloads(self.name, history.newest(), paths.who(), history.run(), settle=_probation(spec))
        self.record = JobPublisher(self.name, history, emit)
        self.record.keep_log(spec.log)
        self._gate = self._new_gate(spec)
        self.supervisor = Supervisor(spec, self.reloads, self.record, launch, self)
        self._checked: deque[tuple[float, int]] = deque(maxlen=100)  # when a content was seen, and its version
        self._called_off = asyncio.Event()  # a start that waits for its check waits no longer
        self._joining = Joining(spec, self.record, self.reloads)
        self._code = Code(self, folders) if folders is not None else None
        self._emit = emit
        self.recorder = Recorder(self.name, spec.config, spec.metrics, emit)
        self.verdicts = Verdicts(self.recorder, self.record.judge)
        self.hints = messages.Hints(self.name, None, spec.restart_keys)
        self._fixed: tuple[str, ...] = ()  # the keys of which the task says that they can't change live
        file.listeners.append(self.offer)

    def _new_gate(self, spec: JobSpec) -> checks.Gate | None:
        return checks.Gate(spec, self._admit, self._skip) if spec.check is not None else None

    def adopt(self, spec: JobSpec, launch: Launch) -> None:
        """Treat the job as the deck describes it now; the worker that there is stays, and the file is the same one."""
        self.spec = spec
        self.reloads.trial.settle = _probation(spec)
        if self._gate is not None:
            self._gate.spec = spec
        else:
            self._gate = self._new_gate(spec)
        self.recorder.told = spec.metrics
        self.record.keep_log(spec.log)
        self.supervisor.spec = self.supervisor.slot.spec = spec
        self.supervisor.slot.launch = launch
        self.supervisor.policy.policy = spec.restart
        self.supervisor.patterns = Patterns(self._restart_keys)
        self._hint(self.hints.schema)
        if self._code is not None:
            self._code.adopt()

    @property
    def _restart_keys(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.spec.restart_keys, *self._fixed)))

    @property
    def state(self) -> State:
        """The last `State` event."""
        return self.record.state

    @property
    def metrics(self) -> messages.Metrics | None:
        """The last `Metrics` event of this worker."""
        return self.record.metrics

    @property
    def scrollback(self) -> Scrollback:
        """The newest lines of its output."""
        return self.record.scrollback

    @property
    def running(self) -> messages.Running:
        """Which version runs, since when, and whether the file differs from it."""
        version = self.reloads.running
        differs = version is not None and self.file.text != self.reloads.text
        return messages.Running(
            self.name, version, self.supervisor.run.since if self.supervisor.live else None, differs
        )

    async def checked(self) -> Problem | None:
        """Wait until its check has seen what is in the file, and return what that objects to."""
        if self._gate is None:
            return None
        await self._gate.settled(unless=self._called_off)
        return self._gate.problem

    def version_of(self, seen: float) -> int | None:
        """Return which version a content has become that was first seen then; None before its check has ended."""
        return next((version for when, version in self._checked if when == seen), None)

    def refuse(self, candidate: Candidate, status: str, problem: Problem) -> None:
        """Give a row to content that was refused before it was written."""
        self.record.add(self.reloads.refuse(candidate, status, problem, time.time()), candidate.text)

    @property
    def problem(self) -> messages.Problem | None:
        """What is wrong with the file, as far as this job minds."""
        return checks.problem_with(self.file, self.spec)

    @property
    def document(self) -> messages.Document:
        """The file as it is on disk, with what this job minds of it."""
        file, problem = self.file, self.problem
        patterns = self.supervisor.patterns
        lines = patterns.lines(file.marks) if patterns and problem is None else ()
        errors = problem.all if problem is not None else ()
        return messages.Document(self.name, file.text, file.digest, problem, file.missing, errors, lines)

    def offer(self, candidate: Candidate) -> None:
        """Take new content; where the job has a check, once it has passed it."""
        candidate = checks.examine(candidate, self.spec, self.reloads.text)
        if self._gate is None:
            self._admit(candidate)
        else:
            self._gate.put(candidate)

    def _admit(self, candidate: Candidate) -> None:
        """Give a version and a row to content that was checked, keep both, and send it if it is to be sent."""
        step = self.metrics.step if self.metrics else 0
        row = self.reloads.begin(candidate, live=self.supervisor.receptive, step=step, time=time.time())
        self._checked.append((candidate.seen, row.version))
        self.record.add(row, candidate.text)
        if row.source == "start" and row.changes:
            changed = ", ".join(change.key for change in row.changes)
            self.record.notice(f"v{row.version} starts from the file, which differs from v{row.base} in {changed}")
        if row.status == "sent":
            self.supervisor.deliver()
        elif row.status == "invalid" and row.error is not None:
            self.supervisor.lack(row.error.message)
        self.show_running()

    def _skip(self, candidate: Candidate) -> None:
        row = self.reloads.skip(candidate, time.time())
        self._checked.append((candidate.seen, row.version))
        self.record.add(row, candidate.text)

    async def start(self, *, held: bool = False) -> None:
        """Start the job with the file as it stands; a live one is stopped first.

        Args:
            held: Its worker is paused from the beginning.

        Raises:
            StuckError: The worker did not end.
        """
        code = await self._code.change() if self._code is not None else CodeChange()
        async with self.supervisor.restart(held=held) as may:
            if not may:
                return
            self._called_off.clear()
            await self.remember(await self.file.current("start", time.monotonic()))
            # Anew: there may be another content by now. From here on nothing waits.
            candidate = await self.file.current("start", time.monotonic(), taken=True)
            candidate = replace(candidate, files=code.files)
            if not self.supervisor.expect():
                return
            if self._code is not None:
                self._code.forget()
            self.offer(candidate)
            if self._code is not None and code.files:
                self._code.show(self.reloads.newest, code.before, code.after)
            if self._gate is not None:
                if self.supervisor.run.since is not None:  # else nobody has seen another state yet
                    self.record.move("stopped", reason="waits for its check")
                await self._gate.settled(unless=self._called_off)

    async def remember(self, candidate: Candidate) -> None:
        """Learn what ran last, in an engine before this one: what differs from it is told with the start."""
        if self.reloads.last is not None or self.reloads.former is not None:
            return
        try:
            version = self.history.ran_before(self.reloads.newest + 1)
            text = self.history.text(version) if version is not None else None
        except sqlite3.Error as error:
            self.record.notice(f"what ran last can't be read from the history: {error}", "warning")
            return
        if version is None or text is None:
            return
        if text != candidate.text:
            candidate = await self.file.draft(text.encode("utf-8", "replace"), "start", 0.0)
        data = checks.examine(candidate, self.spec, None).data
        if data is not None:
            self.reloads.former = version, data

    async def stop(self) -> None:
        """End the worker in order, and wait until nothing of it is left.

        Raises:
            StuckError: It did not end.
        """
        self._called_off.set()
        await self.supervisor.stop()

    async def close(self) -> None:
        """End the worker in order, for good: no start that is waiting comes after it.

        Raises:
            StuckError: It did not end.
        """
        self.supervisor.close()
        if self._gate is not None:
            await self._gate.close()
        await self.stop()
        if self.record.log is not None:
            await self.record.log.close()

    def resize(self, rows: int, columns: int) -> None:
        """Give its terminal, if it has one, the size in which a viewer shows it; so has the next worker's."""
        self.supervisor.slot.resize(min(max(rows, 1), _LARGEST), min(max(columns, 1), _LARGEST))

    def show_running(self) -> None:
        """Tell which version runs, if that is news."""
        self.record.run(self.running)

    def worker_started(self, pid: int) -> None:
        """The worker process exists."""
        # It may have loaded its task already: this comes over another connection.
        self.record.be(replace(self.state, pid=pid, time=time.time()))

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """Take a message of the worker."""
        kind = message["kind"]
        if kind == "metrics":
            self.record.measure(message["step"], message["values"])
        elif kind == "block":
            self.recorder.take_block(message, self.reloads.run)
        elif kind == "rejected":
            self._refuse(message)
        elif kind == "applied":
            self._take_receipt(message)
        elif kind == "loaded":
            self._learn(message)
        elif kind == "sources":
            if self._code is not None and self.supervisor.run.since is not None:
                self._code.begin(message["files"], self.supervisor.run.since)
        elif kind == "breached":
            now = {"seen": time.monotonic(), "time": time.time()}
            self._go_back(self.reloads.breach(message["version"], message["message"], **now))
        elif not self.supervisor.hear(message):
            self._joining.take_message(message)

    async def measure(self) -> None:
        """Measure what its processes use; of a job in a host nobody can tell."""
        pid = self.state.pid
        if pid is not None and self.supervisor.live and not self.spec.hosted:
            await self.recorder.measure(pid, self.metrics.step if self.metrics else None, self.reloads.run)

    def worker_wrote(self, data: bytes) -> None:
        """Take output of the job."""
        self.record.write(data, self.reloads.running)

    def worker_exited(self, code: int | None) -> None:
        """The worker ended: decide what that means."""
        self.record.end_lines(self.reloads.running)
        if self._code is not None:
            self._code.end()
        self.supervisor.take_end(code)
        self.show_running()

    def worker_gone(self) -> None:
        """Nothing of the worker is left."""
        self.record.end_lines(self.reloads.running)
        self.supervisor.slot.gone()

    def tell_code(self, files: tuple[str, ...]) -> None:
        """Say that code has changed which the worker does not run; with no `files`, that it has no more."""
        if files:
            self.record.notice(wording.code_changed(files), "warning")
        if self.state.state in messages.LIVE:
            self.record.be(replace(self.state, reason=wording.code_changed(files) if files else None))

    def keep_code(self, code: Mapping[str, bytes]) -> None:
        """Give every worker these files so, but for those that the user starts."""
        self.supervisor.slot.code = code

    def renew_code(self, files: tuple[str, ...]) -> int | None:
        """Start a new worker, which takes code that has changed; return the version of that."""
        candidate = self.reloads.with_code(files, time.monotonic())
        if candidate is not None:
            self.record.add(self.reloads.renew(candidate, time.time()), candidate.text)
            self.supervisor.deliver()
        return self.reloads.newest if candidate is not None else None

    def refuse_code(self, files: tuple[str, ...], problem: Problem) -> int | None:
        """Give a row to code that can't be imported; the worker goes on with what it has."""
        candidate = self.reloads.with_code(files, time.monotonic())
        if candidate is not None:
            self.refuse(candidate, "invalid", problem)
        return self.reloads.newest if candidate is not None else None

    def code_of(self, version: int) -> tuple[str, str] | None:
        """Return the code before and after a version that has changed it, as far as that is known."""
        return self._code.sides.get(version) if self._code is not None else None

    def _take_receipt(self, message: Mapping[str, Any]) -> None:
        self.supervisor.applied()
        effective = message.get("effective", ())
        ranks = message.get("ranks")
        if ranks is not None:
            self.history.count(message["version"], ranks)
        rows = self.reloads.applied(message["version"], message["step"], message["at"], effective)
        self.record.update(rows)
        if ranks is not None and not rows:  # the start of a command is applied before its first rank has joined
            self.record.count(message["version"], ranks)
        for row in rows:
            if row.version == message["version"] and row.source != "start":
                self.verdicts.begin(row)
        self.show_running()

    def _refuse(self, message: Mapping[str, Any]) -> None:
        """The worker does not take a config."""
        version, words = message["version"], message["message"]
        rows = self.reloads.rejected(version, words, message.get("errors", ()))
        self.record.update(rows)
        self.supervisor.refused(version, rows[0].error.message if rows and rows[0].error else words)
        if self.supervisor.live and self.reloads.pending is None:
            self._go_back(self.reloads.overdue(seen=time.monotonic(), time=time.time()))
        self.show_running()

    def _go_back(self, row: Reload | None) -> None:
        """Go back to what ran before, if a guard has found that a reload does harm."""
        if row is not None:
            self.record.add(row, self.reloads.pending_text)
            self.supervisor.deliver()

    def _learn(self, message: Mapping[str, Any]) -> None:
        """The worker has loaded its task: take what it says of the config that the task wants."""
        self._fixed = tuple(message.get("restart", ()))
        self.supervisor.loaded(rules=message.get("rules", False), patterns=Patterns(self._restart_keys))
        self._hint(message.get("schema"))

    def _hint(self, schema: Mapping[str, Any] | None) -> None:
        """Tell editors what they may hint at, if that is news."""
        hints = messages.Hints(self.name, schema, self._restart_keys)
        if (hints.schema, hints.restart) != (self.hints.schema, self.hints.restart):
            self.hints = hints
            self.record.learn(hints.schema)
            self._emit(hints)
            self._emit(self.document)


def _probation(spec: JobSpec) -> ProbationPeriod:
    """Return how long a reload is on trial: commands that nobody joins have no checkpoints to count."""
    return spec.settle if spec.counts else spec.settle._replace(steps=0)
