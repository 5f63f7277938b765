"""What is kept of a job's metrics when the disk, the clock, the worker or the task does something odd."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tui.engine.history import database
from tui.engine.metrics.recorder import TASK, Recorder
from tui.engine.metrics.series import Block, Point
from tui.engine.metrics.store import FILE
from tui.protocol import messages


class Kept:
    """A recorder on a real folder, and what it tells."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ".tunedeck"
        self.told: list[messages.Event] = []
        config = folder / "c.yaml"
        config.write_text("lr: 1\n")
        self.recorder = Recorder("job", config, {}, self.told.append)

    def report(self, first: int, at: float | None, values: Mapping[str, float], run: int = 1) -> None:
        points = {name: Point(1, value, value, value) for name, value in values.items()}
        self.recorder.add(TASK, Block(first, 1, float(first) if at is None else at, points), run)

    @property
    def notices(self) -> list[str]:
        return [event.message for event in self.told if isinstance(event, messages.Notice)]

    async def columns(self, *names: str, by: str = "step", run: int | None = None) -> dict[str, Any]:
        reply = await self.recorder.obey(messages.Columns(0, "job", names, run, by, width=5000))
        assert reply.ok
        found: dict[str, Any] = reply.data["columns"]
        return found

    async def measures(self) -> dict[str, Any]:
        reply = await self.recorder.obey(messages.Measures(0, "job"))
        assert reply.ok
        return dict(reply.data)


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    made = Kept(tmp_path)
    yield made
    await made.recorder.close()


class Broken(sqlite3.Connection):
    """A connection whose database can't grow, or can't be written, from some moment on."""

    fault = ""

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        if self.fault:
            self.execute(self.fault)
        return super().executemany(sql, parameters)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("PRAGMA max_page_count = 1", "database or disk is full"),  # it is never less than what is there
        ("PRAGMA query_only = 1", "attempt to write a readonly database"),
    ],
)
async def test_a_full_or_read_only_database_is_told_once_and_nothing_is_lost(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, fault: str, words: str
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr("sqlite3.connect", lambda *args, **more: connect(*args, **more, factory=Broken))
    kept.report(1, None, {"loss": 1.0})
    await kept.recorder.save()
    monkeypatch.setattr(Broken, "fault", fault)
    for first in (2, 1000):
        for step in range(first, first + 998):
            kept.report(step, None, {"loss": float(step)})
        await kept.recorder.save()
    (notice,) = kept.notices
    assert "not kept on disk, all else goes on" in notice
    assert words in notice
    assert words in (await kept.measures())["kept"]  # the charts say so
    wanted = [float(step) for step in range(1, 1998)]
    assert (await kept.columns("loss"))["loss"]["mean"] == wanted
    monkeypatch.setattr(Broken, "fault", "")
    await kept.recorder.save()
    assert kept.notices[1:] == ["the metrics of job are kept again"]
    await kept.recorder.close()
    again = Kept(kept.folder.parent)
    assert (await again.columns("loss", run=1))["loss"]["mean"] == wanted
    await again.recorder.close()


async def test_one_of_a_newer_version_is_left_alone_and_told(kept: Kept) -> None:
    folder = database.folder_of(kept.folder.parent / "c.yaml")
    with closing(sqlite3.connect(folder / FILE)) as newer:
        newer.execute("PRAGMA user_version = 99")
    before = (folder / FILE).read_bytes()
    kept.report(1, None, {"loss": 1.0})
    await kept.recorder.save()
    assert "was written by a newer tunedeck (format 99)" in kept.notices[0]
    assert (await kept.columns("loss"))["loss"]["mean"] == [1.0]
    assert (folder / FILE).read_bytes() == before


async def test_a_clock_that_is_set_moves_no_series(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def tell(step: int) -> Block:
        return kept.recorder.take_block({"first": step, "size": 1, "at": 100.0 + step, "values": {"loss": step}}, 1)

    first = tell(1)
    for jump in (1e9, -1e9):
        wall = time.time() + jump
        monkeypatch.setattr(time, "time", lambda wall=wall: wall)
        assert tell(2 + (jump < 0)).time - first.time == pytest.approx(1.0 + (jump < 0))
    found = (await kept.columns("loss", by="time"))["loss"]
    assert found["mean"] == [1.0, 2.0, 3.0]
    assert found["x"] == sorted(found["x"])


async def test_steps_that_begin_anew_are_another_worker_of_the_run(kept: Kept) -> None:
    for at, step in enumerate([1, 2, 3, 1, 2, 2, 5]):  # twice: a step that is told again is another worker's, too
        kept.report(step, float(at), {"loss": float(at)})
    assert (await kept.columns("loss"))["loss"]["x"] == [2, 5]
    assert (await kept.columns("loss", by="time"))["loss"]["mean"] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    await kept.recorder.save()
    await kept.recorder.close()
    again = Kept(kept.folder.parent)
    again.report(1, None, {"loss": 0.0}, run=2)
    assert (await again.columns("loss", by="time", run=1))["loss"]["mean"] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert (await again.measures())["runs"] == [1, 2]
    await again.recorder.close()


async def test_a_metric_that_comes_late_or_is_renamed_has_a_gap_and_its_own_name(kept: Kept) -> None:
    for step in range(1, 41):
        values = {"loss": 1.0} if step <= 20 else {"train/loss": 2.0}
        kept.report(step, None, values | ({"late": 3.0} if step > 30 else {}))
    await kept.recorder.save()
    assert (await kept.measures())["names"] == ["loss", "train/loss", "late"]
    for name, steps in (("loss", range(1, 21)), ("train/loss", range(21, 41)), ("late", range(31, 41))):
        assert (await kept.columns(name))[name]["x"] == list(steps)
    assert (await kept.columns("never"))["never"]["x"] == []


async def test_a_metric_that_changes_its_kind_goes_on(kept: Kept) -> None:
    told: list[Any] = [1, 2.5, True, [4, 0.5, 0.0, 1.0, 0.7, 0], [0, None, None, None, None, 1], 1e300]
    for step, value in enumerate(told):
        size = value[0] or 1 if isinstance(value, list) else 1
        kept.recorder.take_block({"first": 1 + 4 * step, "size": size, "at": float(step), "values": {"x": value}}, 1)
    found = (await kept.columns("x"))["x"]
    assert found["mean"] == [1, 2.5, 1, 0.5, None, 1e300]
    assert (found["max"][3], found["bad"][4]) == (1.0, 1)
    await kept.recorder.save()
    assert kept.notices == []
