"""Restart by signal: how long it takes, and whether it ever leaves two workers, a zombie or an old config.

Run as ``python tests/bench/restarts.py``. The time is from the save to the new worker's first step. It is compared with
a bare interpreter that imports the same modules and takes the same step, plus the exit of the one before; both are
measured in turn. Then each of three shapes of a task is saved every 50 ms. The task takes a lock that the system gives
back with the end of its process; meanwhile /proc is looked at for a second worker.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.bench.board import Board
from tests.bench.live import TASKS, Client, engine, spread, table, ten_keys, write_deck
from tests.statuses import FINAL
from tui.config.disk import store
from tui.protocol.messages import Reload, Save, State
from tui.worker import process_tree

ROUNDS = 40
PAUSE = 0.05

#: What a worker and its shim import, and the step of the task; it ends when its input does.
BARE = """
import sys, tui.worker.shim, tui.worker.main
from tests.bench import tasks
tasks.alone({"board": sys.argv[1], "number": int(sys.argv[2])})
sys.stdin.read()
"""

SHAPES: dict[str, dict[str, Any]] = {"alone_generator": {}, "alone": {}, "alone_callback": {"loop": False}}


class Job:
    """One job that is restarted by each save.

    Args:
        client: The viewer.
        config: Its config, named like its task.
    """

    def __init__(self, client: Client, config: Path) -> None:
        self._client = client
        self._config = config
        self.board = Board(config.with_suffix(".board"))
        self.number = 0
        client.until(State, lambda state: state.state == "running")
        client.until(Reload, lambda row: row.status == "applied")

    def save(self) -> None:
        """Save the next config in the app."""
        base = store.digest(text(self._config, self.number).encode())
        self.number += 1
        self._client.send(Save(self.number, self._config.stem, text(self._config, self.number), base))

    def rename(self) -> None:
        """Rename the next config into its place."""
        self.number += 1
        new = self._config.with_suffix(".new")
        new.write_text(text(self._config, self.number))
        new.replace(self._config)


def text(config: Path, number: int) -> str:
    """Return the config of a job."""
    return ten_keys(board=config.with_suffix(".board"), number=number)


def arrival(board: Board, number: int, began: float) -> float:
    """Return the milliseconds until a process takes its first step with the config."""
    while board.number != number:
        time.sleep(0.0005)
    return 1000 * (board.at - began)


class Bare:
    """The interpreter without tunedeck around it: each new one starts once the one before has ended."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "bare.board"
        self._board = Board.new(self._path)
        self._number = 0
        self._process = self._start()
        arrival(self._board, self._number, 0)

    def _start(self) -> subprocess.Popen[bytes]:
        self._number += 1
        command = [sys.executable, "-c", BARE, str(self._path), str(self._number)]
        return subprocess.Popen(command, stdin=subprocess.PIPE)

    def restart(self) -> float:
        """Return the milliseconds of an exit and a start."""
        began = time.monotonic()
        self.close()
        self._process = self._start()
        return arrival(self._board, self._number, began)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def measure(folder: Path) -> None:
    """Restart in turn with and without tunedeck."""
    taken: dict[str, list[float]] = {"save": [], "rename": [], "bare": []}
    with running(folder, "alone_generator") as client:
        job = Job(client, folder / "alone_generator.yaml")
        bare = Bare(folder)
        for _ in range(ROUNDS):
            for way in taken:
                time.sleep(0.2)
                if way == "bare":
                    taken[way].append(bare.restart())
                    continue
                began = time.monotonic()
                getattr(job, way)()
                taken[way].append(arrival(job.board, job.number, began))
        bare.close()
    limit = statistics.median(taken["bare"])
    rows = [("exit and start of a bare interpreter", spread(taken["bare"]), "-")]
    for way in ("save", "rename"):
        rows.append((f"{way} to the new worker's first step", spread(taken[way]), f"{1.5 * limit:.0f} ms"))
        rows.append(("ratio", f"{statistics.median(taken[way]) / limit:.2f}", "1.5"))
    table("one restart, 0.2 s apart", rows)


def running(folder: Path, task: str) -> Any:
    """Run the deck of one task that is restarted by a save."""
    config = folder / f"{task}.yaml"
    Board.new(config.with_suffix(".board"))
    config.write_text(text(config, 0))
    policies = {"on_change": "restart", **SHAPES[task]}
    return engine(write_deck(folder, {task: (f"{TASKS}:{task}", config)}, lambda _: policies))


class Look(threading.Thread):
    """Looks at the processes below an engine.

    Attributes:
        most: The most workers that lived at once.
        looks: How often it looked.
    """

    def __init__(self, engine: int) -> None:
        super().__init__(daemon=True)
        self._engine = engine
        self._over = threading.Event()
        self.most = self.looks = 0

    def run(self) -> None:
        while not self._over.wait(0.01):
            self.most = max(self.most, len(self.workers()))
            self.looks += 1

    def end(self) -> None:
        self._over.set()
        self.join()

    def workers(self) -> list[int]:
        """Return what lives now below the shims, from one look."""
        parents = {pid: parent for pid, parent, _, ended in process_tree.all_processes() if not ended}
        return [pid for pid, parent in parents.items() if parents.get(parent) == self._engine]

    def zombies(self) -> int:
        """Return how many ended processes wait for the engine or a shim to reap them."""
        parents = [self._engine, *process_tree.children(self._engine)]
        return sum(ended and parent in parents for _, parent, _, ended in process_tree.all_processes())


def storm(folder: Path, task: str, saves: int) -> bool:
    """Save again and again, and tell what was left; return whether all was well."""
    statuses: Counter[str] = Counter()
    with running(folder, task) as client:
        job = Job(client, folder / f"{task}.yaml")
        look = Look(client.engine)
        look.start()
        due = time.monotonic()
        for _ in range(saves):
            job.save()
            due += PAUSE
            time.sleep(max(0.0, due - time.monotonic()))
            statuses.update(row.status for row in client.read() if isinstance(row, Reload))
        deadline = time.monotonic() + 20
        while sum(statuses[status] for status in FINAL) < saves and time.monotonic() < deadline:
            statuses.update(row.status for row in client.read(0.1) if isinstance(row, Reload))
        time.sleep(0.5)
        look.end()
        left, zombies = len(look.workers()), look.zombies()
        newest = job.board.number == job.number
    rows = [
        ("versions", ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())), "-"),
        ("workers started", str(job.board.steps), "-"),
        ("workers that found another one's lock", str(job.board.broken), "0"),
        (f"most workers at once, {look.looks} looks", str(look.most), "1"),
        ("workers at the end", str(left), "1"),
        ("zombies at the end", str(zombies), "0"),
        ("the newest config runs", "yes" if newest else "no", "yes"),
    ]
    table(f"{saves} saves, one every {1000 * PAUSE:.0f} ms: {task}", rows)
    return newest and (job.board.broken, look.most, left, zombies) == (0, 1, 1, 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saves", type=int, default=500, help="for each shape of a task")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name))
    good = True
    for task in SHAPES:
        with tempfile.TemporaryDirectory() as name:
            good &= storm(Path(name), task, options.saves)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
