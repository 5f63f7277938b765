"""The sizes of the panes and the theme: changed by key and mouse, and kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import Deck, backlog
from tui.app.app import DeckApp
from tui.app.theme import DARK, LIGHT


def widths(deck: Deck) -> tuple[int, int]:
    return deck.view.log_view.outer_size.width, deck.view.config.outer_size.width


def heights(deck: Deck) -> tuple[int, int, int]:
    view = deck.view
    return view.log_view.outer_size.height, view.config.outer_size.height, view.timeline.outer_size.height


async def drag(deck: Deck, start: tuple[int, int], end: tuple[int, int]) -> None:
    await deck.pilot.mouse_down(offset=start)
    await deck.pilot.hover(offset=end)
    await deck.pilot.mouse_up(offset=end)


async def test_dividers_are_dragged_by_mouse_and_stay_so(open_deck: OpenDeck, kept: Path) -> None:
    async with open_deck() as deck:
        await deck.until(lambda: (widths(deck), heights(deck)) == ((63, 57), (28, 28, 10)))
        await drag(deck, (63, 10), (80, 12))
        await drag(deck, (30, 28), (30, 20))
        await deck.until(lambda: (widths(deck), heights(deck)) == ((80, 40), (20, 20, 18)))
        assert deck.view.config.editor.has_focus
        assert deck.app.screen.get_selected_text() is None
    async with open_deck() as deck:
        await deck.until(lambda: (widths(deck), heights(deck)) == ((80, 40), (20, 20, 18)))


async def test_divider_is_dragged_where_panes_stand_on_top_of_each_other(open_deck: OpenDeck) -> None:
    async with open_deck(size=(80, 24)) as deck:
        await deck.until(lambda: heights(deck) == (5, 11, 6))
        await drag(deck, (40, 6), (40, 9))
        await deck.until(lambda: heights(deck) == (8, 6, 8))
        await drag(deck, (40, 15), (40, 16))
        await deck.until(lambda: heights(deck) == (7, 8, 7))


async def test_click_on_a_frame_is_one_on_its_pane(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        for at, focused in (((62, 10), "log"), ((30, 29), "timeline"), ((63, 10), "editor")):
            await deck.pilot.click(offset=at)
            await deck.until(lambda focused=focused: deck.app.focused and deck.app.focused.id == focused)  # type: ignore[misc]
        await deck.until(lambda: (widths(deck), heights(deck)) == ((63, 57), (28, 28, 10)))


async def test_line_to_type_in_is_no_divider(open_deck: OpenDeck) -> None:
    async with open_deck(size=(80, 24)) as deck:
        deck.view.log_view.focus()
        await deck.press("slash", "x")
        line = deck.view.log_pane.prompt.region
        await drag(deck, (line.x + 5, line.y), (line.x + 5, line.y - 4))
        await deck.until(lambda: heights(deck)[1:] == (5, 6))
        assert deck.view.log_pane.prompt.input.has_focus


async def test_sizes_hold_for_every_job(open_deck: OpenDeck) -> None:
    async with open_deck(backlog(), backlog("anneal")) as deck:
        await deck.press("f4", "f4")
        await deck.until(lambda: deck.app.main.current == "digits" and deck.view.config.editor.has_focus)
        await deck.press("alt+right")
        await deck.until(lambda: widths(deck) == (69, 51))
        await deck.press("f4")
        await deck.until(lambda: deck.app.main.current == "anneal" and deck.view.config.editor.has_focus)
        await deck.until(lambda: widths(deck) == (69, 51))


async def test_enlarged_pane_follows_the_focus_and_shrinks_at_escape(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("f10")
        await deck.until(lambda: "esc All panes" in text_of(deck.app))
        assert "─ log ─" not in text_of(deck.app)
        await deck.press("f6", "f6")
        await deck.until(lambda: "─ log ─" in text_of(deck.app) and "digits.yaml" not in text_of(deck.app))
        assert deck.view.log_view.outer_size == (120, 38)
        await deck.press("slash", "x", "escape")
        assert deck.view.whole
        await deck.press("escape")
        await deck.until(lambda: (widths(deck), heights(deck)) == ((63, 57), (28, 28, 10)))
        await deck.until(lambda: "esc All panes" not in text_of(deck.app))


async def test_enlarged_editor_shrinks_at_escape(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("alt+m", "escape")
        assert not deck.view.whole
        assert deck.view.config.editor.has_focus


async def test_timeline_is_reached_on_a_short_screen_too(open_deck: OpenDeck) -> None:
    async with open_deck(size=(80, 14)) as deck:
        assert "─ timeline" not in text_of(deck.app)
        await deck.press("f6")
        await deck.until(lambda: "─ timeline" in text_of(deck.app))
        assert deck.view.timeline.has_focus


async def test_focus_comes_back_when_the_terminal_has_been_too_small(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("f6", "f6")
        await deck.pilot.resize_terminal(20, 5)
        await deck.until(lambda: "too small" in text_of(deck.app).replace("\n", " "))
        await deck.pilot.resize_terminal(120, 40)
        await deck.until(lambda: deck.view.log_view.has_focus)


async def test_focus_can_be_seen_without_colours(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_deck() as deck:
        for sign in ("┏━ digits.yaml", "┏━ timeline", "┏━ log"):
            await deck.until(lambda sign=sign: sign in text_of(deck.app))  # type: ignore[misc]
            assert text_of(deck.app).count("┏") == 1
            await deck.press("f6")


async def test_theme_is_chosen_in_the_palette_and_kept(open_deck: OpenDeck, kept: Path) -> None:
    async with open_deck() as deck:
        assert deck.app.theme == "tunedeck"
        assert (
            deck.view.log_view.background_colors[1].hex == (DARK.background or "").upper()
        )  # what is drawn, not what is set
        await deck.press("ctrl+p", *"theme", "enter")
        await deck.until(lambda: "tunedeck-light" in text_of(deck.app))
        await deck.press(*"tunedeck-light")
        await deck.press("enter")
        await deck.until(lambda: deck.app.theme == LIGHT.name)
    assert json.loads(kept.read_text())["theme"] == LIGHT.name
    async with open_deck() as deck:
        assert deck.app.theme == LIGHT.name
        assert not deck.app.current_theme.dark
        assert deck.view.log_view.background_colors[1].hex == (LIGHT.background or "").upper()


async def test_wrap_is_kept_for_all_jobs(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.view.log_view.focus()
        await deck.press("w")
    async with open_deck(backlog("anneal")) as deck:
        assert deck.view.log_view.wrap
        await deck.until(lambda: deck.view.log_view.rows.wrap)


async def test_unknown_theme_is_the_decks_own(open_deck: OpenDeck, kept: Path) -> None:
    kept.parent.mkdir(parents=True)
    kept.write_text('{"theme": "of-another-version"}')
    async with open_deck() as deck:
        assert deck.app.theme == "tunedeck"
        assert not deck.toasts


async def test_broken_file_of_choices_is_told(open_deck: OpenDeck, kept: Path) -> None:
    kept.parent.mkdir(parents=True)
    kept.write_text("{")
    async with open_deck() as deck:
        await deck.until(lambda: deck.toasts)
        assert deck.toasts[0].startswith(f"Choices not read: {kept}: ")
        assert "What you chose before is not known" in deck.toasts[0]


async def test_choice_that_cannot_be_kept_is_told_once_and_holds(open_deck: OpenDeck, kept: Path) -> None:
    kept.parent.parent.mkdir(parents=True)
    kept.parent.write_text("a file where the folder would be")
    async with open_deck() as deck:
        deck.app.clear_notifications()
        await deck.press("alt+right", "alt+right")
        await deck.until(lambda: widths(deck) == (75, 45))
        assert len(deck.toasts) == 1
        assert deck.toasts[0].startswith(f"Choice not kept: {kept}: ")


async def test_viewer_without_a_home_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    assert DeckApp(tmp_path / "s").theme == "tunedeck"
