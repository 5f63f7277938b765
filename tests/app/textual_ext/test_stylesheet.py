"""Every widget looks as plain Textual would have it look, in every state that a selector can ask for."""

from __future__ import annotations

import pytest

from tests.app import insides
from tests.app.charts.test_view import answer_metrics
from tests.app.conftest import OpenDeck
from tests.app.fake import Deck, backlog
from tui.app.editor.find_bar import FindBar
from tui.app.theme import LIGHT


async def nothing(deck: Deck) -> None:
    """Look at it as it is."""


async def other_focus(deck: Deck) -> None:
    for _ in range(4):
        await deck.press("f6")


async def other_size(deck: Deck) -> None:
    await deck.pilot.resize_terminal(60, 15)
    await deck.pilot.resize_terminal(120, 40)


async def other_theme(deck: Deck) -> None:
    deck.app.theme = LIGHT.name
    await deck.pilot.pause()


async def find_bar(deck: Deck) -> None:
    deck.app.main.set_focus(deck.view.config.editor)
    await deck.press("ctrl+f", "l")
    assert deck.view.query_one(FindBar).has_focus_within


async def all_panes(deck: Deck) -> None:
    answer_metrics(deck)
    await deck.press("escape", "f7", "f8")


async def hovered(deck: Deck) -> None:
    await deck.pilot.hover(offset=(70, 3))
    await deck.pilot.hover(offset=(3, 3))


async def disabled(deck: Deck) -> None:
    deck.view.log_pane.disabled = True
    await deck.pilot.pause()


async def dialog(deck: Deck) -> None:
    await deck.press("ctrl+q")
    await deck.until(lambda: deck.type_of_screen() != "MainScreen")


async def other_job(deck: Deck) -> None:
    await deck.press("f4")
    await deck.until(lambda: deck.app.main.current == "anneal" and deck.view.ready)


STATES = [nothing, other_focus, other_size, hovered, find_bar, all_panes, other_theme, disabled, other_job, dialog]


async def test_looks_as_plain_textual_has_it(open_deck: OpenDeck) -> None:
    async with open_deck(backlog(), backlog("anneal", 5)) as deck:
        for change in STATES:
            await change(deck)
            found = insides.looks(deck.app)
            assert len(found) > 3
            insides.style_plainly(deck.app)
            plain = insides.looks(deck.app)
            assert (change, {widget for widget, look in found.items() if look != plain[widget]}) == (change, set())


async def test_rules_are_looked_through_once(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_deck() as deck:
        asked = insides.rules_asked(monkeypatch)
        deck.app.screen.update_node_styles()
        again = len(asked)  # what a rule says of the focus within is not remembered
        insides.style_plainly(deck.app)
        assert again * 5 < len(asked) - again
