"""The log of all jobs: names before the lines, one search through all."""

from __future__ import annotations

from tests.app.conftest import OpenDeck, style_of, text_of
from tests.app.fake import NOW, backlog
from tui.app.overview.deck_log import DeckLogScreen
from tui.protocol.messages import Lines


async def test_lines_of_all_jobs_come_with_their_names_and_are_searched_together(open_deck: OpenDeck) -> None:
    async with open_deck(backlog("alpha", 3), backlog("beta", 2)) as deck:
        await deck.press("f9", "l")
        await deck.until(lambda: "alpha epoch   1  batch    0" in text_of(deck.app))
        assert "beta  epoch   1  batch    0" in text_of(deck.app)
        assert style_of(deck.app, "alpha").color != style_of(deck.app, "beta ").color
        await deck.news(
            Lines("beta", 2, "needle one", 7, time=NOW + 1), Lines("alpha", 3, "needle two", 7, time=NOW + 2)
        )
        await deck.until(lambda: "alpha needle two" in text_of(deck.app))
        screen = deck.app.screen
        assert isinstance(screen, DeckLogScreen)
        assert screen.pane.view.lines()[-2:] == ["beta  needle one", "alpha needle two"]
        await deck.press("slash", *"needle", "enter")
        await deck.until(lambda: "2 of 2" in text_of(deck.app))
        await deck.press("escape", "q")
        await deck.until(lambda: deck.type_of_screen() == "OverviewScreen")
