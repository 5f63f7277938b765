"""How soon a change comes to all ranks at one step, whether it ever comes to two, and what a step pays for it.

Run as ``python tests/bench/ranks.py``, with the seconds of a step, 0.009 where none are given. Four processes wait
for each other in every step, as where gradients are reduced, and have changes at random times, then a flood of saves on
disk, pauses, and stops. With ``torch`` they are launched by torchrun, whose command it takes as further words, and
train: what each finds is reduced by gloo in every step, and its weights depend on the config at every step, so that
those of two ranks differ for good where one of them has a change at another step.
A thousand ranks are simulated by one process, which answers for all of them at once.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.bench.live import Client, engine, spread, table, ten_keys
from tests.statuses import FINAL
from tui.config.disk import store
from tui.protocol.messages import Pause, Reload, Save, Start, State, Stop
from tui.runners.base import Payload
from tui.runners.member import Member
from tui.runners.members import Members, RankPolicy
from tui.worker.joined import PROTOCOL

WORLD = 4
CHANGES = 200
PAUSES = STOPS = 50
FLOOD = 5.0
A_SECOND = 500

RANKS = """
import hashlib, multiprocessing, os, sys, time
import tui
world, pause = int(sys.argv[1]), float(sys.argv[2])
barrier = multiprocessing.Barrier(world)
def work(rank):
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(world))
    weights = hashlib.blake2b()
    def learn(rate):
        weights.update(b"%r" % rate)
        barrier.wait()
    train(rank, learn, weights.hexdigest)
def train(rank, learn, weights):
    config, step, recent = None, 0, [0.0] * 3
    with open(f"rank{rank}.log", "w") as log:
        while not tui.stopping():
            seen, began = config, time.perf_counter()
            config = tui.checkpoint(config)
            recent = [*recent[1:], time.perf_counter() - began]
            step += 1
            if config is not seen:
                log.write(f"{step} {config and config['number']} {max(recent)}\\n")
                log.flush()
            elif step % 50 == 0:
                log.write(f"{step} idle {max(recent)}\\n")
            time.sleep(pause)
            learn(config["number"] if config else 0)
    with open(f"rank{rank}.new", "w") as final:
        final.write(f"{step} {weights()}")
    os.replace(f"rank{rank}.new", f"rank{rank}.final")
"""
FORKED = """
children = [pid for rank in range(world) for pid in [os.fork()] if pid or [work(rank), os._exit(0)]]
for child in children:
    os.waitpid(child, 0)
"""
TRAINED = """
import torch
import torch.distributed as group
group.init_process_group("gloo")
torch.manual_seed(group.get_rank())
weights = torch.zeros(1000)
def learn(rate):
    found = torch.rand(1000)
    group.all_reduce(found)
    weights.add_(found, alpha=rate)
train(group.get_rank(), learn, lambda: hashlib.blake2b(weights.numpy().tobytes()).hexdigest())
"""
#: Ranks that are nothing but connections: they promise step 7 and take what they are told, and say when they were told.
SIMULATED = """
import json, marshal, os, selectors, socket, struct, sys, time
address, protocol, size = sys.argv[1], *map(int, sys.argv[2:])
path, token = address.rsplit("#", 1)
ranks = selectors.DefaultSelector()
def say(link, **message):
    link.sendall(json.dumps(message).encode() + b"\\n")
for number in range(size):
    link = socket.socket(socket.AF_UNIX)
    link.connect(path)
    say(link, kind="join", token=token, protocol=protocol, pid=os.getpid(), rank=number, ranks=size)
    ranks.register(link, selectors.EVENT_READ, {})
told = 0
while ranks.get_map():
    for key, _ in ranks.select():
        data = key.fileobj.recv(1 << 16)
        if not data:
            ranks.unregister(key.fileobj)
        while data:
            end = 5 + struct.unpack_from(">I", data)[0]
            message, data = marshal.loads(data[5:end]), data[end:]
            if message["kind"] == "prepare":
                key.data.update(message["message"])
                say(key.fileobj, kind="promised", round=message["round"], fence=7)
            elif message["kind"] in ("setup", "go"):
                if message["kind"] == "go" and key.data["version"] > told:
                    told = key.data["version"]
                    print(time.monotonic(), flush=True)
                version = message.get("version") or key.data["version"]
                say(key.fileobj, kind="applied", version=version, step=7, at=time.monotonic(), superseded=[])
"""


def main() -> None:
    """Measure, and print the table."""
    pause = float(sys.argv[1]) if len(sys.argv) > 1 else 0.009
    command = [sys.executable, "ranks.py", str(WORLD), str(pause)]
    script = RANKS + FORKED
    if "torch" in sys.argv:
        torchrun = sys.argv[sys.argv.index("torch") + 1 :]
        command = [*torchrun, "--nproc-per-node", str(WORLD), "ranks.py", str(WORLD), str(pause)]
        script = RANKS + TRAINED
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "ranks.py").write_text(script)
        (folder / "c.yaml").write_text(ten_keys(number=0))
        job = {"command": command, "config": "c.yaml", "settle": 0}
        (folder / "deck.yaml").write_text(json.dumps({"jobs": {"it": job}}))
        with engine(folder / "deck.yaml") as client:
            begun = wait_for_all(client)
            latencies = [changed(client, folder / "c.yaml", number) for number in range(1, CHANGES + 1)]
            saves = flood(client, folder / "c.yaml")
            pauses = [paused(client, number) for number in range(PAUSES)]
            logs = [read(folder / f"rank{rank}.log") for rank in range(WORLD)]
            stops = stopped(client, folder, begun)
    steps, waits, flooded, idle = compared(logs)
    rows = [
        (f"save to applied in all {WORLD}, at random times", spread(latencies), "p50 10, p95 30"),
        (f"{saves} saves in {FLOOD:g} s: versions that were applied", str(len(steps) - CHANGES - 1), ""),
        (f"pauses, until it is known at which step all are held, {PAUSES} times", spread(pauses), ""),
        (f"stops, until all have ended, {STOPS} times", spread([took for took, _ in stops]), ""),
        (
            "stops after which two had saved other steps or weights, or one nothing",
            str(sum(bad for _, bad in stops)),
            "0",
        ),
        ("versions at different steps", str(sum(len(found) > 1 for found in steps.values())), "0"),
        ("longest checkpoint of three at a change", spread(waits) + f", most {max(waits):.1f}", "0, most 5"),
        ("the same in the flood", spread(flooded) + f", most {max(flooded):.1f}", ""),
        ("longest checkpoint of three elsewhere", spread(idle) + f", most {max(idle):.1f}", ""),
        *((f"1,000 simulated ranks: {what}", spread(found), aim) for what, found, aim in simulated(1000, 20)),
    ]
    table(f"{WORLD} ranks, steps of {pause * 1000:g} ms", rows)


def wait_for_all(client: Client, before: int = 0) -> int:
    """Wait until every rank has the config with which the job begins; return its version."""

    def begun(row: Reload) -> bool:
        return row.source == "start" and row.version > before and (row.ranks or {}).get("applied") == WORLD

    return client.until(Reload, begun, 120).version


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


def stopped(client: Client, folder: Path, begun: int) -> list[tuple[float, bool]]:
    """End the job again and again; return the milliseconds of each end, and if not all ranks have saved the same."""
    found = []
    for number in range(STOPS):
        if number:
            client.send(Start(number, "it"))
            begun = wait_for_all(client, begun)
            time.sleep(random.uniform(0, 0.2))
        began = time.monotonic()
        client.send(Stop(number, "it"))
        client.until(State, lambda state: state.state == "stopped", 60)
        took = (time.monotonic() - began) * 1000
        saved = [final.read_text() for final in folder.glob("rank*.final")]
        found.append((took, len(saved) != WORLD or len(set(saved)) > 1))
        for final in folder.glob("rank*.final"):
            final.unlink()
    return found


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
    return steps, waits, flooded, idle


def simulated(size: int, changes: int) -> list[tuple[str, list[float], str]]:
    """Return the milliseconds of so many changes of ranks that are nothing but connections to another process."""
    with tempfile.TemporaryDirectory() as name:
        return asyncio.run(decided(Path(name), size, changes))


async def decided(folder: Path, size: int, changes: int) -> list[tuple[str, list[float], str]]:
    """Bring changes to simulated ranks as an engine does."""
    news: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    policy = RankPolicy(hold=60)
    setup: Mapping[str, Any] = {"guards": {}, "state_dir": None}
    members = Members(folder / "it", setup, Payload(1, {}, ""), news.put_nowait, said_nothing, policy=policy)
    command = [sys.executable, "-c", SIMULATED, members.address, str(PROTOCOL), str(size)]
    decisions: list[float] = []
    landings: list[float] = []
    cpu: list[float] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ranks:  # noqa: ASYNC220
        assert ranks.stdout is not None
        await until(news, lambda told: (told.get("ranks") or {}).get("applied") == size)
        for version in range(2, changes + 2):
            began, busy = time.monotonic(), time.process_time()
            members.send(Payload(version, {"number": version}, ""))
            await until(news, lambda told: told["kind"] == "applied" and told["version"] == version)  # noqa: B023
            landings.append((time.monotonic() - began) * 1000)
            cpu.append((time.process_time() - busy) * 1000)
            decisions.append((float(ranks.stdout.readline()) - began) * 1000)
        members.close()
    return [("save to decision", decisions, "300"), ("until all have it", landings, ""), ("engine's CPU", cpu, "300")]


async def until(news: asyncio.Queue[Mapping[str, Any]], wanted: Callable[[Mapping[str, Any]], bool]) -> None:
    """Take news until one is wanted."""
    while not wanted(await news.get()):
        pass


def said_nothing(member: Member, *, came: bool) -> None:
    """Take that a rank has come or gone, and do nothing with it."""


if __name__ == "__main__":
    main()
