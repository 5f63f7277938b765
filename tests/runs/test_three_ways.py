"""The sample deck of the three ways to hot-load a config, as users get it."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from tests.runs.folder import Event, Folder, Run, Wanted

CONFIGS = Path(__file__).parents[2] / "sample_configs"
KEEPS = ("in-a-process", "in-a-thread", "as-a-coroutine")
ALL = ("by-signal", *KEEPS)


def of(job: str, kind: str, **fields: object) -> Wanted:
    """Match an event of a job with these fields."""
    return lambda event: (
        (event["event"], event["job"]) == (kind, job) and all(event[key] == value for key, value in fields.items())
    )


def handled(run: Run, job: str) -> list[float]:
    """Return how many requests a job has said that it has handled, each time that it did."""
    return [event["values"]["handled"] for event in run.events if of(job, "metrics")(event)]


def wait_for_handled(run: Run, job: str, least: int, most: float = math.inf, since: Event | None = None) -> None:
    """Wait until a job says, after an event, that it has handled so many requests."""
    wanted = of(job, "metrics")

    def is_it(event: Event) -> bool:
        nonlocal since
        if event is since:
            since = None
        return since is None and wanted(event) and least <= event["values"]["handled"] <= most

    run.wait_for(is_it)


@pytest.fixture
def run(folder: Folder) -> Run:
    for name in ("three_ways.yaml", "case100.yaml"):
        shutil.copy(CONFIGS / name, folder.path)
    return folder.run("three_ways.yaml")


def test_one_save_gives_four_receipts(folder: Folder, run: Run) -> None:
    for job in ALL:
        wait_for_handled(run, job, 200)
    text = (folder.path / "case100.yaml").read_text()
    folder.save("case100.yaml", text.replace("batch: 4 ", "batch: 32 "))
    receipts = {job: run.wait_for(of(job, "reload", version=2, status="applied")) for job in ALL}
    assert [receipt["changes"] for receipt in receipts.values()] == [[{"key": "batch", "old": 4, "new": 32}]] * 4
    assert {receipt["source"] for receipt in receipts.values()} == {"disk"}

    assert receipts["by-signal"]["step"] == 0
    wait_for_handled(run, "by-signal", 0, 199, since=receipts["by-signal"])
    for job in KEEPS:
        assert receipts[job]["step"] > 0
        wait_for_handled(run, job, 200, since=receipts[job])
        assert handled(run, job) == sorted(handled(run, job))

    pids = {job: {e["pid"] for e in run.events if of(job, "state")(e) and e["pid"] is not None} for job in ALL}
    assert [len(pids[job]) for job in ALL] == [2, 1, 1, 1]
    assert pids["in-a-thread"] == pids["as-a-coroutine"]
    assert run.stop() == 143


def test_a_bad_save_disturbs_none_of_them(folder: Folder, run: Run) -> None:
    for job in ALL:
        wait_for_handled(run, job, 1)
    text = (folder.path / "case100.yaml").read_text()
    folder.save("case100.yaml", text + "batch: [\n")
    for job in ALL:
        run.wait_for(of(job, "reload", version=2, status="invalid"))
    folder.save("case100.yaml", text.replace("rate: 300", "rate: 301"))
    for job in ALL:
        run.wait_for(of(job, "reload", version=3, status="applied"))
    assert not [event for event in run.events if event["event"] == "state" and event["state"] == "crashed"]
    assert run.stop() == 143
