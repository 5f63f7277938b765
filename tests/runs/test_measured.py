"""What the command line tells of the metrics of a job, and what it waits for."""

from __future__ import annotations

import csv
import json
import re

from tests.runs.folder import Folder, log, tunedeck

#: Reports at once what it is told to, and then waits for another config.
STEPS = """
    import random, tui
    def steps(config):
        rng = random.Random(1)
        while True:
            for _ in range(config["count"]):
                tui.sleep(0.07)  # far less than 20 steps a second: each is a point of its own
                config_now = yield {"loss": rng.gauss(config["level"], 0.1), "depth": 3}
            print("told", config["level"], flush=True)
            while config_now is config:
                tui.sleep(0.2)
                config_now = yield {}
            if config_now["level"] < 0:
                return
            config = config_now
"""


def test_metrics_best_and_wait(folder: Folder) -> None:
    folder.write("job.py", STEPS)
    folder.write("c.yaml", "count: 62\nlevel: 1.0\n")
    run = folder.run("job.py:steps", "-c", "c.yaml")
    run.wait_for(log("told 1.0"))
    assert tunedeck("wait", "c.yaml", "--for", "verdict", "--timeout", "9", cwd=folder.path).returncode == 1
    folder.save("c.yaml", "count: 41\nlevel: 0.5\n")
    waited = tunedeck("wait", "c.yaml", "--for", "verdict", "--json", cwd=folder.path)
    assert waited.returncode == 0, waited.stderr
    effect = json.loads(waited.stdout)["effect"][0]
    assert (effect["metric"], effect["verdict"], effect["guessed"]) == ("loss", "better", True)
    assert effect["low"] < effect["change"] < effect["high"] < 0
    assert tunedeck("wait", "c.yaml", "--for", "applied", cwd=folder.path).returncode == 0
    assert tunedeck("wait", "c.yaml", "--for", "finished", "--timeout", "0.1", cwd=folder.path).returncode == 3
    told = run.wait_for(lambda event: event["event"] == "effect")
    assert (told["version"], told["metric"], told["verdict"]) == (2, "loss", "better")
    folder.save("c.yaml", "count: 1\nlevel: -1\n")
    assert run.end() == 0

    rows = list(csv.DictReader(tunedeck("metrics", "c.yaml", "--metric", "loss", cwd=folder.path).stdout.splitlines()))
    assert {row["metric"] for row in rows} == {"loss"}
    assert [row["version"] for row in rows] == sorted(row["version"] for row in rows)
    assert {row["version"] for row in rows} >= {"1", "2"}
    assert all(float(row["min"]) <= float(row["value"]) <= float(row["max"]) for row in rows)
    steps = [int(row["step"]) for row in rows]
    assert steps == sorted(steps)
    lines = tunedeck("metrics", "c.yaml", "--format", "jsonl", "--run", "1", cwd=folder.path).stdout.splitlines()
    assert {json.loads(line)["metric"] for line in lines} == {"loss", "depth"}

    best = json.loads(tunedeck("best", "c.yaml", "--json", cwd=folder.path).stdout)
    assert list(best) == ["version", "metric", "mean", "slope", "points", "config"]
    assert (best["version"], best["metric"], best["config"]) == (2, "loss", {"count": 41, "level": 0.5})
    assert 0.4 < best["mean"] < 0.6
    assert re.match(r"v2: loss 0\.\d+ over its last \d+ points", tunedeck("best", "c.yaml", cwd=folder.path).stdout)
    unknown = tunedeck("best", "c.yaml", "--metric", "depth", cwd=folder.path)
    assert unknown.returncode == 2
    assert "which way depth is better" in unknown.stderr
    assert tunedeck("metrics", "c.yaml", "--metric", "nothing", cwd=folder.path).returncode == 2
    assert tunedeck("wait", "c.yaml", "--for", "finished", cwd=folder.path).returncode == 1
    history = tunedeck("history", "c.yaml", "--json", cwd=folder.path).stdout.splitlines()
    assert json.loads(history[1])["effect"][0]["verdict"] == "better"


def test_the_deck_says_which_way_is_better(folder: Folder) -> None:
    folder.write("job.py", STEPS)
    folder.write("c.yaml", "count: 62\nlevel: 1.0\n")
    run = folder.run_deck("jobs: {steps: {task: 'job.py:steps', config: c.yaml, metrics: {depth: max, loss: max}}}\n")
    run.wait_for(log("told 1.0"))
    folder.save("c.yaml", "count: 41\nlevel: 0.5\n")
    told = run.wait_for(lambda event: event["event"] == "effect" and event["metric"] == "loss")
    assert (told["verdict"], told["guessed"]) == ("worse", False)
    run.stop()
    best = json.loads(tunedeck("best", "c.yaml", "--metric", "loss", "--json", cwd=folder.path).stdout)
    assert best["version"] == 1
