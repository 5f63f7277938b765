from __future__ import annotations

import pytest
from textual.widgets.text_area import Selection

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import TEXT, Deck
from tui.app.editor.editor import toggled
from tui.app.editor.find_bar import FindBar, hits
from tui.app.model.query import query


async def finding(deck: Deck, text: str) -> FindBar:
    bar = deck.view.config.query_one(FindBar)
    await deck.press("ctrl+f")
    await deck.until(lambda: bar.prompt.input.has_focus)
    await deck.press(*text)
    return bar


def test_hits_are_places_in_lines() -> None:
    sought = query("re:a*")
    assert sought is not None
    assert [(hit.row, hit.start, hit.end) for hit in hits("aa b\nba", sought)] == [(0, 0, 2), (1, 1, 2)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a: 1", "  b: 2"], ["# a: 1", "#   b: 2"]),
        (["  a: 1", "", "    b: 2"], ["  # a: 1", "", "  #   b: 2"]),
        (["# a: 1", "#b: 2", ""], ["a: 1", "b: 2", ""]),
        (["# a", "b"], ["# # a", "# b"]),
        ([""], [""]),
    ],
)
def test_comments(lines: list[str], expected: list[str]) -> None:
    assert toggled(lines) == expected


async def test_find_leads_to_each_place_in_turn(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        editor = deck.view.config.editor
        await finding(deck, "digits")
        await deck.until(lambda: "1 of 2" in text_of(deck.app))
        assert editor.selection == Selection((0, 10), (0, 16))
        await deck.press("enter")
        await deck.until(lambda: editor.selection.start[0] == 8)
        await deck.press("down")
        await deck.until(lambda: editor.selection.start[0] == 0)
        await deck.press("up")
        await deck.until(lambda: editor.selection.start[0] == 8)
        assert "2 of 2" in text_of(deck.app)
        await deck.press("escape")
        await deck.until(lambda: editor.has_focus)
        assert editor.text == TEXT
        assert editor.sought is None


async def test_find_says_what_is_wrong(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await finding(deck, "nowhere")
        await deck.until(lambda: "not found" in text_of(deck.app))
        await deck.press("ctrl+u", *"re:[")
        await deck.until(lambda: "no regular" in text_of(deck.app))


async def test_what_is_selected_is_found(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.view.config.editor.selection = Selection((5, 2), (5, 7))
        bar = await finding(deck, "")
        await deck.until(lambda: "1 of 1" in text_of(deck.app))
        assert bar.prompt.input.value == "shift"


async def test_one_is_replaced_after_the_other_and_undone(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        editor = deck.view.config.editor
        await finding(deck, "digits")
        await deck.press("tab", *"letters", "enter")
        await deck.until(lambda: "letters classifier" in editor.text)
        assert '"digits"' in editor.text
        await deck.press("enter")
        await deck.until(lambda: '"letters"' in editor.text)
        assert deck.view.config.dirty
        await deck.press("escape", "ctrl+z")
        await deck.until(lambda: '"digits"' in editor.text)
        await deck.press("ctrl+z")
        await deck.until(lambda: editor.text == TEXT)


async def test_all_are_replaced_at_once_with_groups(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        editor = deck.view.config.editor
        await finding(deck, r"re:(\d)\.(\d)")
        await deck.press("tab", *r"\2.\1", "ctrl+l")
        await deck.until(lambda: "replaced" in text_of(deck.app))
        assert "momentum: 9.0" in editor.text
        assert "lr: 0.05" in editor.text
        assert "noise: 1.0" in editor.text
        await deck.press("ctrl+u", *r"\7", "ctrl+l")
        await deck.until(lambda: "no replacement" in text_of(deck.app))
        await deck.press("escape", "ctrl+z")
        await deck.until(lambda: editor.text == TEXT)


@pytest.mark.parametrize("key", ["ctrl+underscore", "ctrl+slash"])
async def test_lines_become_comments_and_back(open_deck: OpenDeck, key: str) -> None:
    async with open_deck() as deck:
        editor = deck.view.config.editor
        editor.selection = Selection((4, 3), (6, 0))
        await deck.press(key)
        await deck.until(lambda: "# augment:\n#   shift: true\n  noise" in editor.text)
        await deck.press(key)
        await deck.until(lambda: editor.text == TEXT)
        await deck.press("ctrl+z")
        await deck.until(lambda: "# augment:" in editor.text)
