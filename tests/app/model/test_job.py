from __future__ import annotations

import math
from typing import Any

import pytest

from tests.app.fake import NOW, backlog
from tui import wording
from tui.app import formatting
from tui.app.editor.draft import Draft, Verdict
from tui.app.model.bounds import words
from tui.app.model.job import JobModel, Part
from tui.app.model.reload_list import ReloadList
from tui.app.widgets.status import fit, pieces
from tui.protocol.messages import Change, Document, JobInfo, Metrics, Problem, Ranks, Reload, Running, State


@pytest.fixture
def job() -> JobModel:
    model = JobModel(JobInfo("digits", "t", "digits.yaml"))
    for event in backlog():
        model.apply(event)
    return model


def test_row_is_updated_in_place() -> None:
    timeline = ReloadList()
    timeline.put(Reload("a", 2, "sent", "disk"))
    timeline.put(Reload("a", 1, "applied", "start"))
    assert timeline.waiting()
    timeline.put(Reload("a", 2, "applied", "disk"))
    assert list(timeline.versions) == [2, 1]
    assert timeline.newest is not None
    assert timeline.newest.status == "applied"
    assert not timeline.waiting()


def test_rate_is_averaged_and_starts_anew_with_a_worker(job: JobModel) -> None:
    assert job.rate == pytest.approx(812.5)
    job.apply(Metrics("digits", 3, {}, time=NOW + 1))
    assert job.rate is None


def test_uptime_counts_from_the_worker_and_stops_with_it(job: JobModel) -> None:
    assert job.uptime(NOW) == 620
    job.apply(State("digits", "crashed", pid=4242, exit_code=1, time=NOW - 20))
    assert job.uptime(NOW) == 600
    assert job.rate is None
    job.apply(State("digits", "starting", pid=5, time=NOW))
    assert job.uptime(NOW + 1) == 1


def test_problem_is_that_of_the_newest_content(job: JobModel) -> None:
    wrong, deleted = Problem("no", 1, 2), Problem("deleted")
    found = [job.problem]
    for event in (
        Reload("digits", 8, "invalid", "disk", error=wrong),
        Reload("digits", 9, "applied", "disk"),
        Document("digits", None, None, deleted, missing=True),
    ):
        job.apply(event)
        found.append(job.problem)
    assert found == [None, wrong, None, deleted]


def test_new_version_is_ruled_off_once_the_backlog_is_through(job: JobModel) -> None:
    end = job.lines.end
    job.apply(Reload("digits", 8, "applied", "disk", (Change("lr", 1, 2),)))
    assert job.lines.end == end
    job.live_updates = True
    assert Part.LOG in job.apply(Reload("digits", 9, "applied", "disk", (Change("lr", 2, 3),)))
    assert job.lines[end].mark == 9


@pytest.mark.parametrize("width", range(10, 140))
def test_status_fits_and_keeps_what_matters(job: JobModel, width: int) -> None:
    found = [piece.text for piece in fit(pieces(job, NOW), width)]
    assert sum(len(text) + 2 for text in found) <= width or found == ["● running"]
    assert "● running" in found
    if width >= 60:
        assert {" digits ", "v7", "disk = v7"} <= set(found)


@pytest.mark.parametrize(("differs", "width"), [(False, 80), (True, 80), (True, 120)])
def test_of_many_metrics_the_main_one_is_seen_and_the_others_are_counted(differs: bool, width: int) -> None:
    job = JobModel(JobInfo("digits", "t", "digits.yaml", metrics={"loss": "min"}))
    for event in (*backlog(), Running("digits", 7, NOW, differs=differs)):
        if not isinstance(event, JobInfo):
            job.apply(event)
    job.apply(Metrics("digits", 12_300, {f"metric_{n}": 0.5 for n in range(8)}, time=NOW + 1))
    found = [piece.text for piece in fit(pieces(job, NOW), width)]
    shown = [text for text in found if text.startswith(("metric_", "accuracy"))]
    assert found[3] == "loss 0.1234"
    assert f"+{9 - len(shown)}" in found
    assert sum(len(text) + 2 for text in found) <= width


def test_a_metric_outside_of_its_guard_is_red_and_never_hidden() -> None:
    guards: dict[str, dict[str, Any]] = {"": {"finite": True}, "norm": {"max": 2, "for": 5}}
    job = JobModel(JobInfo("digits", "t", "digits.yaml", metrics={"loss": "min"}, guards=guards))
    values = {"accuracy": 0.9, **{f"metric_{n}": 0.5 for n in range(8)}, "norm": 2.5, "loss": "NaN", "name": "x"}
    for event in (State("digits", "running", pid=1, time=NOW), Metrics("digits", 1, values, time=NOW)):
        job.apply(event)
    kept = {piece.text: piece.tone for piece in fit(pieces(job, NOW), 80)}
    assert (kept["loss NaN"], kept["norm 2.5"]) == ("bad", "bad")
    job.apply(Metrics("digits", 2, {"norm": 1.5, "loss": 0.5}, time=NOW + 1))
    assert next(piece.tone for piece in pieces(job, NOW) if piece.text == "loss 0.5") == "key"
    assert words(guards) == "every metric finite, norm at most 2 for 5 steps"


@pytest.mark.parametrize(
    ("values", "sign"),
    [
        ([1 - n / 50 for n in range(40)], "↘"),
        ([n + n % 7 for n in range(40)], "↗"),
        ([n % 7 for n in range(40)], "→"),
        ([0.5] * 40, "→"),
        ([0.5] * 5, ""),
        ([math.nan] * 40, ""),
    ],
)
def test_the_trend_of_the_main_metric(job: JobModel, values: list[float], sign: str) -> None:
    for place, value in enumerate(values):
        job.apply(Metrics("digits", 13_000 + place, {"loss": value}, time=NOW + 20 + place / 4))
    assert job.trend == sign
    job.apply(Metrics("digits", 1, {"loss": 0.5}, time=NOW + 40))  # another worker
    assert job.trend == ""


def test_a_mark_in_the_log_says_to_what_a_rollback_has_gone_back() -> None:
    timeline = ReloadList()
    lr, batch, eps = Change("lr", 1, 2), Change("batch", 8, 16), Change("eps", None, 0.1, added=True)
    back = Change("lr", 2, 1), Change("batch", 16, 8), Change("eps", 0.1, None, removed=True)
    timeline.put(Reload("a", 1, "applied", "start", step=0))
    timeline.put(Reload("a", 2, "applied", "editor", (lr, eps), 5, base=1))
    timeline.put(Reload("a", 3, "invalid", "editor"))
    timeline.put(Reload("a", 4, "applied", "set", (batch,), 9, base=2))
    timeline.put(Reload("a", 5, "applied", "rollback", back, 12, base=4))
    assert timeline.gone_back_to(5) == 1
    assert formatting.applied(timeline.get(5), 5, timeline.gone_back_to(5)).startswith(
        "v5  = v1  lr 2 → 1, batch 16 → 8"
    )
    assert timeline.gone_back_to(4) is None
    timeline.put(Reload("a", 6, "applied", "rollback", (Change("batch", 8, 16),), 12, base=5))
    assert timeline.gone_back_to(6) is None  # nothing was so before
    assert formatting.applied(timeline.get(4), 4, timeline.gone_back_to(4)) == "v4  batch 8 → 16  step 9"


@pytest.mark.parametrize(
    ("ranks", "words", "tone"),
    [
        (Ranks("digits", 7, 12, 4, 4, 4), "4/4 ranks", "dim"),
        (Ranks("digits", 8, 1_204, 4, 4, 3, (2,)), "v8 at step 1,204: 3/4 ranks, waits for rank 2", "wait"),
        (Ranks("digits", 8, 1_204, 4, 4, 0, (0, 1, 2, 3)), "v8 at step 1,204: 0/4 ranks", "wait"),
        (Ranks("digits", 8, None, 1, 4, 0, (1, 2, 3), "1 of 4 ranks calls it"), "v8: 1 of 4 ranks calls it", "wait"),
    ],
)
def test_status_says_how_far_the_ranks_are(job: JobModel, ranks: Ranks, words: str, tone: str) -> None:
    job.apply(ranks)
    assert [(piece.text, piece.tone) for piece in pieces(job, NOW) if "rank" in piece.text] == [(words, tone)]
    job.apply(State("digits", "stopped", time=NOW))
    assert not [piece for piece in pieces(job, NOW) if "rank" in piece.text]


def test_reason_of_a_crash_is_cut_before_it_is_dropped(job: JobModel) -> None:
    job.apply(State("digits", "crashed", pid=4242, exit_code=1, reason="ValueError: " + "x" * 200, time=NOW))
    found = [piece.text for piece in fit(pieces(job, NOW), 80)]
    assert any(text.startswith("ValueError: xx") and text.endswith("…") for text in found)


class TestDraft:
    def draft(self, text: str = "a: 1\n") -> Draft:
        draft = Draft()
        assert draft.receive(Document("j", text, "d1"), "") is Verdict.FOLLOW
        return draft

    def test_clean_editor_follows(self) -> None:
        draft = self.draft()
        assert draft.receive(Document("j", "a: 2\n", "d2"), "a: 1\n") is Verdict.FOLLOW
        assert draft.digest == "d2"

    def test_dirty_editor_is_in_conflict_until_they_take_it_back(self) -> None:
        draft = self.draft()
        assert draft.receive(Document("j", "a: 2\n", "d2"), "a: 3\n") is Verdict.CONFLICT
        assert draft.theirs is not None
        assert draft.digest == "d1"
        assert draft.receive(Document("j", "a: 1\n", "d1"), "a: 3\n") is Verdict.KEEP
        assert draft.theirs is None

    def test_echo_of_a_save_is_no_conflict_though_the_user_types_on(self) -> None:
        draft = self.draft()
        draft.pending = "a: 2\n"
        assert draft.receive(Document("j", "a: 2\n", "d2"), "a: 22\n") is Verdict.KEEP
        assert (draft.digest, draft.dirty("a: 22\n")) == ("d2", True)

    def test_same_edit_on_both_sides_is_no_conflict(self) -> None:
        draft = self.draft()
        assert draft.receive(Document("j", "a: 2\n", "d2"), "a: 2\n") is Verdict.KEEP
        assert not draft.dirty("a: 2\n")

    def test_deleted_file_leaves_the_text(self) -> None:
        draft = self.draft()
        assert draft.receive(Document("j", None, None, Problem("gone"), missing=True), "a: 1\n") is Verdict.GONE
        assert (draft.gone, draft.digest) == (True, None)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (wording.duration(3.21), "3.2 s"),
        (wording.duration(9.97), "10 s"),
        (wording.duration(59.7), "1m 00s"),
        (wording.duration(7380), "2h 03m"),
        (wording.duration(90_000), "1d 1h"),
        (wording.duration(-5), "0.0 s"),
        (formatting.latency(None), ""),
        (formatting.latency(0.0), ""),
        (formatting.latency(4.21), "4.2 ms"),
        (formatting.latency(999.7), "1.0 s"),
        (formatting.rate(812.4), "812/s"),
        (formatting.rate(0.2), "12.0/min"),
        (formatting.number(0.12345678), "0.1235"),
        (formatting.number(True), "True"),
        (formatting.number("NaN"), "NaN"),
        (formatting.change(Change("lr", 0.1, 0.05)), "lr 0.1 → 0.05"),
        (formatting.change(Change("a", None, [1, "x"], added=True)), '+ a [1, "x"]'),
        (formatting.change(Change("a", 1, None, removed=True)), "− a"),
        (formatting.change(Change("a", 1, None)), "a 1 → null"),
        (formatting.change(Change("a", None, "null")), 'a null → "null"'),
        (formatting.change(Change("a", 1, "1")), 'a 1 → "1" (number → text)'),
        (formatting.value("evil \x1b[2J text"), "evil  text"),
        (formatting.value(""), '""'),
        (formatting.problem(Problem("no\nway", 3, 7)), "line 3:7 no way"),
        (formatting.outcome(Reload("a", 1, "applied", "disk")), "no value changed"),
    ],
)
def test_words(said: str, expected: str) -> None:
    assert said == expected
