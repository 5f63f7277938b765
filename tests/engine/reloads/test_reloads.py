from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.statuses import FINAL
from tui.config.diff import changes, same
from tui.engine.reloads.candidate import Candidate
from tui.engine.reloads.reloads import Reloads, move
from tui.protocol.messages import Change, Problem, Reload

BAD = Problem("a ': ' is missing", 3, 7)


def good(lr: Any = 0.1, *, text: str | None = None, source: str = "disk", seen: float = 10.0) -> Candidate:
    return Candidate(text or f"lr: {lr}\n", {"lr": lr}, None, source, seen)


def bad() -> Candidate:
    return Candidate("lr 1\n", None, BAD, "editor", 10.0)


def running(lr: float = 0.1) -> Reloads:
    """Return the reloads of a job that runs its first version."""
    reloads = Reloads("job")
    reloads.begin(good(lr, source="start"), live=True, time=1.0)
    reloads.applied(1, 0, 10.0)
    return reloads


def test_a_start_is_sent_and_applied() -> None:
    reloads = Reloads("job", who="ada@lab", run=2, clock=lambda: 5.25)
    sent = reloads.begin(good(source="start", seen=10.0), live=True, time=5.0)
    assert sent == Reload("job", 1, "sent", "start", who="ada@lab", run=3, times={"sent": 5.0}, time=5.0)
    assert (reloads.pending and reloads.pending[0], reloads.running, reloads.text) == (1, None, None)
    (applied,) = reloads.applied(1, 0, at=10.0415)
    times = {"sent": 5.0, "applied": 5.25}
    assert applied == replace(sent, status="applied", step=0, latency_ms=41.5, times=times)
    assert (reloads.pending, reloads.running, reloads.text) == (None, 1, "lr: 0.1\n")


def test_versions_go_on_from_the_history() -> None:
    assert Reloads("job", newest=7).begin(good(), live=True, time=0).version == 8


def test_an_invalid_text_becomes_a_row_and_nothing_else() -> None:
    reloads = running()
    row = reloads.begin(bad(), live=True, time=5.0)
    wanted = Reload("job", 2, "invalid", "editor", error=BAD, base=1, run=1, times={"invalid": 5.0}, time=5.0)
    assert row == replace(wanted, errors=(BAD,))
    assert (reloads.running, reloads.text, reloads.pending) == (1, "lr: 0.1\n", None)


def test_the_same_data_is_applied_without_the_worker() -> None:
    reloads = running()
    row = reloads.begin(good(text="lr: 0.1 # slow\n"), live=True, step=40, time=5.0)
    expected = Reload("job", 2, "applied", "disk", step=40, base=1, run=1, times={"applied": 5.0}, time=5.0)
    assert row == replace(expected, latency_ms=0.0)
    assert (reloads.running, reloads.text, reloads.pending) == (2, "lr: 0.1 # slow\n", None)


@pytest.mark.parametrize(("old", "new"), [(1, 1.0), (1, True), (0, False)])
def test_equal_to_python_is_not_the_same_to_a_task(old: object, new: object) -> None:
    reloads = Reloads("job")
    reloads.begin(good(old), live=True, time=0)
    reloads.applied(1, 0, 0)
    assert reloads.begin(good(new), live=True, time=0).status == "sent"


def test_back_to_what_runs_is_sent_while_something_else_is_on_its_way() -> None:
    reloads = running(0.1)
    reloads.begin(good(0.2), live=True, time=0)
    assert reloads.begin(good(0.1), live=True, time=0).status == "sent"
    rows = reloads.applied(3, 9, 0)
    assert [(row.version, row.status, row.by, row.changes) for row in rows] == [
        (2, "superseded", 3, (Change("lr", 0.1, 0.2),)),
        (3, "applied", None, ()),
    ]


def test_what_changed_is_told_against_what_ran_before() -> None:
    reloads = running(0.1)
    assert reloads.begin(good(0.2), live=True, time=0).changes == (Change("lr", 0.1, 0.2),)
    assert reloads.begin(good(0.3), live=True, time=0).changes == (Change("lr", 0.1, 0.3),)
    reloads.applied(2, 1, 0)
    (row,) = reloads.applied(3, 2, 0)
    assert (row.changes, row.base) == ((Change("lr", 0.2, 0.3),), 2)


def test_only_a_start_by_the_user_begins_a_new_run() -> None:
    reloads = running()
    assert reloads.begin(good(0.2), live=True, time=0).run == 1
    reloads.lost()
    assert reloads.revert("it died", seen=20.0, time=7.0)[-1].run == 1
    reloads.ended("it ended")
    assert reloads.begin(good(0.3, source="start"), live=True, time=0).run == 2
    assert reloads.skip(good(0.4), 3.0).run == 2


def test_a_new_start_tells_what_changed_since_the_last_run() -> None:
    reloads = running(0.1)
    reloads.ended("it ended")
    reloads.begin(good(0.2, source="start"), live=True, time=0)
    (row,) = reloads.applied(2, 0, 0)
    assert row.changes == (Change("lr", 0.1, 0.2),)


def test_before_anything_has_run_a_save_changes_what_was_sent_before() -> None:
    reloads = Reloads("job")
    assert reloads.begin(good(0.1, source="start"), live=True, time=0).changes == ()
    row = reloads.begin(good(0.2), live=True, time=0)
    assert (row.changes, row.base) == ((Change("lr", 0.1, 0.2),), None)
    assert reloads.applied(2, 0, 0)[-1].changes == row.changes


def test_the_end_of_the_worker_fails_what_it_has_not_answered() -> None:
    reloads = running()
    reloads.begin(good(0.2), live=True, time=0)
    reloads.begin(good(0.3), live=True, time=0)
    rows = reloads.ended("the worker was killed")
    assert [(row.version, row.status, row.by, row.error) for row in rows] == [
        (2, "superseded", 3, None),
        (3, "failed", None, Problem("the worker was killed")),
    ]
    assert (reloads.running, reloads.text, reloads.pending) == (None, "lr: 0.1\n", None)
    assert reloads.ended("again") == []


def test_a_receipt_that_comes_after_the_end_changes_nothing() -> None:
    reloads = running()
    reloads.begin(good(0.2), live=True, time=0)
    reloads.ended("it ended")
    assert reloads.applied(2, 5, 0) == []
    assert reloads.running is None


def test_without_a_worker_a_save_fails_and_says_what_follows() -> None:
    reloads = running()
    reloads.ended("it ended")
    row = reloads.begin(good(0.2), live=False, time=0)
    assert (row.status, row.error and "next start" in row.error.message) == ("failed", True)


@pytest.mark.parametrize("status", sorted(FINAL - {"applied"}))
def test_a_final_status_is_never_left(status: str) -> None:
    row = Reload("job", 4, status, "disk")
    for then in ("sent", "applied", "superseded", "rejected", "failed", "reverted", "invalid"):
        with pytest.raises(ValueError, match=f"version 4 is {status}"):
            move(row, then, 2.0)


def test_what_was_taken_or_is_on_its_way_can_be_reverted() -> None:
    row = move(Reload("job", 4, "applied", "disk", times={"sent": 1.0, "applied": 2.0}), "reverted", 3.0, by=5)
    assert (row.by, row.times) == (5, {"sent": 1.0, "applied": 2.0, "reverted": 3.0})
    with pytest.raises(ValueError, match="failed"):
        move(Reload("job", 4, "failed", "disk"), "reverted", 2.0)


def test_a_worker_that_dies_of_a_reload_gets_the_last_good_version_again() -> None:
    reloads = running(0.1)
    reloads.begin(good(0.2), live=True, time=0)
    reloads.begin(good(0.3), live=True, time=0)
    reloads.lost()
    rows = reloads.revert("it died", seen=20.0, time=7.0)
    assert [(row.version, row.status, row.by, row.source) for row in rows] == [
        (2, "superseded", 3, "disk"),
        (3, "reverted", 4, "disk"),
        (4, "sent", None, "guard"),
    ]
    assert rows[1].error == Problem("it died")
    assert reloads.pending is not None
    assert reloads.pending[1].text == "lr: 0.1\n"
    (row,) = reloads.applied(4, 0, 20.5)
    assert (row.status, row.changes, row.latency_ms, reloads.running) == ("applied", (), 500.0, 4)


@pytest.mark.parametrize(("said", "shown"), [("no", "no; v1 still runs"), ("a\nb", "a\nb\nv1 still runs")])
def test_a_refused_version_is_answered_alone(said: str, shown: str) -> None:
    reloads = running(0.1)
    reloads.begin(good(0.2), live=True, time=0)
    reloads.begin(good(0.3), live=True, time=0)
    reloads.begin(good(0.4), live=True, time=0)
    (row,) = reloads.rejected(3, said)
    assert (row.version, row.status, row.error) == (3, "rejected", Problem(shown))
    assert reloads.pending is not None
    assert reloads.pending[0] == 4
    (row,) = reloads.rejected(4, said)
    assert (reloads.pending[0], reloads.running) == (2, 1)
    (row,) = reloads.applied(2, 5, 0)
    assert (row.status, row.changes) == ("applied", (Change("lr", 0.1, 0.2),))


def test_nothing_runs_when_the_first_is_refused() -> None:
    reloads = Reloads("job")
    reloads.begin(good(source="start"), live=True, time=0)
    (row,) = reloads.rejected(1, "no")
    assert row.error == Problem("no")
    assert (reloads.running, reloads.last, reloads.pending) == (None, None, None)
    assert reloads.rejected(1, "no") == []


def test_a_worker_that_is_started_again_takes_what_ran_without_a_new_row() -> None:
    reloads = running(0.1)
    reloads.lost()
    assert reloads.applied(1, 0, 30.0) == []
    assert (reloads.running, reloads.newest) == (1, 1)


def test_what_was_replaced_before_its_check_has_its_row() -> None:
    reloads = running(0.1)
    skipped = reloads.skip(good(0.2), 3.0)
    assert (skipped.version, skipped.status, skipped.by) == (2, "superseded", 3)
    assert reloads.begin(good(0.3), live=True, time=4.0).version == 3


@dataclass
class ModelWorker:
    """A worker as the engine can know it: two connections that keep the order, a mailbox, a task."""

    inbox: deque[tuple[int, dict[str, Any]]] = field(default_factory=deque)
    outbox: deque[tuple[Any, ...]] = field(default_factory=deque)
    mailbox: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    config: dict[str, Any] | None = None
    step: int = 0
    alive: bool = True


EDGES = {
    None: {"invalid", "applied", "failed", "sent"},
    "sent": {"applied", "superseded", "rejected", "failed"},
}

#: What the model's worker refuses.
REFUSED = 3

CONFIGS = st.fixed_dictionaries({"lr": st.sampled_from([1, 2, 1.0, REFUSED]), "layers": st.sampled_from([[1], [1, 2]])})


class ReloadLives(RuleBasedStateMachine):
    """Saves, checkpoints, deaths, starts and messages in any order that two ordered connections allow."""

    def __init__(self) -> None:
        super().__init__()
        self.reloads = Reloads("job", newest=3)
        self.worker: ModelWorker | None = None
        self.rows: dict[int, Reload] = {}
        self.texts: dict[int, str] = {}
        self.data: dict[int, dict[str, Any]] = {}
        #: What the newest save says that a worker which lives on must end up with.
        self.newest: tuple[int, dict[str, Any]] | None = None
        self.clock = 0.0

    def keep(self, row: Reload) -> None:
        before = self.rows.get(row.version)
        if before is None:
            assert row.version == max(self.rows, default=3) + 1
        assert row.status in EDGES.get(before.status if before else None, set())
        self.rows[row.version] = row

    def begin(self, data: dict[str, Any] | None, source: str, *, live: bool) -> Reload:
        self.clock += 1
        text = f"text {self.clock}"
        candidate = Candidate(text, data, None if data is not None else BAD, source, self.clock)
        row = self.reloads.begin(candidate, live=live, step=0, time=self.clock)
        self.keep(row)
        self.texts[row.version] = text
        if data is not None:
            self.data[row.version] = data
        return row

    def save_and_send(self, data: dict[str, Any]) -> None:
        row = self.begin(data, "disk", live=self.worker is not None)
        if self.worker is None:
            assert row.status == "failed"
            return
        if data["lr"] != REFUSED:
            self.newest = row.version, data
        if row.status == "sent":
            self.worker.inbox.append((row.version, data))
        else:
            assert row.status == "applied"
            assert same(self.worker.config, data)

    @rule(data=CONFIGS)
    def save(self, data: dict[str, Any]) -> None:
        self.save_and_send(data)

    @precondition(lambda self: self.newest is not None)
    @rule()
    def save_what_was_saved_last(self) -> None:
        assert self.newest is not None
        self.save_and_send(dict(self.newest[1]))

    @rule()
    def save_nonsense(self) -> None:
        assert self.begin(None, "disk", live=self.worker is not None).status == "invalid"

    @precondition(lambda self: self.worker is None)
    @rule(data=CONFIGS)
    def start(self, data: dict[str, Any]) -> None:
        row = self.begin(data, "start", live=True)
        assert row.status == "sent"
        self.worker = ModelWorker(deque([(row.version, data)]))
        self.newest = None if data["lr"] == REFUSED else (row.version, data)

    @precondition(lambda self: self.worker is not None and self.worker.alive and self.worker.inbox)
    @rule()
    def receive(self) -> None:
        """The worker's receiving thread takes a message; the first one is the setup."""
        assert self.worker is not None
        version, data = self.worker.inbox.popleft()
        if data["lr"] == REFUSED:
            self.worker.refused.add(version)
            self.worker.outbox.append(("rejected", version))
            if self.worker.config is None:
                self.die()
        elif self.worker.config is None:
            self.worker.config = data
            self.worker.outbox.append(("applied", version, 0, []))
        else:
            self.worker.mailbox.append((version, data))

    @precondition(lambda self: self.worker is not None and self.worker.alive and self.worker.config is not None)
    @rule()
    def checkpoint(self) -> None:
        assert self.worker is not None
        self.worker.step += 1
        if self.worker.mailbox:
            *older, (version, data) = self.worker.mailbox
            self.worker.mailbox = []
            self.worker.config = data
            self.worker.outbox.append(("applied", version, self.worker.step, [number for number, _ in older]))

    @precondition(lambda self: self.worker is not None and self.worker.alive)
    @rule()
    def die(self) -> None:
        assert self.worker is not None
        self.worker.alive = False
        self.worker.outbox.append(("exit",))

    @precondition(lambda self: self.worker is not None and self.worker.outbox)
    @rule()
    def answer(self) -> None:
        """The engine takes a message of the worker."""
        assert self.worker is not None
        kind, *said = self.worker.outbox.popleft()
        if kind == "exit":
            rows = self.reloads.ended("it ended")
            self.worker = self.newest = None
        elif kind == "rejected":
            rows = self.reloads.rejected(said[0], "no")
            assert [(row.version, row.status) for row in rows] == [(said[0], "rejected")]
        else:
            version, step, superseded = said
            before = self.data.get(self.reloads.running) if self.reloads.running is not None else None
            rows = self.reloads.applied(version, step, self.clock + 0.5)
            assert [row.version for row in rows] == [*superseded, version]
            assert all(row.by == version for row in rows[:-1])
            assert rows[-1].latency_ms is not None
            assert rows[-1].latency_ms > 0
            if before is not None:
                assert rows[-1].changes == changes(before, self.data[version])
        for row in rows:
            self.keep(row)

    @invariant()
    def one_row_for_each_version(self) -> None:
        assert sorted(self.rows) == list(range(4, 4 + len(self.rows)))
        assert self.reloads.newest == max(self.rows, default=3)

    @invariant()
    def what_waits_is_what_was_sent(self) -> None:
        open_rows = [row for row in self.rows.values() if row.status == "sent"]
        pending = self.reloads.pending
        assert (pending and pending[0]) == (open_rows[-1].version if open_rows else None)
        if self.worker is None:
            assert not open_rows

    @invariant()
    def what_runs_was_saved_whole(self) -> None:
        if self.reloads.running is not None:
            assert self.rows[self.reloads.running].status == "applied"
            assert self.reloads.text == self.texts[self.reloads.running]
        if self.worker is not None and self.worker.config is not None:
            assert any(self.worker.config is data for data in self.data.values())

    @rule()
    def become_quiet(self) -> None:
        """Deliver everything; then nothing is open, and the newest save is what runs."""
        while self.worker is not None and (self.worker.outbox or (self.worker.alive and self.worker.inbox)):
            if self.worker.outbox:
                self.answer()
            else:
                self.receive()
        if self.worker is not None:
            self.checkpoint()
            while self.worker is not None and self.worker.outbox:
                self.answer()
        assert {row.status for row in self.rows.values()} <= FINAL
        if self.worker is None:
            assert self.reloads.running is None
        else:
            assert self.newest is not None
            assert self.reloads.running == self.newest[0]
            assert same(self.worker.config, self.newest[1])

    def teardown(self) -> None:
        self.become_quiet()


TestReloadLives = ReloadLives.TestCase
TestReloadLives.settings = settings(stateful_step_count=40)
