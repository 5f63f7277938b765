"""The verdicts on the newest change of a job: which points are compared, when, and what is said of it.

A look at a metric is taken when it is due by its points, whoever watches; what it has found stays, until a later look
finds something clear.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import NamedTuple

from tui import better
from tui.engine.metrics.effect import FIRST, Estimate, find, looks
from tui.engine.metrics.recorder import Recorder
from tui.engine.metrics.series import Series
from tui.protocol.messages import Effect, Reload

#: So many earlier changes of a run are kept apart: what lies before them is far away.
MOST_CUTS = 1_000

#: Told of a version, all that is known of its effect, and what of that is news.
Tell = Callable[[int, tuple[Effect, ...], list[Effect]], None]


class Points(NamedTuple):
    """A copy of a metric, for a thread: the first steps of its blocks, some of their figures, and the last size."""

    firsts: Sequence[int]
    numbers: Sequence[int]
    means: Sequence[float]
    bads: Sequence[int]
    size: int


def copied(series: Series, name: str) -> Points:
    """Return the points of a metric in their finest resolution."""
    level = series.levels[0]
    firsts, sizes, _ = level.axis
    numbers, means, _, _, bads = level.columns[name].arrays
    return Points(firsts[:], numbers[:], means[:], bads[:], sizes[-1])


class Sides(NamedTuple):
    """The points of a metric before and after a change, each of as many steps, and the places of earlier changes.

    `sound`: nothing was NaN or infinite just before; `broken`: something was after it.
    """

    before: list[float]
    after: list[float]
    cuts: list[int]
    sound: bool
    broken: bool


@dataclass
class _Change:
    """A change that is judged.

    Attributes:
        version: Of the reload.
        step: The last one before it.
        series: Of the worker that took it.
        cuts: The steps after which this worker took other changes, in order.
        effects: What is known of it, by metric.
        end: The last step before the next change, None as long as there is none.
    """

    version: int
    step: int
    series: Series
    cuts: list[int]
    effects: dict[str, Effect] = field(default_factory=dict)
    end: int | None = None


class Verdicts:
    """Judges the changes of one job.

    Args:
        recorder: Has its metrics.
        tell: Takes what is found.
    """

    def __init__(self, recorder: Recorder, tell: Tell) -> None:
        self._recorder = recorder
        self._tell = tell
        self._change: _Change | None = None
        self._ended: list[tuple[_Change, int]] = []  # and the version that has ended each
        self._cuts: list[int] = []
        self._series: Series | None = None
        self._turn = asyncio.Lock()

    def begin(self, row: Reload) -> None:
        """A worker has taken a change, and no later step is known yet: the one before it is judged by what is known."""
        step, series = row.step or 0, self._recorder.series
        if self._change is not None:
            self._change.end = step if self._change.series is series else self._change.series.step
            self._ended.append((self._change, row.version))
        self._change = None
        if series is None or not step or step < series.step:  # another worker: it has nothing to be compared with
            self._tell_nothing(row, series)
            return
        if series is not self._series:
            self._series, self._cuts = series, []
        self._change = _Change(row.version, step, series, self._cuts.copy())
        self._cuts.append(step)
        del self._cuts[:-MOST_CUTS]

    async def judge_due(self) -> None:
        """Take the looks that are due."""
        async with self._turn:
            ended, self._ended = self._ended, []
            for change, by in ended:
                await self._look(change)
                self._close(change, by)
            if self._change is not None:
                await self._look(self._change)

    def _tell_nothing(self, row: Reload, series: Series | None) -> None:
        main = better.main(series.names, self._recorder.told) if series is not None else None
        if main is not None:
            effect = Effect(main, 0)
            self._tell(row.version, (effect,), [effect])

    def _close(self, change: _Change, by: int) -> None:
        """No more looks are taken: the next change has come."""
        news = [replace(effect, next=None, until=by) for effect in change.effects.values() if effect.next is not None]
        change.effects.update({effect.metric: effect for effect in news})
        if news:
            self._tell(change.version, tuple(change.effects.values()), news[:1])

    async def _look(self, change: _Change) -> None:
        news: list[Effect] = []
        for name in better.ordered(change.series.names, self._recorder.told):
            known = change.effects.get(name)
            if known is not None and known.next is None:
                continue
            if known is not None and known.verdict is not None and not self._due(change, known):
                continue
            effect = await asyncio.to_thread(self._judge, name, change, copied(change.series, name), known)
            if effect != known:
                change.effects[name] = effect
                news.append(effect)
        if news:
            # Of what is only on its way the main metric says enough.
            told = [effect for effect in news if effect.verdict is not None or effect is news[0]]
            self._tell(change.version, tuple(change.effects.values()), told)

    def _due(self, change: _Change, known: Effect) -> bool:
        """Return whether there may be enough points for the next look."""
        firsts, sizes, _ = change.series.levels[0].axis
        end = change.series.step if change.end is None else change.end
        return bool(firsts) and end - change.step >= (known.next or 0) * sizes[-1]

    def _judge(self, name: str, change: _Change, points: Points, known: Effect | None) -> Effect:
        sides = split(points, change.step, change.cuts, change.end)
        return judge(name, sides, better.way(name, self._recorder.told), name not in self._recorder.told, known)


def judge(name: str, sides: Sides, way: str | None, guessed: bool, known: Effect | None) -> Effect:
    """Return what is known of a metric after the looks that are due.

    Args:
        name: The metric.
        sides: Its points.
        way: ``min`` or ``max`` where one of them is better.
        guessed: That is only guessed.
        known: What was found before.
    """
    before, after = sides.before, sides.after
    if sides.broken and sides.sound:
        last = fmean(before[-FIRST:]) if before else None
        return Effect(name, len(after), math.nan, verdict="worse", before=last, after=math.nan)
    plan = looks(len(before), sides.cuts)
    passed = known.next if known is not None and known.verdict is not None and known.next is not None else FIRST
    found = known if known is not None and known.verdict is not None else None
    for size in plan:
        if passed <= size <= len(after):
            estimate = find([*before, *after[:size]], len(before), size, sides.cuts)
            if estimate is not None and (estimate.clear or found is None or found.verdict == "none"):
                found = _effect(name, estimate, before[-size:], after[:size], way, guessed)
    later = next((size for size in plan if size > len(after)), None)
    return replace(found, next=later) if found is not None else Effect(name, len(after), next=later)


def _effect(
    name: str, estimate: Estimate, before: list[float], after: list[float], way: str | None, guessed: bool
) -> Effect:
    change, smallest = estimate.change, estimate.smallest
    verdict = "none"
    if estimate.clear:
        verdict = "higher" if change > 0 else "lower"
        if way is not None:
            verdict = "better" if (change > 0) == (way == "max") else "worse"
    means = _mean(before), _mean(after)
    about = guessed and way is not None and estimate.clear
    return Effect(
        name, estimate.points, change, change - smallest, change + smallest, smallest, verdict, *means, guessed=about
    )


def _mean(points: Sequence[float]) -> float:
    return sum(point / len(points) for point in points)


def split(points: Points, step: int, cuts: Sequence[int], end: int | None = None) -> Sides:
    """Return the points around a change, each of as many steps as the largest block has.

    Args:
        points: All that are known.
        step: The last one before the change.
        cuts: The steps after which there were other changes, in order.
        end: The last step to be looked at, None for all.

    Returns:
        The sides. A point with steps before and after a change belongs to neither.
    """
    before: list[float] = []
    after: list[float] = []
    places: list[int] = []
    sound, broken = True, False
    for first, mean, bad in _bins(points):
        last = first + points.size - 1
        if any(first <= cut < last for cut in (*cuts, step)) or (end is not None and last > end):
            continue
        if first > step:
            broken = broken or bad
        elif bad and step - last <= FIRST * points.size:
            sound = False
        if mean is not None and first > step:
            after.append(mean)
        elif mean is not None:
            places += [len(before)] * (bisect_left(cuts, first) - len(places))
            before.append(mean)
    places += [len(before)] * (len(cuts) - len(places))
    return Sides(before, after, places, sound, broken)


def _bins(points: Points) -> Iterator[tuple[int, float | None, bool]]:
    """Yield the first step, the mean (None of nothing), and whether anything was not finite, of each `size` steps."""
    number, mean, bad, at = 0, 0.0, False, None
    for first, count, value, wrong in zip(*points[:4], strict=True):
        place = first // points.size
        if place != at:
            if at is not None:
                yield at * points.size, mean if number else None, bad
            number, mean, bad, at = 0, 0.0, False, place
        bad = bad or wrong > 0
        if count:
            number += count
            mean += (value - mean) * (count / number)
    if at is not None:
        yield at * points.size, mean if number else None, bad
