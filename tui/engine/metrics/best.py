"""Under which version a metric was best, which version each of its points belongs to, and the order by effect."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import linear_regression
from typing import NamedTuple

from tui import better
from tui.engine.metrics.series import Block, Point, Series
from tui.protocol.messages import Effect, Reload

#: Of each version so many points count, the last ones; one with fewer than the least is not judged.
MOST = 50
LEAST = 10


class BestVersion(NamedTuple):
    """The version under which a metric was best: the mean of its last points there, and its slope per 100 steps."""

    version: int
    mean: float
    slope: float
    points: int


def versions(series: Sequence[Series], rows: Iterable[Reload]) -> Iterator[tuple[Block, int | None]]:
    """Yield all blocks of the workers of one run, oldest first, each with the version under which it began.

    Args:
        series: Of the workers, in their order.
        rows: The reloads of that run, oldest first.
    """
    taken = [(row.times.get("applied", row.time), row.step or 0, row.version) for row in rows if _was_taken(row)]
    for number, one in enumerate(series):
        limits = one.limits("time")
        if limits is None:
            continue
        # A worker's first version is the one that was taken last when it began; of later ones the step tells exactly.
        until = series[number + 1].limits("time") if number + 1 < len(series) else None
        mine = [item for item in taken if until is None or item[0] <= until[0]]
        first = max((place for place, item in enumerate(mine) if item[1] == 0), default=0)
        mine = mine[first:]
        steps = [step for _, step, _ in mine]
        for block in one.rows():
            place = bisect_left(steps, block.first) - 1
            yield block, mine[place][2] if place >= 0 else None


def _was_taken(row: Reload) -> bool:
    return row.status in ("applied", "reverted") and row.step is not None


def by_version(
    runs: Mapping[int, Sequence[Series]], rows: Sequence[Reload], name: str
) -> dict[int, list[tuple[int, Point]]]:
    """Return the last points of a metric under each version, with their first steps."""
    found: dict[int, list[tuple[int, Point]]] = {}
    for run, series in runs.items():
        for block, version in versions(series, [row for row in rows if row.run == run]):
            point = block.points.get(name)
            if version is not None and point is not None and point.number:
                points = found.setdefault(version, [])
                points.append((block.first, point))
                del points[:-MOST]
    return found


def asked(metric: str | None, names: Sequence[str], told: Mapping[str, str]) -> tuple[str, str]:
    """Return the metric of which the best version is asked for, the main one if none is named, and its way.

    Raises:
        ValueError: There is no such metric, or nothing says which way it is better.
    """
    name = metric or better.main(names, told)
    if name is None:
        raise ValueError("no metric was reported yet")
    if name not in names:
        raise ValueError(f"there is no metric {name!r}, only {', '.join(names) or 'none'}")
    way = better.way(name, told)
    if way is None:
        raise ValueError(
            f"nothing says which way {name} is better: say so in the deck, metrics: {{{name}: min}}, or max"
        )
    return name, way


def missing(metric: str) -> str:
    """Return what is said where no version has enough points."""
    return f"no version has {LEAST} points of {metric} yet"


def best(points: Mapping[int, Sequence[tuple[int, Point]]], way: str) -> BestVersion | None:
    """Return the version with the best mean, None where none has enough points."""
    found = [_summed(version, last) for version, last in points.items() if len(last) >= LEAST]
    if not found:
        return None
    return (max if way == "max" else min)(found, key=lambda one: one.mean)


def _summed(version: int, points: Sequence[tuple[int, Point]]) -> BestVersion:
    means = [point.mean for _, point in points]
    mean = sum(value / len(means) for value in means)
    slope = linear_regression([step for step, _ in points], means).slope * 100
    return BestVersion(version, mean, slope, len(points))


#: What comes first in the order by effect.
_ORDER = ("better", "higher", "lower", "none", "worse")


def ordered(effects: Mapping[int, Sequence[Effect]]) -> list[int]:
    """Return the versions on whose main metric there is a verdict, the best first; of two alike the newer one."""
    judged = {version: found[0] for version, found in effects.items() if found and found[0].verdict in _ORDER}
    return sorted(judged, key=lambda version: (*_rank(judged[version]), -version))


def _rank(effect: Effect) -> tuple[int, float]:
    """Return the place of a verdict, and how clear it is: the worst of what is worse comes last."""
    place = _ORDER.index(effect.verdict or "none")
    if effect.change is None or not effect.smallest or not math.isfinite(effect.change):
        return place, math.inf
    clear = abs(effect.change) / effect.smallest
    return place, clear if effect.verdict == "worse" else -clear
