"""Ten viewers of a job that writes a lot, one of which stands still: what it does to the others and to the job.

Run as ``python tests/bench/viewers.py [--viewers 10] [--rate 20000] [--seconds 10]``. The job prints lines with the
time; a viewer is a process of its own, without a screen, that decodes all that comes and notes how old the newest line
is: ten screens would have to share two cores. First there is one, then all, then one of them is stopped by SIGSTOP.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.board import Board
from tests.bench.live import TASKS, Client, engine, megabytes, table, ten_keys, write_deck
from tests.bench.terminal import environment
from tui.engine import paths
from tui.protocol.messages import Lines

Row = tuple[str, str, str]

#: Seconds in which a viewer that goes on may come to the newest line.
CATCH_UP = 20.0


def watch(socket: Path, notes: Path) -> None:
    """Be a viewer: note when a line came, and how old it was."""
    client = Client(socket)
    with notes.open("w", buffering=1) as file:
        while True:
            for message in client.read(60):
                if isinstance(message, Lines) and message.text.rpartition(" ")[2].replace(".", "").isdigit():
                    now = time.monotonic()
                    file.write(f"{now} {now - float(message.text.rpartition(' ')[2])}\n")


class Viewer:
    """A viewer, and what it has noted."""

    def __init__(self, socket: Path, notes: Path) -> None:
        self._notes = notes
        command = [sys.executable, __file__, "--watch", str(socket), str(notes)]
        self.process = subprocess.Popen(command, env=environment())
        self.wait(time.monotonic())

    def _read(self) -> Iterator[tuple[float, float]]:
        if self._notes.exists():
            for line in self._notes.read_text().splitlines()[:-1]:
                when, age = line.split()
                yield float(when), float(age)

    def ages(self, since: float) -> list[float]:
        """Return how old lines were, in milliseconds."""
        return [1000 * age for when, age in self._read() if when > since]

    def wait(self, since: float) -> float:
        """Wait until a line has come that was printed after that; return the seconds."""
        began = time.monotonic()
        while not any(when - age > since for when, age in self._read()):
            if time.monotonic() > began + CATCH_UP:
                raise TimeoutError("a viewer sees nothing")
            time.sleep(0.02)
        return time.monotonic() - began


def measure(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Yield the rate of the job and the ages of lines, with one viewer, with all, and with one that stands still."""
    board = Board.new(folder / "board")
    config = folder / "a.yaml"
    config.write_text(ten_keys(board=str(folder / "board"), rate=options.rate))
    deck = write_deck(folder, {"a": (f"{TASKS}:timing", config)})
    socket = paths.socket_of(str(deck))
    viewers: list[Viewer] = []

    def phase(what: str, watched: list[Viewer]) -> Iterator[Row]:
        before, began = board.steps, time.monotonic()
        time.sleep(options.seconds)
        rate = (board.steps - before) / (time.monotonic() - began)
        ages = sorted(age for viewer in watched for age in viewer.ages(began))
        p95 = ages[int(len(ages) * 0.95)]
        yield f"{what}: lines a second of the job", f"{rate:,.0f}", f"{options.rate:,}"
        yield f"{what}: age of a line", f"median {statistics.median(ages):.1f} ms, p95 {p95:.1f} ms", "as alone"

    with engine(deck) as client:
        pid = client.engine
        client.close()
        try:
            viewers.append(Viewer(socket, folder / "0"))
            yield from phase("one viewer", viewers)
            viewers += [Viewer(socket, folder / str(number)) for number in range(1, options.viewers)]
            yield from phase(f"{options.viewers} viewers", viewers)
            memory = megabytes(pid)
            os.kill(viewers[-1].process.pid, signal.SIGSTOP)
            yield from phase("one of them stopped", viewers[:-1])
            yield "the engine's memory meanwhile", f"{memory:.0f} to {megabytes(pid):.0f} MB", "as before"
            os.kill(viewers[-1].process.pid, signal.SIGCONT)
            yield "the stopped one sees the newest after", f"{viewers[-1].wait(time.monotonic()):.2f} s", "1 s"
        finally:
            for viewer in viewers:
                viewer.process.kill()
                viewer.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--rate", type=int, default=20_000, help="lines a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each row")
    parser.add_argument("--watch", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watch:
        watch(*options.watch)
    with tempfile.TemporaryDirectory() as name:
        rows = list(measure(Path(name), options))
    table(f"{options.viewers} viewers of a job that prints {options.rate:,} lines a second", rows)


if __name__ == "__main__":
    main()
