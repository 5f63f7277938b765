"""A deck file that was saved, as a viewer shows it: jobs come and go, and it asks before they end."""

from __future__ import annotations

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, Deck, backlog
from tui.protocol.messages import Apply, DeckChange, Gone, JobInfo, State


def applied(deck: Deck) -> list[str]:
    return [command.digest for command in deck.engine.commands if isinstance(command, Apply)]


async def test_jobs_come_and_go(open_deck: OpenDeck) -> None:
    async with open_deck(backlog("first"), backlog("second")) as deck:
        await deck.news(DeckChange("", "d", added=("third",), removed=("first",)), *backlog("third", 5))
        assert "new: third\nremoved: first" in deck.toasts[0]
        await deck.press("alt+3")
        await deck.until(lambda: deck.app.main.current == "third")
        deck.engine.send(Gone("first"), Gone("third"), State("second", "running", pid=5, time=NOW))
        await deck.until(lambda: list(deck.app.jobs) == ["second"] and deck.app.main.current == "second")
        await deck.until(lambda: text_of(deck.app).startswith(" second ") and deck.view.ready)


async def test_the_only_job_is_replaced(open_deck: OpenDeck) -> None:
    async with open_deck(backlog("digits")) as deck:
        deck.engine.send(Gone("digits"), *backlog("other", 5))
        await deck.until(lambda: deck.app.main.current == "other" and deck.view.ready)
        await deck.until(lambda: "other.yaml" in text_of(deck.app))


async def test_a_job_that_goes_leaves_what_was_not_saved(open_deck: OpenDeck) -> None:
    async with open_deck(backlog("digits"), backlog("other")) as deck:
        deck.type("x")
        await deck.until(lambda: deck.view.config.dirty)
        deck.engine.send(Gone("digits"))
        await deck.until(lambda: any("copy what you need" in toast for toast in deck.toasts))
        assert deck.app.main.current == "digits"


async def test_before_jobs_end_it_is_asked_and_enter_alone_does_nothing(open_deck: OpenDeck) -> None:
    async with open_deck(backlog("digits"), backlog("other")) as deck:
        deck.engine.send(DeckChange("", "one", waits=True, removed=("other",), restarted=("digits",)))
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        shown = text_of(deck.app)
        assert "removed: other" in shown
        assert "restarted: digits" in shown
        await deck.press("enter")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        assert applied(deck) == []
        deck.app.action_apply_deck()  # from the palette
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("ctrl+d")
        await deck.until(lambda: applied(deck) == ["one"])


async def test_a_question_that_is_answered_elsewhere_goes_away(open_deck: OpenDeck) -> None:
    async with open_deck([*backlog("digits"), DeckChange("", "one", waits=True, removed=("digits",))]) as deck:
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        deck.engine.send(DeckChange("", "two"))
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        assert any("says what runs" in toast for toast in deck.toasts)


async def test_a_job_that_is_described_anew_is_shown_so(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(JobInfo("digits", "train.py:train", "/home/ada/deck/digits.yaml", metrics={"accuracy": "max"}))
        assert deck.app.jobs["digits"].main_metric == "accuracy"
