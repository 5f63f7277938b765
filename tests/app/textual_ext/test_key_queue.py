"""What is typed in one go reaches what each key was meant for, as if there had been a pause after every key."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.command import CommandPalette
from textual.widget import Widget
from textual.widgets import Input

from tests.app.conftest import OpenDeck
from tests.app.fake import TEXT, Deck, backlog
from tui.app.dialogs.dialog import Dialog
from tui.app.editor.find_bar import FindBar
from tui.app.textual_ext import key_queue
from tui.protocol import messages
from tui.protocol.messages import Lines

CTRL_F, CTRL_O, CTRL_P, CTRL_Q = "\x06", "\x0f", "\x10", "\x11"


def in_log(deck: Deck) -> object:
    deck.view.log_view.focus()
    return deck.view.log_view


def in_timeline(deck: Deck) -> object:
    deck.view.timeline.focus()
    return deck.view.timeline


def in_config(deck: Deck) -> object:
    return deck.view.config.editor


def notes(deck: Deck) -> object:
    return [getattr(c, c.KIND) for c in deck.engine.orders if isinstance(c, messages.Note | messages.Tag)]


def typed_into(deck: Deck, where: type[Widget]) -> object:
    found = next((node for node in deck.app.screen.walk_children(with_self=True) if isinstance(node, where)), None)
    return found.query(Input).first().value if found is not None and found.query(Input) else None


@pytest.mark.parametrize(
    ("place", "keys", "sees", "seen"),
    [
        (in_log, "/error\r", lambda deck: deck.view.log_view.border_title, "log · 1 of 1 · error"),
        (in_log, "&!noise\rn", lambda deck: deck.view.log_view.border_title, "log · without noise"),
        (in_timeline, "eslow\r", notes, ["slow"]),
        (in_timeline, "tsteep\r", notes, ["steep"]),
        (in_config, CTRL_O + "l/fern\r", lambda deck: deck.view.log_view.border_title, "log · 1 of 1 · fern"),
        (in_config, CTRL_F + "batch", lambda deck: typed_into(deck, FindBar), "batch"),
        (in_log, CTRL_P + "save", lambda deck: typed_into(deck, CommandPalette), "save"),
        (in_config, CTRL_O + "tecalm\r", notes, ["calm"]),
    ],
)
async def test_no_key_overtakes_one_that_moves_the_focus(
    open_deck: OpenDeck, place: Callable[[Deck], object], keys: str, sees: Callable[[Deck], object], seen: object
) -> None:
    lines = Lines("digits", 0, "an error\nfern\nnoise", 1)
    async with open_deck([*backlog(), lines]) as deck:
        there = place(deck)
        await deck.until(lambda: deck.app.focused is there)
        deck.type(keys)
        await deck.until(lambda: sees(deck) == seen)


async def test_text_and_a_dialog_take_what_is_meant_for_them(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.type("# mine" + CTRL_Q)
        await deck.until(lambda: isinstance(deck.app.screen, Dialog))
        assert deck.view.config.editor.text.startswith("# mine")


async def test_alt_with_a_digit_shows_a_job_as_terminals_send_it(open_deck: OpenDeck) -> None:
    async with open_deck(backlog(), backlog("other")) as deck:
        for digit, name in (("2", "other"), ("1", "digits")):
            deck.type(f"\x1b{digit}")
            await deck.until(lambda name=name: deck.app.main.current == name)  # type: ignore[misc]
        assert deck.view.config.editor.text == TEXT


async def test_the_answer_to_a_dialog_holds_up_nothing(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_queue, "KEY_PATIENCE", 1000.0)
    async with open_deck() as deck:
        deck.type("x")
        in_timeline(deck)
        deck.type("r")
        await deck.until(lambda: isinstance(deck.app.screen, Dialog))
        deck.type("r" + CTRL_O + "c!")
        await deck.until(lambda: deck.view.config.editor.text.startswith("x!"))
        assert deck.type_of_screen() == "MainScreen"


async def test_a_key_that_is_lost_on_its_way_holds_up_the_next_one_for_a_moment_only(
    open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_queue, "KEY_PATIENCE", 0.05)
    monkeypatch.setattr(key_queue.KeyDone, "bubble", False)
    async with open_deck() as deck:
        deck.type("yes")
        await deck.until(lambda: deck.view.config.editor.text.startswith("yes"))
