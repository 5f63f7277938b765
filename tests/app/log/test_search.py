from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from textual.events import Key

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, Deck
from tui.app.log.search import ERRORS, FilteredLines
from tui.app.model.log_buffer import LogBuffer
from tui.app.model.log_line import Line
from tui.app.model.query import Query, query
from tui.protocol.messages import Lines


def output(first: int, *lines: str) -> Lines:
    return Lines("digits", first, "\n".join(lines), 7, time=NOW)


def title(deck: Deck) -> str:
    return str(deck.view.log_view.border_title)


async def searching(deck: Deck, text: str, key: str = "slash") -> None:
    deck.view.log_view.focus()
    await deck.press(key)
    await deck.until(lambda: deck.view.log_pane.prompt.input.has_focus)
    await deck.press(*text)


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("loss", "Loss 0.1", True),
        ("Loss", "loss 0.1", False),
        ("a.c", "abc", False),
        ("[x]", "an [x] here", True),
        ("re:a.c", "ABC", True),
        (r"re:\Sb", "AB", True),
        ("re:A.c", "abc", False),
        ("red line", "\x1b[31mred\x1b[0m line", True),
    ],
)
def test_case_counts_with_a_capital_and_text_is_plain(text: str, line: str, found: bool) -> None:
    sought = query(text)
    assert sought is not None
    assert sought.finds(Line(line)) is found


def test_nothing_is_no_query_and_a_broken_one_is_told_in_words() -> None:
    assert query("") is None
    assert query("re:") is None
    with pytest.raises(ValueError, match=r"no regular expression: missing \), at character 3"):
        query("re:a(")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Traceback (most recent call last):", True),
        ("ZeroDivisionError: division by zero", True),
        ("2026-01-01 ERROR disk full", True),
        ("error: expected ';'", True),
        ("Exception: no such thing", True),
        ("json.decoder.JSONDecodeError: Expecting value", True),
        ("2026/01/01 12:00:00 [emerg] 7#7: bind() failed", True),
        ("main.c:3:5: error: expected ';'", True),
        ("E0101 12:00:00.1 7 server.cc:9] no", True),
        ("exceptional results", False),
        ("mean error 0.12", False),
        ("errors 0", False),
    ],
)
def test_errors(line: str, found: bool) -> None:
    assert ERRORS.finds(Line(line)) is found


def test_chosen_lines_follow_a_buffer_that_grows_and_is_pruned() -> None:
    buffer = LogBuffer(max_lines=2000)
    buffer.extend(0, [f"{'even' if n % 2 == 0 else 'odd'} {n}" for n in range(2000)])
    sought = query("even")
    assert sought is not None
    found = FilteredLines(sought.finds, buffer.end)
    while not found.complete(buffer):
        found.scan(buffer, 0.0001)
    assert found.numbers == list(range(0, 2000, 2))
    assert (found.beside(10, 1), found.beside(10, -1), found.beside(1998, 1), found.beside(0, -1)) == (12, 8, 0, 1998)
    assert (found.place(2), found.place(3), found.place(None)) == (2, None, None)
    buffer.extend(2000, [f"even {n}" for n in range(2000, 3001)])
    assert buffer.base > 0
    found.sync(buffer)
    assert found.complete(buffer)
    assert found.numbers[0] >= buffer.base
    assert found.numbers[-1] == 3000


async def test_search_marks_while_typing_and_goes_round(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(output(60, "Needle one", *["hay"] * 100, "needle two", *["hay"] * 100))
        await searching(deck, "needle")
        await deck.until(lambda: "2 of 2" in title(deck))
        assert "needle two" in text_of(deck.app)
        await deck.press("enter")
        assert not deck.view.log_pane.prompt.display
        assert deck.view.log_view.has_focus
        await deck.press("n")
        assert "1 of 2" in title(deck)
        assert "Needle one" in text_of(deck.app)
        await deck.press("N")
        assert "2 of 2" in title(deck)
        assert not deck.view.log_view.follow
        await deck.news(output(262, "needle three"))
        assert "2 of 3" in title(deck)
        await deck.press("escape")
        assert title(deck) == "log"


async def test_leaving_the_search_goes_back_to_the_end(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(output(60, "needle", *["hay"] * 100))
        await searching(deck, "needle")
        await deck.until(lambda: "1 of 1" in title(deck))
        await deck.press("escape")
        assert deck.view.log_view.follow
        await deck.until(lambda: "needle" not in text_of(deck.app))


async def test_broken_expression_is_told_beside_what_was_typed(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await searching(deck, "re:(x")
        await deck.until(lambda: "no regular expression: missing )" in text_of(deck.app))
        await deck.press("enter")
        assert deck.view.log_pane.prompt.has_focus_within, "it can still be mended"
        await deck.press("backspace", "backspace", *"nothing")
        await deck.until(lambda: "not found" in title(deck))


async def test_long_log_is_searched_without_holding_up_the_loop(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        buffer = deck.app.jobs["digits"].lines
        buffer.max_lines = 200_000
        buffer.extend(60, [f"line {n} with some more words behind it" for n in range(100_000)], None, NOW)
        await deck.news(output(100_060, "the end"))
        await searching(deck, "")
        titles: list[str] = []

        async def watch() -> None:
            while True:
                await asyncio.sleep(0)
                titles.append(title(deck))

        watcher = asyncio.create_task(watch())
        await deck.press("7")
        await deck.until(lambda: " of " in title(deck) and "…" not in title(deck))
        watcher.cancel()
        early = {said for said in titles if " of " in said and "…" in said}
        assert len(early) >= 10  # others had their turn after each slice, and saw what had been found by then


async def test_no_letter_overtakes_a_backspace(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await searching(deck, "ab")
        field = deck.view.log_pane.prompt.input
        for key, character in (("backspace", None), ("backspace", None), ("c", "c")):
            deck.app.post_message(Key(key, character))
        await deck.until(lambda: "c" in field.value)
        assert field.value == "c"


CATASTROPHES = [r"(a+)+$", r"(a|aa)+$", r"(a|a?)+$", r"^(\w+\s?)*$"]


@pytest.mark.parametrize("pattern", CATASTROPHES)
def test_expression_that_never_ends_is_given_up(pattern: str) -> None:
    told: list[Query] = []
    text = "a" * 5000 + "!"
    looks: list[Callable[[Query], object]] = [
        lambda sought: sought.finds(Line(text)),
        lambda sought: sought.matches(text),
    ]
    for look in looks:
        sought = query(f"re:{pattern}")
        assert sought is not None
        sought.given_up = partial(told.append, sought)
        assert sought.matches("xaa")
        assert told == []
        assert not look(sought)  # without a bound this would go on for years
        assert told == [sought]
        assert not sought.finds(Line("xaa"))
        told.clear()
