"""The metrics of one worker as series of blocks, in several resolutions, so that any range is read in a moment.

Each level has a fourth of the points of the one below it, each with the count, mean, least and most of four: no peak is
lost. Of every level the newest points are kept, so a run may go on for ever in bounded room: what is long ago is only
known coarsely.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

#: So many points of a level become one of the next.
FACTOR = 4

#: So many points are kept of the finest level, as many as the last look at a change needs, and of each other one.
FINEST = 8_192
COARSER = 2_048

#: So many metrics are kept of a job; of more, only those that came first.
MOST_METRICS = 500

#: For each column that is asked for, so many points are read at most.
_FINE = 16


#: Figures of many points, each figure on its own.
Arrays: TypeAlias = "tuple[array[Any], ...]"


class Point(NamedTuple):
    """What the steps of a block say of a metric: its `number` of finite values, and how many were not finite."""

    number: int
    mean: float
    low: float
    high: float
    bad: int = 0


#: Nothing was reported.
GAP = Point(0, math.nan, math.nan, math.nan)


class Block(NamedTuple):
    """Some steps: the first of them, how many, when they were told (seconds since the epoch), and the metrics."""

    first: int
    size: int
    time: float
    points: Mapping[str, Point]


def block_of(message: Mapping[str, Any], offset: float) -> Block:
    """Return the block that a worker tells; `offset` leads from its clock to the time since the epoch."""
    points = {}
    for name, told in message["values"].items():
        if isinstance(told, list):
            count, mean, low, high, _, bad = told
            points[name] = Point(count, mean, low, high, bad) if count else GAP._replace(bad=bad)
        else:
            points[name] = Point(1, told, told, told)
    return Block(message["first"], message["size"], message["at"] + offset, points)


def merged(points: Iterable[Point]) -> Point:
    """Return the point of several ones together."""
    whole = [point for point in points if point.number]
    bad = sum(point.bad for point in points)
    if not whole:
        return GAP._replace(bad=bad)
    count = sum(point.number for point in whole)
    mean = sum(point.mean * (point.number / count) for point in whole)
    return Point(count, mean, min(point.low for point in whole), max(point.high for point in whole), bad)


class MetricColumn:
    """One metric of a level, an array for each figure of its points."""

    def __init__(self) -> None:
        self.arrays: Arrays = (array("q"), array("d"), array("d"), array("d"), array("q"))

    def fill(self, gaps: int) -> None:
        """Add as many points without a value."""
        for figures, figure in zip(self.arrays, GAP, strict=True):
            figures.extend(array(figures.typecode, [figure]) * gaps)

    def append(self, point: Point) -> None:
        """Add a point."""
        for figures, figure in zip(self.arrays, point, strict=True):
            figures.append(figure)

    def points(self, first: int, last: int) -> Iterator[Point]:
        """Yield the points of a range of places."""
        return map(Point._make, zip(*(figures[first:last] for figures in self.arrays), strict=True))


class Level:
    """The points of one resolution; places count from the first point of all, also where that is forgotten.

    Attributes:
        begin: The place of the oldest point that is kept.
        axis: The first step, the number of steps, and the time of each point.
        columns: The metrics by name.
    """

    def __init__(self, most: int | None = None) -> None:
        self.begin = 0
        self.axis: Arrays = (array("q"), array("q"), array("d"))
        self.columns: dict[str, MetricColumn] = {}
        self._most = most or COARSER

    @property
    def end(self) -> int:
        """The place of the next point."""
        return self.begin + len(self.axis[0])

    def append(self, block: Block) -> None:
        """Add a block, and forget old ones, some at a time."""
        for figures, figure in zip(self.axis, block[:3], strict=True):
            figures.append(figure)
        for name in block.points:
            if name not in self.columns and len(self.columns) < MOST_METRICS:
                self.columns[name] = MetricColumn()
                self.columns[name].fill(len(self.axis[0]) - 1)
        for name, column in self.columns.items():
            column.append(block.points.get(name, GAP))
        if len(self.axis[0]) > self._most + self._most // 8:
            self._forget(len(self.axis[0]) - self._most)

    def _forget(self, count: int) -> None:
        for figures in (*self.axis, *(figures for column in self.columns.values() for figures in column.arrays)):
            del figures[:count]
        self.begin += count

    def only(self, name: str) -> Level:
        """Return a copy with one metric."""
        copy = Level(self._most)
        copy.begin, copy.axis = self.begin, tuple(figures[:] for figures in self.axis)
        if name in self.columns:
            copy.columns[name] = MetricColumn()
            copy.columns[name].arrays = tuple(figures[:] for figures in self.columns[name].arrays)
        return copy

    def four(self, place: int) -> Block:
        """Return the block of the four points from `place` on."""
        at = place - self.begin
        firsts, sizes, times = self.axis
        last = at + FACTOR - 1
        points = {name: merged(list(column.points(at, at + FACTOR))) for name, column in self.columns.items()}
        return Block(firsts[at], firsts[last] + sizes[last] - firsts[at], times[at], points)


@dataclass(frozen=True)
class Range:
    """What part of a series is asked for: from `first` to `last`, each None for the end, by ``step`` or by ``time``."""

    by: str = "step"
    first: float | None = None
    last: float | None = None


class Series:
    """All metrics of one worker, or of its processes: the steps of one only go up.

    Attributes:
        levels: The resolutions, the finest first.
    """

    def __init__(self) -> None:
        self.levels = [Level(FINEST)]

    @property
    def names(self) -> list[str]:
        """The metrics, in the order in which they came."""
        return list(self.levels[0].columns)

    @property
    def step(self) -> int:
        """The last step that is known, 0 before the first."""
        firsts, sizes, _ = self.levels[0].axis
        return firsts[-1] + sizes[-1] - 1 if firsts else 0

    def only(self, name: str) -> Series:
        """Return a copy with one metric, for a thread."""
        copy = Series()
        copy.levels = [level.only(name) for level in self.levels]
        return copy

    def append(self, block: Block) -> None:
        """Add a block; its steps come after those that are known."""
        times = self.levels[0].axis[2]
        if times and block.time < times[-1]:  # somebody has set the clock
            block = block._replace(time=times[-1])
        self.levels[0].append(block)
        for number in range(len(self.levels)):
            fine = self.levels[number]
            if number + 1 == len(self.levels):
                if fine.end < FACTOR:
                    return
                self.levels.append(Level())
            coarse = self.levels[number + 1]
            if fine.end < FACTOR * (coarse.end + 1):
                return
            coarse.append(fine.four(FACTOR * coarse.end))

    def limits(self, by: str) -> tuple[float, float] | None:
        """Return the first and the last step, or time, that is known."""
        level = self.levels[-1]  # it goes back the farthest
        axis, newest = _key(level, by), _key(self.levels[0], by)
        return (axis[0] if axis else newest[0], self.step if by == "step" else newest[-1]) if newest else None

    def columns(self, name: str, wanted: Range, width: int) -> dict[str, list[Any]]:
        """Return a metric in at most `width` columns: those in which there is something.

        Returns:
            Lists of one length: ``x`` (the first step or time of a column), ``count``, ``min``, ``max``, ``mean``
            (None where nothing was finite), and ``bad``, how many values were not finite.
        """
        limits = self.limits(wanted.by)
        found: dict[str, list[Any]] = {key: [] for key in ("x", "count", "min", "max", "mean", "bad")}
        if limits is None:
            return found
        first = limits[0] if wanted.first is None else wanted.first
        last = limits[1] if wanted.last is None else wanted.last
        share = width / (last - first) if last > first else 0.0
        column, x, points = -1, 0.0, list[Point]()
        for at, point in self._points(name, wanted.by, first, last, _FINE * width):
            place = min(max(int((at - first) * share), 0), width - 1)
            if place != column and points:
                _put(found, x, merged(points))
                points = []
            if not points:
                column, x = place, at
            points.append(point)
        if points:
            _put(found, x, merged(points))
        return found

    def _points(self, name: str, by: str, first: float, last: float, most: int) -> Iterator[tuple[float, Point]]:
        """Yield the points of a range in the finest resolution that is known of it, and not much finer than asked."""
        number = next((n for n in range(len(self.levels)) if self._fits(n, by, first, last, most)), -1)
        number = number % len(self.levels)
        place = 0
        for level in reversed(self.levels[: number + 1]):
            axis = _key(level, by)
            start = max(place - level.begin, bisect_right(axis, first) - 1, 0)
            end = bisect_right(axis, last)
            if name in level.columns and start < end:
                for at, point in zip(axis[start:end], level.columns[name].points(start, end), strict=True):
                    if point.number or point.bad:
                        yield at, point
            place = FACTOR * level.end  # what comes after it is not merged yet

    def _fits(self, number: int, by: str, first: float, last: float, most: int) -> bool:
        level = self.levels[number]
        axis = _key(level, by)
        known = not level.begin or (len(axis) > 0 and axis[0] <= first)
        return known and bisect_right(axis, last) - bisect_right(axis, first) <= most

    def rows(self) -> Iterator[Block]:
        """Yield all that is known, each part in its finest resolution, oldest first."""
        known = 0  # places of the level at hand that coarser ones have told
        for number in range(len(self.levels) - 1, -1, -1):
            level = self.levels[number]
            # Up to where the next finer level begins.
            until = -(-self.levels[number - 1].begin // FACTOR) if number else level.end
            start = max(known, level.begin)
            for place in range(start, until):
                at = place - level.begin
                points = {name: next(column.points(at, at + 1)) for name, column in level.columns.items()}
                first, size, time = (figures[at] for figures in level.axis)
                yield Block(first, size, time, points)
            known = FACTOR * max(until, start)


def _key(level: Level, by: str) -> Sequence[float]:
    return level.axis[0] if by == "step" else level.axis[2]


def _put(found: dict[str, list[Any]], x: float, point: Point) -> None:
    count, mean, low, high, bad = point
    row = (x, count, *((low, high, mean) if count else (None, None, None)), bad)
    for values, value in zip(found.values(), row, strict=True):
        values.append(value)
