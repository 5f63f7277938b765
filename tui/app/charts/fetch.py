"""Asks the engine for what the charts show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tui.app.charts.points import PlotPoint
from tui.app.charts.source import Answer, CurveQuery, Source
from tui.app.client import Request
from tui.protocol import messages


def engine_source(job: str, request: Request) -> Source:
    """Return a source of the metrics of a job that asks its engine.

    It raises ValueError where the engine can't answer, ConnectionError where it is gone.
    """

    async def data(command: messages.Command) -> Mapping[str, Any]:
        reply = await request(command)
        if not reply.ok:
            raise ValueError(reply.message)
        return reply.data

    async def curves(
        query: CurveQuery, run: int, view: Sequence[float | None], shift: float
    ) -> dict[str, list[PlotPoint]]:
        if not query.names:
            return {}
        by = "time" if query.by_time else "step"
        first, last = (place - shift if place is not None else None for place in view)
        command = messages.Columns(0, job, tuple(query.names), run, by, first, last, query.columns)
        told = await data(command)
        return {name: list(map(_point, *_lists(columns, shift))) for name, columns in told["columns"].items()}

    async def ask(query: CurveQuery) -> Answer:
        told = await data(messages.Measures(0, job))
        place = "time" if query.by_time else "step"
        run, runs, limits = told["run"], told["runs"], told[place]
        if limits is None:
            return Answer(told["names"], (0.0, 1.0), {}, trouble=told["kept"])
        here = await curves(query, run, query.view or (None, None), 0.0)
        before: Mapping[str, Sequence[PlotPoint]] = {}
        if query.before and run in runs[1:]:
            earlier = runs[runs.index(run) - 1]
            began = (await data(messages.Measures(0, job, earlier)))[place]
            if began is not None:
                before = await curves(query, earlier, query.view or limits, limits[0] - began[0])
        return Answer(told["names"], (limits[0], limits[1]), here, before, told["kept"])

    return ask


def _lists(columns: Mapping[str, Any], shift: float) -> tuple[list[float], list[Any], list[Any], list[Any], list[Any]]:
    places = [place + shift for place in columns["x"]]
    return places, columns["count"], columns["min"], columns["max"], columns["mean"]


def _point(x: float, size: int, low: float | None, high: float | None, mean: float | None) -> PlotPoint:
    if low is None or high is None or mean is None:
        return PlotPoint(x, 0, math.nan, math.nan, math.nan)
    return PlotPoint(x, size, low, high, mean)
