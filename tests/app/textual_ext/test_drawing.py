"""What reaches the terminal: all that has changed, and little else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pyte
import pytest
from rich.cells import cell_len
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.strip import Strip

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, Deck
from tests.app.insides import watch_display
from tui.app.frame_scheduler import PAUSES, FrameScheduler
from tui.app.log.view import LogView
from tui.app.model.job import Part
from tui.protocol.messages import Lines, Metrics, Notice, Problem, Reload


class Glass:
    """A terminal that is drawn on by a viewer under test."""

    def __init__(self, deck: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
        self.screen = pyte.Screen(*deck.app.size)
        self.updates: list[CompositorUpdate] = []
        self._stream = pyte.Stream(self.screen)
        self._app = deck.app
        watch_display(monkeypatch, deck.app, self._display)
        deck.app.screen.refresh()

    def _display(self, _: object, update: Any) -> None:
        if isinstance(update, CompositorUpdate):
            self.updates.append(update)
            self._stream.feed(update.render_segments(self._app.console).replace("\n", "\r\n"))

    def rows(self) -> set[int]:
        """The rows that were drawn since the last time."""
        drawn = {y for update in self.updates if isinstance(update, ChopsUpdate) for y, _, _ in update.spans}
        assert all(isinstance(update, ChopsUpdate) for update in self.updates)
        self.updates.clear()
        return drawn

    def is_right(self) -> bool:
        """Whether the terminal shows what the screen would be if it were drawn as a whole."""
        return [line.rstrip() for line in self.screen.display] == text_of(self._app).splitlines()


def output(first: int, count: int) -> Lines:
    return Lines("digits", first, "\n".join(f"row {n}" for n in range(first, first + count)), 7, time=NOW)


async def test_terminal_shows_the_screen_whatever_happens(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_deck() as deck:
        glass = Glass(deck, monkeypatch)
        await deck.until(glass.is_right)
        first = 60
        for keys in (
            ["x", "enter"],
            ["f6", "f6", "up", "up"],
            ["pageup"],
            ["space"],
            ["f"],
            ["f6", "f6", "down"],
            ["f1"],
            ["escape"],
        ):
            await deck.press(*keys)
            await deck.until(glass.is_right)
            row = Reload("digits", first, "invalid", "disk", error=Problem("wrong", 1, 2), time=NOW)
            await deck.news(output(first, 3), row, Notice("digits", "a toast", "warning"))
            await deck.until(glass.is_right)
            first += 3
        await deck.pilot.resize_terminal(100, 30)
        glass.screen.resize(30, 100)
        deck.app.screen.refresh()
        await deck.until(glass.is_right)


async def test_columns_stay_straight_on_a_terminal_with_other_widths(
    open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyte.screens.wcwidth", lambda character: min(cell_len(character), 1))
    async with open_deck() as deck:
        glass = Glass(deck, monkeypatch)
        await deck.until(lambda: "epoch" in glass.screen.display[20])
        await deck.news(Lines("digits", 60, "日本 one 👍 two \U000f0001e\u0301 three\n" + "日本" * 100, 7, time=NOW))
        await deck.until(lambda: "日本日本" in "\n".join(glass.screen.display))
        edge = deck.view.log_view.region.right - 1
        rows = [y for y, line in enumerate(glass.screen.display) if "日本" in line]
        assert [glass.screen.buffer[y][edge].data for y in rows] == ["│", "│"]
        assert "日本   one 👍  two \U000f0001é three  " in glass.screen.display[rows[0]]


async def test_new_line_is_the_only_one_that_is_made(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_deck() as deck:
        await deck.news(output(60, 100))
        made: list[int] = []
        render_line = LogView.render_line

        def noted(log: LogView, y: int) -> Strip:
            made.append(y)
            return render_line(log, y)

        monkeypatch.setattr(LogView, "render_line", noted)
        glass = Glass(deck, monkeypatch)
        await deck.until(glass.is_right)
        made.clear()
        glass.updates.clear()
        await deck.news(output(160, 1))
        await deck.until(lambda: "row 160" in "\n".join(glass.screen.display))
        assert len(made) == 1
        log = deck.view.log_view.region
        assert glass.rows() - {0} == set(range(log.y + 1, log.bottom - 1))


async def test_clock_draws_the_status_line_alone(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_deck() as deck:
        glass = Glass(deck, monkeypatch)
        await deck.until(glass.is_right)
        while glass.updates:  # the last of what a start draws comes after it looks right
            glass.updates.clear()
            await deck.pilot.pause(0.3)
        deck.app.main.tick(NOW)
        await deck.pilot.pause(0.05)
        assert glass.rows() == set()
        deck.app.clock = lambda: NOW + 1
        deck.app.main.tick(NOW + 1)
        await deck.until(lambda: "10m 21s" in glass.screen.display[0])
        assert glass.rows() == {0}


def fail(error: Exception) -> None:
    raise error


async def drawn_by(note: Callable[[FrameScheduler], None], seconds: float) -> list[Part]:
    drawn: list[Part] = []
    frames = FrameScheduler(lambda changed: drawn.extend(changed.values()), fail)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        note(frames)
        await asyncio.sleep(0.002)
    return drawn


async def test_stream_of_news_is_drawn_no_more_often_than_it_is_worth() -> None:
    drawn = await drawn_by(lambda frames: frames.note("digits", Part.LOG | Part.METRICS), 1.0)
    assert 3 <= sum(Part.LOG in parts for parts in drawn) <= 1 / (PAUSES[Part.LOG] - 0.03) + 1
    assert 2 <= sum(Part.METRICS in parts for parts in drawn) <= 1 / (PAUSES[Part.METRICS] - 0.03) + 1


async def test_news_after_a_silence_is_drawn_at_once_though_a_slow_part_waits() -> None:
    drawn: list[dict[str, Part]] = []
    frames = FrameScheduler(drawn.append, fail)
    frames.note("digits", Part.METRICS)
    await asyncio.sleep(0.05)
    frames.note("digits", Part.METRICS)
    frames.note("anneal", Part.TIMELINE)
    await asyncio.sleep(0.05)
    assert drawn == [{"digits": Part.METRICS}, {"anneal": Part.TIMELINE}]
    await asyncio.sleep(PAUSES[Part.METRICS])
    assert drawn[2:] == [{"digits": Part.METRICS}]
    assert not frames.pending


async def test_metrics_are_seen_in_the_end(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        for step in range(20_000, 20_050):
            deck.engine.send(Metrics("digits", step, {"loss": 0.5}, time=NOW))
        await deck.until(lambda: "step 20,049" in text_of(deck.app))
