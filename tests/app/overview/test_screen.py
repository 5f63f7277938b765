"""The overview of all jobs on the screen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.geometry import Region
from textual.widget import Widget

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, Deck, backlog
from tui.app import preferences
from tui.protocol import messages
from tui.protocol.messages import Effect, Gone, Lines, Metrics, Pause, Problem, Reload, Start, State, Stop


def answer(deck: Deck) -> None:
    course = [0.9, 0.6, 0.5, None, 0.3, 0.2, 0.15, 0.12]
    told = {"cpu": 98.4, "memory": 312.5, "restarts": 2, "metric": "loss", "course": course}

    def summary(command: messages.Command) -> messages.Reply:
        assert isinstance(command, messages.Summary)
        return messages.Reply(command.id, True, data=dict.fromkeys(command.jobs, told))

    deck.engine.answers[messages.Summary] = summary


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_overview(open_deck: OpenDeck, snapshot: Callable[[App[Any]], None], size: tuple[int, int]) -> None:
    names = ["anneal", "digits", "resnet50-imagenet-long-run", "serve", "sweep-1", "sweep-2"]
    async with open_deck(*(backlog(name, 5) for name in names), size=size, overview=True) as deck:
        assert deck.type_of_screen() == "OverviewScreen"
        answer(deck)
        effect = (Effect("loss", 40, -0.1, verdict="better", before=0.2, after=0.1),)
        await deck.news(
            State("serve", "crashed", pid=7, exit_code=1, reason="ended with exit code 1", time=NOW - 30),
            State("sweep-1", "finished", exit_code=0, time=NOW - 3),
            State("sweep-2", "paused", pid=8, reason="held at step 12,250", time=NOW - 620),
            Reload("anneal", 8, "invalid", "editor", error=Problem("expected ':'", 3, 7), time=NOW - 9),
            Reload("digits", 7, "applied", "editor", (messages.Change("lr", 0.08, 0.05),), 9, 4.0, effect=effect),
        )
        deck.app.clear_notifications()
        deck.app.overview.ask()
        await deck.until(lambda: deck.app.overview.table.listing.figures)
        snapshot(deck.app)


def words(deck: Deck) -> str:
    """What stands below the table."""
    return text_of(deck.app).partition("╰")[2]


def names(deck: Deck) -> list[str]:
    return deck.app.overview.table.listing.shown


async def test_a_deck_of_many_jobs_opens_in_it_until_it_was_left(open_deck: OpenDeck, kept: Path) -> None:
    many = [backlog(f"job-{n}", 5) for n in range(4)]
    async with open_deck(*many, overview=True) as deck:
        assert deck.type_of_screen() == "OverviewScreen"
        await deck.press("down", "enter")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen" and deck.view.ready)
        assert deck.app.main.current == "job-1"
        await deck.press("f9")
        assert deck.app.overview.table.listing.chosen == "job-1"
        await deck.press("up", "escape")
        assert (deck.type_of_screen(), deck.app.main.current) == ("MainScreen", "job-1")
    assert not preferences.load(kept).overview
    async with open_deck(*many[:3], overview=True) as deck:
        assert deck.type_of_screen() == "MainScreen"
    async with open_deck(*many, overview=True, focus_job="job-2") as deck:
        assert (deck.type_of_screen(), deck.app.main.current) == ("MainScreen", "job-2")


async def test_what_changes_is_drawn_and_nothing_else(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_deck(backlog("a", 0), backlog("b", 0), size=(120, 40)) as deck:
        await deck.press("f9")
        await deck.until(lambda: deck.type_of_screen() == "OverviewScreen" and "12,250" in text_of(deck.app))
        table, log = deck.app.overview.table, deck.view.log_view
        drawn: list[tuple[Region, ...]] = []
        unseen: list[object] = []
        refresh = table.refresh

        def noted(*regions: Region, **how: bool) -> Widget:
            drawn.append(regions)
            return refresh(*regions, **how)

        monkeypatch.setattr(table, "refresh", noted)
        monkeypatch.setattr(log, "refresh", lambda *_, **__: unseen.append(log))
        await deck.news(Metrics("b", 13_000, {"loss": 0.5}, time=NOW + 1), Lines("a", 0, "a line", 7, time=NOW))
        await deck.until(lambda: "13,000" in text_of(deck.app))
        rows = {name: Region(0, y, 118, 1) for y, name in enumerate(names(deck), 1)}
        assert (rows["b"],) in drawn
        assert {region for regions in drawn for region in regions} <= set(rows.values())
        assert all(drawn)
        assert not unseen


async def test_marked_jobs_are_stopped_after_one_question(open_deck: OpenDeck) -> None:
    async with open_deck(*(backlog(name, 0) for name in "abc")) as deck:
        await deck.press("f9", "space", "down", "space", "ctrl+t")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        assert "Stop 2 jobs?" in text_of(deck.app)
        assert "a, c" in text_of(deck.app)
        await deck.press("s")
        await deck.until(lambda: len(deck.engine.orders) >= 2)
        assert {c.job for c in deck.engine.orders if isinstance(c, Stop)} == {"a", "c"}
        await deck.press("escape")  # the marks go first
        assert not deck.app.overview.table.listing.marked
        assert deck.type_of_screen() == "OverviewScreen"


async def test_start_restart_and_pause_are_for_those_that_they_make_sense_for(open_deck: OpenDeck) -> None:
    async with open_deck(*(backlog(name, 0) for name in "abc")) as deck:

        def sent(kind: type[messages.JobCommand]) -> list[messages.JobCommand]:
            return [dataclasses.replace(c, id=0) for c in deck.engine.commands if isinstance(c, kind)]

        await deck.news(State("b", "crashed", exit_code=1), State("c", "paused", pid=1))
        await deck.press("f9", "a", "s")
        await deck.until(lambda: sent(Start))
        assert sent(Start) == [Start(0, "b")]
        await deck.press("f5")
        await deck.until(lambda: sent(Pause))
        assert sent(Pause) == [Pause(0, "a", paused=True)]
        await deck.news(State("a", "paused", pid=1))
        await deck.press("f5")
        await deck.until(lambda: len(sent(Pause)) == 3)
        assert sent(Pause)[1:] == [Pause(0, "a", paused=False), Pause(0, "c", paused=False)]
        await deck.press("ctrl+r")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("r")
        await deck.until(lambda: len(sent(Start)) == 4)
        assert {c.job for c in sent(Start)[1:]} == {"a", "b", "c"}


async def test_find_sort_and_the_words_below(open_deck: OpenDeck) -> None:
    async with open_deck(*(backlog(name, 0) for name in ("beta", "alpha", "gamma")), size=(80, 24)) as deck:
        answer(deck)
        await deck.press("f9")
        await deck.until(lambda: "312 MB" in words(deck))
        assert "beta" in words(deck)
        await deck.press("o")
        assert names(deck) == ["alpha", "beta", "gamma"]
        assert "by name" in text_of(deck.app)
        await deck.press("O")
        assert names(deck) == ["gamma", "beta", "alpha"]
        await deck.press("slash", *"alp")
        await deck.until(lambda: names(deck) == ["alpha"])
        await deck.until(lambda: "1 of 3 with alp" in text_of(deck.app) and "alpha" in words(deck))
        await deck.press("enter", "enter")
        assert (deck.type_of_screen(), deck.app.main.current) == ("MainScreen", "alpha")
        await deck.press("f9", "escape")
        assert (deck.type_of_screen(), names(deck)) == ("OverviewScreen", ["gamma", "beta", "alpha"])


async def test_the_palette_has_what_can_be_done_here(open_deck: OpenDeck) -> None:
    async with open_deck(*(backlog(name, 0) for name in "ab")) as deck:
        await deck.press("f9")
        titles = [command.title for command in deck.app.get_system_commands(deck.app.screen)]
        assert "Overview: Mark" in titles
        assert "Overview: Restart" in titles
        assert "Save" not in titles
        shown = next(c for c in deck.app.get_system_commands(deck.app.screen) if c.title == "Show b")
        shown.callback()
        await deck.until(lambda: deck.type_of_screen() == "MainScreen" and deck.app.main.current == "b")


async def test_each_job_keeps_its_places_and_its_text(open_deck: OpenDeck) -> None:
    async with open_deck(backlog("a", 200), backlog("b", 200)) as deck:
        await deck.until(lambda: deck.view.ready)
        a = deck.view
        await deck.press("x")
        a.log_view.focus()
        await deck.press("slash", *"batch", "enter", "home", "down")
        a.timeline.focus()
        await deck.press("down", "down")

        def places() -> object:
            editor = a.config.editor
            log = a.log_view
            return editor.text, editor.selection, log.scroll_offset, log.text.query, a.timeline.cursor, log.follow

        before = places()
        await deck.press("f9", "down", "enter")
        await deck.until(lambda: deck.app.main.current == "b" and deck.view.ready)
        await deck.news(Lines("a", 200, "more\nlines", 7, time=NOW))
        await deck.press("f9", "up", "enter")
        await deck.until(lambda: deck.app.main.current == "a")
        await deck.pilot.pause()
        assert places() == before
        assert a.config.dirty


async def test_the_end_of_the_engine_is_told_here_too(open_deck: OpenDeck) -> None:
    async with open_deck(backlog("a", 0), backlog("b", 0)) as deck:
        await deck.press("f9")
        deck.engine.close()
        await deck.until(lambda: "The engine is gone, unexpectedly." in text_of(deck.app))
        await deck.press("escape")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen" and "unexpectedly" in text_of(deck.app))


async def test_jobs_come_and_go_with_the_deck_file(open_deck: OpenDeck) -> None:
    async with open_deck(backlog("a", 0), backlog("b", 0), backlog("c", 0)) as deck:
        await deck.press("f9", "down", "space")
        await deck.until(lambda: deck.app.overview.table.listing.chosen == "c")
        deck.engine.send(Gone("b"), Gone("c"), *backlog("d", 0))
        await deck.until(lambda: names(deck) == ["a", "d"])
        await deck.until(lambda: "2 jobs · 2 running" in text_of(deck.app))
        listing = deck.app.overview.table.listing
        assert (listing.marked, listing.chosen) == (set(), "a")
        await deck.press("down", "enter")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen" and deck.app.main.current == "d")
