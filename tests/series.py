"""Series as running jobs yield them, without a change; for tests and benchmarks of verdicts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import exp, sqrt

from tui.engine.metrics.effect import find, looks

#: Returns so many points, and the deviation of their noise.
Series = Callable[[int, random.Random], tuple[list[float], float]]


def _white(count: int, rng: random.Random) -> tuple[list[float], float]:
    return [rng.gauss(0, 1) for _ in range(count)], 1.0


def _heavy(count: int, rng: random.Random) -> tuple[list[float], float]:
    """Student's t with 3 degrees of freedom."""

    def one() -> float:
        return rng.gauss(0, 1) / sqrt(sum(rng.gauss(0, 1) ** 2 for _ in range(3)) / 3)

    return [one() for _ in range(count)], sqrt(3)


def _trend(count: int, rng: random.Random) -> tuple[list[float], float]:
    return [0.02 * place + rng.gauss(0, 1) for place in range(count)], 1.0


def autoregressive(share: float, noise: float = 0.0) -> Series:
    """Return a series whose points keep a share of the one before; with 1 a random walk."""

    def series(count: int, rng: random.Random) -> tuple[list[float], float]:
        points, value = [], 0.0
        for _ in range(count):
            value = share * value + rng.gauss(0, 1)
            points.append(value + noise * rng.gauss(0, 1))
        return points, sqrt(1 / (1 - share * share)) if share < 1 else 10.0

    return series


def decaying(pace: float, noise: float, share: float = 0.0) -> Series:
    """Return a loss that falls by a factor e in `pace` of its length."""

    def series(count: int, rng: random.Random) -> tuple[list[float], float]:
        points, value = [], 0.0
        for place in range(count):
            value = share * value + rng.gauss(0, noise)
            points.append(0.3 + 2 * exp(-place / (count * pace)) + value)
        return points, noise / sqrt(1 - share * share)

    return series


def _power(count: int, rng: random.Random) -> tuple[list[float], float]:
    return [2 * (place + 5) ** -0.3 + rng.gauss(0, 0.02) for place in range(count)], 0.02


def _reward(count: int, rng: random.Random) -> tuple[list[float], float]:
    points = [100 * (1 - exp(-place / 150)) + rng.gauss(0, 1 + 9 * place / count) for place in range(count)]
    return points, 10.0


SERIES: dict[str, Series] = {
    "white noise": _white,
    "heavy tails (t3)": _heavy,
    "linear trend": _trend,
    "AR(1) 0.5": autoregressive(0.5),
    "AR(1) 0.9": autoregressive(0.9),
    "AR(1) 0.98": autoregressive(0.98),
    "random walk": autoregressive(1.0),
    "random walk + white": autoregressive(1.0, 3.0),
    "decaying loss": decaying(0.25, 0.02),
    "fast decaying loss": decaying(0.1, 0.02),
    "slow decaying loss": decaying(1.0, 0.1),
    "power law": _power,
    "reward, growing noise": _reward,
    "decaying loss + AR(1) 0.9": decaying(0.25, 0.02, 0.9),
}

#: Of which series a step of how many deviations must be seen.
NOISES = [("white noise", 1.0), ("AR(1) 0.5", 2.0), ("AR(1) 0.9", 3.0), ("decaying loss", 2.0)]


def judged(series: Sequence[float], at: int) -> bool:
    """Return whether any look calls the change before ``series[at]`` clear."""
    due = (size for size in looks(at) if at + size <= len(series))
    findings = (find(series, at, size) for size in due)
    return any(found is not None and found.clear for found in findings)
