"""The picture of a chart: a stored text for each kind of curve that there is, and what must hold of all."""

from __future__ import annotations

import math
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.app.charts.plot import Chart, Curve, Flag, Line, draw
from tui.app.charts.points import PlotPoint, at, by_column, joined, point, smoothed
from tui.app.charts.scale import Scale, fitting, labels, number, span, time_ticks

PICTURES = Path(__file__).parent / "pictures"

NAN, INF = math.nan, math.inf


def noisy(count: int, floor: float = 0.2) -> list[float]:
    source = random.Random(7)
    return [3 * math.exp(-step / (count / 5)) + floor + source.gauss(0, 0.05) for step in range(count)]


CURVES = {
    "decaying": noisy(400),
    "empty": [],
    "one point": [3.0],
    "constant": [5.0] * 10,
    "missing": [1, 2, NAN, NAN, 3, 4, NAN, 2],
    "infinite": [1, 2, INF, 3, 2, -INF, 1],
    "tiny": [1e-300, 2e-300, 3e-300],
    "huge": [1e300, 2e300, 1.5e300],
    "all floats": [-1.7e308, 1.7e308, 0.0],
    "outlier": [1 + (step * 37 % 11) / 11 for step in range(100)] + [1e6] + [1 + step % 7 / 7 for step in range(100)],
}


def chart(
    values: list[float], *, log: bool = False, flags: tuple[Flag, ...] = (), cursor: float | None = None
) -> Chart:
    points = [point(step, value) for step, value in enumerate(values)]
    return Chart(
        [("loss", "strong")], [Curve(points, "key")], Scale(0, max(len(values) - 1, 1)), log=log, flags=flags,
        cursor=cursor,
    )  # fmt: skip


def text(lines: list[Line]) -> str:
    return "\n".join("".join(part for part, _ in line).rstrip() for line in lines) + "\n"


def compare(name: str, found: str) -> None:
    stored = PICTURES / f"{name.replace(' ', '-')}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        PICTURES.mkdir(exist_ok=True)
        stored.write_text(found, encoding="utf-8")
    assert found == stored.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CURVES)
def test_picture(name: str) -> None:
    compare(name, text(draw(chart(CURVES[name]), 60, 11)))


def test_picture_on_a_log_scale() -> None:
    compare("log", text(draw(chart([10 ** (-step / 40) for step in range(400)], log=True), 60, 12)))
    compare("log-not-positive", text(draw(chart([-1.0, 0.0, 0.5, 4.0], log=True), 60, 9)))


def test_picture_with_flags_and_a_cursor() -> None:
    flags = (
        Flag(40, "v7", "lr 0.01 → 0.1", "bad"),
        Flag(60, "v8", "momentum 0.9 → 0.95", "dim"),
        Flag(66, "v9", "lr 0.1 → 0.05", "good"),
        Flag(390, "v10", "batch 32 → 64", "wait"),
    )
    compare("flags", text(draw(chart(noisy(400), flags=flags, cursor=200), 80, 12)))
    chosen = tuple(flag._replace(chosen=flag.name == "v10") for flag in flags)
    compare("flags-chosen", text(draw(chart(noisy(400), flags=chosen), 80, 12)))


def test_several_curves_have_their_own_scales() -> None:
    loss = [point(step, value) for step, value in enumerate(noisy(100))]
    reward = [point(step, 10_000 + 50 * step) for step in range(100)]
    both = [Curve(points, tone, fitting([points])) for points, tone in ((loss, "line-1"), (reward, "line-2"))]
    lines = draw(Chart([("both", "strong")], both, Scale(0, 99), y=both[0].scale), 60, 12)
    compare("overlay", text(lines))
    assert {tone for line in lines for _, tone in line} >= {"line-1", "line-2"}


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.lists(st.floats(), max_size=40),
    st.integers(1, 90),
    st.integers(1, 30),
    st.booleans(),
    st.lists(st.tuples(finite, st.text("ab ", max_size=30), st.booleans()), max_size=4),
    finite | st.none(),
)
def test_every_line_is_as_wide_as_it_should_be(
    values: list[float],
    width: int,
    height: int,
    log: bool,
    flags: list[tuple[float, str, bool]],
    cursor: float | None,
) -> None:
    marked = tuple(Flag(x, "v1", what, "dim", chosen) for x, what, chosen in sorted(flags))
    lines = draw(chart(values, log=log, flags=marked, cursor=cursor), width, height)
    assert [sum(len(part) for part, _ in line) for line in lines] == [width] * height


@given(st.lists(finite, min_size=1, max_size=60))
def test_a_scale_holds_nearly_all_values_and_its_labels_lie_in_it(values: list[float]) -> None:
    scale = fitting([[point(step, value) for step, value in enumerate(values)]])
    assert scale.first < scale.last
    outside = sum(not -1e-9 <= scale.part(value) <= 1 + 1e-9 for value in values)
    assert outside <= 2 * (len(values) // 100)
    for tick in scale.ticks(5):
        assert -1e-6 <= scale.part(tick.value) <= 1 + 1e-6


@pytest.mark.parametrize("length", [1_000, 1_000_000])
@pytest.mark.parametrize("columns", [20, 77, 200])
def test_a_spike_of_one_step_is_seen_at_every_zoom(length: int, columns: int) -> None:
    """The engine sums up by columns and keeps least and greatest; the picture must show them."""
    spike = length // 3
    points = [PlotPoint(n * length / 400, length // 400, 1.0, 1.0, 1.0) for n in range(400)]
    where = spike * 400 // length
    points[where] = points[where]._replace(high=2.5, mean=1.0)
    flat = [item._replace(high=1.0) for item in points]

    def picture(curve: list[PlotPoint]) -> str:
        return text(draw(Chart([], [Curve(curve, "key")], Scale(0, length), y=Scale(0, 3)), columns, 10))

    assert picture(points) != picture(flat)


def test_points_that_fall_together_are_one() -> None:
    several = [(0, point(0, 1.0)), (0, point(1, 3.0)), (0, point(2, NAN)), (2, point(3, NAN))]
    column, first = next(by_column(several))
    assert (column, first.size, first.low, first.high) == (0, 2, 1.0, 3.0)
    assert joined([point(0, NAN), point(1, NAN)]).is_gap
    large = joined([point(0, 1.7e308), point(1, 1.7e308)])
    assert large.mean == pytest.approx(1.7e308)


def test_smoothing_keeps_a_constant_and_the_gaps() -> None:
    points = [point(0, 2.0), point(1, NAN), point(2, 2.0)]
    found = smoothed(points, 0.9)
    assert [item.mean for item in found if not item.is_gap] == [pytest.approx(2.0)] * 2
    assert found[1].is_gap
    assert [item.mean for item in smoothed([point(0, 0.0), point(1, 1.0)], 0.5)] == [0.0, pytest.approx(2 / 3)]


def test_the_point_at_a_place() -> None:
    points = [point(step, step) for step in (0, 10, 20)]
    assert [at(points, x) and at(points, x).x for x in (-1, 0, 9.9, 10, 99)] == [None, 0, 0, 10, 20]  # type: ignore[union-attr]
    assert at([], 3) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.25, "0.25"), (12_500.0, "12.5k"), (3_000_000.0, "3M"), (2e9, "2G"), (1e-5, "1e-5"), (-2.5e300, "-2.5e300"),
        (0.0, "0"), (9_999.0, "9999"), (-15_000.0, "-15k"),
    ],
)  # fmt: skip
def test_numbers_are_short(value: float, said: str) -> None:
    assert number(value) == said


def test_labels_tell_neighbours_apart() -> None:
    assert labels([0.0, 0.25, 0.5]) == ["0.00", "0.25", "0.50"]
    assert labels([0.0, 2.5, 5.0]) == ["0.0", "2.5", "5.0"]
    assert labels([0.0, 50.0]) == ["0", "50"]
    assert labels([7.0]) == ["7"]


def test_an_axis_of_time_counts_from_its_beginning() -> None:
    ticks = time_ticks(Scale(1_000, 1_000 + 600), 1_000, 6)
    assert [tick.label for tick in ticks] == ["0s", "2m", "4m", "6m", "8m", "10m"]
    assert [span(seconds) for seconds in (45, 90, 5400, 7200, 0.25)] == ["45s", "1m30s", "1h30m", "2h", "0.25s"]
