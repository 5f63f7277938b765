"""What a change did to a series, told by a placebo in time: how much does it move where nothing was changed?

A series from a running job is noisy, has a trend, and each point resembles the one before. So no formula says how
large a step must be to be none of its own; its past does. The same contrast is taken at every earlier place at which
nothing was changed, and the change is clear where its contrast stands out from those. ``docs/effect.md`` says more.

Pure functions of the points, without clocks: who watches and who does not get the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from math import sqrt
from typing import NamedTuple

from tui.engine.metrics.student import quantile

#: Points after the change at the first look; each look after it has twice as many.
FIRST = 10

#: So many looks there are at most. Each has its share of `ALPHA`, so looking again makes no false verdict likelier.
LOOKS = 6

#: The share of changes without an effect that may be called clear.
ALPHA = 0.05

#: Of a look of m points, m times so many points of history are needed, and used at most.
_NEEDED = 6
_USED = 16

#: What is left of a sum of squares after so large a share of it was taken away is only rounding.
_ROUNDING = 1e-11


class Estimate(NamedTuple):
    """What a look has found, as an estimate with its bounds.

    Attributes:
        points: Points before and after the change that were compared.
        change: By how much the series is higher after the change.
        smallest: The smallest change that would have been clear.
    """

    points: int
    change: float
    smallest: float

    @property
    def clear(self) -> bool:
        """The series moved more than it does by itself."""
        return abs(self.change) > self.smallest


class _Line(NamedTuple):
    """The straight line through some neighbouring points: their mean, its slope, and the squares that it leaves."""

    mean: float
    slope: float
    rest: float


class _Contrast(NamedTuple):
    """Two ways to say how far the points after a place are above those before it; both are 1 for a step of 1.

    Attributes:
        means: The difference of the means.
        jump: Between the ends of two straight lines, which leaves out a trend, also one that bends.
        noise: The deviation of a point from its line.
    """

    means: float
    jump: float
    noise: float


def looks(at: int, cuts: Sequence[int] = ()) -> list[int]:
    """Return after how many points each look at a change is due; none where there is too little history.

    Args:
        at: Points before the change.
        cuts: The places of earlier changes among them, in order.
    """
    since = at - max(cuts, default=0)
    sizes = (FIRST << number for number in range(LOOKS))
    return [size for size in sizes if size <= since and _freedom(_places(size, at, cuts), size) >= _NEEDED - 2]


def find(series: Sequence[float], at: int, size: int, cuts: Sequence[int] = ()) -> Estimate | None:
    """Return what the change before ``series[at]`` did, as one of its `looks` shows it.

    Args:
        series: The points: at least `size` from the change on.
        at: Points before the change.
        size: Points to compare on either side, one of `looks`.
        cuts: The places of earlier changes, in order.

    Returns:
        None where the series is constant on either side: nothing says how much it moves by itself.
    """
    start = max(0, at - _USED * size)
    part = series[start : at + size]
    largest = max(map(abs, part))
    if not largest:
        return None
    contrasts = _contrasts([value / largest for value in part], size)  # no square of it is too large for a number
    places = _places(size, at, cuts)
    past = [contrasts[place - size - start] for stretch in places for place in stretch]
    own = contrasts[at - size - start]
    # Only data from before the change decide which of both is used: the one that was the calmer.
    scale, change = min((_scale(past, "means"), own.means), (_scale(past, "jump"), own.jump), key=lambda pair: pair[0])
    error = scale * own.noise
    if not error:
        return None
    level = 1 - ALPHA / len(looks(at, cuts)) / 2
    return Estimate(size, change * largest, quantile(level, _freedom(places, size)) * error * largest)


def _places(size: int, at: int, cuts: Sequence[int]) -> list[range]:
    """Return the places in the history at which nothing was changed, nor so many points before or after them."""
    start = max(0, at - _USED * size)
    ends = [start, *(cut for cut in cuts if start < cut < at), at]
    stretches = (range(first + size, last - size + 1) for first, last in pairwise(ends))
    return [stretch for stretch in stretches if stretch]


def _freedom(places: Sequence[range], size: int) -> float:
    """Return the degrees of freedom: how many contrasts the places have that share no points."""
    return sum(len(stretch) - 1 for stretch in places) / size


def _scale(past: Sequence[_Contrast], which: str) -> float:
    """Return how large a contrast is by itself, in deviations of a point."""
    squares = [(getattr(contrast, which) / contrast.noise) ** 2 for contrast in past if contrast.noise]
    return sqrt(sum(squares) / len(past))


def _contrasts(points: Sequence[float], size: int) -> list[_Contrast]:
    """Return the contrast at every place with `size` points on either side."""
    lines = list(_lines(points, size))
    return [
        _Contrast(
            after.mean - before.mean,
            after.mean - before.mean - (before.slope + after.slope) * size / 2,
            sqrt((before.rest + after.rest) / (2 * size - 4)),
        )
        for before, after in zip(lines, lines[size:], strict=False)
    ]


def _lines(points: Sequence[float], size: int) -> Iterator[_Line]:
    """Yield the least-squares line through each `size` neighbouring points, from running sums."""
    points = [value - points[-1] for value in points]
    sums = [0.0, *accumulate(points)]
    squares = [0.0, *accumulate(value * value for value in points)]
    moments = [0.0, *accumulate(place * value for place, value in enumerate(points))]
    spread = size * (size * size - 1) / 12
    for first in range(len(points) - size + 1):
        last = first + size
        total, square = sums[last] - sums[first], squares[last] - squares[first]
        slope = (moments[last] - moments[first] - total * (first + (size - 1) / 2)) / spread
        rest = square - total * total / size - slope * slope * spread
        yield _Line(total / size, slope, rest if rest > _ROUNDING * square else 0.0)
