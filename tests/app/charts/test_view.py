"""The pane of charts on a fake engine: what its keys do, and how it goes with the log and the timeline."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
from textual.app import App

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, Deck, backlog
from tui.app.charts.view import ChartsView
from tui.app.pane_layout import CHARTS, LOG
from tui.protocol import messages

STEPS = 12_250
NAMES = ["loss", "accuracy", "lr", "system.cpu", "system.memory"]


def value(name: str, step: float) -> float:
    if name == "loss":
        return 2 * math.exp(-step / 3000) + 0.1 * math.sin(step / 17)
    return 1 - math.exp(-step / 4000) if name == "accuracy" else float(len(name))


def column(name: str, first: float, last: float, places: int, by: str) -> dict[str, list[Any]]:
    x = [first + (last - first) * n / max(places - 1, 1) for n in range(places)]
    values = [value(name, place if by == "step" else (place - NOW + 600) * 20) for place in x]
    return {"x": x, "count": [1] * places, "min": values, "max": values, "mean": values, "bad": [0] * places}


def answer_metrics(deck: Deck, names: list[str] = NAMES, runs: tuple[int, ...] = (1, 2)) -> None:
    """Answer as an engine that has kept some metrics."""

    def measures(command: messages.Command) -> messages.Reply:
        assert isinstance(command, messages.Measures)
        run = command.run if command.run is not None else runs[-1]
        data = {"run": run, "runs": list(runs), "names": names, "better": {"loss": "min"}, "guessed": [], "kept": ""}
        limits = {"step": [0, STEPS], "time": [NOW - 600, NOW]} if names else {"step": None, "time": None}
        return messages.Reply(command.id, True, data=data | limits)

    def columns(command: messages.Command) -> messages.Reply:
        assert isinstance(command, messages.Columns)
        ends = (0, STEPS) if command.by == "step" else (NOW - 600, NOW)
        first = command.first if command.first is not None else ends[0]
        last = command.last if command.last is not None else ends[1]
        found = {name: column(name, first, last, command.width, command.by) for name in command.names}
        return messages.Reply(command.id, True, data={"run": 2, "first": first, "last": last, "columns": found})

    deck.engine.answers[messages.Measures] = measures
    deck.engine.answers[messages.Columns] = columns


def asked(deck: Deck) -> list[messages.Columns]:
    return [command for command in deck.engine.commands if isinstance(command, messages.Columns)]


@pytest.fixture
def charts(open_deck: OpenDeck) -> Callable[..., Any]:
    """Open a deck and its charts."""

    async def opened(deck: Deck, **how: Any) -> ChartsView:
        answer_metrics(deck, **how)
        await deck.press("f8")
        view = deck.view.charts
        await deck.until(lambda: view.board.names or not how.get("names", NAMES))
        await deck.until(lambda: "▸loss" in text_of(deck.app) or not view.board.names)
        return view

    return opened


@pytest.mark.parametrize("size", ["80x24", "120x40", "200x60"])
async def test_charts(
    open_deck: OpenDeck, charts: Callable[..., Any], snapshot: Callable[[App[Any]], None], size: str
) -> None:
    width, height = map(int, size.split("x"))
    async with open_deck(size=(width, height)) as deck:
        view = await charts(deck)
        assert view.has_focus
        await deck.until(lambda: "▾v2" in text_of(deck.app))
        snapshot(deck.app)


async def test_f8_shows_and_hides_them_and_that_is_kept(open_deck: OpenDeck, charts: Callable[..., Any]) -> None:
    async with open_deck() as deck:
        await charts(deck)
        assert deck.app.preferences.charts
        regions = deck.view.places(deck.view.size)
        assert regions[deck.view.charts_pane].height > 9
        assert regions[deck.view.log_pane].height > 9  # beside the log
        await deck.press("f8")
        assert not deck.view.charts_pane.display
        assert deck.view.log_view.has_focus
        assert deck.view.charts_pane not in deck.view.places(deck.view.size)
        assert not deck.app.preferences.charts


async def test_where_there_is_little_room_the_charts_stand_instead_of_the_log(
    open_deck: OpenDeck, charts: Callable[..., Any]
) -> None:
    async with open_deck(size=(80, 24)) as deck:
        await charts(deck)
        assert deck.view.log_pane not in deck.view.places(deck.view.size)
        assert CHARTS != LOG
        deck.view.log_view.focus()
        await deck.until(lambda: deck.view.charts_pane not in deck.view.places(deck.view.size))


async def test_a_flag_the_timeline_and_the_log_select_each_other(
    open_deck: OpenDeck, charts: Callable[..., Any]
) -> None:
    async with open_deck() as deck:
        view = await charts(deck)
        await deck.press("N")
        assert (view.board.flag, deck.view.timeline.current) == (7, 7)
        await deck.press("N")
        assert (view.board.flag, deck.view.timeline.current) == (4, 4)
        deck.view.timeline.focus()
        await deck.press("end")
        await deck.until(lambda: view.board.flag == 1)
        await deck.press(*["up"] * 3)
        await deck.until(lambda: view.board.flag == 4)
        assert "▾v4 batch 32 → 64" in text_of(deck.app)


async def test_the_cursor_reads_all_charts(open_deck: OpenDeck, charts: Callable[..., Any]) -> None:
    async with open_deck() as deck:
        await charts(deck)
        await deck.press("left", "left")
        await deck.until(lambda: "step 1" in shown(deck))
        await deck.press("right", "right", "right")
        await deck.until(lambda: "step 1" not in shown(deck))


async def test_one_chart_alone_over_each_other_and_found_by_name(
    open_deck: OpenDeck, charts: Callable[..., Any]
) -> None:
    async with open_deck(size=(200, 60)) as deck:
        view = await charts(deck)
        assert "system.cpu" in shown(deck)
        await deck.press("down", "enter")
        await deck.until(lambda: "▸accuracy" in shown(deck) and "system.cpu" not in shown(deck))
        await deck.press("enter", "o")
        await deck.until(lambda: view.board.over and "lr" in shown(deck).split("\n")[1])
        assert {"loss", "accuracy", "lr"} <= set(asked(deck)[-1].names)


def shown(deck: Deck) -> str:
    """Return the text of the charts alone."""
    region = deck.view.charts.region
    lines = text_of(deck.app).split("\n")[region.y : region.bottom]
    return "\n".join(line[region.x : region.right] for line in lines)


async def test_zoom_asks_for_less_and_says_so(open_deck: OpenDeck, charts: Callable[..., Any]) -> None:
    async with open_deck() as deck:
        await charts(deck)
        await deck.press("plus")
        await deck.until(lambda: asked(deck)[-1].first == STEPS / 2)
        await deck.until(lambda: "zoomed, 0 shows all" in text_of(deck.app))
        await deck.press("0")
        await deck.until(lambda: "zoomed" not in text_of(deck.app))


async def test_by_time_smoothed_logarithmic_and_with_the_run_before(
    open_deck: OpenDeck, charts: Callable[..., Any]
) -> None:
    async with open_deck() as deck:
        await charts(deck)
        await deck.press("x")
        await deck.until(lambda: asked(deck)[-1].by == "time" and "10m" in text_of(deck.app))
        await deck.press("x", "s", "y", "p")
        await deck.until(lambda: any(command.run == 1 for command in asked(deck)))
        await deck.until(lambda: "smoothed 0.6" in text_of(deck.app) and "log  " in text_of(deck.app))


async def test_nothing_to_draw_is_said(open_deck: OpenDeck, charts: Callable[..., Any]) -> None:
    async with open_deck() as deck:
        await charts(deck, names=[], runs=(1,))
        await deck.until(lambda: "no metric yet" in text_of(deck.app))


async def test_an_engine_that_cannot_answer_is_told(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(messages.Measures, False, "the metrics can't be read: disk I/O error", "unreadable")
        await deck.press("f8")
        await deck.until(lambda: "the metrics can't be read" in text_of(deck.app))


async def test_many_metrics_have_pages(open_deck: OpenDeck, charts: Callable[..., Any]) -> None:
    names = ["loss", *(f"layer.{number}" for number in range(299))]
    async with open_deck() as deck:
        view = await charts(deck, names=names)
        assert "more, ↑ ↓" in text_of(deck.app)
        await deck.press("up")
        await deck.until(lambda: "▸layer.298" in text_of(deck.app))
        assert len(asked(deck)[-1].names) < 10
        assert view.board.current == "layer.298"


async def test_names_are_found_as_they_are_typed(open_deck: OpenDeck, charts: Callable[..., Any]) -> None:
    async with open_deck(size=(200, 60)) as deck:
        view = await charts(deck)
        await deck.press("slash", *"sys")
        await deck.until(lambda: "charts · 2 of 5 · sys" in shown(deck) and "accuracy" not in shown(deck))
        await deck.press("enter")
        assert view.has_focus
        await deck.press("slash", *" none")
        await deck.until(lambda: "no metric fits" in shown(deck))
        await deck.press("escape")
        await deck.until(lambda: "accuracy" in shown(deck))
        assert view.has_focus


async def test_a_flag_has_the_verdict_on_the_metric_of_its_chart(
    open_deck: OpenDeck, charts: Callable[..., Any]
) -> None:
    async with open_deck(size=(200, 60)) as deck:
        await charts(deck)
        row = next(row for row in backlog() if isinstance(row, messages.Reload) and row.version == 2)
        worse = (
            messages.Effect("loss", 40, 0.4, 0.3, 0.5, 0.1, "worse"),
            messages.Effect("accuracy", 40, 0.0, -1, 1, 0.1, "none"),
        )
        await deck.news(dataclasses.replace(row, effect=worse))
        await deck.until(lambda: "▾v2 ✗ lr" in shown(deck) and "▾v2 · lr" in shown(deck))
        await deck.press("N", "N", "N", "d")
        await deck.until(lambda: deck.type_of_screen() == "DetailScreen")
        await deck.until(lambda: "v2" in text_of(deck.app))
