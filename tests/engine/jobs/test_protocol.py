"""Three writers, a worker that dies, stalls and refuses, an engine that is killed: in whatever order it comes.

The engine's own parts are real, on real files; the worker, the clock and the threads are played, so that every order
of their steps can be tried and be tried again. 5,000 runs: ``HYPOTHESIS_PROFILE=thorough pytest`` with this file.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.conftest import THOROUGHLY
from tests.engine.killed import kill
from tests.engine.plays import FakeWorker, turn
from tests.statuses import FINAL
from tui.config import document
from tui.config.disk import store
from tui.config.disk.store import StoreError
from tui.engine.deck.spec import JobSpec
from tui.engine.history.folders import HistoryFolders
from tui.engine.jobs.job import Job
from tui.engine.reloads.config_file import ConfigFile
from tui.engine.service import save_commands, write_commands
from tui.protocol import messages
from tui.protocol.messages import Event, Reload, Reply
from tui.runners.base import Owner, Payload

#: A config that is parsed aside has so many characters.
PADDING = "# " + "x" * 3_000 + "\n"

#: Of what a writer writes: the values, of which the worker refuses a negative rate, and what kind of text.
LR = st.integers(-1, 3)
B = st.integers(0, 2)
KIND = st.sampled_from(["plain", "plain", "large", "broken", "again"])

#: Everything that waits for the clock has come after so many seconds.
LONG = 100.0


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock, and whose threads, move when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = 0.0
        self.work: list[tuple[asyncio.Future[Any], Callable[[], Any]]] = []

    def time(self) -> float:
        return self.clock

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future: asyncio.Future[Any] = self.create_future()
        self.work.append((future, lambda: func(*args)))
        return future

    def do(self, index: int) -> None:
        """Do what a thread would do."""
        future, work = self.work.pop(index % len(self.work))
        try:
            result = work()
        except Exception as error:
            if not future.cancelled():
                future.set_exception(error)
        else:
            if not future.cancelled():
                future.set_result(result)

    def spin(self, act: Callable[[], Any] = lambda: None) -> None:
        """Do something, and run until all wait for something."""

        async def run() -> None:
            act()
            await turn()

        self.run_until_complete(run())


class Worker(FakeWorker):
    """What a worker does, one step at a time: it judges what it is given, and its task takes the newest."""

    def __init__(self, payload: Payload, owner: Owner) -> None:
        super().__init__(payload)
        self.owner = owner
        self.read = 0
        self.ready: Payload | None = None
        self.given = {payload.version: payload}
        self.current: Payload | None = None
        self.doomed = self.ended = False

    def send(self, payload: Payload) -> bool:
        self.given[payload.version] = payload
        return super().send(payload)

    @property
    def waiting(self) -> bool:
        return self.read < len(self.told) and not self.doomed

    def receive(self) -> None:
        kind, number, *rest = self.told[self.read]
        self.read += 1
        if kind == "judge":
            self.say("judged", id=number, message="no" if refuses(rest[0]) else None, errors=[], effective=[])
        elif kind in ("setup", "reload"):
            payload = self.given[number]
            if refuses(payload.data):
                self.doomed = kind == "setup"
                self.say("rejected", version=number, message="no")
                return
            if kind == "setup":
                self.say("loaded", rules=True)
            self.ready = payload

    def checkpoint(self) -> None:
        if self.ready is not None:
            self.current, self.ready = self.ready, None
            self.say("applied", version=self.current.version, step=1, at=0.0)

    def say(self, kind: str, **more: Any) -> None:
        self.owner.worker_said({"kind": kind, **more})

    def die(self, code: int) -> None:
        self.ended = True
        self.owner.worker_exited(code)
        self.owner.worker_gone()
        self.gone.set()


def refuses(data: Any) -> bool:
    return bool(data["lr"] < 0)


@functools.cache  # what it returns is only compared
def data_of(text: str) -> Any:
    try:
        return document.parse(text).data
    except document.ConfigError:
        return None


def differs_by_the_rate(before: str | None, after: str, lr: int) -> bool:
    """Return whether nothing but the rate is another one, and that is `lr`."""
    if before is None:
        return False
    lines = zip(before.splitlines(), after.splitlines(), strict=False)
    same = all(a == b or (a.startswith("lr: ") and b.startswith("lr: ")) for a, b in lines)
    return same and before.count("#") == after.count("#") and bool(data_of(after) == {**data_of(before), "lr": lr})


def merges(begun: str | None, mine: str, theirs: str | None, merged: str) -> bool:
    """Return whether a text has each key from the side that has changed it."""
    if begun is None or theirs is None:
        return False
    base, one, other, found = map(data_of, (begun, mine, theirs, merged))
    if base is None or one is None or other is None:
        return merged in (mine, theirs)
    wanted = {key: other.get(key) if one.get(key) == base.get(key) else one.get(key) for key in ("lr", "b")}
    return found is not None and all(found.get(key) == value for key, value in wanted.items())


class Engine:
    """The parts of an engine that reloads pass, from its start to its end."""

    def __init__(self, path: Path, policies: dict[str, Any], emit: Callable[[Event], None]) -> None:
        self.loop = Loop()
        self.homes = HistoryFolders("me")
        self.workers: list[Worker] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.failures: list[Any] = []
        self.loop.set_exception_handler(lambda loop, context: self.failures.append(context))
        self.file = ConfigFile(path, lambda path, digest: None)
        self.loop.run_until_complete(self._all_of(self.file.load()))
        self.history = self.homes.open(path, "job")
        spec = JobSpec("job", "job.py:run", None, path, stop_signal="SIGTERM", grace=3.0, **policies)
        self.job = self.loop.run_until_complete(self._job(spec, emit))
        self.go(self.job.start())

    async def _job(self, spec: JobSpec, emit: Callable[[Event], None]) -> Job:
        return Job(spec, self.file, self.history, self._launch, emit)

    async def _all_of(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        while not task.done():
            await asyncio.sleep(0)
            if self.loop.work:
                self.loop.do(0)
        await task

    def _launch(self, owner: Owner, payload: Payload) -> Worker:
        assert all(worker.ended for worker in self.workers), "there are never two"
        worker = Worker(payload, owner)
        self.workers.append(worker)
        self.loop.call_soon(owner.worker_started, 42)
        return worker

    @property
    def worker(self) -> Worker | None:
        """The worker that lives."""
        return self.workers[-1] if self.workers and not self.workers[-1].ended else None

    def go(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin something in the background."""
        task = self.loop.create_task(work)
        self.tasks.append(task)
        self.loop.spin()
        return task

    def look(self) -> None:
        """Have the watch tell what is on disk."""
        try:
            found: store.Content | StoreError = store.read(self.file.path)
        except StoreError as error:
            found = error
        if not isinstance(found, store.Content) or found.digest != self.file.digest:
            self.go(self.file.changed(found, True, 0.0))

    def kill(self) -> None:
        """End at once: nothing is written or told any more, and the system gives the locks back."""
        self.job.record.emit = lambda event: None
        self.job.history.move(mock.Mock(execute=mock.Mock(side_effect=AssertionError("it is dead"))))
        kill(self.homes)
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.spin()
        self.loop.close()


class Protocol(RuleBasedStateMachine):
    """What may happen, and what must be so in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.path = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "c.yaml"
        self.texts = ["lr: 1\nb: 1\n"]
        self.path.write_text(self.texts[0])
        self.rows: dict[int, Reload] = {}
        self.deaths = 0
        self.view: tuple[str | None, str | None] = None, None  # what the editor has seen: its digest, and the text
        self.writes: list[tuple[str | None, str]] = []  # each text that we wrote, and what it took the place of
        self.kept: set[str] = set()  # texts that must have a row
        self.place = store.place_file
        self.stack.enter_context(mock.patch.object(store, "place_file", self.replace))

    @initialize(
        restart=st.sampled_from(["never", "on-failure", "always"]),
        on_change=st.sampled_from(["reload", "restart"]),
        keys=st.sampled_from([(), ("b",)]),
        runs=st.sampled_from([True, True, False]),
    )
    def begin(self, restart: str, on_change: str, keys: tuple[str, ...], runs: bool) -> None:
        self.policies = {"restart": restart, "on_change": on_change, "restart_keys": keys}
        self.engine = Engine(self.path, self.policies, self.hear)
        if runs:  # most of what may go wrong needs a task that works
            self.the_worker_receives()
            self.the_task_comes_to_a_checkpoint()

    def hear(self, event: Event) -> None:
        if not isinstance(event, Reload):
            return
        before = self.rows.get(event.version)
        if before is None:
            assert event.version == max(self.rows, default=0) + 1, "versions count, and never repeat"
        else:
            assert before.status == "sent" or (before.status, event.status) == ("applied", "reverted")
        self.rows[event.version] = event

    def replace(self, path: Path, raw: bytes, *, base: str | None, **options: Any) -> store.Placed:
        """Stand in the place of `store.place`: see that it replaces what it was told to."""
        before = path.read_bytes() if path.exists() else None
        placed = self.place(path, raw, base=base, **options)
        assert path.read_bytes() == raw
        assert (store.digest(before) if before is not None else None) == base
        if before is not None:
            self.kept.add(before.decode())
        self.writes.append((before.decode() if before is not None else None, raw.decode()))
        return placed

    def replaced_by(self, text: str) -> list[str | None]:
        """Return what a text may have taken the place of."""
        return [before for before, after in self.writes if after == text]

    # The writers.

    def text(self, lr: int, b: int, kind: str) -> str:
        if kind == "again":
            return self.texts[(lr + 10 * b) % len(self.texts)]
        number = len(self.texts)
        text = {
            "plain": f"lr: {lr}  # {number}\nb: {b}\n",
            "large": f"lr: {lr}  # {number}\n{PADDING}b: {b}\n",
            "broken": f"lr: [{lr}  # {number}\n",
        }[kind]
        self.texts.append(text)
        return text

    @rule()
    def the_editor_looks(self) -> None:
        self.view = self.engine.file.digest, self.engine.file.text

    @rule(lr=LR, b=B, kind=KIND)
    def the_editor_saves(self, lr: int, b: int, kind: str) -> None:
        text = self.text(lr, b, kind)
        self.engine.go(self.save(text, *self.view))

    async def save(self, text: str, base: str | None, begun: str | None) -> None:
        job = self.engine.job
        reply = await save_commands.save(job, [job], messages.Save(1, "job", text, base))
        assert reply.ok or reply.message
        if reply.ok:
            new = reply.data.get("text", text)
            self.kept.add(new)
            assert new == text or any(merges(begun, text, theirs, new) for theirs in self.replaced_by(new))

    @rule(lr=st.integers(-1, 5))
    def somebody_sets(self, lr: int) -> None:
        command = messages.Set(1, "job", {"lr": str(lr)})
        self.engine.go(self.answered(write_commands.set_values(self.engine.job, [self.engine.job], command), lr))

    @rule(version=st.integers(0, 20))
    def somebody_rolls_back(self, version: int) -> None:
        job = self.engine.job
        command = messages.Rollback(1, "job", 1 + version % max(1, job.reloads.newest))
        self.engine.go(self.answered(write_commands.roll_back(job, [job], command), None))

    async def answered(self, work: Coroutine[Any, Any, Reply], lr: int | None) -> None:
        worker = self.engine.worker
        reply = await work
        assert reply.ok or reply.message
        if reply.ok and reply.data["changed"]:
            text = self.engine.history.text(reply.data["versions"]["job"])
            assert text is not None
            if lr is not None:
                assert any(differs_by_the_rate(before, text, lr) for before in self.replaced_by(text))
            asked = worker is not None and worker is self.engine.worker
            assert not (asked and refuses(data_of(text))), "what the worker refuses is not written"
            self.kept.add(text)

    @rule(lr=LR, b=B, kind=KIND)
    def somebody_writes_the_file(self, lr: int, b: int, kind: str) -> None:
        new = self.path.with_name("new")
        new.write_text(self.text(lr, b, kind))
        new.replace(self.path)

    @rule()
    def somebody_removes_the_file(self) -> None:
        self.path.unlink(missing_ok=True)

    # The engine and its threads.

    @rule()
    def the_watch_looks(self) -> None:
        self.engine.look()

    @precondition(lambda self: self.engine.loop.work)
    @rule(index=st.integers(0, 3))
    def a_thread_works(self, index: int) -> None:
        self.engine.loop.do(index)
        self.engine.loop.spin()

    @rule(seconds=st.sampled_from([0.5, 6.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.engine.loop.clock += seconds
        self.engine.loop.spin()

    @rule()
    def the_user_starts_the_job(self) -> None:
        self.engine.go(self.engine.job.start())

    @rule(works=st.booleans(), written=st.booleans())
    def the_engine_is_killed(self, works: bool, written: bool) -> None:
        before = self.kept.copy()
        if works:  # what is under way in a thread may just be done
            while self.engine.loop.work:
                self.engine.loop.do(0)
        self.engine.kill()
        self.deaths += 1
        if written:
            self.somebody_writes_the_file(2, 2, "plain")
            self.kept = before  # what nobody was told of, and nobody has seen
        for version, row in self.rows.items():
            if row.status == "sent":
                self.rows[version] = dataclasses.replace(row, status="failed")
        self.engine = Engine(self.path, self.policies, self.hear)

    # The worker.

    @precondition(lambda self: self.engine.worker is not None and self.engine.worker.waiting)
    @rule()
    def the_worker_receives(self) -> None:
        self.engine.loop.spin(self._worker.receive)

    @precondition(lambda self: self.engine.worker is not None)
    @rule()
    def the_task_comes_to_a_checkpoint(self) -> None:
        self.engine.loop.spin(self._worker.checkpoint)
        now = self._worker.current
        assert now is None or now.data == data_of(self.engine.history.text(now.version) or ""), "it is applied whole"

    @precondition(lambda self: self.engine.worker is not None)
    @rule(code=st.sampled_from([0, 1, -9]))
    def the_worker_dies(self, code: int) -> None:
        self.deaths += 1
        self.engine.loop.spin(lambda: self._worker.die(code))

    @precondition(lambda self: self.engine.worker is not None and self._must_end)
    @rule()
    def the_worker_ends_as_it_must(self) -> None:
        self.engine.loop.spin(lambda: self._worker.die(0))

    @property
    def _worker(self) -> Worker:
        assert self.engine.worker is not None
        return self.engine.worker

    @property
    def _must_end(self) -> bool:
        return self._worker.asked.is_set() or self._worker.doomed

    # What must be so.

    def calm_down(self, *, blind: bool) -> None:
        """Let everybody come to an end; where it is `blind`, before the watch has looked."""
        engine = self.engine
        for number in range(12):
            for _ in range(6):
                if number or not blind:
                    engine.look()
                while engine.loop.work:
                    engine.loop.do(0)
                    engine.loop.spin()
                if engine.worker is not None:
                    while engine.worker is not None and self._worker.waiting:
                        engine.loop.spin(self._worker.receive)
                    if engine.worker is not None and self._must_end:
                        engine.loop.spin(lambda: self._worker.die(0))
                    elif engine.worker is not None:
                        self.the_task_comes_to_a_checkpoint()
            engine.loop.clock += LONG
            engine.loop.spin()

    @rule(blind=st.booleans())
    def all_is_as_it_must_be(self, blind: bool) -> None:
        self.calm_down(blind=blind)
        engine = self.engine
        assert engine.failures == []
        assert all(task.done() for task in engine.tasks)
        for task in engine.tasks:
            assert task.exception() is None or isinstance(task.exception(), StoreError), task.exception()
        rows = list(engine.history.rows())
        texts = {row.version: engine.history.text(row.version) or "" for row in rows}
        assert [row.version for row in rows] == list(range(1, len(rows) + 1)), "no row is missing"
        assert {row.version: row.status for row in rows} == {v: row.status for v, row in self.rows.items()}
        assert all(row.status in FINAL for row in rows)
        assert self.kept <= set(texts.values()), "no update is lost"
        self._check_statuses(rows, texts)
        self._check_file(rows, texts)
        self._check_running(rows, texts)

    def _check_statuses(self, rows: list[Reload], texts: dict[int, str]) -> None:
        for row in rows:
            data = data_of(texts[row.version])
            assert (row.status == "invalid") == (data is None)
            if row.status == "rejected":
                assert refuses(data)
            if row.status in ("applied", "reverted") and row.times.get("sent"):
                assert not refuses(data) or row.status == "reverted"
            if row.status == "superseded":
                assert row.by is not None
                assert row.version < row.by <= len(rows)

    def _check_file(self, rows: list[Reload], texts: dict[int, str]) -> None:
        """What is in the file is the newest version that came from it."""
        if not self.path.exists():
            return
        written = [
            row
            for row in rows
            if row.source != "guard"
            and not (row.source in ("set", "rollback") and row.status in ("invalid", "rejected"))
        ]
        if written[-1].source in ("set", "rollback") or self.path.read_text() != texts[written[-1].version]:
            refused = [texts[r.version] for r in rows[written[-1].version :]]
            assert self.path.read_text() in (texts[written[-1].version], *refused)
        assert self.engine.file.text == self.path.read_text()

    def _check_running(self, rows: list[Reload], texts: dict[int, str]) -> None:
        """The newest that the worker has accepted is what runs, whole."""
        worker = self.engine.worker
        if worker is None or worker.current is None:
            return
        applied = [row for row in rows if row.status == "applied"]
        running = applied[-1]
        assert self.engine.job.reloads.running == running.version
        assert worker.current.data == data_of(texts[running.version])
        for row in rows[running.version :]:
            assert row.status in ("invalid", "rejected", "failed", "reverted")
            assert row.status != "failed" or self.deaths

    def teardown(self) -> None:
        try:
            if hasattr(self, "engine"):
                self.all_is_as_it_must_be(blind=len(self.rows) % 2 == 0)
        finally:
            if hasattr(self, "engine"):
                self.engine.kill()
            self.stack.close()


#: A failing example is made smaller for five minutes at most; to explain it would take as long again.
PHASES = [phase for phase in Phase if phase is not Phase.explain]


@pytest.mark.timeout(3_600 if THOROUGHLY else 1_200)
def test_no_order_of_steps_loses_anything() -> None:
    runs = settings(stateful_step_count=40, phases=PHASES)
    run_state_machine_as_test(Protocol, settings=runs if THOROUGHLY else settings(runs, max_examples=30))
