"""The timeline: pages of older rows, the filter, notes and tags."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.widgets import Input

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, Deck, backlog
from tui.app.model.reload_list import ALWAYS, MOST_ROWS, ReloadList
from tui.protocol import messages
from tui.protocol.messages import Change, Problem, Reload

MANY = 100_000


def a_row(version: int) -> Reload:
    return Reload("digits", version, "applied", "disk", (Change("lr", version - 1, version),), run=1, time=NOW)


def long_ago(newest: int = MANY) -> list[messages.Event]:
    """Return what an engine tells of a long history: the newest rows."""
    first = [event for event in backlog() if not isinstance(event, Reload)]
    return [*first, *map(a_row, range(newest - 199, newest + 1))]


def pages(deck: Deck) -> list[messages.Page]:
    return [command for command in deck.engine.commands if isinstance(command, messages.Page)]


async def test_older_rows_come_when_they_are_looked_at(open_deck: OpenDeck) -> None:
    async with open_deck(long_ago()) as deck:
        deck.engine.history = {version: a_row(version) for version in range(1, MANY + 1)}
        timeline = deck.view.timeline
        timeline.focus()
        await deck.pilot.pause()
        assert not pages(deck)
        assert "100,000 reloads" in text_of(deck.app)
        await deck.press("end")
        assert timeline.cursor == 1
        await deck.until(lambda: "lr 0 → 1 " in text_of(deck.app))
        # What lies between was not asked for.
        assert len(pages(deck)) == 1
        await deck.press("home")
        assert timeline.cursor == MANY
        timeline.scroll_to(y=50_000, animate=False)
        await deck.until(lambda: "lr 49998 → 49999" in text_of(deck.app))


async def test_rows_that_are_not_here_yet_have_their_place(open_deck: OpenDeck) -> None:
    async with open_deck(long_ago()) as deck:
        timeline = deck.view.timeline
        timeline.focus()
        deck.engine.answer(messages.Page, False, "the history can't be read: disk I/O error", "unwritable")
        await deck.press("end")
        await deck.until(lambda: "the history can't be read: disk I/O error" in text_of(deck.app))
        assert " v1  …" in text_of(deck.app)
        # It is asked again when the reader moves on, and only then.
        assert len(pages(deck)) == 1
        del deck.engine.answers[messages.Page]
        deck.engine.answers[messages.Page] = deck.engine.page
        deck.engine.history = {version: a_row(version) for version in range(1, MANY)}
        await deck.press("pageup", "pageup", "end")
        await deck.until(lambda: "can't be read" not in text_of(deck.app) and "lr 0 → 1 " in text_of(deck.app))


async def test_history_that_begins_late_or_has_holes(open_deck: OpenDeck) -> None:
    async with open_deck(long_ago(1000)) as deck:
        deck.engine.history = {version: a_row(version) for version in range(600, 1001) if version != 603}
        timeline = deck.view.timeline
        timeline.focus()
        await deck.press("end")
        await deck.until(lambda: "401 reloads" in text_of(deck.app))
        await deck.press("end")
        await deck.until(lambda: "v603  not in the" in text_of(deck.app))
        assert timeline.cursor == 600


def test_rows_far_from_the_reader_are_forgotten_and_the_newest_kept() -> None:
    timeline = ReloadList()
    for version in range(1, MOST_ROWS + 2):
        timeline.put(a_row(version))
    timeline.forget(kept=1)
    kept = [version for version in timeline.versions if timeline.get(version) is not None]
    assert len(kept) < MOST_ROWS
    assert 1 in kept
    assert set(range(MOST_ROWS + 2 - ALWAYS, MOST_ROWS + 2)) <= set(kept)
    assert timeline.missing([1, 1700, MOST_ROWS]) == [] or timeline.missing([1700]) == [1700]


def answer_find(deck: Deck, fits: Callable[[int, str], bool], piece: int = 40_000) -> None:
    """Answer as an engine does that searches some versions at a time."""

    def find(command: messages.Command) -> messages.Reply:
        assert isinstance(command, messages.Find)
        if command.words == "run:x":
            return messages.Reply(command.id, False, "'x' is no run: write a number such as run:3", "refused")
        first = max(command.first, command.last - piece + 1)
        found = [version for version in range(command.last, first - 1, -1) if fits(version, command.words)]
        return messages.Reply(command.id, True, data={"first": first, "versions": found})

    deck.engine.answers[messages.Find] = find


async def test_filter_shows_what_fits_and_counts_it(open_deck: OpenDeck) -> None:
    async with open_deck(long_ago()) as deck:
        deck.engine.history = {version: a_row(version) for version in range(1, MANY + 1)}
        answer_find(deck, lambda version, words: version % 10_000 == 0 if words == "lr" else version == MANY)
        deck.view.timeline.focus()
        await deck.press("slash", "l", "r")
        await deck.until(lambda: "timeline · 10 of 100,000 · lr" in text_of(deck.app))
        await deck.until(lambda: "lr 89999 → 90000" in text_of(deck.app))
        await deck.press("enter", "end")
        assert deck.view.timeline.cursor == 10_000
        await deck.press("r")
        await deck.until(lambda: any(isinstance(command, messages.Rollback) for command in deck.engine.commands))
        await deck.press("escape")
        assert "100,000 reloads" in text_of(deck.app)
        assert "timeline ─" in text_of(deck.app)
        assert deck.view.timeline.cursor == 10_000


async def test_filter_takes_in_what_changes_meanwhile(open_deck: OpenDeck) -> None:
    fitting = {99_990}
    async with open_deck(long_ago()) as deck:
        answer_find(deck, lambda version, words: version in fitting)
        deck.view.timeline.focus()
        await deck.press("slash", *"sent", "enter")
        await deck.until(lambda: "1 of 100,000 · sent" in text_of(deck.app))
        fitting.add(MANY + 1)
        await deck.news(a_row(MANY + 1))
        await deck.until(lambda: "2 of 100,001 · sent" in text_of(deck.app))
        fitting.remove(99_990)
        await deck.news(messages.Noted("digits", 99_990, "no", ""))
        await deck.until(lambda: "1 of 100,001 · sent" in text_of(deck.app))


async def test_words_that_cannot_be_understood_are_told_where_they_are_typed(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        answer_find(deck, lambda version, words: False)
        deck.view.timeline.focus()
        await deck.press("slash", *"run:x")
        await deck.until(lambda: "'x' is no run" in text_of(deck.app))
        await deck.press("backspace", "2")
        await deck.until(lambda: "no reload fits" in text_of(deck.app))
        assert "is no run" not in text_of(deck.app)
        await deck.press("escape")
        assert "v7  ● applied" in text_of(deck.app)


async def test_note_and_tag_go_to_the_engine_and_stand_in_the_row(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.view.timeline.focus()
        await deck.press("down", "e", *"too fast", "enter")
        await deck.until(lambda: deck.app.focused is deck.view.timeline)
        await deck.press("t", *"bad", "enter")
        await deck.until(lambda: deck.app.focused is deck.view.timeline)
        sent = [command for command in deck.engine.commands if isinstance(command, (messages.Note, messages.Tag))]
        assert [(c.KIND, c.version, getattr(c, c.KIND)) for c in sent] == [("note", 6, "too fast"), ("tag", 6, "bad")]
        await deck.news(messages.Noted("digits", 6, "too fast", "bad"))
        assert "#bad lr must be > 0 · too fast" in text_of(deck.app)
        await deck.press("e")
        await deck.until(lambda: deck.view.timeline_pane.prompt.input.value == "too fast")
        await deck.press("escape")
        assert deck.app.focused is deck.view.timeline


async def test_refused_note_stays_to_be_corrected(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(messages.Tag, False, "a tag is one word: put the rest into the note", "refused")
        deck.view.timeline.focus()
        await deck.press("t", *"a b", "enter")
        await deck.until(lambda: "a tag is one word" in text_of(deck.app))
        assert deck.view.timeline_pane.prompt.input.value == "a b"


def two_runs() -> list[messages.Event]:
    return [
        *(event for event in backlog() if not isinstance(event, Reload)),
        Reload("digits", 1, "applied", "start", step=0, latency_ms=41.0, run=1, time=NOW - 90_000),
        Reload("digits", 2, "applied", "editor", (Change("lr", 0.1, 0.08),), 1204, 4.2, run=1, time=NOW - 500),
        Reload("digits", 3, "applied", "start", (Change("lr", 0.08, 0.05),), 0, 40.0, run=2, tag="fresh", time=NOW),
        Reload("digits", 4, "invalid", "disk", error=Problem("expected ':'", 3, 7), run=2, note="a slip", time=NOW),
        Reload("digits", 5, "sent", "disk", (Change("batch", 64, 128),), run=2, time=NOW - 75),
    ]


@pytest.mark.parametrize("size", ["80x24", "120x40", "200x60"])
async def test_runs(open_deck: OpenDeck, snapshot: Callable[[App[Any]], None], size: str) -> None:
    width, height = map(int, size.split("x"))
    async with open_deck(two_runs(), size=(width, height)) as deck:
        deck.view.timeline.focus()
        await deck.until(lambda: "v1 " in text_of(deck.app))
        await deck.press("slash")
        # The question, and the keys that are left while it is asked, come one after the other.
        await deck.until(lambda: "text, or key:lr" in text_of(deck.app) and "Rollback" not in text_of(deck.app))
        snapshot(deck.app)


async def test_what_is_shown_is_saved_in_the_format_that_its_name_says(open_deck: OpenDeck, tmp_path: Path) -> None:
    async with open_deck(long_ago()) as deck:
        deck.engine.history = {version: a_row(version) for version in range(1, MANY + 1)}
        answer_find(deck, lambda version, words: version in (7, 150, 99_999))
        deck.view.timeline.focus()
        await deck.press("slash", *"lr", "enter")
        await deck.until(lambda: "3 of 100,000" in text_of(deck.app))
        for name, begin in (("a.csv", "version,status"), ("a.md", "| version |"), ("a.txt", '{"event": "reload"')):
            await deck.press("s")
            await deck.until(lambda: deck.type_of_screen() == "PathDialog")
            deck.app.screen.query_one(Input).value = str(tmp_path / name)
            await deck.press("enter")
            await deck.until((tmp_path / name).exists)
            await deck.until(lambda: deck.type_of_screen() == "MainScreen")
            text = (tmp_path / name).read_text()
            assert text.startswith(begin)
            assert [text.find(f"{version - 1} → {version}") > 0 for version in (7, 150, 99_999)] == [
                name != "a.txt"
            ] * 3
        assert any(toast.startswith("Timeline saved: 3 lines in") for toast in deck.toasts)
        deck.engine.answer(messages.Page, False, "the history can't be read: disk I/O error", "unwritable")
        await deck.press("s", "enter")
        await deck.until(lambda: "Not saved: the history can't be read: disk I/O error" in deck.toasts)
