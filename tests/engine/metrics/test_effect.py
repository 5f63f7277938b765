"""Verdicts on changes: against a plain spelling of the method, on series that are hard, and on what a run may yield."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.series import NOISES, SERIES, judged
from tui.engine.metrics.effect import ALPHA, Estimate, find, looks
from tui.engine.metrics.student import quantile, tail


def plain(series: Sequence[float], at: int, size: int, cuts: Sequence[int] = ()) -> Estimate | None:
    """Return what `find` does, each line by the standard library's regression."""

    def line(points: Sequence[float]) -> tuple[float, float, float]:
        slope, intercept = statistics.linear_regression(range(size), points)
        rest = sum((value - intercept - slope * place) ** 2 for place, value in enumerate(points))
        return statistics.fmean(points), slope, rest

    def contrasts(place: int) -> tuple[float, float, float]:
        left, right = line(series[place - size : place]), line(series[place : place + size])
        step = right[0] - left[0]
        noise = math.sqrt((left[2] + right[2]) / (2 * size - 4))
        return step, step - (left[1] + right[1]) * size / 2, noise

    ends = [max(0, at - 16 * size), *(cut for cut in cuts if cut > at - 16 * size), at]
    places = [place for a, b in pairwise(ends) for place in range(a + size, b - size + 1)]
    past = [contrasts(place) for place in places]
    scales = [math.sqrt(statistics.fmean((row[kind] / row[2]) ** 2 for row in past)) for kind in (0, 1)]
    which = scales.index(min(scales))
    own = contrasts(at)
    free = sum((b - a) / size - 2 for a, b in pairwise(ends) if b - a >= 2 * size)
    level = 1 - ALPHA / len(looks(at, cuts)) / 2
    return Estimate(size, own[which], quantile(level, free) * scales[which] * own[2])


@pytest.mark.parametrize("kind", SERIES)
@pytest.mark.parametrize("cuts", [(), (60,), (41, 150), (119,)])
def test_the_method_spelled_plainly_finds_the_same(kind: str, cuts: tuple[int, ...]) -> None:
    series, _ = SERIES[kind](260, random.Random(5))
    for size in looks(200, cuts):
        found, expected = find(series, 200, size, cuts), plain(series, 200, size, cuts)
        assert found is not None
        assert expected is not None
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-9 * expected.smallest)


@pytest.mark.parametrize("kind", SERIES)
def test_what_moves_by_itself_is_seldom_called_clear(kind: str) -> None:
    rng = random.Random(7)
    assert sum(judged(SERIES[kind](440, rng)[0], 400) for _ in range(20)) <= 4  # more come by chance once in 400


@pytest.mark.parametrize(("kind", "deviations"), NOISES)
def test_a_step_is_seen(kind: str, deviations: float) -> None:
    rng = random.Random(11)
    seen = 0
    for _ in range(20):
        series, deviation = SERIES[kind](440, rng)
        seen += judged([value + deviations * deviation * (place >= 400) for place, value in enumerate(series)], 400)
    assert seen >= 13


@given(
    st.lists(st.floats(-1e300, 1e300), min_size=80, max_size=80),
    st.sampled_from([1e-300, 1e-12, 1.0, 1e6]),
)
def test_a_finding_is_of_numbers_whatever_the_series(values: list[float], unit: float) -> None:
    found = find([value * unit if abs(value) < 1e290 else value for value in values], 70, 10)
    assert found is None or (math.isfinite(found.change) and found.smallest > 0)


@given(st.integers(0, 400), st.floats(0.01, 1e6), st.floats(-1e6, 1e6))
def test_another_unit_is_the_same_finding(seed: int, unit: float, origin: float) -> None:
    rng = random.Random(seed)
    series = [rng.gauss(0, 1) for _ in range(80)]
    one, other = find(series, 70, 10), find([unit * (value + origin) for value in series], 70, 10)
    assert one is not None
    assert other is not None
    assert other.change == pytest.approx(unit * one.change, rel=1e-3, abs=1e-3 * unit)
    assert other.smallest == pytest.approx(unit * one.smallest, rel=1e-3)


@pytest.mark.parametrize("before", [0.0, 0.3, -1e300])
def test_a_constant_series_has_no_scale(before: float) -> None:
    assert find([before] * 80, 70, 10) is None
    assert find([before] * 70 + [1.0] * 10, 70, 10) is None


def test_a_look_needs_six_times_its_points_before() -> None:
    assert looks(59) == []
    assert looks(60) == [10]
    assert looks(240) == [10, 20, 40]
    assert looks(100_000) == [10, 20, 40, 80, 160, 320]


def test_stretches_between_earlier_changes_are_pooled() -> None:
    assert looks(100, (95,)) == []  # too few points since
    assert looks(70, (35,)) == []
    assert looks(80, (40,)) == [10]
    assert looks(100, (5,)) == [10]


def test_a_step_at_an_earlier_change_is_not_taken_for_noise() -> None:
    rng = random.Random(2)
    series = [rng.gauss(0, 1) + 50 * (place >= 80) + 4 * (place >= 150) for place in range(160)]
    pooled, all_ = find(series, 150, 10, (80,)), find(series, 150, 10)
    assert pooled is not None
    assert all_ is not None
    assert pooled.clear
    assert not all_.clear


@pytest.mark.parametrize(
    ("p", "dof", "value"),
    [(0.975, 1, 12.7062047), (0.975, 4, 2.7764451), (0.99, 10, 2.7637695), (0.9958333, 14, 3.0689)],
)
def test_quantiles_are_those_of_the_tables(p: float, dof: float, value: float) -> None:
    assert quantile(p, dof) == pytest.approx(value, rel=1e-4)
    assert tail(value, dof) == pytest.approx(1 - p, rel=1e-3)
    assert tail(0.0, dof) == 0.5
