"""How long a reload has to prove itself, and what is gone back to: decided without processes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.engine.plays import Play, command_spec, turn
from tui.engine.deck.spec import ProbationPeriod
from tui.engine.reloads.probation import Probation
from tui.protocol.messages import Problem, Reload

BEFORE: Any = (1, "the content of v1")
OTHER: Any = (2, "the content of v2")


def begun(step: int = 100, at: float = 50.0, **settle: Any) -> Probation:
    trial = Probation(ProbationPeriod(**settle))
    trial.begin(Reload("job", 2, "applied", "disk", step=step), BEFORE, at)
    return trial


@pytest.mark.parametrize(
    ("now", "step", "on"),
    [(50.0, 100, True), (59.9, 5000, True), (500.0, 109, True), (60.0, 110, False), (60.0, 3, False)],
)
def test_a_reload_is_on_trial_for_some_seconds_and_some_steps_whichever_is_longer(
    now: float, step: int, on: bool
) -> None:
    assert begun().goes_on(now, step) is on


def test_nothing_is_on_trial_before_the_first_reload_without_time_or_once_it_is_over() -> None:
    assert not Probation().goes_on(0.0, 0)
    assert not begun(seconds=0, steps=0).goes_on(50.0, 100)
    trial = begun()
    trial.close()
    assert not trial.goes_on(50.0, 100)
    assert trial.back == BEFORE  # a guard may still want it
    trial.end()
    assert (trial.back, trial.row) == (None, None)


def test_what_is_on_trial_itself_is_nothing_to_go_back_to() -> None:
    trial = begun()
    trial.begin(Reload("job", 3, "applied", "disk", step=105), OTHER, 55.0)
    assert trial.back == BEFORE
    trial.begin(Reload("job", 4, "applied", "disk", step=900), OTHER, 99.0)
    assert trial.back == OTHER


@pytest.mark.parametrize(("step", "at", "back"), [(110, 50.1, BEFORE), (101, 60.0, BEFORE), (110, 60.0, OTHER)])
def test_what_has_not_lived_through_both_steps_and_seconds_is_taken_back_too(
    step: int, at: float, back: tuple[int, Any]
) -> None:
    trial = begun()
    trial.begin(Reload("job", 3, "applied", "disk", step=step), OTHER, at)
    assert trial.back == back
    assert [row.version for row in trial.since_back] == ([2, 3] if back == BEFORE else [3])


class Case(Play):
    """A job whose worker takes each reload at once."""

    def take(self, version: int, step: int = 100) -> None:
        self.job.worker_said({"kind": "applied", "version": version, "step": step, "at": time.monotonic()})

    def measure(self, step: int) -> None:
        self.job.worker_said({"kind": "metrics", "step": step, "values": {}})

    def crash(self, step: int | None = None) -> None:
        said = {"message": "ValueError: no", "step": step, "traceback": "Traceback\n  here\nValueError: no"}
        self.job.worker_said({"kind": "raised", **said})
        self.exit(1)

    def breach(self, version: int) -> None:
        self.job.worker_said({"kind": "breached", "version": version, "step": 7, "message": "loss is nan"})

    def told(self) -> list[tuple[int, str, str, int | None]]:
        return [(row.version, row.status, row.source, row.by) for row in self.rows().values()]


async def reloaded(**policies: Any) -> Case:
    case = Case(**policies)
    await case.run()
    await case.save("lr: 2\n")
    case.take(2)
    return case


async def test_a_crash_soon_after_a_reload_goes_back_with_the_traceback_in_the_row() -> None:
    case = await reloaded()
    case.crash(step=103)
    assert case.job.state.state == "backoff"
    assert case.job.state.reason == "ValueError: no; going back to v1 as v3"
    case.vanish()
    await case.launched[1].wait()
    assert case.worker.told == [("setup", 3, {"lr": 1})]
    assert case.history.text(3) == "lr: 1\n"
    case.job.worker_started(43)
    case.job.worker_said({"kind": "loaded"})
    case.take(3, 0)
    assert case.told() == [(1, "applied", "start", None), (2, "reverted", "disk", 3), (3, "applied", "guard", None)]
    assert case.rows()[2].error == Problem("ValueError: no\nTraceback\n  here\nValueError: no")
    assert list(case.history.rows()) == list(case.rows().values())
    assert case.job.running.differs
    case.crash(step=1)  # the second time is not the reload's doing
    assert case.job.state.state == "crashed"


async def test_what_runs_comes_back_into_the_file_as_a_save_that_changes_nothing() -> None:
    case = await reloaded()
    case.crash()
    case.vanish()
    await case.launched[1].wait()
    case.take(3, 0)
    await case.save("lr: 1\n")
    assert case.told()[-1] == (4, "applied", "disk", None)
    assert case.rows()[4].changes == ()
    assert not case.job.running.differs


async def test_neither_a_late_crash_nor_an_end_in_order_nor_a_crash_of_the_first_config_goes_back() -> None:
    case = await reloaded(settle=ProbationPeriod(0, 10))
    case.measure(110)
    case.exit(1)
    assert case.job.state.state == "crashed"
    case = await reloaded()
    case.exit(0)
    assert case.job.state.state == "finished"
    case = Case()
    await case.run()
    case.crash()
    assert case.job.state.state == "crashed"


async def test_the_last_good_one_of_several_quick_reloads_is_the_one_before_them() -> None:
    case = await reloaded()
    await case.save("lr: 3\n")
    case.take(3)
    await case.save("lr: 3  # only a comment\n")
    case.crash()
    case.vanish()
    await case.launched[1].wait()
    assert case.worker.told == [("setup", 5, {"lr": 1})]
    assert [status for _, status, *_ in case.told()] == ["applied", "reverted", "reverted", "reverted", "sent"]


async def test_a_newer_save_that_the_worker_has_not_taken_is_tried_first() -> None:
    case = await reloaded()
    await case.save("lr: 3\n")
    case.crash()
    assert case.job.state.reason == "ValueError: no; trying v3, which came meanwhile"
    case.vanish()
    await case.launched[1].wait()
    assert case.worker.told == [("setup", 3, {"lr": 3})]
    case.job.worker_started(43)
    case.crash(step=0)  # it is no better
    case.vanish()
    await case.launched[2].wait()
    assert case.worker.told == [("setup", 4, {"lr": 1})]
    assert case.told()[1:3] == [(2, "reverted", "disk", 4), (3, "reverted", "disk", 4)]


async def test_a_command_has_seconds_only() -> None:
    case = await reloaded(command=command_spec(), on_change="SIGHUP")
    case.exit(1)
    assert case.rows()[2].status == "reverted"
    case = await reloaded(command=command_spec(), on_change="SIGHUP", settle=ProbationPeriod(0, 10))
    case.exit(1)
    assert case.job.state.state == "crashed"


async def test_a_breach_takes_the_reload_back_once_it_is_gone_back() -> None:
    case = await reloaded()
    case.breach(2)
    assert case.worker.told[-1] == ("reload", 3, {"lr": 1})
    assert case.rows()[2].status == "applied"  # it still runs
    case.take(3)
    assert case.told()[1:] == [(2, "reverted", "disk", 3), (3, "applied", "guard", None)]
    assert case.rows()[2].error == Problem("loss is nan")
    case.breach(3)
    case.breach(2)
    assert list(case.rows()) == [1, 2, 3]
    assert len(case.workers) == 1


async def test_a_breach_of_what_has_proved_itself_goes_back_too_but_no_crash_does() -> None:
    case = await reloaded(settle=ProbationPeriod(0, 0))
    await case.save("lr: 3\n")
    case.take(3)
    case.breach(3)
    assert case.worker.told[-1] == ("reload", 4, {"lr": 2})


async def test_a_breach_does_not_count_where_a_newer_reload_is_on_its_way_or_nothing_was_reloaded() -> None:
    case = await reloaded()
    await case.save("lr: 3\n")
    case.breach(2)
    case.take(3)
    assert case.told()[1:] == [(2, "applied", "disk", None), (3, "applied", "disk", None)]
    case = Case()
    await case.run()
    case.breach(1)
    assert list(case.rows()) == [1]


async def test_a_breach_of_an_older_reload_takes_back_all_that_came_since() -> None:
    case = await reloaded(settle=ProbationPeriod(0, 1))
    await case.save("lr: 2\nbatch: 3\n")
    case.take(3, step=200)
    case.breach(2)
    assert case.worker.told[-1] == ("reload", 4, {"lr": 1})
    case.take(4, step=300)
    assert case.told()[1:] == [
        (2, "reverted", "disk", 4),
        (3, "reverted", "disk", 4),
        (4, "applied", "guard", None),
    ]


async def test_a_breach_counts_once_the_newer_reload_is_refused() -> None:
    case = await reloaded()
    await case.save("lr: 3\n")
    case.breach(2)
    assert case.worker.told[-1] == ("reload", 3, {"lr": 3})
    case.reject(3)
    assert case.worker.told[-1] == ("reload", 4, {"lr": 1})
    case.take(4)
    assert case.told()[1:] == [
        (2, "reverted", "disk", 4),
        (3, "rejected", "disk", None),
        (4, "applied", "guard", None),
    ]


async def test_a_guards_config_that_the_worker_refuses_leaves_the_reload_as_it_is() -> None:
    case = await reloaded()
    case.breach(2)
    case.reject(3, "it can't shrink")
    await turn()
    assert case.told()[1:] == [(2, "applied", "disk", None), (3, "rejected", "guard", None)]
    assert case.rows()[3].error == Problem("it can't shrink; v2 still runs")
    await case.save("lr: 4\n")
    case.take(4)
    assert case.rows()[2].status == "applied"


async def test_a_breach_leaves_what_is_the_last_good_config_itself() -> None:
    case = await reloaded()
    await case.save("lr: 1  # back by hand\n")
    case.take(3)
    case.breach(3)
    assert case.told()[1:] == [(2, "applied", "disk", None), (3, "applied", "disk", None)]


async def test_what_a_guard_goes_back_to_is_tried_once() -> None:
    case = await reloaded()
    case.breach(2)
    case.crash()
    assert case.job.state.reason == "ValueError: no; trying v3, which came meanwhile"
    case.vanish()
    await case.launched[1].wait()
    case.job.worker_started(43)
    case.crash(step=0)
    assert case.job.state.state == "crashed"
    assert case.told()[1:] == [(2, "applied", "disk", None), (3, "failed", "guard", None)]
