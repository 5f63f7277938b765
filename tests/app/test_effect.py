"""What a change did, in the timeline and in the details."""

from __future__ import annotations

import pytest

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW
from tui import wording
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
