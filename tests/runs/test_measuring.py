"""Metrics in real runs: kept, asked for, and there again after the engine has been killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE
from tests.runs.folder import Folder, ask, log
from tui.engine.metrics.series import Range
from tui.engine.metrics.store import FILE, Database, MetricsError, SeriesKey
from tui.protocol import messages

COUNTER = """
    import tui
    def count(config):
        for number in range(40):
            tui.sleep(0.005)
            config = yield {"loss": 40.0 - number, "number": number}
        print("counted", flush=True)
        for _ in range(64):  # so that the last block of those ends
            yield {}
        while True:
            tui.sleep(600)
            yield {}
"""


def until(wanted: Callable[[], bool]) -> None:
    """Ask again until it is so: the last block of a burst is told a tick later."""
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def columns(deck: Path, *names: str, **asked: Any) -> dict[str, Any]:
    return dict(ask(deck, messages.Columns(1, "count", names, **asked)).data)


def measures(deck: Path) -> dict[str, Any]:
    return dict(ask(deck, messages.Measures(1, "count")).data)


def test_every_step_is_in_the_columns(folder: Folder) -> None:
    run = folder.run_task(COUNTER, "count")
    run.wait_for(log("counted"))
    config = folder.path / "c.yaml"
    until(lambda: sum(columns(config, "number")["columns"]["number"]["count"]) == 40)
    found = columns(config, "loss", "number", width=10)
    assert sum(found["columns"]["loss"]["count"]) == 40
    assert max(found["columns"]["loss"]["max"]) == 40
    assert min(found["columns"]["number"]["min"]) == 0
    assert len(found["columns"]["loss"]["x"]) <= 10
    said = measures(config)
    assert said["names"][:2] == ["loss", "number"]
    assert (said["run"], said["runs"], said["better"], said["guessed"]) == (1, [1], {"loss": "min"}, ["loss"])
    assert said["kept"] == ""


def test_they_are_there_again_after_the_engine_was_killed(folder: Folder) -> None:
    run = folder.run_task(COUNTER, "count")
    run.wait_for(log("counted"))
    config, database = folder.path / "c.yaml", folder.path / ".tunedeck" / FILE
    until(lambda: database.exists() and sum(stored(config)) == 40)
    os.kill(run.pid, signal.SIGKILL)
    run.end()
    run = folder.run("job.py:count", "-c", "c.yaml")
    run.wait_for(log("counted"))
    before = columns(config, "number", run=1)
    assert sum(before["columns"]["number"]["count"]) == 40
    assert measures(config)["runs"] == [1, 2]


def stored(config: Path) -> list[int]:
    """Return the counts of the points on disk."""
    with suppress(MetricsError, sqlite3.OperationalError):  # it is just being made
        with closing(Database(config.parent / ".tunedeck", read_only=True)) as database:
            series = database.load(SeriesKey(config.name, "count", 1, "task"))
        return [count for one in series for count in one.columns("number", Range(), 100)["count"]]
    return []


def _damage(database: Path) -> None:
    database.write_bytes(b"this is no database" * 100)


def _block(database: Path) -> None:
    database.mkdir()


@pytest.mark.parametrize("spoil", [_damage, _block])
def test_a_store_that_can_t_be_used_costs_no_job(folder: Folder, spoil: Any) -> None:
    (folder.path / ".tunedeck").mkdir()
    spoil(folder.path / ".tunedeck" / FILE)
    run = folder.run_task(COUNTER, "count")
    run.wait_for(log("counted"))
    told = run.wait_for(
        lambda event: event["event"] == "notice" and "metrics of count are not kept" in event["message"]
    )
    assert told["severity"] == "warning"
    config = folder.path / "c.yaml"
    until(lambda: sum(columns(config, "number")["columns"]["number"]["count"]) == 40)
    assert FILE in measures(config)["kept"]


def test_a_new_worker_begins_its_steps_anew(folder: Folder) -> None:
    folder.task(COUNTER)
    run = folder.run_deck("jobs: {count: {task: 'job.py:count', config: c.yaml, restart_keys: [lr]}}\n")
    run.wait_for(log("counted"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(lambda event: len([line for line in run.lines if line == "counted"]) == 2)
    deck = folder.path / "deck.yaml"
    until(lambda: sum(columns(deck, "number", by="time")["columns"]["number"]["count"]) == 80)
    assert sum(columns(deck, "number")["columns"]["number"]["count"]) == 40
