"""How soon a change comes to all ranks at one step, whether it ever comes to two, and what a step pays for it.

Run as ``python tests/bench/ranks.py``, with the seconds of a step, 0.009 where none are given. Four processes wait
for each other in every step, as where gradients are reduced, and have changes at random times, then a flood of saves on
disk. With ``torch`` they reduce a tensor by gloo instead, under torchrun, whose command it takes as further words.
The state machine alone has a thousand ranks, whose answers take the time that it takes to decode them.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.live import Client, engine, spread, table, ten_keys
from tests.statuses import FINAL
from tui.config.disk import store
from tui.protocol.messages import Pause, Reload, Save, State
from tui.runners.rounds import Rounds

WORLD = 4
CHANGES = 200
PAUSES = 50
FLOOD = 5.0
A_SECOND = 500

RANKS = """
import multiprocessing, os, sys, time
import tui
world, pause = int(sys.argv[1]), float(sys.argv[2])
barrier = multiprocessing.Barrier(world)
def work(rank):
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(world))
    train(rank, barrier.wait)
def train(rank, wait):
    config, step, recent = None, 0, [0.0] * 3
    with open(f"rank{rank}.log", "w") as log:
        while not tui.stopping():
            seen, began = config, time.perf_counter()
            config = tui.checkpoint(config)
            recent = [*recent[1:], time.perf_counter() - began]
            step += 1
            if config is not seen:
                log.write(f"{step} {config['number']} {max(recent)}\\n")
            elif step % 50 == 0:
                log.write(f"{step} idle {max(recent)}\\n")
            time.sleep(pause)
            wait()
        log.write(f"{step} end 0\\n")
"""
FORKED = """
children = [pid for rank in range(world) for pid in [os.fork()] if pid or [work(rank), os._exit(0)]]
for child in children:
    os.waitpid(child, 0)
"""
REDUCED = """
import torch
import torch.distributed as group
group.init_process_group("gloo")
weights = torch.ones(1000) * group.get_rank()
train(group.get_rank(), lambda: group.all_reduce(weights))
"""


def main() -> None:
    """Measure, and print the table."""
    pause = float(sys.argv[1]) if len(sys.argv) > 1 else 0.009
    command = [sys.executable, "ranks.py", str(WORLD), str(pause)]
    script = RANKS + FORKED
    if "torch" in sys.argv:
        torchrun = sys.argv[sys.argv.index("torch") + 1 :]
        command = [*torchrun, "--nproc-per-node", str(WORLD), "ranks.py", str(WORLD), str(pause)]
        script = RANKS + REDUCED
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "ranks.py").write_text(script)
        (folder / "c.yaml").write_text(ten_keys(number=0))
        job = {"command": command, "config": "c.yaml", "settle": 0}
        (folder / "deck.yaml").write_text(json.dumps({"jobs": {"it": job}}))
        with engine(folder / "deck.yaml") as client:
            wait_for_all(client, folder)
            latencies = [changed(client, folder / "c.yaml", number) for number in range(1, CHANGES + 1)]
            saves = flood(client, folder / "c.yaml")
            pauses = [paused(client, number) for number in range(PAUSES)]
        logs = [read(folder / f"rank{rank}.log") for rank in range(WORLD)]
    steps, waits, flooded, idle = compared(logs)
    rows = [
        (f"save to applied in all {WORLD}, at random times", spread(latencies), "p50 10, p95 30"),
        (f"{saves} saves in {FLOOD:g} s: versions that were applied", str(len(steps) - CHANGES - 1), ""),
        (f"pauses, until it is known at which step all are held, {PAUSES} times", spread(pauses), ""),
        ("versions at different steps", str(sum(len(found) > 1 for found in steps.values())), "0"),
        ("longest checkpoint of three at a change", spread(waits) + f", most {max(waits):.1f}", "0, most 5"),
        ("the same in the flood", spread(flooded) + f", most {max(flooded):.1f}", ""),
        ("longest checkpoint of three elsewhere", spread(idle) + f", most {max(idle):.1f}", ""),
        ("1,000 ranks: state machine, save to decision", spread([simulated(1000) for _ in range(20)]), "300"),
    ]
    table(f"{WORLD} ranks, steps of {pause * 1000:g} ms", rows)


def wait_for_all(client: Client, folder: Path) -> None:
    """Wait until every rank has noted its first config."""
    client.until(Reload, lambda row: row.status == "applied" and (row.ranks or {}).get("applied") == WORLD, 120)
    while not all((folder / f"rank{rank}.log").exists() for rank in range(WORLD)):
        time.sleep(0.01)


def changed(client: Client, config: Path, number: int) -> float:
    """Save a change at a random time; return the milliseconds until the last rank had it."""
    time.sleep(random.uniform(0.02, 0.1))
    client.send(Save(number, "it", ten_keys(number=number), store.read(config).digest))
    row = client.until(Reload, lambda row: row.status in FINAL)
    assert row.status == "applied", row
    assert row.ranks is not None, row
    assert row.ranks["applied"] == WORLD, row
    assert row.latency_ms is not None
    return row.latency_ms


def flood(client: Client, config: Path) -> int:
    """Save as often as is wanted, and wait until the last save runs; return how many there were."""
    began, number = time.monotonic(), CHANGES
    while (now := time.monotonic() - began) < FLOOD:
        number += 1
        new = config.with_name(".new")
        new.write_text(ten_keys(number=number))
        new.replace(config)
        time.sleep(max((number - CHANGES) / A_SECOND - now, 0))
    last = str(number)
    client.until(Reload, lambda row: row.status == "applied" and str(row.changes[-1].new) == last, 60)
    return number - CHANGES


def paused(client: Client, number: int) -> float:
    """Hold all at a random time, and let them go on; return the milliseconds until they were held."""
    time.sleep(random.uniform(0.02, 0.1))
    began = time.monotonic()
    client.send(Pause(number, "it"))
    client.until(State, lambda state: state.state == "paused" and (state.reason or "").startswith("held at step"))
    took = (time.monotonic() - began) * 1000
    client.send(Pause(number, "it", paused=False))
    client.until(State, lambda state: state.state == "running")
    return took


def read(log: Path) -> list[tuple[int, str, float]]:
    """Return what a rank has noted: at which step what it had from then on, and how long its checkpoints took."""
    found = [re.split(" ", line) for line in log.read_text().splitlines()]
    return [(int(step), what, float(seconds) * 1000) for step, what, seconds in found]


def compared(
    logs: list[list[tuple[int, str, float]]],
) -> tuple[Mapping[str, set[int]], list[float], list[float], list[float]]:
    """Return at which steps each version came, and the longest checkpoints at a change, in the flood, elsewhere."""
    steps: dict[str, set[int]] = defaultdict(set)
    waits: list[float] = []
    flooded: list[float] = []
    idle: list[float] = []
    for step, what, milliseconds in (note for log in logs for note in log):
        if what == "idle":
            idle.append(milliseconds)
        else:
            steps[what].add(step)
            if what.isdecimal():
                (waits if int(what) <= CHANGES else flooded).append(milliseconds)
    assert len(steps.pop("end", {0})) == 1, "they end at one step"
    return steps, waits, flooded, idle


def simulated(size: int) -> float:
    """Return the milliseconds of processor time of one round of so many ranks, without sockets."""
    said: list[tuple[int | None, Mapping[str, Any]]] = []
    rounds = Rounds(5.0, {"kind": "reload", "version": 1, "config": {}}, lambda *what: said.append(what), said_nothing)
    for rank in range(size):
        rounds.join(rank, size)
    began = time.process_time()
    rounds.offer({"kind": "reload", "version": 2, "config": {}})
    number = said[-1][1]["round"]
    for rank in range(size):
        answer = json.loads(json.dumps({"kind": "promised", "round": number, "fence": 7}))
        rounds.promised(rank, answer["round"], answer["fence"])
    assert said[-1][1] == {"kind": "go", "round": number, "step": 7}
    return (time.process_time() - began) * 1000


def said_nothing(_: Mapping[str, Any]) -> None:
    """Take news, and do nothing with it."""


if __name__ == "__main__":
    main()
