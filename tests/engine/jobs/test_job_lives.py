"""Whatever users, files and workers do, and in whatever order: what a job promises holds."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.engine.plays import FakeWorker, Play, command_spec
from tests.statuses import FINAL
from tui.engine.jobs import lifecycle

ENDS = {"finished", "crashed", "stopped", "backoff"}
EDGES = {
    "stopped": {"starting", "stopped"},
    "finished": {"starting", "stopped"},  # stopped: started again, with a config that is no longer valid
    "crashed": {"starting", "stopped"},
    "starting": {"starting", "running", "paused", *ENDS},
    "running": {"starting", "running", "paused", *ENDS},  # starting: with a config that needs a new worker
    "paused": {"starting", "running", "paused", *ENDS},
    "backoff": {"starting", "stopped", "crashed"},
}
GOOD = ["lr: 1\n", "lr: 2\n", "lr: 3\n", "lr: 2 # again\n"]
TEXTS = [*GOOD, "lr: [\n", None]
LIVE = {"starting", "running", "paused"}


def test_the_machine_is_what_is_said_here() -> None:
    assert EDGES == lifecycle.NEXT


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time can be moved on."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


class JobLives(RuleBasedStateMachine):
    """Starts, stops, saves, and whatever a worker does and when; the engine's loop runs as far as it can.

    Attributes:
        seen: The status and source of each row that there was, in all examples, and what a breach led to.
    """

    seen: ClassVar[set[tuple[str, str]]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.loop = Clock()
        self.pending: set[asyncio.Task[None]] = set()
        self.failures: list[Any] = []
        self.loop.set_exception_handler(lambda _, context: self.failures.append(context))
        self.exited = self.loaded = self.refused = False

    @initialize(
        on_change=st.sampled_from(["reload", "restart", "SIGHUP"]),
        restart=st.sampled_from(["never", "on-failure", "always"]),
        runs=st.booleans(),
    )
    def make(self, on_change: str, restart: str, runs: bool) -> None:
        command = command_spec() if on_change == "SIGHUP" else None
        self.play = self.do(self.make_play(on_change=on_change, restart=restart, command=command))
        if runs:  # most of what may happen needs a worker that works
            self.start()
            self.all_goes_well()

    async def make_play(self, **policies: Any) -> Play:
        play = Play(**policies)
        await play.save("lr: 1\n")
        return play

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call a function on the loop, as the reader of a connection does."""

        async def work() -> None:
            function(*arguments)

        self.do(work())

    def turn(self) -> None:
        """Let every task run until it waits for the worker, or for a time to come."""
        for _ in range(30):
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

    @property
    def state(self) -> str:
        state: str = self.play.job.state.state
        return state

    @rule()
    def start(self) -> None:
        self.wish(self.play.job.start())

    @rule()
    def stop(self) -> None:
        self.wish(self.play.job.stop())

    @rule(text=st.sampled_from(TEXTS), turn=st.booleans())
    def save(self, text: str | None, turn: bool) -> None:
        self.do(self.play.save(text))
        if turn:  # else what it leads to comes after the next thing that happens
            self.turn()

    @rule()
    def pause(self) -> None:
        self.call(self.play.job.supervisor.pause)

    @rule()
    def resume(self) -> None:
        self.call(self.play.job.supervisor.resume)
        self.turn()

    @rule()
    def time_goes_by(self) -> None:
        self.loop.ahead += lifecycle.LONGEST_DELAY
        self.turn()

    @precondition(lambda self: self.lives)
    @rule(takes=st.booleans())
    def takes_signals(self, takes: bool) -> None:
        assert self.worker is not None
        self.worker.takes = takes or self.play.job.spec.command is None

    @precondition(lambda self: self.lives)
    @rule()
    def tell_pid(self) -> None:
        self.play.job.worker_started(42)

    @precondition(lambda self: self.lives and not self.loaded and not self.refused)
    @rule()
    def load(self) -> None:
        self.play.job.worker_said({"kind": "loaded"})
        self.loaded = True

    @precondition(lambda self: self.lives and self.loaded)
    @rule()
    def hold(self) -> None:
        self.play.job.worker_said({"kind": "paused", "step": 1})

    @precondition(lambda self: self.lives and self.loaded)
    @rule()
    def checkpoint(self) -> None:
        sent = [version for version, _ in self.accepted()]
        self.play.apply(sent[-1], 1, tuple(sent[:-1]), time.monotonic())  # and is on trial from now on

    @precondition(lambda self: self.lives and self.loaded and self.play.job.spec.task)
    @rule()
    def breach(self) -> None:
        version, newest = self.play.job.reloads.running or 0, self.play.job.reloads.newest
        self.call(self.play.job.worker_said, {"kind": "breached", "version": version, "step": 2, "message": "nan"})
        if self.play.job.reloads.newest > newest:
            self.seen.add(("breached", self.play.rows()[newest + 1].source))
        self.turn()

    @rule()
    def all_goes_well(self) -> None:
        """Who was asked to end does so, who starts loads its task, and the task comes to a checkpoint."""
        if self.worker is not None and self.worker.asked.is_set() and not self.exited:
            self.exit(0)
        if self.worker is not None and self.exited:
            self.vanish()
        if self.lives and not self.refused:
            self.tell_pid()
            if not self.loaded:
                self.load()
            self.checkpoint()

    @precondition(lambda self: self.play.job.spec.task)
    @rule(texts=st.lists(st.sampled_from(GOOD), min_size=1, max_size=3), quick=st.booleans(), taken=st.booleans())
    def saves_do_harm(self, texts: list[str], quick: bool, taken: bool) -> None:
        """They are taken, and a guard objects: so many steps in this order hardly come by chance."""
        if not self.lives:
            self.start()
        self.all_goes_well()
        for text in texts:
            self.save(text, True)
            if not quick:
                self.all_goes_well()
        self.all_goes_well()
        if self.lives and self.loaded:
            self.breach()
        if taken:
            self.all_goes_well()

    @precondition(lambda self: self.lives and self.loaded)
    @rule()
    def refuse(self) -> None:
        version = self.given()[-1][0]
        if self.play.rows()[version].status == "sent" and version != self.given()[0][0]:
            self.call(self.play.reject, version)
            self.turn()

    @precondition(lambda self: self.lives and not self.loaded and not self.refused and not self.play.job.spec.command)
    @rule()
    def refuse_to_start(self) -> None:
        """Its end comes some time later."""
        self.call(self.play.reject, self.given()[0][0])
        self.refused = True
        self.turn()

    @precondition(lambda self: self.lives)
    @rule(code=st.sampled_from([0, 1, -9, None]))
    def exit(self, code: int | None) -> None:
        self.call(self.play.exit, code)
        self.exited = True
        self.turn()

    @precondition(lambda self: self.worker is not None and self.exited)
    @rule()
    def vanish(self) -> None:
        self.call(self.play.vanish)
        self.exited = self.loaded = self.refused = False
        self.turn()

    def given(self) -> list[tuple[int, Any]]:
        """Return the configs that the worker was given, oldest first."""
        assert self.worker is not None
        return [(told[1], told[2]) for told in self.worker.told if told[0] in ("setup", "reload")]

    def accepted(self) -> list[tuple[int, Any]]:
        """Return those that it may take."""
        rows = self.play.rows()
        return [(version, data) for version, data in self.given() if rows[version].status != "rejected"]

    @invariant()
    def nothing_of_ours_fails(self) -> None:
        assert self.failures == []

    @invariant()
    def one_worker_at_a_time(self) -> None:
        assert sum(not worker.gone.is_set() for worker in self.play.workers) <= 1
        assert self.play.job.supervisor.live or not self.lives

    @invariant()
    def only_a_job_that_gets_a_new_worker_is_live_without_one(self) -> None:
        if self.play.job.supervisor.live and not self.lives:
            assert self.play.job.reloads.pending is not None

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
        if not self.play.job.supervisor.live:
            assert self.play.job.running.version is None
            assert self.state == "backoff" or {row.status for row in rows.values()} <= FINAL

    @invariant()
    def a_guard_stands_for_each_reverted_version(self) -> None:
        rows = self.play.rows()
        reverted = [row for row in rows.values() if row.status == "reverted"]
        by = [row.by for row in reverted]
        assert all(row.by is not None and row.by > row.version for row in reverted)
        # What a breach takes back is reverted once its guard is applied.
        assert set(by) <= {row.version for row in rows.values() if row.source == "guard"}
        assert all(row.source not in ("guard", "start") for row in reverted)
        assert {row.version for row in rows.values() if (row.source, row.status) == ("guard", "applied")} <= set(by)

    @invariant()
    def the_worker_was_given_the_newest_valid_save_or_is_about_to(self) -> None:
        if not self.lives or self.refused:
            return
        assert self.worker is not None
        pending = self.play.job.reloads.pending
        newest = pending[0] if pending else self.play.job.reloads.running
        version, config = self.accepted()[-1]
        held = self.state == "paused" or self.worker.asked.is_set() or self.play.job.supervisor.tasks.busy
        if newest is not None and not held:
            text = self.play.history.text(newest)
            assert text is not None
            assert text.startswith(f"lr: {config['lr']}")
            assert pending is None or pending[0] == version

    @invariant()
    def a_worker_of_a_paused_job_is_held(self) -> None:
        if self.lives and self.state == "paused" and not self.worker.asked.is_set():  # type: ignore[union-attr]
            told = [told[0] for told in self.worker.told if told[0] in ("pause", "resume")]  # type: ignore[union-attr]
            assert told[-1:] == ["pause"] or self.play.job.supervisor.run.ending

    @invariant()
    def a_worker_is_ended_by_us_for_a_reason(self) -> None:
        if self.lives and self.worker is not None and self.worker.asked.is_set() and not self.pending:
            assert self.play.job.reloads.pending is not None

    def teardown(self) -> None:
        if not hasattr(self, "play"):
            self.loop.close()
            return
        try:
            self.the_end_is_in_order()
        finally:
            self.play.close()
            self.loop.close()

    def the_end_is_in_order(self) -> None:
        self.wish(self.play.job.close())
        while self.pending:
            if self.lives:
                self.exit(0)
            elif self.worker is not None:
                self.vanish()
            self.turn()
        self.time_goes_by()
        assert self.state not in LIVE | {"backoff"}
        assert not self.play.job.supervisor.expected
        assert self.worker is None
        assert not self.play.job.supervisor.tasks.busy
        self.nothing_of_ours_fails()
        self.every_version_has_its_row()
        self.seen.update((row.status, row.source) for row in self.play.rows().values())


def test_whatever_comes_a_job_does_what_it_promises() -> None:
    JobLives.seen.clear()
    run_state_machine_as_test(
        JobLives, settings=settings(max_examples=max(60, settings().max_examples), stateful_step_count=30)
    )
    wanted = {("breached", "guard"), ("reverted", "disk"), ("applied", "guard"), ("superseded", "disk")}
    assert wanted <= JobLives.seen, "what never comes proves nothing"
