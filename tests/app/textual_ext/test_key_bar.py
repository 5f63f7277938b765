"""The line of keys at the bottom."""

from __future__ import annotations

import pytest
from textual.geometry import Offset

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, Deck
from tui.app.textual_ext import key_bar
from tui.app.textual_ext.key_bar import KeyBar
from tui.protocol import messages
from tui.protocol.messages import Running


def bar(deck: Deck) -> str:
    return text_of(deck.app).splitlines()[-1].rstrip()


def place(deck: Deck, text: str) -> Offset:
    """Return where a text stands in the line."""
    return Offset(bar(deck).index(text), deck.app.size.height - 1)


async def test_line_follows_the_focus(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.until(lambda: "^s Save" in bar(deck))
        assert "Rollback" not in bar(deck)
        deck.app.main.set_focus(deck.view.timeline)
        await deck.until(lambda: "Rollback" in bar(deck))
        deck.app.main.set_focus(deck.view.log_view)
        await deck.until(lambda: "Rollback" not in bar(deck) and "Follow" in bar(deck))


@pytest.mark.parametrize(
    ("columns", "gap", "more", "knobs"), [(200, "  ", True, True), (120, " ", False, True), (80, " ", False, False)]
)
async def test_the_line_uses_the_width_it_has_by_rank(
    open_deck: OpenDeck, columns: int, gap: str, *, more: bool, knobs: bool
) -> None:
    """Where there is room, more keys; where there is little they stand closer, then those go that matter least."""
    async with open_deck(size=(columns, 30)) as deck:
        deck.app.main.set_focus(deck.view.timeline)
        await deck.until(lambda: "Rollback" in bar(deck))
        assert f"⏎ Diff{gap}r Rollback{gap}" in bar(deck)
        assert bar(deck).endswith(f"f1 Help{gap}^q Quit")
        assert "^o Jump" in bar(deck)
        assert ("e Note" in bar(deck), "f7 Knobs" in bar(deck)) == (more, knobs)


async def test_help_and_quit_are_there_whatever_else_is(open_deck: OpenDeck) -> None:
    async with open_deck(size=(80, 24)) as deck:
        deck.app.main.set_focus(deck.view.timeline)
        await deck.news(Running("digits", 7, NOW, differs=True))
        await deck.press("f10")
        await deck.until(lambda: "All panes" in bar(deck) and "Write back" in bar(deck))
        assert bar(deck).endswith("f1 Help ^q Quit")
        assert "Stop" not in bar(deck)


async def test_a_key_that_means_nothing_here_says_where_it_does(
    open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_bar, "SAID", 1000.0)  # however late the test looks
    async with open_deck() as deck:
        deck.app.main.set_focus(deck.view.log_view)
        await deck.until(lambda: "Follow" in bar(deck))  # else what follows the focus takes the words' place
        await deck.press("r")
        await deck.until(lambda: bar(deck).strip() == "r Run's start: knobs · Rollback: timeline")
        await deck.press("f6")
        await deck.until(lambda: "^q Quit" in bar(deck))


async def test_a_click_presses_the_key(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.until(lambda: "Jump" in bar(deck))
        await deck.pilot.click(offset=place(deck, "Jump"))
        await deck.until(lambda: deck.type_of_screen() == "JumpScreen")
        await deck.press("escape")
        await deck.pilot.click(offset=place(deck, "^p") - Offset(3, 0))  # between two keys
        await deck.pilot.click(offset=place(deck, "^s Save"))
        await deck.until(lambda: deck.engine.saves)
        assert deck.type_of_screen() == "MainScreen"


async def test_a_key_under_the_pointer_is_marked_and_says_more(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.until(lambda: "Jump" in bar(deck))
        line = deck.app.main.query_one(KeyBar)
        before = line.render_line(0)
        await deck.pilot.hover(offset=place(deck, "Jump"))
        await deck.until(lambda: line.tooltip == "A key over each pane and job leads there")
        assert line.render_line(0) != before
        await deck.pilot.hover(offset=(5, 5))
        await deck.until(lambda: line.tooltip is None)
        assert line.render_line(0) == before


async def test_a_key_that_does_nothing_now_is_not_pressed(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_deck(size=(200, 40)) as deck:
        monkeypatch.setattr(deck.app.main, "check_action", lambda action, _: None if action == "stop" else True)
        deck.app.main.refresh_bindings()
        deck.app.main.set_focus(deck.view.timeline)
        await deck.until(lambda: "Rollback" in bar(deck))
        await deck.pilot.click(offset=place(deck, "Stop"))
        await deck.pilot.click(offset=place(deck, "Jump"))
        await deck.until(lambda: deck.type_of_screen() == "JumpScreen")
        assert not any(isinstance(command, messages.Stop) for command in deck.engine.commands)
