from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest
from textual.geometry import Offset
from textual.selection import Selection

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, Deck, backlog
from tests.app.insides import driver_of
from tui.app.log.view import LogView
from tui.app.model.log_buffer import SLAB, LogBuffer
from tui.protocol.messages import Begun, JobInfo, Lines, Resize


def output(first: int, count: int) -> Lines:
    return Lines("digits", first, "\n".join(f"row {n}" for n in range(first, first + count)), 7, time=NOW)


def first_visible(log: LogView) -> str:
    return "".join(segment.text for segment in log.render_line(0)).rstrip()


async def focused(deck: Deck) -> LogView:
    log = deck.view.log_view
    log.focus()
    await deck.until(lambda: log.has_focus)
    return log


async def test_log_follows_its_end(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(output(60, 500))
        assert "row 559" in text_of(deck.app)


async def test_reader_is_not_moved_by_what_comes(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = await focused(deck)
        await deck.news(output(60, 100))
        await deck.press("pageup", "up")
        before = first_visible(log)
        assert before.startswith("row ")
        await deck.news(output(160, 500))
        assert first_visible(log) == before
        assert not log.follow
        assert "below" in str(log.border_subtitle)
        await deck.press("f")
        await deck.until(lambda: "row 659" in text_of(deck.app))


async def test_reader_who_has_begun_to_move_is_not_called_back(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = await focused(deck)
        await deck.news(output(60, 100))
        deck.app.animation_level = "full"
        log.action_page_up()
        for first in range(160, 165):
            deck.app.jobs["digits"].lines.extend(first, [f"row {first}"], 7, NOW)
            log.sync()
        await deck.until(lambda: not log.follow)
        assert log.scroll_offset.y < log.max_scroll_y


async def test_reader_is_not_moved_by_pruning(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = await focused(deck)
        buffer = deck.app.jobs["digits"].lines
        buffer.max_lines = 1500
        await deck.news(output(60, 1400))
        await deck.press("pageup", "pageup")
        before = first_visible(log)
        await deck.news(output(1460, SLAB + 100))
        assert buffer.base > 0
        assert first_visible(log) == before


async def test_following_starts_again_at_the_end(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = await focused(deck)
        await deck.press("up", "up")
        assert not log.follow
        await deck.press("down", "down")
        assert log.follow


async def test_frozen_view_stands_still_and_loses_nothing(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await focused(deck)
        await deck.press("space")
        before = text_of(deck.app).splitlines()[2:20]
        await deck.news(output(60, 7))
        assert text_of(deck.app).splitlines()[2:20] == before
        assert "frozen, 7 more" in text_of(deck.app)
        await deck.press("space")
        await deck.until(lambda: "row 66" in text_of(deck.app))


async def test_dropped_lines_are_counted(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(output(1060, 1))
        assert "1,000 lines were dropped here" in text_of(deck.app)


async def test_selection_is_copied_by_line_number(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = await focused(deck)
        await deck.news(Lines("digits", 60, "one \x1b[31mred\x1b[0m line\n日本 two", 7, time=NOW))
        end = deck.app.jobs["digits"].lines.end
        chosen = Selection(Offset(4, end - 2), Offset(2, end - 1))
        assert log.get_selection(chosen) == ("red line\n日本", "\n")
        assert log.get_selection(Selection(Offset(0, -5), Offset(3, 10_000))) is not None


async def test_selection_by_mouse(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = await focused(deck)
        await deck.pilot.mouse_down(log, offset=(2, 5))
        await deck.pilot.hover(log, offset=(12, 5))
        await deck.pilot.mouse_up(log, offset=(12, 5))
        assert (deck.app.screen.get_selected_text() or "").startswith("epoch")


async def test_selection_is_copied_without_the_frame(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_deck() as deck:
        log = await focused(deck)
        await deck.news(output(60, 100))
        written: list[str] = []
        monkeypatch.setattr(driver_of(deck.app), "write", written.append)
        for key in ("ctrl+c", "y"):
            written.clear()
            await deck.pilot.mouse_down(log, offset=(6, 5))
            await deck.pilot.hover(log, offset=(log.size.width, 7))
            await deck.pilot.mouse_up(log, offset=(8, 7))
            await deck.press(key)
            first = log.first_visible() + 4
            numbers = [log.shown[number].text.removeprefix("row ") for number in range(first, first + 3)]
            expected = "\n".join([numbers[0], f"row {numbers[1]}", f"row {numbers[2]}"])
            assert deck.app.clipboard.startswith(expected[:-3])
            assert "│" not in deck.app.clipboard
            assert f"\x1b]52;c;{b64encode(deck.app.clipboard.encode()).decode()}\a" in written
        assert "Log: 3 lines copied" in deck.toasts


async def test_lines_in_view_are_copied_where_nothing_is_selected(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = await focused(deck)
        await deck.news(output(60, 100), Begun("digits", "outer\nhalf", time=NOW))
        await deck.press("y")
        copied = deck.app.clipboard.split("\n")
        assert copied == [f"row {n}" for n in range(162 - log.room.height, 160)] + ["outer", "half"]
        assert f"Log: {len(copied)} lines copied" in deck.toasts
        await deck.press("g", "y")
        assert deck.app.clipboard.startswith("epoch   1")
        assert "half" not in deck.app.clipboard
        await deck.news(Begun("digits", "", time=NOW))
        await deck.press("ctrl+l", "y")
        await deck.until(lambda: "Log: There is nothing to copy." in deck.toasts)


async def test_empty_log_says_so(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.view.log_view.shown = LogBuffer()
        deck.view.log_view.sync()
        await deck.until(lambda: "no output yet" in text_of(deck.app))


async def test_log_goes_to_a_version_and_says_which_one_it_shows(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = deck.view.log_view
        newer = "\n".join(f"row {n}" for n in range(60, 260))
        await deck.news(Lines("digits", 60, newer, 8, time=NOW))
        assert log.version_in_view() == 8
        assert not log.go_to_version(3)
        assert log.go_to_version(7)
        assert not log.follow
        await deck.until(lambda: "──── v7" in text_of(deck.app))
        assert log.version_in_view() == 7
        await deck.news(output(260, 100))
        assert log.version_in_view() == 7
        log.focus()
        await deck.press("f")
        await deck.until(lambda: log.version_in_view() == 8)
        await deck.press("g")
        await deck.until(lambda: log.version_in_view() == 4)


@pytest.mark.parametrize("tty", [False, True])
async def test_terminal_of_the_job_is_as_large_as_its_log(open_deck: OpenDeck, tty: bool) -> None:
    info, *rest = backlog()
    assert isinstance(info, JobInfo)
    async with open_deck([replace(info, tty=tty), *rest], size=(120, 40)) as deck:

        def told() -> list[Resize]:
            deck.app.main.tick(NOW)
            return [command for command in deck.engine.commands if isinstance(command, Resize)]

        if not tty:
            assert not told()
            return
        await deck.until(told)
        before, room = told()[-1], deck.view.log_view.room
        assert (before.rows, before.columns) == (room.height, room.width - deck.view.log_view.text.margin)
        await deck.pilot.resize_terminal(100, 30)
        await deck.until(lambda: told()[-1].rows < before.rows and told()[-1].columns < before.columns)
