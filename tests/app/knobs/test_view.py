from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual import events
from textual.app import App
from textual.widgets import Input

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import TEXT, Deck, backlog
from tui.app.knobs.rack import Rack
from tui.protocol import messages
from tui.protocol.messages import Command, Document, Event, Hints, Reply, Set

SCHEMA = {
    "properties": {
        "lr": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.1, "description": "Step size"},
        "batch": {"type": "integer", "minimum": 16, "maximum": 256, "multipleOf": 16},
        "momentum": {"type": "number", "minimum": 0, "maximum": 1},
        "name": {"enum": ["digits", "letters"]},
    }
}
START = TEXT.replace("0.05", "0.1")


def hinted() -> list[Event]:
    found = [*backlog(), Hints("digits", SCHEMA)]
    return [Document("digits", TEXT, "d7", restart_lines=(3,)) if isinstance(e, Document) else e for e in found]


def writes(deck: Deck) -> list[Set]:
    """Answer as an engine that writes each value, and return what was asked for."""
    asked: list[Set] = []
    text = TEXT

    def answer(command: Command) -> Reply:
        nonlocal text
        assert isinstance(command, Set)
        asked.append(command)
        for key, value in command.values.items():
            text = text.replace(deck.view.knobs.rack.knobs[key].text, value, 1)
        deck.engine.send(Document("digits", text, f"w{len(asked)}", restart_lines=(3,)))
        return Reply(command.id, True, data={"versions": {"digits": 7 + len(asked)}, "changed": True})

    deck.engine.answers[Set] = answer
    deck.engine.answer(messages.Detail, text=START)
    return asked


async def opened(deck: Deck) -> Rack:
    await deck.press("f7")
    await deck.until(lambda: deck.view.knobs.has_focus and deck.view.knobs.rack.knobs)
    return deck.view.knobs.rack


@pytest.mark.parametrize("size", ["80x24", "120x40"])
async def test_knobs(open_deck: OpenDeck, snapshot: Callable[[App[Any]], None], size: str) -> None:
    width, height = map(int, size.split("x"))
    async with open_deck(hinted(), size=(width, height)) as deck:
        writes(deck)
        rack = await opened(deck)
        await deck.until(lambda: rack.start)
        await deck.press("down", "right")
        await deck.until(lambda: "enter restarts" in text_of(deck.app))
        snapshot(deck.app)


async def test_f7_shows_and_hides_them(open_deck: OpenDeck) -> None:
    async with open_deck(size=(80, 24)) as deck:
        await opened(deck)
        places = deck.view.places(deck.view.size)
        assert deck.view.knobs_pane in places
        assert deck.view.config not in places  # there is no room for both
        await deck.press("f7")
        await deck.until(lambda: deck.view.config.editor.has_focus)
        assert deck.view.knobs_pane not in deck.view.places(deck.view.size)
    async with open_deck() as deck:
        await opened(deck)
        assert {deck.view.knobs_pane, deck.view.config} <= set(deck.view.places(deck.view.size))


async def test_a_turned_knob_is_one_change_when_it_rests(open_deck: OpenDeck) -> None:
    async with open_deck(hinted()) as deck:
        asked = writes(deck)
        rack = await opened(deck)
        for _ in range(5):
            deck.view.knobs.action_turn(1)
        assert "0.16" in text_of(deck.app)
        await deck.until(lambda: asked and not rack.wanted)
        assert [(command.values, command.base, command.knob) for command in asked] == [({"lr": "0.16"}, "d7", True)]
        assert rack.knobs["lr"].text == "0.16"
        await deck.press("ctrl+z")
        await deck.until(lambda: len(asked) == 2 and not rack.wanted)
        assert deck.view.config.editor.text == TEXT


async def test_by_choice_knobs_wait_for_enter_and_go_together(open_deck: OpenDeck) -> None:
    async with open_deck(hinted()) as deck:
        asked = writes(deck)
        rack = await opened(deck)
        await deck.press("a", "right", "down", "down", "left")
        assert not deck.app.preferences.live_knobs
        await deck.until(lambda: "2 not sent" in str(deck.view.knobs.border_title))
        assert not asked
        await deck.press("enter")
        await deck.until(lambda: asked and not rack.wanted)
        assert asked[0].values == {"lr": "0.063", "momentum": "0.8"}
        await deck.press("right", "escape")
        assert rack.wanted == {}


async def test_a_refused_value_says_why_in_its_row(open_deck: OpenDeck) -> None:
    async with open_deck(hinted()) as deck:
        rack = await opened(deck)
        deck.engine.answer(Set, ok=False, message="lr must be small", code="refused", errors=[{"key": "lr"}])
        await deck.press("right")
        await deck.until(lambda: "✗ lr must" in text_of(deck.app))
        assert rack.text(rack.knobs["lr"]) == "0.05"


async def test_what_is_typed_stays_and_news_stand_beside_it(open_deck: OpenDeck) -> None:
    async with open_deck(hinted()) as deck:
        asked = writes(deck)
        rack = await opened(deck)
        await deck.press("enter", *["backspace"] * 4, *"0.3")
        prompt = deck.view.knobs_pane.prompt
        await deck.news(Document("digits", TEXT.replace("0.05", "0.2"), "d8"))
        assert prompt.query_one(Input).value == "0.3"
        assert "now 0.2 on disk" in text_of(deck.app)
        await deck.press("enter")
        await deck.until(lambda: asked and not prompt.display)
        assert asked[0].values == {"lr": "0.3"}
        assert not rack.refused


async def test_a_conflict_waits_for_the_user(open_deck: OpenDeck) -> None:
    async with open_deck(hinted()) as deck:
        rack = await opened(deck)
        deck.engine.answer(Set, ok=False, message="changed by somebody else", code="conflict")
        await deck.press("right")
        await deck.until(lambda: "changed on disk" in text_of(deck.app))
        assert rack.wanted == {"lr": "0.063"}
        asked = writes(deck)
        await deck.press("enter")
        await deck.until(lambda: asked and not rack.wanted)
        assert not rack.refused


async def test_start_and_default(open_deck: OpenDeck) -> None:
    async with open_deck(hinted()) as deck:
        asked = writes(deck)
        rack = await opened(deck)
        await deck.until(lambda: rack.start)
        assert "began 0.1" in text_of(deck.app)
        await deck.press("r")
        await deck.until(lambda: asked and not rack.wanted)
        assert asked[-1].values == {"lr": "0.1"}
        assert "began 0" not in text_of(deck.app)
        await deck.press("right")
        await deck.until(lambda: len(asked) == 2 and not rack.wanted)
        await deck.press("d")
        await deck.until(lambda: len(asked) == 3)
        assert asked[-1].values == {"lr": "0.1"}


async def test_the_wheel_turns_nothing_and_a_click_chooses(open_deck: OpenDeck) -> None:
    async with open_deck(hinted()) as deck:
        rack = await opened(deck)
        view = deck.view.knobs
        for kind in (events.MouseScrollDown, events.MouseScrollUp):
            view.post_message(kind(view, 5, 1, 0, 0, 0, shift=False, meta=False, ctrl=False))
        await deck.pilot.pause()
        await deck.pilot.click(view, offset=(5, 3))
        assert rack.chosen == "momentum"
        assert rack.wanted == {}


async def test_five_hundred_keys(open_deck: OpenDeck) -> None:
    text = "".join(f"group{n}:\n  size: {n}\n  rate: 0.{n + 1}\n" for n in range(250))
    many: list[Event] = [Document("digits", text, "d7") if isinstance(e, Document) else e for e in backlog()]
    async with open_deck(many, size=(80, 24)) as deck:
        rack = await opened(deck)
        assert len(rack.knobs) == 500
        await deck.press("end")
        assert rack.chosen == "group249.rate"
        assert "group249.rate" in text_of(deck.app)
        await deck.press("slash", *"up77 ra", "enter", "right")
        assert [knob.key for knob in rack.shown] == ["group77.rate"]
        assert rack.wanted == {"group77.rate": "0.8"}
        await deck.until(lambda: [c.values for c in deck.engine.commands if isinstance(c, Set)])
        await deck.press("escape", "escape")
        assert len(rack.shown) == 500
