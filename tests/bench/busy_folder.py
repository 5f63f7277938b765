"""What other files in a config's folder cost: its saves beside those in a quiet folder, in one engine.

Run as ``python tests/bench/busy_folder.py --saves 1000``. A program fills the busy folder 1,000 times a second, in one
of three ways, and the job there writes a line beside its config whenever that changes. Each config is renamed into
place 30 to 60 ms after the last time. A save that never became a version is lost: exit code 1.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.live import TASKS, Client, cpu, engine, spread, table, ten_keys, write_deck
from tui.protocol.messages import Reload, State

JOBS = ("quiet", "busy")

#: Seconds over which processor time is measured.
WINDOW = 10.0

#: Fills a folder. Files are removed when a thousand newer ones are there.
FILL = """
import os, sys, time
way, folder, rate = sys.argv[1], sys.argv[2], 1_000
os.chdir(folder)
log = open("foreign.log", "a", buffering=1)
began, count = time.monotonic(), 0
while True:
    while count < (time.monotonic() - began) * rate:
        count += 1
        if way == "append":
            log.write(f"line {count}\\n")
            continue
        name = f"foreign-{count}"
        with open(name if way == "write" else "foreign.new", "w") as file:
            file.write("text\\n")
        if way == "rename":
            os.replace("foreign.new", name)
        if count > 1_000:
            os.unlink(f"foreign-{count - 1_000}")
    time.sleep(0.0005)
"""


class Bench:
    """Two jobs, one of them in the folder that is filled."""

    def __init__(self, root: Path) -> None:
        self.configs = {job: root / job / "c.yaml" for job in JOBS}
        self._journals = {"quiet": root / "journal", "busy": root / "busy" / "journal"}
        self._renamed: dict[str, list[float]] = {job: [] for job in JOBS}
        self._versions: dict[str, set[int]] = {job: set() for job in JOBS}
        for job, config in self.configs.items():
            config.parent.mkdir()
            config.write_text(self._text(job))
            self._renamed[job].append(time.monotonic())  # what the job begins with

    def save(self, pause: float) -> None:
        """Rename a new config into each folder, with pauses of random length that come to 30 to 60 ms."""
        for job in JOBS:
            new = self.configs[job].with_suffix(".new")
            new.write_text(self._text(job))
            time.sleep(random.uniform(pause / 4, pause / 2))
            self._renamed[job].append(time.monotonic())
            new.replace(self.configs[job])

    def wait(self, client: Client) -> None:
        """Wait until the newest configs have come to their tasks and to the viewer, at most two seconds."""
        deadline = time.monotonic() + 2
        while not all(self._is_over(job) for job in JOBS) and time.monotonic() < deadline:
            time.sleep(0.01)
            self.listen(client)

    def _is_over(self, job: str) -> bool:
        return self.lost(job) == 0 and len(self._renamed[job]) - 1 in self._seen(job)

    def delays(self, job: str) -> list[float]:
        """Return the milliseconds from each renaming to the task's next step."""
        seen = self._seen(job)
        return [1000 * (seen[number] - at) for number, at in enumerate(self._renamed[job]) if number in seen][1:]

    def listen(self, client: Client) -> None:
        """Take down which versions there are."""
        for message in client.read():
            if isinstance(message, Reload) and message.source == "disk":
                self._versions[message.job].add(message.version)

    def lost(self, job: str) -> int:
        """Return how many saves never were a version."""
        return len(self._renamed[job]) - 1 - len(self._versions[job])

    def _text(self, job: str) -> str:
        return ten_keys(journal=self._journals[job], number=len(self._renamed[job]), pause=0.001)

    def _seen(self, job: str) -> dict[int, float]:
        lines = [line.split() for line in self._journals[job].read_text().splitlines()]
        return {int(number): float(at) for number, at in lines}


@contextlib.contextmanager
def filled(folder: Path, way: str) -> Iterator[None]:
    """Have a program fill the folder."""
    with subprocess.Popen([sys.executable, "-c", FILL, way, str(folder)]) as process:
        try:
            yield
        finally:
            process.terminate()


def watching(client: Client) -> float:
    """Return how much of a core, in percent, the engine takes while nothing is saved."""
    time.sleep(1)
    before = cpu(client.engine)
    time.sleep(WINDOW)
    return 100 * (cpu(client.engine) - before) / WINDOW


def measure(way: str, saves: int) -> int:
    """Print what one way of filling the folder does; return how many saves were lost."""
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name))
        deck = write_deck(Path(name), {job: (f"{TASKS}:journal", config) for job, config in bench.configs.items()})
        with engine(deck) as client:
            for _ in JOBS:
                client.until(State, lambda state: state.state == "running")
            idle = watching(client)
            with filled(bench.configs["busy"].parent, way):
                beside = watching(client)
                for _ in range(saves):
                    bench.save(0.06)
                    bench.listen(client)
                bench.wait(client)
        quiet, busy = (bench.delays(job) for job in JOBS)
        lost = [bench.lost(job) for job in JOBS]
    rows = [
        ("quiet folder: rename to the task's next step", spread(quiet), "-"),
        ("busy folder: the same", spread(busy), "-"),
        ("times as long, median", f"{statistics.median(busy) / statistics.median(quiet):.2f}", "1.5"),
        ("times as long, p95", f"{p95(busy) / p95(quiet):.2f}", "3"),
        ("versions lost, quiet and busy", " and ".join(map(str, lost)), "0 and 0"),
        ("CPU of the watching engine, without and with that", f"{idle:.1f} % and {beside:.1f} %", "2 % more"),
    ]
    table(f"another program in the folder, 1,000 times a second: {way}", rows)
    return sum(lost)


def p95(milliseconds: list[float]) -> float:
    """Return the 95th percentile."""
    return sorted(milliseconds)[math.ceil(len(milliseconds) * 0.95) - 1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saves", type=int, default=1_000)
    parser.add_argument(
        "--ways", nargs="+", choices=("write", "rename", "append"), default=("write", "rename", "append")
    )
    options = parser.parse_args()
    return 1 if sum([measure(way, options.saves) for way in options.ways]) else 0


if __name__ == "__main__":
    raise SystemExit(main())
