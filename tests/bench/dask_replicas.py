"""Replicas on a Dask cluster whose workers are killed, one every few seconds, while the config is saved back to back.

Run as ``python tests/bench/dask_replicas.py [--seconds 60] [--replicas 8] [--workers 3] [--every 5]``. For each worker
that is killed another one comes. A save follows as soon as the one before has its outcome. In the end every replica
must have the newest config, and every row its outcome. Replica 0 measures its own idle checkpoints by processor time,
over the sends of a bare generator.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.live import Client, engine, table
from tests.statuses import FINAL
from tui.protocol.messages import Lines, Notice, Reload, Set, State

TASK = """
import time, tui

STEPS = 200_000

def bare():
    while True:
        yield

def run(config):
    if tui.rank() == 0:
        empty, costs = bare(), []
        for _ in range(5):
            began = time.thread_time()
            for _ in range(STEPS):
                config = yield
            costs.append(time.thread_time() - began)
            began = time.thread_time()
            for _ in range(STEPS):
                empty.send(None)
            costs[-1] -= time.thread_time() - began
        print("idle", min(costs) / STEPS * 1e9)
    seen = None
    while True:
        config = yield
        if config["lr"] != seen:
            seen = config["lr"]
            print("has", seen)
        tui.sleep(0.001)
"""


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self._port}"
        self._folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self._scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(self._port), "--no-show")
        with socket.socket() as trial:
            while trial.connect_ex(("127.0.0.1", self._port)):
                time.sleep(0.1)

    def add(self) -> None:
        """Start a worker."""
        self.workers.append(self._start("worker", self.address, "--no-nanny", "--nthreads", "1"))

    def kill_one(self) -> None:
        """Kill a worker."""
        worker = self.workers.pop(random.randrange(len(self.workers)))
        worker.kill()
        worker.wait()

    def close(self) -> None:
        """End all of it."""
        for process in [*self.workers, self._scheduler]:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        program = f"from distributed.cli.dask_{what} import main; main()"
        with (self._folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", program, *arguments, "--no-dashboard"], stdout=log, stderr=log, cwd=self._folder
            )


class Watch:
    """What the engine has told so far."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.rows: dict[int, Reload] = {}
        self.has: dict[str, int] = {}
        self.idle = float("nan")
        self.lost = 0

    def read(self) -> None:
        """Take what has come."""
        for message in self.client.read(0.05):
            if isinstance(message, Reload):
                self.rows[message.version] = message
            elif isinstance(message, State) and message.state == "crashed":
                raise SystemExit(message.reason)
            elif isinstance(message, Notice):
                self.lost += " lost with " in message.message
            elif isinstance(message, Lines):
                for line in message.lines:
                    rank, _, words = line.partition(" ")
                    if words.startswith("has "):
                        self.has[rank] = int(words[4:])
                    elif words.startswith("idle "):
                        self.idle = float(words[5:])

    @property
    def settled(self) -> bool:
        """Every row has its outcome."""
        return all(row.status in FINAL for row in self.rows.values())


@contextlib.contextmanager
def cluster_of(folder: Path, workers: int) -> Iterator[Cluster]:
    """Run a cluster until the end of the block."""
    cluster = Cluster(folder)
    try:
        for _ in range(workers):
            cluster.add()
        yield cluster
    finally:
        cluster.close()


def main() -> None:
    """Run it, and print the table."""
    parser = argparse.ArgumentParser()
    for name, value in {"seconds": 60, "replicas": 8, "workers": 3, "every": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sweep.py").write_text(TASK)
        (folder / "c.yaml").write_text("lr: 0\n")
        with cluster_of(folder, wanted.workers) as cluster:
            job = {"task": "sweep.py:run", "config": "c.yaml", "settle": 0}
            there = {"runner": "dask", "scheduler": cluster.address, "replicas": wanted.replicas}
            (folder / "deck.yaml").write_text(json.dumps({"jobs": {"it": {**job, **there}}}))
            with engine(folder / "deck.yaml") as client:
                watch = Watch(client)
                kills, number = measure(cluster, watch, wanted)
    saved = [row for row in watch.rows.values() if row.source == "set"]
    times = sorted(row.latency_ms for row in saved if row.latency_ms is not None)
    behind = [rank for rank in watch.has if watch.has[rank] != number]
    open_rows = [row for row in saved if row.status not in ("applied", "superseded")]
    table(
        f"{wanted.replicas} replicas on {wanted.workers} workers, {kills} killed, {len(saved)} saves back to back",
        [
            ("replicas without the newest config in the end", str(wanted.replicas - len(watch.has) + len(behind)), "0"),
            ("saves that were lost", str(len(open_rows)), "0"),
            ("save to applied, median", f"{statistics.median(times):.1f} ms", "50 ms"),
            ("save to applied, p95", f"{times[int(len(times) * 0.95)]:.1f} ms", "-"),
            ("times that somebody was told of lost replicas", str(watch.lost), "-"),
            ("idle checkpoint in a replica, over a bare send", f"{watch.idle:.0f} ns", "150 ns"),
        ],
    )


def measure(cluster: Cluster, watch: Watch, wanted: argparse.Namespace) -> tuple[int, int]:
    """Save and kill; return how many workers were killed, and the last value that was saved."""
    while len(watch.has) < wanted.replicas:  # all of them run
        watch.read()
    number, kills, began, killed = 0, 0, time.monotonic(), time.monotonic()
    while time.monotonic() < began + wanted.seconds:
        if time.monotonic() > killed + wanted.every:
            killed, kills = time.monotonic(), kills + 1
            cluster.kill_one()
            cluster.add()
        if watch.settled and len(watch.rows) > number:
            number += 1
            watch.client.send(Set(number, "it", {"lr": str(number)}))
        watch.read()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (watch.settled and set(watch.has.values()) == {number}):
        watch.read()
    return kills, number


if __name__ == "__main__":
    main()
