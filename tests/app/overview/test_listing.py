"""Which jobs the overview shows, in which order, and what it says of each; without a screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.app.fake import NOW, backlog
from tui.app.model.job import JobModel
from tui.app.overview.cells import COLUMNS, Figures, cells, in_words, last_change, memory, sparkline
from tui.app.overview.listing import SORTS, Listing
from tui.app.overview.table import shown_columns
from tui.protocol.messages import Change, Effect, JobInfo, Metrics, Problem, Reload, State


def job(name: str, state: str = "running", **more: Any) -> JobModel:
    model = JobModel(JobInfo(name, f"{name}.py:run", f"/decks/{name}.yaml"))
    model.apply(State(name, state, pid=1, time=NOW - 60, **more))
    return model


def listing(*jobs: JobModel) -> Listing:
    found = Listing({one.name: one for one in jobs})
    found.arrange()
    return found


def sorted_by(found: Listing, words: str) -> list[str]:
    while SORTS[found.sort][0] != words:
        found.sort_next()
    found.arrange()
    return found.shown


def test_what_fails_comes_first_then_the_order_of_the_deck() -> None:
    wrong = job("wrong")
    wrong.apply(Reload("wrong", 2, "invalid", "disk", error=Problem("expected ':'", 3, 7)))
    states = ("finished", "running", "stopped", "paused", "crashed", "starting", "backoff")
    found = listing(wrong, *(job(state, state) for state in states), JobModel(JobInfo("silent", "", "")))
    shown = ["crashed", "backoff", "wrong", "paused", "running", "starting", "silent", "stopped", "finished"]
    assert found.shown == shown
    found.turned = True
    found.arrange()
    assert found.shown[-1] == "crashed"


def test_the_other_orders() -> None:
    jobs = [job("job-10"), job("job-2"), job("Job-1")]
    for one, loss, (first, last) in zip(jobs, (0.5, 0.1, None), ((0, 10), (0, 400), (0, 90)), strict=True):
        values = {"loss": loss} if loss is not None else {}
        one.apply(Metrics(one.name, first, values, time=NOW))
        one.apply(Metrics(one.name, last, values, time=NOW + 1))
    jobs[0].apply(Reload("job-10", 1, "applied", "disk", (Change("lr", 1, 2),), time=NOW - 5))
    jobs[2].apply(Reload("Job-1", 1, "applied", "disk", (Change("lr", 1, 2),), time=NOW - 50))
    found = listing(*jobs)
    found.figures = {"job-2": Figures(cpu=90, memory=10, restarts=1), "job-10": Figures(cpu=10, memory=90)}
    assert sorted_by(found, "by name") == ["Job-1", "job-2", "job-10"]
    assert sorted_by(found, "best metric first") == ["job-2", "job-10", "Job-1"]
    assert sorted_by(found, "newest change first") == ["job-10", "Job-1", "job-2"]
    assert sorted_by(found, "fastest first") == ["job-2", "Job-1", "job-10"]
    assert sorted_by(found, "most cpu first") == ["job-2", "job-10", "Job-1"]
    assert sorted_by(found, "most memory first") == ["job-10", "job-2", "Job-1"]
    assert sorted_by(found, "most restarts first")[0] == "job-2"
    found.sort_by("cpu")
    assert (found.sorted_by, found.turned) == ("most cpu first", False)
    found.sort_by("cpu")
    assert found.sorted_by == "most cpu first, turned round"


def test_the_row_in_use_stays_that_of_its_job_wherever_it_moves() -> None:
    jobs = [job(name) for name in "abc"]
    found = listing(*jobs)
    found.choose(2)
    jobs[2].apply(State("c", "crashed", exit_code=1))
    found.arrange()
    assert (found.chosen, found.place) == ("c", 0)
    found.words = "running"
    found.arrange()
    assert (found.shown, found.chosen) == (["a", "b"], "a")  # where it stood
    found.words = "b.yaml RUN"
    found.arrange()
    assert (found.shown, found.chosen) == (["b"], "b")
    found.words = "nothing"
    found.arrange()
    assert (found.shown, found.chosen, found.targets) == ([], "", [])


def test_marks_are_of_jobs_not_of_rows() -> None:
    jobs = [job(name) for name in "abc"]
    found = listing(*jobs)
    assert [one.name for one in found.targets] == ["a"]
    found.mark()
    found.mark()
    assert (found.chosen, [one.name for one in found.targets]) == ("c", ["a", "b"])
    found.words = "c.py"
    found.arrange()
    assert [one.name for one in found.targets] == ["a", "b"]
    found.mark_all()
    assert found.marked == {"a", "b", "c"}
    found.mark_all()
    assert found.marked == {"a", "b"}


def said(model: JobModel, figures: Figures = Figures()) -> Mapping[str, str]:  # noqa: B008
    titles = (column.title for column in COLUMNS)
    return dict(zip(titles, (cell.text for cell in cells(model, figures, NOW)), strict=True))


def whole(name: str = "digits") -> JobModel:
    model = JobModel(JobInfo(name, "a.py:run", "/a.yaml"))
    for event in backlog(name):
        model.apply(event)
    return model


def test_a_row_has_all_that_is_known() -> None:
    figures = Figures(98.4, 1312.5, 2, "loss", (3.0, 1.0, None, 2.0))
    row = said(whole(), figures)
    assert row == {
        "state": "● running",
        "ver": "v7",
        "step": "12,250",
        "rate": "812/s",
        "metric": "loss 0.1234",
        "course": "█▁ ▅",
        "cpu": "98 %",
        "memory": "1.3 GB",
        "up": "10m 20s",
        "restarts": "2",
        "effect": "",
        "last change": "lr 0.08 → 0.05, + momentum 0.9",
    }
    bare = JobModel(JobInfo("bare", "", ""))
    assert [text for text in said(bare).values() if text] == ["? unknown"]


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (Effect("loss", 40, -0.1, verdict="better"), "✓ better"),
        (Effect("loss", 40, -0.1, verdict="worse", guessed=True), "✗ worse?"),
        (Effect("loss", 5, next=10), "…"),
        (Effect("loss", 5), ""),
    ],
)
def test_the_verdict_is_that_of_the_last_change(effect: Effect, words: str) -> None:
    model = whole()
    row = model.timeline.get(7)
    assert row is not None
    model.apply(replace(row, effect=(effect,)))
    model.apply(Reload("digits", 8, "applied", "start", time=NOW))  # which changes nothing
    found = last_change(model)
    assert (found and found.version, said(model)["effect"]) == (7, words)


def test_what_was_not_applied_says_so() -> None:
    model = whole()
    model.apply(Reload("digits", 8, "rejected", "set", error=Problem("lr must be > 0")))
    assert said(model)["last change"] == "⊘ rejected lr must be > 0"


def test_the_words_below_have_what_has_no_room_in_the_row() -> None:
    model = whole()
    model.apply(State("digits", "crashed", exit_code=1, reason="ended with exit code 1\nTraceback", time=NOW))
    how, what = ["  ".join(cell.text for cell in line) for line in in_words(model, Figures(restarts=1), NOW)]
    assert how == (
        "digits  ✗ crashed  v7  ended with exit code 1  loss 0.1234  step 12,250  ran 10m 20s  1 restart"
        "  accuracy 0.9604"
    )
    assert what == "v7  editor at 14:11:40  lr 0.08 → 0.05, + momentum 0.9"


def test_sparklines() -> None:
    assert sparkline([]) == ""
    assert sparkline([1.0, 1.0]) == "▄▄"
    assert sparkline([0.0, float("nan"), None, 7.0]) == "▁  █"
    assert [memory(size) for size in (None, 0.4, 999.4, 999.6, 12_345.0)] == ["", "0 MB", "999 MB", "1.0 GB", "12.3 GB"]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (10, []),
        (40, ["state"]),
        (78, ["state", "ver", "metric", "effect", "last change"]),
        (118, ["state", "ver", "step", "rate", "metric", "course", "cpu", "effect", "last change"]),
        (198, [column.title for column in COLUMNS]),
    ],
)
def test_columns_go_by_their_ranks(width: int, titles: list[str]) -> None:
    assert [column.title for column in shown_columns(width)] == titles
