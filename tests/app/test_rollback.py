from __future__ import annotations

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import Deck
from tui.protocol import messages


def rollbacks(deck: Deck) -> list[tuple[str, int, str | None]]:
    return [(c.job, c.version, c.base) for c in deck.engine.commands if isinstance(c, messages.Rollback)]


async def test_r_rolls_back_to_the_row_under_the_cursor_and_the_editor_follows(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.view.timeline.focus()
        await deck.press("down", "r")
        await deck.until(lambda: rollbacks(deck))
        assert rollbacks(deck) == [("digits", 6, "d7")]
        await deck.news(messages.Document("digits", "lr: 0.08\n", "d8"))
        assert deck.view.config.editor.text == "lr: 0.08\n"
        assert not deck.view.config.dirty


async def test_the_cursor_goes_to_the_version_that_a_rollback_has_made(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.view.timeline.focus()
        await deck.press("down", "down")
        assert deck.view.timeline.current == 5
        await deck.news(messages.Reload("digits", 8, "applied", "rollback", step=2_100))
        assert deck.view.timeline.current == 5
        deck.engine.answer(messages.Rollback, changed=True, versions={"digits": 8})
        await deck.press("r")
        await deck.until(lambda: deck.view.timeline.current == 8)


async def test_r_asks_where_the_editor_holds_changes(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("x")
        deck.view.timeline.focus()
        await deck.press("r")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        assert "Roll digits back to v7?" in text_of(deck.app)
        await deck.press("escape")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        assert rollbacks(deck) == []
        await deck.press("r")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("r")
        await deck.until(lambda: rollbacks(deck))
        await deck.news(messages.Document("digits", "lr: 0.08\n", "d8"))
        assert deck.view.config.dirty
        assert deck.view.config.draft.theirs is not None


async def test_what_runs_is_written_back_by_a_key_where_the_file_differs(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("ctrl+g")
        assert "Write back" not in text_of(deck.app)
        await deck.news(messages.Running("digits", 7, differs=True))
        await deck.until(lambda: "Write back" in text_of(deck.app))
        assert "disk differs, ^g writes v7 back" in text_of(deck.app).splitlines()[0]
        await deck.press("ctrl+g")
        await deck.until(lambda: rollbacks(deck))
        assert rollbacks(deck) == [("digits", 7, "d7")]


async def test_what_is_refused_or_nothing_new_is_said(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.view.timeline.focus()
        deck.engine.answer(messages.Rollback, changed=False, versions={})
        await deck.press("r")
        await deck.until(lambda: "digits: The file is v7 already." in deck.toasts)
        deck.engine.answer(messages.Rollback, False, "c.yaml has been changed by somebody else", "unwritable")
        await deck.press("r")
        said = "Not rolled back: c.yaml has been changed by somebody else"
        await deck.until(lambda: said in deck.toasts)
