from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tui import events
from tui.config import store
from tui.config.store import Content, StoreError
from tui.engine import history
from tui.engine.deck import JobSpec
from tui.engine.files import ConfigFile
from tui.engine.history import History
from tui.engine.job import Job
from tui.events import FINAL, Event, Metrics, Notice, Reload, Running, State


class FakeWorker:
    """Notes what it is told; a test plays its part."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.gone = asyncio.Event()
        self.asked = asyncio.Event()

    def setup(self, task: str, version: int, config: Mapping[str, Any], again: bool) -> None:
        self.told.append(("setup", version, dict(config)))

    def send(self, version: int, config: Mapping[str, Any]) -> None:
        self.told.append(("reload", version, dict(config)))

    async def stop(self, number: int, grace: float) -> None:
        self.told.append(("stop", number, grace))
        self.asked.set()
        await self.gone.wait()

    async def wait_gone(self) -> None:
        await self.gone.wait()


class Play:
    """A job with everything around it, none of it real; the file's content is what a test says it is."""

    def __init__(self, text: str | None = "lr: 1\n") -> None:
        self.events: list[Event] = []
        self.workers: list[FakeWorker] = []
        self.launched = [asyncio.Event() for _ in range(100)]
        self.launch_error: OSError | None = None
        self.connection = history.in_memory()
        config = Path("/nowhere/c.yaml")
        self.history = History(self.connection, Path("/nowhere/.tunedeck"), config, "job")
        self.file = ConfigFile(config, lambda path, digest: None)
        self.text = text
        spec = JobSpec("job", "job.py:run", None, config, stop_signal="SIGINT", grace=3.0)
        self.job = Job(spec, self.file, self.history, self.launch, self.events.append)

    def launch(self, owner: object) -> FakeWorker:
        if self.launch_error is not None:
            raise self.launch_error
        self.launched[len(self.workers)].set()
        self.workers.append(FakeWorker())
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

    async def run(self) -> None:
        """Start the job and let the worker take the first config."""
        await self.start()
        self.job.worker_started(42)
        self.job.worker_said({"kind": "loaded"})
        self.apply(1)

    def apply(self, version: int, step: int = 0, superseded: tuple[int, ...] = ()) -> None:
        self.job.worker_said(
            {"kind": "applied", "version": version, "step": step, "at": 0.0, "superseded": list(superseded)}
        )

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


async def test_a_life_without_accidents() -> None:
    play = Play()
    await play.run()
    assert play.worker.told == [("setup", 1, {"lr": 1})]
    assert play.job.state == State("job", "running", pid=42, time=play.job.state.time)
    await play.save("lr: 2\n")
    assert play.worker.told[1:] == [("reload", 2, {"lr": 2})]
    play.apply(2, step=7)
    play.exit(0)
    play.vanish()
    assert play.states == ["starting", "starting", "running", "finished"]
    assert [(row.version, row.status) for row in play.of(Reload)] == [
        (1, "sent"),
        (1, "applied"),
        (2, "sent"),
        (2, "applied"),
    ]
    assert list(play.history.rows()) == list(play.rows().values())
    assert play.history.text(2) == "lr: 2\n"


async def test_a_worker_may_have_loaded_its_task_before_its_id_is_known() -> None:
    play = Play()
    await play.start()
    play.job.worker_said({"kind": "loaded"})
    play.job.worker_started(42)
    assert (play.job.state.state, play.job.state.pid) == ("running", 42)


async def test_a_row_is_kept_before_it_is_sent() -> None:
    play = Play()
    kept: list[int] = []
    await play.run()
    play.worker.send = lambda version, config: kept.append(play.history.newest())  # type: ignore[method-assign]
    await play.save("lr: 2\n")
    assert kept == [2]


async def test_the_running_version_is_told_when_it_changes() -> None:
    play = Play()
    await play.run()
    await play.save("lr: 2\n")
    play.apply(2)
    await play.save("lr: [\n")
    play.exit(0)
    assert [(event.version, event.differs) for event in play.of(Running)] == [
        (None, False),
        (1, False),
        (1, True),
        (2, False),
        (2, True),
        (None, False),
    ]


@pytest.mark.parametrize(
    ("code", "said", "state", "reason"),
    [
        (0, None, "finished", None),
        (3, None, "crashed", "ended with exit code 3"),
        (-9, None, "crashed", "killed by SIGKILL"),
        (-35, None, "crashed", "killed by signal 35"),
        (None, None, "crashed", "the worker was killed together with its shim"),
        (1, {"kind": "raised", "message": "ValueError: no"}, "crashed", "ValueError: no"),
        (1, {"kind": "unloadable", "message": "no file"}, "crashed", "could not load the task: no file"),
    ],
)
async def test_how_a_worker_ends_decides_the_state(
    code: int | None, said: dict[str, str] | None, state: str, reason: str | None
) -> None:
    play = Play()
    await play.run()
    await play.save("lr: 2\n")
    if said:
        play.job.worker_said(said)
    play.exit(code)
    assert (play.job.state.state, play.job.state.exit_code, play.job.state.reason) == (state, code, reason)
    assert play.job.unloadable == (said is not None and said["kind"] == "unloadable")
    error = play.rows()[2].error
    assert play.rows()[2].status == "failed"
    assert error is not None
    assert (reason or state) in error.message


async def test_the_cause_of_one_end_is_not_that_of_the_next() -> None:
    play = Play()
    await play.run()
    play.job.worker_said({"kind": "unloadable", "message": "no file"})
    play.exit(1)
    play.vanish()
    await play.job.start()
    assert not play.job.unloadable
    play.job.worker_started(4)
    play.exit(4)
    assert play.job.state.reason == "ended with exit code 4"


async def test_a_worker_that_cannot_be_launched_is_a_crash() -> None:
    play = Play()
    play.launch_error = FileNotFoundError(2, "No such file", "python9")
    await play.start()
    assert play.states == ["starting", "crashed"]
    assert "python9" in str(play.job.state.reason)
    assert play.job.unloadable
    assert play.rows()[1].status == "failed"
    play.launch_error = None
    await play.job.start()
    assert play.job.live


async def test_stop_asks_the_worker_and_waits_until_it_is_gone() -> None:
    play = Play()
    await play.run()
    stopping = asyncio.create_task(play.job.stop())
    await play.worker.asked.wait()
    assert play.worker.told[-1] == ("stop", 2, 3.0)
    play.exit(-2)
    assert (play.job.state.state, play.job.state.reason) == ("stopped", None)
    assert not stopping.done()
    play.vanish()
    await stopping
    await play.job.stop()  # once more does no harm


async def test_start_stops_a_live_worker_first_and_the_job_stays_expected() -> None:
    play = Play()
    await play.run()
    starting = asyncio.create_task(play.job.start())
    await play.worker.asked.wait()
    play.exit(0)
    assert play.job.state.state == "stopped"
    assert play.job.expected
    assert len(play.workers) == 1
    play.vanish()
    await starting
    assert len(play.workers) == 2
    assert play.worker.told == [("setup", 2, {"lr": 1})]
    assert not play.job.expected


async def test_two_starts_and_a_stop_at_once_are_done_one_after_the_other() -> None:
    play = Play()
    await play.run()
    tasks = [asyncio.create_task(work) for work in (play.job.start(), play.job.start(), play.job.stop())]
    for number in range(3):
        if number:
            await play.launched[number].wait()
        await play.worker.asked.wait()
        play.exit(0)
        play.vanish()
    await asyncio.gather(*tasks)
    assert len(play.workers) == 3
    assert (play.job.state.state, play.job.expected) == ("stopped", False)


@pytest.mark.parametrize("bad", ["lr: [\n", None])
async def test_without_a_valid_config_the_job_waits_for_the_first_good_save(bad: str | None) -> None:
    play = Play(bad)
    await play.start()
    assert (play.states, play.job.expected) == (["stopped"], True)
    assert str(play.job.state.reason).startswith("waiting for a valid config: ")
    await play.save("lr: {\n")
    assert play.workers == []
    await play.save("lr: 3\n")
    version = play.job.reloads.newest
    assert play.worker.told == [("setup", version, {"lr": 3})]
    assert [row.status for row in play.rows().values()] == ["invalid"] * (version - 1) + ["sent"]


async def test_a_stop_ends_the_waiting() -> None:
    play = Play("lr: [\n")
    await play.start()
    await play.job.stop()
    await play.save("lr: 3\n")
    assert play.workers == []
    assert play.rows()[2].status == "failed"


async def test_a_save_after_the_end_is_a_failed_row_and_starts_nothing() -> None:
    play = Play()
    await play.run()
    play.exit(0)
    await play.save("lr: 2\n")
    play.vanish()
    await play.save("lr: 3\n")
    assert [play.rows()[version].status for version in (2, 3)] == ["failed", "failed"]
    assert len(play.workers) == 1


async def test_a_file_that_goes_missing_changes_nothing_for_the_worker() -> None:
    play = Play()
    await play.run()
    await play.save(None)
    assert (play.job.live, len(play.rows())) == (True, 1)
    play.job.show_running()
    assert play.of(Running)[-1].differs
    await play.save("lr: 2\n")
    assert play.worker.told[-1] == ("reload", 2, {"lr": 2})


async def test_lines_are_those_of_the_version_that_ran() -> None:
    play = Play()
    await play.start()
    play.job.worker_wrote(b"import\nha")
    play.apply(1)
    play.job.worker_wrote(b"lf\nlast")
    play.exit(0)
    play.job.worker_wrote(b"a child\n")
    play.vanish()
    lines = [(text, version) for batch in play.of(events.Lines) for text, version, _ in batch.lines]
    assert lines == [("import", None), ("half", 1), ("last", 1), ("a child", None)]
    assert [batch.first for batch in play.of(events.Lines)] == [0, 1, 2, 3]


async def test_the_metrics_are_those_of_this_worker() -> None:
    play = Play()
    await play.run()
    play.job.worker_said({"kind": "metrics", "step": 9, "values": {"loss": 1}})
    assert play.of(Metrics)[-1] == play.job.metrics
    await play.save("# comment\nlr: 1\n")
    assert play.rows()[2].step == 9
    play.exit(0)
    play.vanish()
    await play.job.start()
    assert play.job.metrics is None


async def test_a_history_that_cannot_be_written_is_told_and_the_job_goes_on() -> None:
    play = Play()
    await play.run()

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk full")

    play.history.add = play.history.update = fail  # type: ignore[method-assign,assignment]
    await play.save("lr: 2\n")
    play.apply(2)
    assert [notice.message for notice in play.of(Notice)] == ["the history could not be written: disk full"] * 2
    assert play.rows()[2].status == "applied"


async def test_versions_go_on_from_the_history() -> None:
    play = Play()
    await play.run()
    again = Job(play.job.spec, play.file, play.history, play.launch, play.events.append)
    assert again.reloads.newest == 1


async def test_a_state_that_cannot_follow_is_refused() -> None:
    play = Play()
    with pytest.raises(ValueError, match="is stopped and can't become running"):
        play.job.worker_said({"kind": "loaded"})


EDGES = {
    "stopped": {"starting", "stopped"},
    "finished": {"starting", "stopped"},  # stopped: started again, with a config that is no longer valid
    "crashed": {"starting", "stopped"},
    "starting": {"starting", "running", "finished", "crashed", "stopped"},
    "running": {"running", "finished", "crashed", "stopped"},
}


class JobLives(RuleBasedStateMachine):
    """Starts, stops, saves, and whatever a worker does and when; the engine's loop runs as far as it can."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.play = self.do(self.make())
        self.pending: set[asyncio.Task[None]] = set()
        self.exited = self.loaded = False
        self.seen = 0

    async def make(self) -> Play:
        play = Play()
        await play.save("lr: 1\n")
        return play

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def turn(self) -> None:
        """Let every task run until it waits for the worker."""
        for _ in range(20):
            self.do(asyncio.sleep(0))
        for task in [task for task in self.pending if task.done()]:
            task.result()
            self.pending.discard(task)

    def wish(self, work: Any) -> None:
        self.pending.add(self.loop.create_task(work))
        self.turn()

    @property
    def worker(self) -> FakeWorker | None:
        workers = self.play.workers
        return workers[-1] if workers and not workers[-1].gone.is_set() else None

    @property
    def lives(self) -> bool:
        return self.worker is not None and not self.exited

    @rule()
    def start(self) -> None:
        self.wish(self.play.job.start())

    @rule()
    def stop(self) -> None:
        self.wish(self.play.job.stop())

    @rule(text=st.sampled_from(["lr: 1\n", "lr: 2\n", "lr: 2 # again\n", "lr: [\n", None]))
    def save(self, text: str | None) -> None:
        self.do(self.play.save(text))
        self.turn()

    @precondition(lambda self: self.lives)
    @rule()
    def tell_pid(self) -> None:
        self.play.job.worker_started(42)

    @precondition(lambda self: self.lives and not self.loaded)
    @rule()
    def load(self) -> None:
        self.play.job.worker_said({"kind": "loaded"})
        self.loaded = True

    @precondition(lambda self: self.lives and self.loaded)
    @rule()
    def checkpoint(self) -> None:
        assert self.worker is not None
        sent = [version for kind, version, _ in self.worker.told if kind in ("setup", "reload")]
        self.play.apply(sent[-1], 1, tuple(sent[:-1]))

    @precondition(lambda self: self.lives)
    @rule(code=st.sampled_from([0, 1, -9, None]))
    def exit(self, code: int | None) -> None:
        self.play.exit(code)
        self.exited = True
        self.turn()

    @precondition(lambda self: self.worker is not None and self.exited)
    @rule()
    def vanish(self) -> None:
        self.play.vanish()
        self.exited = self.loaded = False
        self.turn()

    @invariant()
    def one_worker_at_a_time(self) -> None:
        assert sum(not worker.gone.is_set() for worker in self.play.workers) <= 1
        assert self.play.job.live == self.lives

    @invariant()
    def states_follow_the_machine(self) -> None:
        states = ["stopped", *self.play.states]
        for before, after in itertools.pairwise(states):
            assert after in EDGES[before]

    @invariant()
    def every_version_has_its_row(self) -> None:
        rows = self.play.rows()
        assert list(rows) == list(range(1, len(rows) + 1))
        assert list(self.play.history.rows()) == list(rows.values())
        if not self.play.job.live:
            assert {row.status for row in rows.values()} <= FINAL
            assert self.play.job.running.version is None

    @invariant()
    def the_worker_was_sent_the_newest_valid_save(self) -> None:
        if self.lives:
            assert self.worker is not None
            runs = self.play.job.reloads.waiting or self.play.rows()[self.play.job.reloads.running or 0]
            text = self.play.history.text(runs.version)
            sent = [config for kind, _, config in self.worker.told if kind != "stop"][-1]
            assert text is not None
            assert text.startswith(f"lr: {sent['lr']}")

    def teardown(self) -> None:
        self.wish(self.play.job.stop())
        while self.pending:
            if self.lives:
                self.exit(0)
            elif self.worker is not None:
                self.vanish()
            self.turn()
        assert not self.play.job.live
        assert not self.play.job.expected
        self.loop.close()


TestJobLives = JobLives.TestCase
TestJobLives.settings = settings(max_examples=60, stateful_step_count=30)


async def test_an_interpreter_that_starts_no_worker_is_named_as_the_cause() -> None:
    play = Play()
    await play.start()
    play.exit(1)
    assert play.job.unloadable
    assert play.job.state.reason == "the interpreter did not start the worker: ended with exit code 1"


async def test_a_job_that_is_closed_does_not_start_again() -> None:
    play = Play()
    await play.job.close()
    await play.job.start()
    assert play.job.state.state == "stopped"
    assert play.job.reloads.newest == 0
