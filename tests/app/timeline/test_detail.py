"""The screen with all that is known of one reload, and the diff in its two views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.app import App

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, TEXT, Deck, backlog
from tui.app.timeline.detail import facts
from tui.app.widgets.diff import DiffView, diff_lines
from tui.protocol import codec, messages
from tui.protocol.messages import Change, Effect, JobInfo, Judged, Metrics, Problem, Ranks, Reload

OLD = TEXT.replace("lr: 0.05 ", "lr: 0.08 ").replace("batch: 64\n", "")

FULL = Reload(
    *("digits", 8, "rejected", "editor", (Change("lr", 0.05, -1), Change("batch", 64, None, removed=True))),
    *(12_400, 3204.0),
    error=Problem("lr must be > 0", 2, 5, "lr"),
    errors=(Problem("must be > 0", 2, 5, "lr"), Problem("batch is missing\nv7 still runs")),
    who="ada@lab",
    base=7,
    run=3,
    times={"sent": NOW - 20, "rejected": NOW - 16.796},
    note="too fast",
    tag="bad",
    time=NOW - 20,
)


def answer(deck: Deck, **more: Any) -> None:
    def detail(command: messages.Command) -> messages.Reply:
        assert isinstance(command, messages.Detail)
        data = {"text": TEXT, "base_text": OLD, "base": command.version - 1, "running": 7, **more}
        return messages.Reply(command.id, True, data=data)

    deck.engine.answers[messages.Detail] = detail


@pytest.mark.parametrize("size", ["80x24", "120x40", "200x60"])
async def test_detail_screen(open_deck: OpenDeck, snapshot: Callable[[App[Any]], None], size: str) -> None:
    width, height = map(int, size.split("x"))
    async with open_deck([*backlog(), FULL], size=(width, height)) as deck:
        answer(deck, differences=[{"key": "opt.eps", "old": None, "new": 1e-8, "added": True}])
        deck.view.timeline.focus()
        await deck.press("enter")
        await deck.until(lambda: "v8, v7 runs" in text_of(deck.app))
        snapshot(deck.app)


async def test_next_and_previous_move_the_cursor_too(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        answer(deck)
        deck.view.timeline.focus()
        await deck.press("down", "enter")
        await deck.until(lambda: "v6, v7 runs" in text_of(deck.app))
        await deck.press("p")
        await deck.until(lambda: "v5, v7 runs" in text_of(deck.app))
        assert "line 3:7 expected ':'" in text_of(deck.app)
        await deck.press("n", "n", "n")
        await deck.until(lambda: "v7, which runs" in text_of(deck.app))
        await deck.press("escape")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        assert deck.view.timeline.cursor == 7


async def test_older_reload_is_shown_from_the_answer_alone(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        answer(deck, row=codec.public(FULL))
        deck.view.timeline.focus()
        deck.app.jobs["digits"].timeline.by_version.pop(7)
        await deck.press("enter")
        await deck.until(lambda: "too fast" in text_of(deck.app))


async def test_refused_detail_says_why_on_the_screen(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(messages.Detail, False, "the history can't be read: disk I/O error", "unwritable")
        deck.view.timeline.focus()
        await deck.press("enter")
        await deck.until(lambda: "the history can't be read: disk I/O error" in text_of(deck.app))


async def test_what_becomes_of_the_reload_is_seen(open_deck: OpenDeck) -> None:
    sent = Reload("digits", 8, "sent", "disk", (Change("batch", 64, 128),), time=NOW - 75)
    async with open_deck([*backlog(), sent]) as deck:
        answer(deck)
        deck.view.timeline.focus()
        await deck.press("enter")
        await deck.until(lambda: "sent, for 1m 15s" in text_of(deck.app))
        deck.engine.send(Reload("digits", 8, "applied", "disk", sent.changes, 12_400, 75_000.0, time=sent.time))
        await deck.until(lambda: "at step 12,400 after 1m 15s" in text_of(deck.app))


async def test_views_of_a_diff(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        answer(deck)
        deck.view.timeline.focus()
        await deck.press("enter")
        await deck.until(lambda: " 2 -lr: 0.08" in text_of(deck.app))
        view = deck.app.screen.query_one(DiffView)
        sides = next(line for line in text_of(deck.app).splitlines() if "-lr: 0.08" in line)
        assert " │    2 +lr: 0.05" in sides
        await deck.press("s")
        await deck.until(lambda: not view.side_by_side)
        await deck.until(lambda: "│ -lr: 0.08" in text_of(deck.app))
        await deck.press("s")
        await deck.until(lambda: " 2 -lr: 0.08" in text_of(deck.app))


def test_how_many_processes_have_it_is_a_fact() -> None:
    row = Reload(
        "digits", 9, "applied", "editor", step=12_400, latency_ms=3.0, ranks={"total": 4, "applied": 3, "step": 1}
    )
    assert "by 3/4 ranks at step 12,400 after 3.0 ms" in facts(row, NOW, []).plain
    row = replace(row, ranks={"total": 4, "applied": 3, "step": 12_400, "anew": 2})
    assert "3/4 ranks, 2 of them anew: the state was lost" in " ".join(facts(row, NOW, []).plain.split())


def test_ranks_are_told_one_by_one() -> None:
    row = Reload("digits", 9, "sent", "editor")
    ranks = Ranks("digits", 9, 1_204, 3, 4, 1, (1, 2), steps={"0": 1_204, "1": 1_203, "2": 1_190})
    told = facts(row, NOW, [], ranks=ranks).plain
    assert "ranks      3 of 4 ranks have joined\n" in told
    for words in ("rank 3 not come yet", "rank 2 at step 1,190, 14 behind, waited for", "rank 0 at step 1,204"):
        assert words in told


def test_both_views_have_every_changed_line() -> None:
    old = "".join(f"key{n}: {n}\n" for n in range(40))
    new = old.replace("key3: 3\n", "").replace("key30: 30\n", "key30: 31\nmore: 1\n")
    diff = diff_lines(old, new, "v1", "v2")
    changed = [line.text for line in diff.lines if line.tone in ("good", "bad")]
    assert changed == ["-key3: 3", "-key30: 30", "+key30: 31", "+more: 1"]
    assert [line.text for line in diff.lines if line.tone == "key"] == ["@@ -1,7 +1,6 @@", "@@ -28,7 +27,8 @@"]
    pairs = [(left.text[5:], right.text[5:]) for left, right in diff.pairs]
    assert ("-key3: 3", "") in pairs
    assert ("-key30: 30", "+key30: 31") in pairs
    assert ("", "+more: 1") in pairs
    assert (" key5: 5", " key5: 5") in pairs


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a: 1\n", None, "there is no text of this version"),
        (None, "a: 1\n", "+a: 1"),
        ("a: 1\n", "a: 1\n", "no difference"),
        ("a: 1\n", "a: 1\r\n", "the texts differ in line ends or unseen characters"),
        ("a: 1\n", "\x1b[31m", "-a: 1"),
    ],
)
def test_texts_that_are_not_there_or_do_not_differ(old: str | None, new: str | None, said: str) -> None:
    lines = [line.text for line in diff_lines(old, new, "a", "b").lines]
    assert said in lines
    assert "\x1b" not in "".join(lines)


async def test_probation_guards_and_verdict_are_told_together(open_deck: OpenDeck) -> None:
    guarded = JobInfo("digits", "t", "digits.yaml", guards={"loss": {"max": 10}}, time=NOW)
    effect = Effect("loss", 40, -0.64, -0.7, -0.58, 0.06, "better", before=0.82, after=0.18)
    async with open_deck([guarded, *backlog()[1:]]) as deck:
        await deck.news(Judged("digits", 7, **vars(effect), time=NOW))
        answer(deck, running=7, probation=[6.2, 4])
        deck.view.timeline.focus()
        await deck.press("enter")
        await deck.until(lambda: "better: lower by 0.64 ± 0.06" in text_of(deck.app))
        lines = [line.strip("│ ╎┃") for line in text_of(deck.app).splitlines() if "╭" not in line]
        at = next(place for place, line in enumerate(lines) if "on probation for 7 s and 4 steps" in line)
        assert "guards: loss at most 10; all is within" in lines[at + 1]
        assert "loss 0.82 → 0.18 ✓ better" in lines[at + 2]
        answer(deck, running=7, probation=[0, 0])
        await deck.until(lambda: "has proved itself" in text_of(deck.app))
        await deck.news(Metrics("digits", 12_300, {"loss": 11.0}, time=NOW))
        await deck.press("escape", "enter")
        await deck.until(lambda: "loss is out of bounds" in text_of(deck.app))
