from __future__ import annotations

import pytest

from tests.app.conftest import OpenDeck, text_of
from tests.app.log.test_search import output, searching, title
from tui.app.log.search import line_filter
from tui.app.log.view import LogView
from tui.app.model.log_buffer import SLAB
from tui.app.model.log_line import Line
from tui.app.model.query import TOO_LONG


def rows(log: LogView) -> list[str]:
    drawn = ["".join(segment.text for segment in log.render_line(y)).rstrip() for y in range(log.size.height)]
    return [row for row in drawn if row]


@pytest.mark.parametrize(
    ("text", "shown"), [("a", [True, False]), ("!a", [False, True]), ("re:^b", [False, True]), ("!re:b", [True, False])]
)
def test_filter_keeps_or_hides(text: str, shown: list[bool]) -> None:
    chosen = line_filter(text)
    assert chosen is not None
    assert [chosen.shows(Line("a")), chosen.shows(Line("b"))] == shown
    assert chosen.shows(Line("", mark=3))


def test_no_filter() -> None:
    assert line_filter("") is line_filter("!") is None


async def test_filter_shows_what_passes_and_what_comes(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = deck.view.log_view
        await deck.news(output(60, *[f"{'keep' if n % 10 == 0 else 'hay'} {n}" for n in range(100)]))
        await searching(deck, "keep", "ampersand")
        await deck.until(lambda: "only keep" in title(deck) and rows(log)[-1] == "keep 90")
        await deck.press("enter")
        await deck.news(output(160, "hay 101", "keep 102"))
        assert rows(log)[-2:] == ["keep 90", "keep 102"]
        assert log.follow
        assert log.last_visible() == deck.app.jobs["digits"].lines.end - 1
        await deck.press("escape")
        assert title(deck) == "log"
        assert rows(log)[-2:] == ["hay 101", "keep 102"]


async def test_reader_stays_at_a_line_when_a_filter_comes_and_goes(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = deck.view.log_view
        await deck.news(output(60, *[f"{'keep' if n % 3 == 0 else 'hay'} {n}" for n in range(600)]))
        log.focus()
        await deck.press("pageup", "pageup")
        first = log.first_visible()
        await searching(deck, "!hay", "ampersand")
        await deck.until(lambda: "without hay" in title(deck) and not log.anchor_line)
        assert first <= log.first_visible() < first + 3
        before = rows(log)
        await deck.news(output(660, *["keep more"] * 50))
        assert rows(log) == before
        await deck.press("escape")
        assert first <= log.first_visible() < first + 3


async def test_freeze_and_pruning_under_a_filter(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = deck.view.log_view
        buffer = deck.app.jobs["digits"].lines
        buffer.max_lines = 1500
        await deck.news(output(60, *["keep", "hay"] * 700))
        await searching(deck, "keep", "ampersand")
        await deck.press("enter", "space")
        before = rows(log)
        await deck.news(output(1460, *[f"keep {n}" for n in range(SLAB + 100)]))
        assert rows(log) == before
        assert buffer.base > 0
        await deck.press("space")
        await deck.until(lambda: rows(log)[-1] == f"keep {SLAB + 99}")
        assert log.rows.at(0, buffer)[0] >= buffer.base


async def test_search_counts_what_is_shown(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(output(60, "needle a", "needle b", "needle a"))
        await searching(deck, "!b", "ampersand")
        await deck.press("enter")
        await searching(deck, "needle")
        await deck.until(lambda: "2 of 2" in title(deck))
        await deck.press("escape", "escape")
        assert title(deck) == "log"


async def test_filter_that_nothing_passes_says_so(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(output(60, "hay"))
        await searching(deck, "re:zz", "ampersand")
        await deck.until(lambda: "no line passes the filter" in text_of(deck.app))
        assert "──── v7" in text_of(deck.app)
        await deck.news(output(61, "a zz"))
        await deck.until(lambda: "a zz" in text_of(deck.app))
        assert "no line passes" not in text_of(deck.app)


@pytest.mark.parametrize("key", ["slash", "ampersand"])
async def test_search_that_never_ends_is_told_and_left(open_deck: OpenDeck, key: str) -> None:
    async with open_deck() as deck:
        await deck.news(output(60, "hay", "a" * 5000 + "!", "hay"))
        await searching(deck, "", key)
        await deck.paste("re:(a+)+$")
        await deck.until(lambda: TOO_LONG in text_of(deck.app).replace("\n", ""))
        assert title(deck) == "log"
        await deck.press("enter")
        await deck.until(lambda: deck.view.log_view.has_focus)
        assert rows(deck.view.log_view)[-1] == "hay"


async def test_filter_that_meets_its_catastrophe_later_is_left_with_a_word(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await searching(deck, "", "ampersand")
        await deck.paste("re:(a+)+$|loss")
        await deck.press("enter")
        await deck.until(lambda: "only" in title(deck))
        await deck.news(output(60, "a" * 5000 + "!", "the end"))
        await deck.until(lambda: any(TOO_LONG in toast for toast in deck.toasts))
        assert title(deck) == "log"
        assert rows(deck.view.log_view)[-1] == "the end"
