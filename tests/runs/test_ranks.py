"""Ranks: processes in step, of which each waits in every step for all others, change and end at one step."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections import defaultdict

from tests.runs.folder import Folder, Run, Wanted, ask, row, state, tunedeck
from tui.protocol.messages import Pause

#: A launcher of ranks that have a barrier in each step, as where they reduce gradients.
LAUNCHER = """
    import multiprocessing, os, sys, time
    import tui

    WORLD = int(sys.argv[1])
    barrier = multiprocessing.Barrier(WORLD)

    def say(*words):
        os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # at once: they share the pipe

    def work(rank):
        os.environ.update(RANK=str(rank), WORLD_SIZE=str(WORLD))
        say("rank", rank, "is process", os.getpid())
        config, step = CONFIG(rank), 0
        while not tui.stopping():
            seen, step = config, step + 1
            if CALLS(rank):
                config = tui.checkpoint(config, lr=getattr(config, "get", dict().get)("lr", 0))
            if config is not seen:
                say("step", step, "rank", rank, "has", config)
            if WAITS:
                barrier.wait()
            time.sleep(0.002)
        say("step", step, "rank", rank, "ends")

    def launch(rank):
        child = os.fork()
        if child:
            return child
        try:
            work(rank)
        except SystemExit as end:
            os._exit(end.code)
        os._exit(0)

    CONFIG, CALLS, WAITS = (lambda rank: None), (lambda rank: True), True
"""
LAST = """
ranks = {launch(rank): rank for rank in range(WORLD)}
codes = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in ranks]
say("codes", *codes)
"""


def start(folder: Folder, world: int, *, how: str = "", last: str = LAST, **keys: object) -> Run:
    """Run some ranks, and wait until all of them have the first config."""
    folder.write("ranks.py", LAUNCHER)
    program = folder.path / "ranks.py"
    program.write_text(f"{program.read_text()}\n{how}\n{last}")
    folder.write("c.yaml", "lr: 1\n")
    job = {"command": [sys.executable, "ranks.py", str(world)], "config": "c.yaml", **keys}
    run = folder.run_deck(json.dumps({"jobs": {"train": job}}))
    run.wait_for(row(1, "applied"))
    return run


def has(rank: int, lr: float) -> Wanted:
    """Match that a rank has a config."""
    return lambda event: event["event"] == "log" and event["line"].endswith(f"rank {rank} has {{'lr': {lr}}}")


def everywhere(run: Run, world: int, lr: float) -> None:
    """Wait until all have a config."""
    for rank in range(world):
        run.wait_for(has(rank, lr))


def steps(run: Run) -> dict[str, set[str]]:
    """Return at which steps what has come to pass, whatever the rank."""
    found = defaultdict(set)
    for line in run.lines:
        if match := re.fullmatch(r"step (\d+) rank \d (.*)", line):
            found[match[2]].add(match[1])
    return found


def pid(run: Run, rank: int) -> int:
    """Return the process of a rank."""
    line = next(line for line in reversed(run.lines) if line.startswith(f"rank {rank} is process "))
    return int(line.split()[-1])


def test_all_change_and_end_at_one_step(folder: Folder) -> None:
    run = start(folder, 3)
    everywhere(run, 3, 1)
    for lr in range(2, 12):
        folder.save("c.yaml", f"lr: {lr}\n")
        if lr % 3 == 0:  # else the next save comes while this one is on its way
            everywhere(run, 3, lr)
    everywhere(run, 3, 11)
    last = max(run.rows())
    applied = run.wait_for(row(last, "applied"))
    assert applied["ranks"] == {"total": 3, "applied": 3, "step": applied["step"]}
    assert steps(run)["has {'lr': 11}"] == {str(applied["step"])}, "the row says at which step"
    said = tunedeck("set", "c.yaml", "lr=12", cwd=folder.path).stdout
    assert re.match(rf"v{last + 1} applied by 3/3 ranks at step [\d,]+ in [\d.]+ ms: lr 11 → 12\n", said)
    assert run.stop() == 128 + signal.SIGTERM
    assert "codes 0 0 0" in run.lines
    assert [what for what, when in steps(run).items() if len(when) > 1] == []
    assert "ends" in steps(run)
    news = [event for event in run.events if event["event"] == "ranks" and event["version"] == last]
    assert (news[-1]["joined"], news[-1]["applied"], news[-1]["missing"]) == (3, 3, [])
    assert all(step <= applied["step"] + 100 for step in news[-1]["steps"].values())


def waits(version: int, why: str) -> Wanted:
    """Match that a row says what it waits for."""
    return lambda event: row(version, "sent")(event) and (event["error"] or {}).get("message", "").startswith(why)


def test_what_one_rejects_nobody_takes(folder: Folder) -> None:
    strict = """
from dataclasses import dataclass
@dataclass
class Strict:
    lr: float
CONFIG = lambda rank: Strict(0) if rank == 1 else None
"""
    run = start(folder, 2, how=strict)
    run.wait_for(has(0, 1))
    folder.save("c.yaml", "lr: fast\n")
    rejected = run.wait_for(row(2, "rejected"))
    assert rejected["error"]["message"].startswith("lr: rank 1: ")
    assert rejected["error"]["message"].endswith("v1 still runs")
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(3, "applied"))
    assert run.stop() == 128 + signal.SIGTERM
    assert not any("fast" in line for line in run.lines)


def test_change_waits_where_not_all_call_and_says_so(folder: Folder) -> None:
    run = start(folder, 3, how="CALLS, WAITS = (lambda rank: rank == 0), False")
    run.wait_for(has(0, 1))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(waits(2, "1 of 3 ranks calls tui.checkpoint"))
    news = run.wait_for(lambda event: event["event"] == "ranks" and event["version"] == 2)
    assert (news["joined"], news["total"], news["applied"], news["missing"]) == (1, 3, 0, [1, 2])
    run.wait_for(lambda event: event["event"] == "ranks" and event["steps"] != news["steps"])
    assert run.stop() == 128 + signal.SIGTERM, "a stop waits for nobody"


def test_who_is_silent_is_named_and_all_change_once_it_answers(folder: Folder) -> None:
    run = start(folder, 2, hold=0.3)
    everywhere(run, 2, 1)
    os.kill(pid(run, 1), signal.SIGSTOP)
    folder.save("c.yaml", "lr: 2\n")
    silent = waits(2, "rank 1 has not answered within 0.3 s: nobody takes it; tried again after ")
    late = waits(2, "rank 1 has not come to step "), waits(2, "no rank has come to step ")
    run.wait_for(lambda event: silent(event) or any(one(event) for one in late))  # it may answer before it is stopped
    os.kill(pid(run, 1), signal.SIGCONT)
    applied = run.wait_for(row(2, "applied"))
    assert applied["error"] is None
    everywhere(run, 2, 2)
    assert steps(run)["has {'lr': 2}"] == {str(applied["step"])}


def test_rank_that_is_started_anew_begins_with_what_runs(folder: Folder) -> None:
    again = """
ranks = {launch(rank): rank for rank in range(WORLD)}
while ranks:
    child, status = os.wait()
    rank = ranks.pop(child)
    if status:
        ranks[launch(rank)] = rank
"""
    run = start(folder, 2, how="WAITS = False", last=again)
    everywhere(run, 2, 1)
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    os.kill(pid(run, 1), signal.SIGKILL)
    run.wait_for(lambda event: event["event"] == "log" and event["line"] == "step 1 rank 1 has {'lr': 2}")
    folder.save("c.yaml", "lr: 3\n")
    applied = run.wait_for(row(3, "applied"))
    assert applied["ranks"] == {"total": 2, "applied": 2, "step": applied["step"]}


def test_all_are_held_at_one_step_and_go_on_from_there(folder: Folder) -> None:
    run = start(folder, 2)
    everywhere(run, 2, 1)
    assert ask(folder.path / "deck.yaml", Pause(1, "train")).ok
    assert run.wait_for(state("paused"))["reason"] == "from its next checkpoint on"
    held = run.wait_for(lambda event: state("paused")(event) and (event["reason"] or "").startswith("held at step"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "sent"))
    assert ask(folder.path / "deck.yaml", Pause(2, "train", paused=False)).ok
    applied = run.wait_for(row(2, "applied"))
    assert held["reason"] == f"held at step {applied['step']:,}"
    everywhere(run, 2, 2)
    assert steps(run)["has {'lr': 2}"] == {str(applied["step"])}


def test_guard_takes_back_a_change_at_one_step(folder: Folder) -> None:
    run = start(folder, 2, guards={"lr": {"max": 10}})
    everywhere(run, 2, 1)
    folder.save("c.yaml", "lr: 11\n")
    run.wait_for(row(2, "reverted"))
    back = run.wait_for(row(3, "applied"))
    assert back["source"] == "guard"
    assert back["ranks"] == {"total": 2, "applied": 2, "step": back["step"]}
    assert run.stop() == 128 + signal.SIGTERM
    assert steps(run)["has {'lr': 1}"] == {"1", str(back["step"])}
    assert len(steps(run)["has {'lr': 11}"]) == 1


def test_metrics_are_the_mean_of_all_where_the_deck_says_so(folder: Folder) -> None:
    how = """
def work(rank):
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(WORLD))
    while True:
        tui.checkpoint(None, loss=rank)
        barrier.wait()
        time.sleep(0.002)
"""
    run = start(folder, 3, how=how, rank_metrics="mean")
    mean = run.wait_for(lambda event: event["event"] == "metrics" and event["values"] == {"loss": 1.0})
    run.wait_for(lambda event: event["event"] == "metrics" and event["step"] > mean["step"] + 100)
    run.wait_for(lambda event: row(1, "applied")(event) and (event["ranks"] or {}).get("applied") == 3)
    assert run.stop() == 128 + signal.SIGTERM
    assert run.rows()[1]["ranks"]["applied"] == 3, "one that has ended had it all the same"
    points = tunedeck("metrics", "c.yaml", "--format", "jsonl", cwd=folder.path).stdout.splitlines()
    assert any((point["min"], point["max"], point["value"]) == (0, 2, 1) for point in map(json.loads, points))


def test_each_takes_a_change_by_itself_where_the_deck_says_so(folder: Folder) -> None:
    run = start(folder, 2, how="WAITS = False", ranks="each")
    everywhere(run, 2, 1)
    os.kill(pid(run, 1), signal.SIGSTOP)
    folder.save("c.yaml", "lr: 2\n")
    applied = run.wait_for(row(2, "applied"))
    assert applied["ranks"] == {"total": 2, "applied": 1, "step": applied["step"]}
    os.kill(pid(run, 1), signal.SIGCONT)
    run.wait_for(lambda event: row(2, "applied")(event) and event["ranks"]["applied"] == 2)
