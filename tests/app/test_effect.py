"""What a change did, in the timeline and in the details."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW
from tui import wording
from tui.app import formatting
from tui.app.app import DeckApp
from tui.app.model.reload_list import ReloadList
from tui.protocol import codec, messages
from tui.protocol.messages import Change, Effect, Judged, Reload

BETTER = Effect("loss", 40, -0.64, -0.7, -0.58, 0.06, "better", before=0.82, after=0.18)


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (BETTER, "loss 0.82 → 0.18 ✓ better"),
        (Effect("loss", 10, 1.0, 0.5, 1.5, 0.5, "worse", 0.4, 1.4, guessed=True), "loss 0.4 → 1.4 ✗ worse?"),
        (Effect("loss", 3, float("nan"), verdict="worse", before=0.4, after=float("nan")), "loss 0.4 → NaN ✗ worse"),
        (Effect("depth", 10, 1.0, 0.5, 1.5, 0.5, "higher", 0.4, 1.4), "depth 0.4 → 1.4 ↑ higher"),
        (Effect("loss", 10, 0.1, -0.4, 0.6, 0.5, "none", 0.4, 0.5), "loss · no clear change"),
        (Effect("loss", 6, next=10), "loss … 6 of 10"),
        (Effect("loss", 6, until=9), "loss 6 points, then v9"),
        (Effect("loss", 0), "loss too little history"),
        (Effect("loss", 10), "loss is constant: nothing to compare with"),
    ],
)
def test_an_effect_in_words(effect: Effect, words: str) -> None:
    assert wording.effect(effect) == words


@pytest.mark.parametrize(
    ("room", "words"),
    [
        (None, "v7  lr 0.1 → 0.05  step 9,120  loss 0.82 → 0.18 ✓ better"),
        (56, "v7  lr 0.1 → 0.05  step 9,120  loss 0.82 → 0.18 ✓ better"),
        (55, "v7  lr 0.1 → 0.05  loss 0.82 → 0.18 ✓ better"),
    ],
)
def test_the_rule_in_the_log_leaves_out_the_step_before_the_verdict(room: int | None, words: str) -> None:
    row = Reload("a", 7, "applied", "editor", (Change("lr", 0.1, 0.05),), 9120, effect=(BETTER,))
    assert formatting.applied(row, 7, room=room) == words


@pytest.mark.parametrize(("size", "cut"), [((120, 40), True), ((200, 40), False)])
async def test_a_rule_in_the_log_that_is_cut_has_a_sign(
    open_deck: OpenDeck, size: tuple[int, int], *, cut: bool
) -> None:
    async with open_deck(size=size) as deck:
        row = deck.view.job.timeline.get(7)
        assert row is not None
        changes = (*row.changes, Change("augment.noise", 0.1, 0.25))
        await deck.news(replace(row, changes=changes, effect=(BETTER,)))
        await deck.until(lambda: any("──── v7" in line for line in text_of(deck.app).splitlines()))
        rule = next(line for line in text_of(deck.app).splitlines() if "──── v7" in line)
        assert ("…" in rule.partition("││")[0], "✓ better" in rule) == (cut, not cut)


def test_the_evidence_says_how_much_and_what_would_have_been_seen() -> None:
    assert wording.evidence(BETTER) == "loss 0.82 → 0.18 ✓ better: lower by 0.64 ± 0.06 (40 points)"
    none = Effect("loss", 40, 0.01, -0.04, 0.06, 0.05, "none", 0.4, 0.41, next=80)
    assert wording.evidence(none) == (
        "loss · no clear change (40 points; 0.05 would have been seen); next verdict at 80 points"
    )


def test_news_of_an_effect_take_their_place() -> None:
    timeline = ReloadList()
    timeline.put(Reload("digits", 7, "applied", "disk", (Change("lr", 1, 2),)))
    assert not timeline.judged
    assert timeline.judge(Judged("digits", 7, **vars(Effect("loss", 4, next=10))))
    assert timeline.judge(Judged("digits", 7, **vars(Effect("rate", 10, next=20))))
    assert timeline.judge(Judged("digits", 7, **vars(BETTER)))
    assert not timeline.judge(Judged("digits", 8, **vars(BETTER)))
    row = timeline.get(7)
    assert row is not None
    assert [effect.metric for effect in row.effect] == ["loss", "rate"]
    assert row.effect[0] == BETTER


@pytest.mark.parametrize(("size", "words"), [((120, 40), "loss 0.82 → 0.18 ✓ better"), ((80, 24), "● applied ✓")])
async def test_the_timeline_says_what_a_change_did(open_deck: OpenDeck, size: tuple[int, int], words: str) -> None:
    async with open_deck(size=size) as deck:
        await deck.news(Judged("digits", 7, **vars(BETTER), time=NOW))
        await deck.until(lambda: words in text_of(deck.app))
        deck.view.timeline.focus()
        row = Reload("digits", 7, "applied", "editor", (Change("lr", 0.08, 0.05),), effect=(BETTER,), time=NOW)
        deck.engine.answer(
            messages.Detail, text="lr: 0.05\n", base=6, base_text="lr: 0.08\n", running=7, row=codec.public(row)
        )
        await deck.press("enter")
        await deck.until(lambda: "lower by 0.64 ± 0.06 (40 points)" in text_of(deck.app))


WORSE = Effect("loss", 10, 1.0, 0.5, 1.5, 0.5, "worse", 0.4, 1.4)


async def test_a_change_for_the_worse_is_as_loud_as_a_failed_one(
    open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []
    monkeypatch.setattr(DeckApp, "bell", lambda app: rung.append(1))
    async with open_deck(size=(120, 40)) as deck:
        await deck.news(Judged("digits", 7, **vars(BETTER), time=NOW))
        await deck.news(Judged("digits", 7, **{**vars(WORSE), "metric": "rate"}, time=NOW))  # not the main metric
        assert (rung, deck.toasts) == ([], [])
        await deck.news(Judged("digits", 7, **vars(WORSE), time=NOW))
        await deck.until(lambda: "● applied ✗" in text_of(deck.app))
        await deck.until(lambda: "loss 0.4 → 1.4 ✗ worse" in text_of(deck.app))
        await deck.news(Judged("digits", 7, **{**vars(WORSE), "points": 20}, time=NOW))  # the next look
        assert rung == [1]
        assert len(deck.toasts) == 1
        nan = Effect("rate", 3, float("nan"), verdict="worse", before=0.4, after=float("nan"))
        await deck.news(Judged("digits", 6, **vars(nan), time=NOW))
        assert len(deck.toasts) == 2


async def test_b_goes_to_the_best_version_and_says_why_there_is_none(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.view.timeline.focus()
        deck.engine.answer(messages.Best, ok=False, message="no version has 10 points of loss yet")
        await deck.press("b")
        await deck.until(lambda: any("no version has 10 points" in str(toast) for toast in deck.toasts))
        deck.engine.answer(messages.Find, versions=[7], first=1)
        await deck.press("slash", *"v7", "enter")
        await deck.until(lambda: list(deck.view.timeline.versions) == [7])
        deck.engine.answer(messages.Best, version=4, metric="loss", mean=0.1, slope=0.0, points=50)
        await deck.press("b")
        await deck.until(lambda: deck.view.timeline.current == 4)  # also where the filter hid it
        assert any("loss 0.1 over its last 50 points" in str(toast) for toast in deck.toasts)


async def test_the_order_by_effect_follows_new_verdicts(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        view = deck.view.timeline
        view.focus()
        deck.engine.answer(messages.Order, versions=[])
        await deck.press("o")
        await deck.until(lambda: any("No change has a verdict" in str(toast) for toast in deck.toasts))
        deck.engine.answer(messages.Order, versions=[4, 2])
        await deck.press("o")
        await deck.until(lambda: list(view.versions) == [4, 2, 7, 6, 5, 3, 1])
        assert "by effect" in text_of(deck.app)
        deck.engine.answer(messages.Order, versions=[7, 4, 2])
        await deck.news(Judged("digits", 7, **vars(BETTER), time=NOW))
        await deck.until(lambda: list(view.versions) == [7, 4, 2, 6, 5, 3, 1])
        await deck.press("o")
        await deck.until(lambda: list(view.versions) == list(range(7, 0, -1)))
