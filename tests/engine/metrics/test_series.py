"""Series in several resolutions, and the database that keeps them."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.engine.metrics import series as module
from tui.engine.metrics.series import GAP, Block, Point, Range, Series, block_of
from tui.engine.metrics.store import FILE, MOST_SERIES, Database, MetricsError, Saver, SeriesKey

KEY = SeriesKey("c.yaml", "job", 1, "task")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels that are full soon."""
    monkeypatch.setattr(module, "FINEST", 40)
    monkeypatch.setattr(module, "COARSER", 24)


def filled(values: list[float], size: int = 1) -> Series:
    series = Series()
    series.levels[0] = module.Level(module.FINEST)
    for place, value in enumerate(values):
        points = {"x": Point(size, value, value, value) if math.isfinite(value) else GAP._replace(bad=size)}
        series.append(Block(1 + place * size, size, 1000.0 + place, points))
    return series


VALUES = st.lists(st.one_of(st.floats(-1e300, 1e300), st.just(math.nan)), min_size=1, max_size=400)


@given(VALUES, st.sampled_from([1, 8]), st.integers(1, 50), st.sampled_from(["step", "time"]))
def test_columns_lose_no_value_and_no_peak(values: list[float], size: int, width: int, by: str) -> None:
    found = filled(values, size).columns("x", Range(by), width)
    finite = [value for value in values if math.isfinite(value)]
    assert len(found["x"]) <= width
    assert found["x"] == sorted(set(found["x"]))
    assert sum(found["count"]) == size * len(finite)
    assert sum(found["bad"]) == size * (len(values) - len(finite))
    assert max((high for high in found["max"] if high is not None), default=0.0) == max(finite, default=0.0)
    assert min((low for low in found["min"] if low is not None), default=0.0) == min(finite, default=0.0)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 400))
def test_a_spike_of_one_step_is_seen_at_every_zoom(count: int, at: int, around: int) -> None:
    at = min(at, count)
    series = filled([0.0] * (at - 1) + [9.0] + [0.0] * (count - at))
    for width in (1, 7, 100):
        found = series.columns("x", Range("step", max(1, at - around), at + around), width)
        assert max(found["max"]) == 9.0


@given(st.integers(0, 400))
def test_all_rows_together_are_all_steps_once(count: int) -> None:
    rows = list(filled([float(place) for place in range(count)]).rows())
    assert [row.first for row in rows[1:]] == [row.first + row.size for row in rows[:-1]]
    assert sum(row.points["x"].number for row in rows) == count


def test_what_is_kept_is_bounded() -> None:
    series = filled([1.0] * 5_000)
    sizes = [len(level.axis[0]) for level in series.levels]
    assert sizes[0] <= 40 * 9 / 8
    assert max(sizes[1:]) <= 24 * 9 / 8
    assert len(sizes) <= 1 + math.log(5_000, 4)


def test_a_metric_that_comes_late_has_a_gap_before_and_too_many_are_left_out() -> None:
    series = Series()
    for step in range(1, 40):
        names = ["a"] if step < 30 else ["a", *(f"m{number}" for number in range(module.MOST_METRICS))]
        series.append(Block(step, 1, float(step), {name: Point(1, 1.0, 1.0, 1.0) for name in names}))
    assert len(series.names) == module.MOST_METRICS
    assert series.columns("m5", Range(), 1000)["x"] == list(range(30, 40))
    assert series.columns("none", Range(), 1000)["x"] == []


def test_a_clock_that_is_set_back_is_no_way_back() -> None:
    series = Series()
    for step, time in enumerate([10.0, 11.0, 3.0, 4.0, 12.0], 1):
        series.append(Block(step, 1, time, {"x": Point(1, 1.0, 1.0, 1.0)}))
    assert list(series.levels[0].axis[2]) == [10.0, 11.0, 11.0, 11.0, 12.0]


def test_a_block_as_a_worker_tells_it() -> None:
    values = {"a": 0.5, "b": [3, 2.0, 1.0, 3.0, 3.0, 1], "c": [0, None, None, None, None, 4]}
    block = block_of({"first": 8, "size": 4, "at": 5.0, "values": values}, 100.0)
    assert block[:3] == (8, 4, 105.0)
    assert block.points["a"] == Point(1, 0.5, 0.5, 0.5)
    assert block.points["b"] == Point(3, 2.0, 1.0, 3.0, 1)
    assert (block.points["c"].number, block.points["c"].bad) == (0, 4)


# On disk


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path)) as found:
        yield found


def test_what_was_written_in_parts_is_read_as_it_was(database: Database) -> None:
    series = Series()
    series.levels[0] = module.Level(module.FINEST)
    saver = Saver(KEY, series)
    saver.id = database.add(KEY, {})
    for step in range(1, 600):
        names = ["a", "b"] if step > 200 else ["a"]
        series.append(Block(step, 1, float(step), {name: Point(1, step / 7, step / 7, step / 7) for name in names}))
        if step % 37 == 0:
            database.write(saver.id, *saver.fresh())
    database.write(saver.id, *saver.fresh())
    assert saver.fresh() == ([], [])
    (found,) = database.load(KEY)
    for name in ("a", "b"):
        assert found.columns(name, Range(), 50) == series.columns(name, Range(), 50)
        assert found.columns(name, Range("time", 500, 590), 90) == series.columns(name, Range("time", 500, 590), 90)
    (one,) = database.load(KEY, ["b"])
    assert one.names == ["b"]


def test_the_oldest_series_of_a_job_make_room(database: Database) -> None:
    for run in range(1, MOST_SERIES + 6):
        number = database.add(KEY._replace(run=run), {"loss": "min"})
        saver = Saver(KEY, filled([1.0] * 10))
        database.write(number, *saver.fresh())
    other = database.add(KEY._replace(job="other"), {})
    assert other
    assert database.runs("c.yaml", "job") == list(range(6, MOST_SERIES + 6))
    assert database.runs("c.yaml", "other") == [1]
    assert (database.told("c.yaml", "job"), database.told("c.yaml", "other")) == ({"loss": "min"}, {})


def test_one_of_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as newer:
        newer.execute("PRAGMA user_version = 99")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(MetricsError, match="newer tunedeck"):
        Database(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_damaged_one_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    with pytest.raises(MetricsError, match="not a database"):
        Database(tmp_path)


def test_a_file_that_was_deleted_is_noticed(database: Database, tmp_path: Path) -> None:
    assert database.intact
    (tmp_path / FILE).unlink()
    assert not database.intact
