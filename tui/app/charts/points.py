"""What a chart draws: the values of a metric, summed up by columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple


class PlotPoint(NamedTuple):
    """Some values of a metric that stand side by side.

    Attributes:
        x: The first of their steps, or seconds since the epoch.
        size: How many finite values there are; 0 is a gap.
        low: The least of them; minus infinity where one was that.
        high: The greatest of them; infinity where one was that.
        mean: Their mean; NaN in a gap.
    """

    x: float
    size: int
    low: float
    high: float
    mean: float

    @property
    def is_gap(self) -> bool:
        """Whether there is no value that could be drawn."""
        return not self.size or math.isnan(self.mean)


def point(x: float, value: float) -> PlotPoint:
    """Return the point of a single value."""
    return PlotPoint(x, 1 if math.isfinite(value) else 0, value, value, value)


def smoothed(points: Sequence[PlotPoint], weight: float) -> list[PlotPoint]:
    """Return the exponential moving mean of `points`, free of the bias of its beginning.

    Args:
        points: Values in the order of their places; a gap stays one and is no part of the mean.
        weight: Of what came before, from 0, which changes nothing, to below 1.
    """
    total = norm = 0.0
    found = []
    for item in points:
        if item.is_gap:
            found.append(item)
            continue
        total = weight * total + (1 - weight) * item.mean
        norm = weight * norm + (1 - weight)
        mean = total / norm
        found.append(PlotPoint(item.x, item.size, mean, mean, mean))
    return found


def at(points: Sequence[PlotPoint], x: float) -> PlotPoint | None:
    """Return the point at `x`: the last one that begins there or before."""
    low, high = 0, len(points)
    while low < high:
        middle = (low + high) // 2
        if points[middle].x <= x:
            low = middle + 1
        else:
            high = middle
    return points[low - 1] if low else None


def joined(points: Iterable[PlotPoint]) -> PlotPoint:
    """Return one point for several that fall into the same place; it is a gap only if all of them are."""
    several = list(points)
    if len(several) == 1:
        return several[0]
    values = [item for item in several if not item.is_gap]
    count = sum(item.size for item in values)
    if not count:
        return several[0]
    # Weighed one by one: a sum of values near the largest float would be infinite.
    mean = sum(item.mean * (item.size / count) for item in values)
    return PlotPoint(several[0].x, count, min(p.low for p in values), max(p.high for p in values), mean)


def by_column(points: Iterable[tuple[int, PlotPoint]]) -> Iterator[tuple[int, PlotPoint]]:
    """Yield one point for each column that has any, given in order."""
    for column, several in groupby(points, key=lambda item: item[0]):
        yield column, joined(item for _, item in several)
