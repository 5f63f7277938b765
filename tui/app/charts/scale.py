"""Axes: from which value to which, where a value stands between them, and which values have a label."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from tui.app.charts.points import PlotPoint

#: What is this many times the span of nearly all values away from them would make a line of all the others.
FAR = 2.0

#: Of nearly all values: so many of a hundred are left out at each end.
_PERCENT = 1

#: Part of the span that stays free above and below the curve.
_MARGIN = 0.04

#: Steps of labels, in units of a power of ten.
_STEPS = (1, 2, 2.5, 5, 10)

#: Steps of labels in seconds.
_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)

_LARGE = sys.float_info.max


class Tick(NamedTuple):
    """A value of an axis with a label."""

    value: float
    label: str


class Scale(NamedTuple):
    """One axis.

    Attributes:
        first: The value at its beginning.
        last: The value at its end, greater than `first`.
        log: Whether equal factors have equal room; then both are greater than 0.
    """

    first: float
    last: float
    log: bool = False

    def part(self, value: float) -> float:
        """Return where a value stands: 0 at the beginning, 1 at the end; outside of both it may be anything else."""
        if self.log:
            if value <= 0:
                return -math.inf
            low = math.log(self.first)
            return (_log(value) - low) / (math.log(self.last) - low)
        span = self.last - self.first
        if span < math.inf:
            return (value - self.first) / span
        unit = max(abs(self.first), abs(self.last))
        return (value / unit - self.first / unit) / (self.last / unit - self.first / unit)

    def value(self, part: float) -> float:
        """Return the value at a part of the axis."""
        if self.log:
            low, high = math.log(self.first), math.log(self.last)
            return math.exp(min(low + part * (high - low), 709.0))
        return self.first * (1 - part) + self.last * part

    def ticks(self, most: int, least: float = 0.0) -> list[Tick]:
        """Return labels for the axis.

        Args:
            most: How many there may be; there is always one.
            least: From one to the next, such as 1 for steps.
        """
        most = max(most, 1)
        values = (self._decades(most) if self.log else []) or self._evenly(most, least)
        return [Tick(value, label) for value, label in zip(values, labels(values), strict=True)]

    def _evenly(self, most: int, least: float) -> list[float]:
        step = _step(max((self.last / 2 - self.first / 2) / most * 2, least))
        while step:
            begin, end = math.ceil(self.first / step - 1e-9), math.floor(self.last / step + 1e-9)
            if end - begin < most:
                return [k * step for k in range(begin, end + 1)] or [self.value(0.5)]
            step = _step(step * 1.01)
        return [self.first, self.last]  # there is no rounder number between the two

    def _decades(self, most: int) -> list[float]:
        begin, end = math.ceil(math.log10(self.first) - 1e-9), math.floor(math.log10(self.last) + 1e-9)
        if end - begin >= 1:
            stride = -(-(end - begin + 1) // most)
            return [10.0**power for power in range(begin, end + 1, stride)]
        found = [
            factor * 10.0**power
            for power in range(begin - 1, end + 1)
            for factor in (1, 2, 5)
            if self.first <= factor * 10.0**power <= self.last
        ]
        return found if 2 <= len(found) <= most else []


def _log(value: float) -> float:
    return math.log(value) if value < math.inf else 710.0


def _step(least: float) -> float:
    """Return the next round step that is not smaller than `least`, 0 where no float is one."""
    if not 1e-320 < least < 1e307:
        return 0.0
    power = 10.0 ** math.floor(math.log10(least))
    return next((factor * power for factor in _STEPS if factor * power >= least * (1 - 1e-12)), 0.0)


def labels(values: Sequence[float]) -> list[str]:
    """Return each value in the shortest words that tell it from its neighbours."""
    most = max(map(abs, values), default=0.0)
    steps = [abs(b - a) for a, b in pairwise(values) if b != a]
    step = min(steps, default=most)
    if not step:
        return [number(value) for value in values]
    if step >= 1e-4 and most < 1e4:
        places = max(0, -math.floor(math.log10(step) + 1e-9))
        if round(step, places) != round(step, places + 2):  # 2.5, 0.25
            places += 1
        return [f"{value:.{places}f}" for value in values]
    return [number(value) for value in values]


def number(value: float) -> str:
    """Return a number in at most about seven characters: ``0.25``, ``12.5k``, ``3M``, ``1e-5``, ``-2.5e300``."""
    size = abs(value)
    for least, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if least <= size < 1e12:
            return f"{value / (1e3 if unit == 'k' else least):.4g}{unit}"
    text = f"{value:.4g}"
    if "e" not in text:
        return text
    digits, _, power = text.partition("e")
    return f"{digits}e{int(power)}"


def span(seconds: float) -> str:
    """Return a place on an axis of time: ``45s``, ``2m``, ``1m30s``, ``3h``, ``1h30m``."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if whole < 60:
        return f"{seconds:.3g}s" if seconds != whole else f"{whole}s"
    if whole < 3600:
        return f"{minutes}m{rest:02}s" if rest else f"{minutes}m"
    return f"{hours}h{minutes:02}m" if minutes else f"{hours}h"


def time_ticks(scale: Scale, origin: float, most: int) -> list[Tick]:
    """Return labels for an axis of time, which count from `origin`."""
    whole = (scale.last - scale.first) / max(most, 1)
    step = next((step for step in _TIMES if step >= whole), 86_400 * max(math.ceil(whole / 86_400), 1))
    if whole < 0.5:
        return [Tick(tick.value + origin, span(tick.value)) for tick in _from(scale, origin).ticks(most)]
    begin = math.ceil((scale.first - origin) / step)
    end = math.floor((scale.last - origin) / step)
    return [Tick(origin + k * step, span(k * step)) for k in range(begin, end + 1)]


def _from(scale: Scale, origin: float) -> Scale:
    return Scale(scale.first - origin, scale.last - origin)


def fitting(curves: Iterable[Sequence[PlotPoint]], log: bool = False) -> Scale:
    """Return the scale for the values of some curves.

    It holds nearly all of them; a value far away is not worth that all others become one line, and is marked instead.

    Args:
        curves: What is to be seen.
        log: Give equal factors equal room; values that are not positive have no place then.
    """
    shown = [p for points in curves for p in points if not p.is_gap]
    lows = [p.low for p in shown if math.isfinite(p.low) and (p.low > 0 or not log)]
    highs = [p.high for p in shown if math.isfinite(p.high) and (p.high > 0 or not log)]
    means = sorted(p.mean for p in shown if math.isfinite(p.mean) and (p.mean > 0 or not log))
    if not (lows and highs and means):
        return Scale(0.1, 10.0, log) if log else Scale(0.0, 1.0)
    low, high = min(lows), max(highs)
    cut = len(means) * _PERCENT // 100
    near_low, near_high = means[cut], means[-1 - cut]
    if log:
        parts = _limits(*(math.log(value) for value in (low, near_low, near_high, high)))
        return Scale(max(math.exp(parts[0]), 5e-324), math.exp(min(parts[1], 709.0)), log=True)
    unit = max(abs(low), abs(high)) or 1.0
    first, last = _limits(*(value / unit for value in (low, near_low, near_high, high)))
    return Scale(_finite(first, unit), _finite(last, unit))


def _finite(part: float, unit: float) -> float:
    return min(max(part * unit, -_LARGE), _LARGE)


def _limits(low: float, near_low: float, near_high: float, high: float) -> tuple[float, float]:
    near = near_high - near_low
    if near > 0:
        low = near_low - near / 4 if near_low - low > FAR * near else low
        high = near_high + near / 4 if high - near_high > FAR * near else high
    room = (high - low) * _MARGIN
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        room = abs(high) * 0.1 or 1.0  # a constant stands in the middle
    return low - room, high + room
