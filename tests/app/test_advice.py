from __future__ import annotations

import pytest

from tests.app.fake import NOW, backlog
from tui.app.advice import advice
from tui.app.model.job import JobModel
from tui.protocol import messages
from tui.protocol.messages import Document, JobInfo, Lines, Metrics, Problem, State


def job(*more: messages.Event, runner: str = "process", on_change: str = "reload") -> JobModel:
    model = JobModel(JobInfo("a", "t.py:f", "/x/a.yaml", runner, on_change, time=NOW))
    for event in more:
        model.apply(event)
    return model


def said(*more: messages.Event, after: float = 0.0) -> str:
    return advice(job(*more), NOW + after)


RUNNING = State("a", "running", pid=7, time=NOW)


def test_job_that_runs_as_it_should_needs_no_advice() -> None:
    model = JobModel(JobInfo("digits", "t.py:f", "a.yaml", time=NOW))
    for event in backlog():
        model.apply(event)
    assert advice(model, NOW + 1000) == ""


def test_task_without_a_checkpoint_is_told_how_to_have_one_and_only_after_a_while() -> None:
    assert said(RUNNING, after=9.9) == ""
    assert "no checkpoint for 10 s" in said(RUNNING, after=10)
    for more in ([], [Metrics("a", 0, {}, time=NOW + 1)], [Metrics("a", 900, {}, time=NOW - 1)]):
        assert "no checkpoint for 12 s" in said(RUNNING, *more, after=12)
        assert "config = tui.checkpoint(config)" in said(RUNNING, *more, after=12)
    assert said(RUNNING, Metrics("a", 1, {}, time=NOW + 1), after=12) == ""


@pytest.mark.parametrize(("runner", "on_change"), [("command", "SIGHUP"), ("process", "restart"), ("host", "reload")])
def test_what_needs_no_checkpoint_is_not_told_of_one(runner: str, on_change: str) -> None:
    assert advice(job(RUNNING, runner=runner, on_change=on_change), NOW + 1000) == ""


@pytest.mark.parametrize("state", ["finished", "crashed", "stopped"])
def test_job_that_ended_says_how_it_is_started_again(state: str) -> None:
    assert "ctrl+r starts" in said(State("a", state, time=NOW))


def test_crash_without_a_line_in_the_log_has_its_reason_here() -> None:
    crashed = State("a", "crashed", reason="there is no file nosuch.py\nand more", time=NOW)
    assert said(crashed).endswith(": there is no file nosuch.py")
    assert "e in the log leads to the error" in said(Lines("a", 0, "ValueError: no", 1, time=NOW), crashed)


def test_job_that_waits_for_a_valid_config_is_not_told_to_start_again() -> None:
    document = Document("a", "lr: [", "d", Problem("no end", 1, 5), time=NOW)
    waiting = State("a", "stopped", reason="waiting for a valid config: no end", time=NOW)
    assert said(document, waiting) == (
        "the job waits for a config that is right: mend a.yaml, ctrl+s saves it, and the job starts"
    )
    assert "ctrl+r starts" in said(document, State("a", "stopped", time=NOW))  # by the user: no save starts it


def test_missing_config_is_asked_for() -> None:
    document = Document("a", None, None, missing=True, time=NOW)
    for state in ("starting", "crashed"):
        assert "a.yaml does not exist yet" in said(State("a", state, time=NOW), document)


def test_job_that_waits_for_a_better_config_says_so() -> None:
    document = Document("a", "a: [", "d", Problem("no ]", 1, 4), time=NOW)
    assert "mend a.yaml" in said(State("a", "starting", time=NOW), document)
    assert said(RUNNING, Metrics("a", 5, {}, time=NOW), document, after=12) == ""


def test_job_of_which_nothing_is_known_needs_nothing() -> None:
    assert advice(job(), NOW) == ""
