"""Two versions side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.app import App

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, TEXT, Deck, backlog
from tui.app.timeline.compare import end_of
from tui.protocol import messages
from tui.protocol.messages import Effect, Reload

OLD = TEXT.replace("lr: 0.05 ", "lr: 0.08 ").replace("batch: 64\n", "batch: 32\n")


def rows() -> dict[int, Reload]:
    """The reloads of the deck, with when they were taken, and a verdict on the newest."""
    known = [row for row in backlog() if isinstance(row, Reload)]
    taken = [replace(row, run=1, times={row.status: row.time}) for row in known]
    effect = Effect("loss", 40, -0.05, -0.06, -0.04, 0.01, "better", before=0.18, after=0.13)
    return {row.version: replace(row, effect=(effect,)) if row.version == 7 else row for row in taken}


def answer(deck: Deck) -> list[messages.Columns]:
    asked: list[messages.Columns] = []

    def detail(command: messages.Command) -> messages.Reply:
        assert isinstance(command, messages.Detail)
        return messages.Reply(command.id, True, data={"text": OLD if command.version == 2 else TEXT, "running": 7})

    def columns(command: messages.Command) -> messages.Reply:
        assert isinstance(command, messages.Columns)
        asked.append(command)
        one = {"x": [1], "count": [9], "min": [0.1], "max": [0.3], "mean": [0.2 if command.last else 0.13], "bad": [0]}
        return messages.Reply(command.id, True, data={"columns": {"loss": one, "silent": {"mean": []}}})

    deck.engine.history = rows()
    deck.engine.answers[messages.Detail] = detail
    deck.engine.answers[messages.Columns] = columns
    deck.engine.answer(messages.Measures, names=["loss", "silent", "system.cpu_percent"])
    return asked


def marked(deck: Deck) -> int | None:
    return deck.view.timeline.compared


@pytest.mark.parametrize("size", ["80x24", "120x40", "200x60"])
async def test_compare_screen(open_deck: OpenDeck, snapshot: Callable[[App[Any]], None], size: str) -> None:
    width, height = map(int, size.split("x"))
    async with open_deck(size=(width, height)) as deck:
        asked = answer(deck)
        deck.view.timeline.focus()
        await deck.press("m")
        await deck.until(lambda: "◆v7" in text_of(deck.app) and "compare with v7" in text_of(deck.app))
        await deck.press(*["down"] * 5, "m")
        await deck.until(lambda: "0.13, from" in text_of(deck.app) and "32" in text_of(deck.app))
        snapshot(deck.app)
        assert [(one.names, one.run, one.first, one.last, one.width) for one in asked] == [
            (("loss", "silent"), 1, NOW - 500, NOW - 409, 1),
            (("loss", "silent"), 1, NOW - 100, None, 1),
        ]


async def test_the_mark_goes_by_its_own_key_or_escape(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.view.timeline.focus()
        await deck.press("m")
        assert marked(deck) == 7
        await deck.press("m")
        assert marked(deck) is None
        await deck.press("down", "m")
        assert marked(deck) == 6
        await deck.press("escape")
        assert marked(deck) is None
        assert deck.type_of_screen() == "MainScreen"


async def test_what_can_not_be_had_is_said(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        answer(deck)
        deck.engine.answer(messages.Detail, ok=False, message="the history is locked")
        deck.view.timeline.focus()
        await deck.press("m", "down", "m")
        await deck.until(lambda: "the history is locked" in text_of(deck.app))


def test_a_version_ends_where_the_next_one_of_its_run_was_taken() -> None:
    known = rows()
    assert end_of(known[2], known) == known[4].time
    assert end_of(known[7], known) is None
    assert end_of(known[7], {**known, 8: replace(known[7], version=8, run=2)}) is None
