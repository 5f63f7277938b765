"""Reloads that are taken back by themselves, in real workers of each kind."""

from __future__ import annotations

import json

import pytest

from tests.runs.folder import Folder, row, state, tunedeck

#: Crashes a few steps after it has got a bad config, and reports what it works with.
TASK = """
    import asyncio, os, signal, time, tui

    def bad(config, left):
        if config["lr"] == 13:
            if left == 0:
                raise ValueError("thirteen is too much")
            return left - 1
        if config["lr"] == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return 3

    def generator(config):
        left, kept = 3, 0
        while True:
            left, kept = bad(config, left), kept + 1
            time.sleep(0.002)
            config = yield {"loss": config["loss"], "kept": kept}

    async def coroutine(config):
        left, kept = 3, 0
        while True:
            left, kept = bad(config, left), kept + 1
            await asyncio.sleep(0.002)
            config = yield {"loss": config["loss"], "kept": kept}

    def function(config):
        time.sleep(0.002)
        return {"loss": config["loss"]}

    def callback(config):
        while True:
            time.sleep(0.002)
            config = tui.checkpoint(config, loss=config["loss"])
"""

GOOD = "lr: 1  # keep\nloss: 1\n"
RUNNERS = [("process", "generator"), ("thread", "generator"), ("asyncio", "coroutine")]
KINDS = [*RUNNERS, ("process", "function"), ("process", "callback")]


def deck(folder: Folder, runner: str, task: str, more: str = "") -> None:
    folder.write("job.py", TASK)
    folder.write("c.yaml", GOOD)
    folder.write("deck.yaml", f"jobs: {{job: {{task: job.py:{task}, config: c.yaml, runner: {runner}{more}}}}}\n")


@pytest.mark.parametrize(("runner", "task"), RUNNERS)
def test_a_crash_soon_after_a_reload_is_answered_by_the_last_good_config(
    folder: Folder, runner: str, task: str
) -> None:
    deck(folder, runner, task)
    run = folder.run("deck.yaml")
    run.wait_for(row(1, "applied"))
    bad = GOOD.replace("lr: 1 ", "lr: 13 ")
    folder.save("c.yaml", bad)
    run.wait_for(row(2, "applied"))
    reverted = run.wait_for(row(2, "reverted"))
    assert reverted["by"] == 3
    reason, *traceback = reverted["error"]["message"].splitlines()
    assert reason == "ValueError: thirteen is too much"
    assert traceback[0] == "Traceback (most recent call last):"
    assert 'job.py", line' in traceback[1]
    guard = run.wait_for(row(3, "applied"))
    assert (guard["source"], guard["changes"]) == ("guard", [{"key": "lr", "old": 13, "new": 1}])
    assert (folder.path / "c.yaml").read_text() == bad
    done = tunedeck("rollback", "c.yaml", "3", cwd=folder.path)
    assert done.returncode == 0, done
    assert (folder.path / "c.yaml").read_text() == GOOD
    run.stop()
    history = tunedeck("history", "c.yaml", "--json", cwd=folder.path).stdout
    assert [json.loads(line)["status"] for line in history.splitlines()] == [
        "applied",
        "reverted",
        "applied",
        "applied",
    ]


def test_a_worker_that_is_killed_after_a_reload_goes_back_too_unless_it_has_settled(folder: Folder) -> None:
    deck(folder, "process", "generator")
    run = folder.run("deck.yaml")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", GOOD.replace("lr: 1 ", "lr: 9 "))
    assert run.wait_for(row(2, "reverted"))["error"]["message"] == "killed by SIGKILL"
    run.wait_for(row(3, "applied"))
    run.stop()
    deck(folder, "process", "generator", ", settle: 0")
    run = folder.run("deck.yaml")
    run.wait_for(row(4, "applied"))
    folder.save("c.yaml", GOOD.replace("lr: 1 ", "lr: 9 "))
    run.wait_for(state("crashed"))
    assert run.end() == 1
    assert run.rows()[5]["status"] == "applied"


@pytest.mark.parametrize(("runner", "task"), KINDS)
def test_a_metric_out_of_bounds_takes_the_reload_back_and_the_state_stays(
    folder: Folder, runner: str, task: str
) -> None:
    deck(folder, runner, task, ", guards: {loss: {max: 10, for: 5}, finite: true}")
    run = folder.run("deck.yaml")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", GOOD.replace("loss: 1", "loss: 12"))
    reverted = run.wait_for(row(2, "reverted"))
    assert (reverted["by"], reverted["error"]["message"]) == (3, "loss is 12, more than 10, for 5 steps")
    guard = run.wait_for(row(3, "applied"))
    assert guard["step"] - run.wait_for(row(2, "applied"))["step"] >= 5
    folder.save("c.yaml", GOOD.replace("loss: 1", "loss: .nan"))
    assert run.wait_for(row(4, "reverted"))["error"]["message"] == "loss is nan"
    run.wait_for(row(5, "applied"))
    starting = [event for event in run.events if event["event"] == "state" and event["state"] == "starting"]
    assert len({event["pid"] for event in starting if event["pid"]}) <= 1
    assert "backoff" not in run.states
    run.stop()
