"""A week of an engine, its events one upon the other: does anything of it grow?

Run as ``python tests/bench/week.py [--scale 0.1]``. At a scale of 1 it is ten million lines, 100,000 reloads, and 1,000
restarts and attaches: a hundred lines and some metrics for each reload, after every hundredth a restart and a viewer
that comes, sees everything and goes. After each tenth of it the engine is looked at: its memory, threads, descriptors,
and the processes below it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.bench.live import TASKS, Client, engine, megabytes, ten_keys, write_deck
from tui.config.disk import store
from tui.protocol.messages import Ready, Reload, Save, Start
from tui.worker import process_tree

#: The whole week.
RELOADS, LINES, EVERY = 100_000, 100, 100

PARTS = 10


class Week:
    """The job, and what is done to it."""

    def __init__(self, client: Client, config: Path, socket: Path) -> None:
        self._client = client
        self._socket = socket
        self._text = config.read_text()
        self._number = 0
        self.restarts = 0

    def reload(self) -> None:
        """Save, and wait until the task has it."""
        base = store.digest(self._text.encode())
        self._number += 1
        self._text = text(self._number)
        self._client.send(Save(self._number, "a", self._text, base))
        self._client.until(Reload, lambda row: row.status == "applied" and row.source == "editor")

    def restart(self) -> None:
        """Start the job anew, and look at it as a viewer that has just come."""
        self.restarts += 1
        self._client.send(Start(self._number, "a"))
        self._client.until(Reload, lambda row: row.status == "applied" and row.source == "start")
        viewer = Client(self._socket)
        viewer.until(Ready)
        viewer.close()


def text(number: int) -> str:
    """Return the config number so and so."""
    return ten_keys(number=number, lines=LINES)


def look(pid: int) -> tuple[float, int, int, int]:
    """Return the megabytes, threads, descriptors and processes of an engine."""
    status = Path(f"/proc/{pid}/status").read_text()
    threads = int(status.partition("Threads:")[2].split()[0])
    return megabytes(pid), threads, len(list(Path(f"/proc/{pid}/fd").iterdir())), len(process_tree.descendants(pid))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.1, help="of a week")
    options = parser.parse_args()
    reloads = int(RELOADS * options.scale)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "a.yaml"
        config.write_text(text(0))
        deck = write_deck(folder, {"a": (f"{TASKS}:chatting", config)})
        print("\n  reloads     lines  restarts  seconds  memory MB  threads  descriptors  processes  disk MB")
        with engine(deck) as client:
            client.until(Reload, lambda row: row.status == "applied")
            week = Week(client, config, client.path)
            began = time.monotonic()
            for number in range(1, reloads + 1):
                week.reload()
                if number % EVERY == 0:
                    week.restart()
                if number % (reloads // PARTS) == 0:
                    found, disk = look(client.engine), sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
                    took = time.monotonic() - began
                    print(
                        f"  {number:7,} {number * LINES:9,}  {week.restarts:8,}  {took:7.0f}  {found[0]:9.1f}"
                        f"  {found[1]:7}  {found[2]:11}  {found[3]:9}  {disk / 1e6:7.1f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
