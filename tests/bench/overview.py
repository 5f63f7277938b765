"""How much of a core a viewer takes of 100 jobs that tell metrics: in the overview, and in the panes of one of them.

Run as ``python tests/bench/overview.py [--jobs 100] [--seconds 20] [--processes]``. The jobs are asyncio jobs of one
host, each with 20 steps a second and ten metrics; or processes, each with 100 lines and 20 metrics a second. The viewer
runs on a terminal of 120 by 40 that is read. What it chooses is kept in the folder of the benchmark. In the end one job
after the other is saved.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.live import TASKS, Client, cpu, megabytes, spread, table, ten_keys, write_deck
from tests.bench.terminal import Terminal
from tui.cli import client
from tui.config.disk import store
from tui.engine import paths
from tui.protocol.messages import Reload, Save

Row = tuple[str, str, str]

#: How much of a core viewer and engine may take, in percent; the memory of both, in MB; and a job's panes, in ms.
VIEWER, ENGINE, MEMORY, SWITCH = 25, 40, 300, 100

#: The median from a save to the task, in ms, and so many saves.
SAVED, SAVES = 20, 60

#: So often a job is opened, after some that warm up.
OPENED, WARM = 20, 3


def measure(folder: Path, jobs: int, seconds: float, processes: bool) -> Iterator[Row]:
    """Yield what viewer and engine take, and how long it takes to open a job and to save one."""
    configs = {f"job-{number}": folder / f"job-{number}.yaml" for number in range(jobs)}
    for config in configs.values():
        config.write_text(ten_keys(pause=0.05))
    tasks = {name: (f"{TASKS}:{'busy' if processes else 'telling'}", config) for name, config in configs.items()}
    deck = write_deck(folder, tasks, lambda _: {"runner": "process" if processes else "asyncio"})
    viewer = Terminal([sys.executable, "-m", "tui", "run", str(deck)], folder)
    socket = paths.socket_of(str(deck))
    try:
        viewer.shows("failing first", "running", "loss" if processes else "metric 0", seconds=60)
        viewer.drain(10)
        engine = client.greet_deck(socket)
        assert isinstance(engine, client.RunningEngine)
        pids = {"viewer": viewer.pid, "engine": engine.hello.pid}
        yield from _shares("overview", viewer, pids, seconds, {"viewer": VIEWER, "engine": ENGINE})
        yield "memory of both", f"{sum(map(megabytes, pids.values())):.0f} MB", f"{MEMORY} MB"
        for times, down in ("for the first time", "\x1b[B"), ("again", ""):
            opened = []
            for _ in range(WARM + OPENED):
                opened.append(viewer.echo("\r", "disk = v"))
                viewer.echo(f"\x1b[20~{down}", "failing first")  # f9, and perhaps a job further
            yield f"opening a job, {times}", spread(opened[WARM:]), f"{SWITCH} ms"
        viewer.echo("\r", "disk = v")
        viewer.drain(2)
        yield from _shares("panes of one", viewer, pids, seconds, {})
        yield "a save, its arrival to checkpoint", spread(list(_saves(socket, viewer, configs))), f"median {SAVED} ms"
    finally:
        viewer.close()
        client.stop_deck(socket)


def _saves(socket: Path, viewer: Terminal, configs: dict[str, Path]) -> Iterator[float]:
    """Save one job after the other, and yield how long it took until each had it."""
    editor = Client(socket)
    for number, (name, config) in zip(range(SAVES), configs.items(), strict=False):
        base = store.digest(config.read_bytes())
        editor.send(Save(number, name, ten_keys(pause=0.05, number=number), base))
        row = editor.until(Reload, lambda row: row.status == "applied" and row.source == "editor")
        yield row.latency_ms or 0.0
        viewer.drain(0.05)
    editor.close()


def _shares(
    what: str, viewer: Terminal, pids: dict[str, int], seconds: float, targets: dict[str, int]
) -> Iterator[Row]:
    before = {role: cpu(pid) for role, pid in pids.items()}
    viewer.drain(seconds)
    for role, pid in pids.items():
        share = 100 * (cpu(pid) - before[role]) / seconds
        yield f"{what}: {role}", f"{share:.1f} %", f"{targets[role]} %" if role in targets else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each share of a core")
    parser.add_argument("--processes", action="store_true", help="a process for each job, which prints too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_STATE_HOME"] = str(Path(name, "state"))
        rows = list(measure(Path(name), options.jobs, options.seconds, options.processes))
    each = "100 lines and 20 metrics" if options.processes else "20 steps and 200 metrics"
    table(f"{options.jobs} jobs, each with {each} a second", rows)


if __name__ == "__main__":
    main()
