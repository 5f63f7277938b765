from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW
from tests.app.log.test_filter import rows
from tests.app.log.test_search import output, searching
from tui.app.log.row_map import RowMap, cuts
from tui.app.model.log_buffer import LogBuffer
from tui.app.textual_ext import key_queue
from tui.protocol.messages import Lines


@pytest.mark.parametrize("text", ["", "abc", "abcdefgh", "日本語日本語", "a日b本c語", "e\u0301e\u0301e\u0301e\u0301e"])
def test_wrapped_rows_fit_and_lose_nothing(text: str) -> None:
    starts = [*cuts(text, 3), len(text)]
    pieces = [text[a:b] for a, b in pairwise(starts)]
    assert "".join(pieces) == text
    assert all(cell_len(piece) <= 3 for piece in pieces)


def test_rows_of_wrapped_lines_stay_exact_while_lines_come_and_go() -> None:
    buffer = LogBuffer(max_lines=2000)
    buffer.extend(0, ["x" * (n % 25) for n in range(2000)])
    placed = RowMap(0)
    placed.choose(buffer, None, 10)
    while not placed.complete(buffer):
        placed.scan(buffer)
    for _ in range(3):
        expected = [(n, part) for n in range(buffer.base, buffer.end) for part in range(len(cuts(buffer[n].text, 10)))]
        assert placed.height(buffer) == len(expected)
        assert [placed.at(row, buffer) for row in range(len(expected))] == expected
        assert placed.row(buffer.base + 7, buffer) == expected.index((buffer.base + 7, 0))
        assert placed.at(len(expected), buffer) == (buffer.end, 0)
        before = placed.row(buffer.end - 1, buffer)
        buffer.extend(buffer.end, ["y" * 30] * 800)
        gone = placed.sync(buffer)
        assert placed.row(buffer.end - 801, buffer) == before - gone


def test_rows_are_exact_while_old_lines_are_still_measured() -> None:
    buffer = LogBuffer()
    buffer.extend(0, ["語" * (n % 25) for n in range(20_000)])
    placed = RowMap(0)
    placed.choose(buffer, None, 10)
    slices = 0
    while not placed.complete(buffer):
        placed.scan(buffer)
        slices += 1
        buffer.extend(buffer.end, ["x" * 25])
        placed.sync(buffer)
        first = placed.at(0, buffer)[0]
        assert placed.row(first, buffer) == placed.row(first - 1, buffer) == 0
        assert placed.at(placed.height(buffer) - 1, buffer) == (buffer.end - 1, 2)
        assert placed.row(buffer.end - 1, buffer) == placed.height(buffer) - 3
    assert slices > 1
    assert placed.height(buffer) == sum(len(cuts(line.text, 10)) for line in buffer.part(0, buffer.end))


async def test_long_lines_are_wrapped_on_a_key(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = deck.view.log_view
        words = " ".join(f"word{n}" for n in range(40))
        await deck.news(output(60, words, *["short"] * 5))
        assert "word39" not in text_of(deck.app)
        log.focus()
        await deck.press("w")
        await deck.until(lambda: rows(log)[-1] == "short")
        assert "".join(rows(log)[-11:-5]).replace(" ", "").endswith("word37word38word39")
        assert log.max_scroll_x == 0
        await deck.news(output(66, words))
        assert "word39" in text_of(deck.app).replace("\n", "")
        await deck.pilot.resize_terminal(80, 24)
        await deck.until(lambda: log.rows.wrap == log.room.width)
        assert all(cell_len(row) <= log.room.width for row in rows(log))
        await deck.press("w")
        await deck.until(lambda: log.max_scroll_x > 0)


async def test_scrollbar_hides_nothing_of_a_wrapped_line(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = deck.view.log_view
        numbers = "".join(f"{n:03}." for n in range(100))
        await deck.news(output(60, *["short"] * 100, numbers))
        log.focus()
        await deck.press("w")
        assert log.show_vertical_scrollbar
        inner = log.content_region
        rows_shown = [
            line[inner.x : inner.right - 1] for line in text_of(deck.app).splitlines()[inner.y : inner.bottom]
        ]
        assert "".join(rows_shown).replace(" ", "").endswith("short" + numbers)


async def test_reader_stays_while_lines_are_wrapped(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = deck.view.log_view
        await deck.news(output(60, *[f"row {n} " + "x" * 100 for n in range(300)]))
        log.focus()
        await deck.press("pageup", "pageup")
        top = log.first_visible()
        await deck.press("w")
        await deck.until(lambda: log.anchor_line is None)
        assert log.first_visible() == top
        await deck.news(output(360, *["more " * 40] * 50))
        assert log.first_visible() == top


async def test_times(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = deck.view.log_view
        await deck.news(Lines("digits", 60, "a line", 7, time=NOW - 192))
        log.focus()
        await deck.press("t")
        assert rows(log)[-1] == "14:10:08 a line"
        await deck.press("t")
        assert rows(log)[-1] == " 3m 12s a line"
        log.tick(NOW + 10)
        assert rows(log)[-1] == " 3m 22s a line"
        await deck.press("t")
        assert rows(log)[-1] == "a line"


async def test_errors_are_gone_to_in_turn(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = deck.view.log_view
        log.focus()
        await deck.press("e")
        await deck.until(lambda: any("No line here" in toast for toast in deck.toasts))
        trace = ["Traceback (most recent call last):", *["hay"] * 60, "ValueError: no", *["hay"] * 60]
        await deck.news(output(60, *trace))
        await deck.press("E")
        await deck.until(lambda: "ValueError: no" in text_of(deck.app))
        await deck.press("E")
        await deck.until(lambda: "Traceback" in text_of(deck.app))
        await deck.press("e")
        await deck.until(lambda: "ValueError: no" in text_of(deck.app))
        assert not log.follow


async def test_view_can_be_emptied(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = deck.view.log_view
        log.focus()
        await deck.press("up", "ctrl+l")
        await deck.until(lambda: rows(log) == ["no output yet"])
        await deck.news(output(60, "new"))
        assert rows(log) == ["new"]
        assert log.follow


async def test_log_is_saved_and_nothing_overwritten_unasked(
    open_deck: OpenDeck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_queue, "DEAF", 0.0)  # a hand is not as quick as this test
    target = tmp_path / "out.log"
    async with open_deck() as deck:
        await deck.news(output(60, "\x1b[31mneedle\x1b[0m one", "needle two"))
        await searching(deck, "needle", "ampersand")
        await deck.press("enter")

        async def save(*answer: str) -> None:
            await deck.press("s")
            await deck.until(lambda: deck.type_of_screen() == "PathDialog")
            await deck.press("ctrl+u")
            await deck.paste(str(target))
            await deck.press("enter", *answer)
            await deck.until(lambda: deck.type_of_screen() == "MainScreen")

        await save()
        await deck.until(lambda: "2 lines in" in str(deck.toasts))
        assert target.read_text() == "needle one\nneedle two\n"
        target.write_text("mine")
        await deck.press("s")
        await deck.until(lambda: deck.type_of_screen() == "PathDialog")
        await deck.press("ctrl+u")
        await deck.paste(str(target))
        await deck.press("enter")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("enter")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        assert target.read_text() == "mine"
        await deck.press("s")
        await deck.until(lambda: deck.type_of_screen() == "PathDialog")
        await deck.press("ctrl+u")
        await deck.paste(str(target))
        await deck.press("enter")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("o")
        await deck.until(lambda: target.read_text() == "needle one\nneedle two\n")
