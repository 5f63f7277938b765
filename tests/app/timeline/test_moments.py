"""The timeline leads the log to the moment of a version, and the log says which one it shows."""

from __future__ import annotations

import pytest

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, Deck, backlog
from tui.protocol import messages
from tui.protocol.messages import Lines, Reload


def told() -> list[messages.Event]:
    """Return what an engine says of five versions, each of which has written a hundred lines."""
    first = [event for event in backlog(lines=0) if not isinstance(event, Reload)]
    rows = [Reload("digits", version, "applied", "disk", step=version, time=NOW) for version in range(1, 6)]
    rows.append(Reload("digits", 6, "invalid", "disk", time=NOW))
    lines = [
        Lines("digits", n * 100, "\n".join(f"line {n}.{m}" for m in range(100)), n + 1, time=NOW) for n in range(5)
    ]
    return [*first, *rows, *lines]


def rule(version: int) -> str:
    return f"──── v{version}  step {version} ────"


async def at_timeline(deck: Deck) -> None:
    await deck.until(lambda: "following" in text_of(deck.app))
    deck.view.timeline.focus()
    await deck.pilot.pause()


async def test_log_goes_along_and_follows_again_at_the_newest_row(open_deck: OpenDeck) -> None:
    async with open_deck(told()) as deck:
        log = deck.view.log_view
        await at_timeline(deck)
        await deck.press("down", "down", "down")
        await deck.until(lambda: rule(3) in text_of(deck.app))
        await deck.until(lambda: "▸v3" in text_of(deck.app))
        assert not log.follow
        # What comes meanwhile moves neither.
        await deck.news(Lines("digits", 500, "more", 5, time=NOW), Reload("digits", 7, "rejected", "set", time=NOW))
        assert rule(3) in text_of(deck.app)
        assert deck.view.timeline.cursor == 3
        await deck.press("home")
        await deck.until(lambda: log.follow and "more" in text_of(deck.app))
        assert "▸" not in text_of(deck.app)


async def test_version_that_never_took_effect_leaves_the_log_where_it_is(open_deck: OpenDeck) -> None:
    async with open_deck(told()) as deck:
        await at_timeline(deck)
        await deck.press("down", "down")
        await deck.until(lambda: rule(4) in text_of(deck.app))
        await deck.news(
            Reload("digits", 7, "rejected", "set", time=NOW), Reload("digits", 8, "applied", "set", time=NOW)
        )
        await deck.press("up", "up")
        assert deck.view.timeline.cursor == 6
        assert deck.view.log_view.version_in_view() == 5


async def test_reader_of_the_log_is_not_made_to_follow(open_deck: OpenDeck) -> None:
    async with open_deck(told()) as deck:
        log = deck.view.log_view
        log.focus()
        await deck.press("home")
        await deck.until(lambda: "line 0.0" in text_of(deck.app))
        deck.view.timeline.focus()
        await deck.pilot.pause()
        await deck.press("end", "home")
        await deck.pilot.pause()
        assert not log.follow


@pytest.mark.parametrize("frozen", [False, True])
async def test_scrolled_log_marks_its_version_and_brings_its_row_into_view(open_deck: OpenDeck, frozen: bool) -> None:
    older = [Reload("digits", version, "applied", "disk", time=NOW) for version in range(7, 60)]
    async with open_deck([*told(), *older]) as deck:
        log = deck.view.log_view
        await deck.until(lambda: "following" in text_of(deck.app))
        assert "v1 " not in text_of(deck.app)
        log.focus()
        await deck.press(*["space"] * frozen, "home")
        await deck.until(lambda: "▸v1" in text_of(deck.app))
        log.scroll_to(y=150, animate=False)
        await deck.until(lambda: "▸v2" in text_of(deck.app))
        assert "log at v2" in text_of(deck.app)
        await deck.press("f")
        await deck.until(lambda: "▸" not in text_of(deck.app))


async def test_following_log_marks_nothing(open_deck: OpenDeck) -> None:
    async with open_deck(told()) as deck:
        await deck.until(lambda: "following" in text_of(deck.app))
        await deck.news(Lines("digits", 500, "more", 5, time=NOW))
        assert "▸" not in text_of(deck.app)
        assert deck.view.timeline.marked is None
