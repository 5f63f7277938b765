"""How long a new config takes to the task's checkpoint, from ``ctrl+s`` and from a rename on disk.

Run as ``python tests/bench/reload.py``. The engine runs in the background as for a viewer; this process is the viewer
and the program that renames. The task notes the time of its first step with a new config.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path

from ruamel.yaml import YAML

from tests.bench.board import Board
from tests.bench.live import TASKS, Client, engine, share, spread, table, ten_keys, write_deck
from tests.statuses import FINAL
from tui.config import document
from tui.config.disk import store
from tui.engine import in_thread
from tui.protocol.messages import Reload, Save, State

RELOADS = 150

#: Saves of each larger config.
SAVES = 40


def text(board: Path, number: int, keys: int = 10) -> str:
    """Return the config of a job."""
    more = "".join(f"more{index}: {index / 7:.4f}  # what it is for\n" for index in range(keys - 10))
    return ten_keys(board=board, number=number, pause=0.001) + more


class Bench:
    """One job that is reloaded again and again."""

    def __init__(self, client: Client, config: Path, keys: int = 10) -> None:
        self._client = client
        self._keys = keys
        self._config = config
        self._path = config.with_suffix(".board")
        self._board = Board(self._path)
        self._number = 0
        self._version = 0
        client.until(State, lambda state: state.state == "running")
        client.until(Reload, lambda row: row.status == "applied")
        time.sleep(0.5)  # the watch's first look at the file comes shortly after the start

    def run(self) -> None:
        """Reload in both ways and print what came out."""
        saved = [self.save(0.2) for _ in range(RELOADS)]
        renamed = [self._rename() for _ in range(RELOADS)]
        before = self._version
        for _ in range(RELOADS):
            self.save(0.04)
        extra = self._version - before - RELOADS
        goal = "median 5 ms, p95 10 ms" if self._config.stem == "paced" else "15 ms"
        rows = [
            ("ctrl+s: command's arrival to checkpoint", spread([receipt for receipt, _ in saved]), goal),
            ("ctrl+s: sent by the viewer to the task's next step", spread([seen for _, seen in saved]), "-"),
            ("rename: first sight to checkpoint", spread([receipt for receipt, _ in renamed]), "-"),
            ("rename: before the call to the task's next step", spread([seen for _, seen in renamed]), "median 20 ms"),
            (f"ctrl+s, {RELOADS} times 20 to 40 ms apart: versions that nobody saved", str(extra), "0"),
        ]
        table({"paced": "a loop of 1 ms", "tight": "a tight loop"}[self._config.stem], rows)

    def save(self, pause: float) -> tuple[float, float]:
        """Save once, after a pause of random length; return the milliseconds of the receipt and of the task."""
        base = store.read(self._config).digest
        began = self._begin(random.uniform(pause / 2, pause))
        self._client.send(Save(self._number, self._config.stem, text(self._path, self._number, self._keys), base))
        return self._arrived(began, "editor")

    def _rename(self) -> tuple[float, float]:
        new = self._config.with_suffix(".new")
        new.write_text(text(self._path, self._number + 1))
        began = self._begin(random.uniform(0.1, 0.2))
        new.replace(self._config)
        return self._arrived(began, "disk")

    def _begin(self, pause: float) -> float:
        time.sleep(pause)
        self._client.read()
        self._number += 1
        return time.monotonic()

    def _arrived(self, began: float, source: str) -> tuple[float, float]:
        """Return the milliseconds of the receipt, and those that the task has seen."""
        row = self._client.until(Reload, lambda row: row.status in FINAL and row.source == source)
        self._version = row.version
        while self._board.number != self._number:
            time.sleep(0.0005)
        # Without a latency it was superseded, which nobody has asked for: the wait for the next row counts.
        return row.latency_ms or 1000 * (self._board.at - began), 1000 * (self._board.at - began)


def larger(keys: int) -> None:
    """Print what a save of a config of so many keys takes, beside what ruamel.yaml alone takes to parse it."""
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "paced.yaml"
        board = config.with_suffix(".board")
        Board.new(board)
        config.write_text(text(board, 0, keys))
        with engine(write_deck(Path(name), {"paced": (f"{TASKS}:paced", config)})) as client:
            bench = Bench(client, config, keys)
            saved = [bench.save(0.2)[0] for _ in range(SAVES)]
        parsed = [_parse(config.read_text()) for _ in range(10)]
    goal = 1.3 * statistics.median(parsed) + 5
    rows = [
        ("ctrl+s: command's arrival to checkpoint", spread(saved), f"median {goal:.1f} ms"),
        ("ruamel.yaml alone, its parse with comments", spread(parsed), "-"),
    ]
    table(f"a config of {keys} keys", rows)


def _parse(config: str) -> float:
    began = time.monotonic()
    YAML().load(config)
    return 1000 * (time.monotonic() - began)


def stalls(keys: int) -> None:
    """Print how long the engine's loop is kept waiting while it parses a text of so many keys."""

    async def measure() -> list[float]:
        lags: list[float] = []

        async def tick() -> None:
            while True:
                began = time.monotonic()
                await asyncio.sleep(0.001)
                lags.append(1000 * (time.monotonic() - began) - 1)

        ticking = asyncio.create_task(tick())
        await in_thread.run(document.parse, text(Path("board"), 0, keys))
        ticking.cancel()
        return lags

    lags = asyncio.run(measure())
    rows = [("delay of the loop", spread(lags), "-"), ("the longest", f"{max(lags):.1f} ms", "50 ms")]
    table(f"the loop beside a parse of {keys} keys", rows)


def idle(client: Client) -> tuple[str, str, str]:
    """Return what watching alone takes: the job sleeps."""
    client.until(State, lambda state: state.state == "running")
    time.sleep(1)
    return "CPU of an idle watching engine, 10 s", share(client.engine, 10), "1 %"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "quiet.yaml"
        config.write_text(text(config, 0))
        with engine(write_deck(Path(name), {"quiet": (f"{TASKS}:quiet", config)})) as client:
            table("nothing happens", [idle(client)])
    for keys in (100, 1_000):
        larger(keys)
    for keys in (1_000, 10_000, 30_000):
        stalls(keys)
    for task in ("paced", "tight"):
        with tempfile.TemporaryDirectory() as name:
            config = Path(name) / f"{task}.yaml"
            Board.new(config.with_suffix(".board"))
            config.write_text(text(config.with_suffix(".board"), 0))
            with engine(write_deck(Path(name), {task: (f"{TASKS}:{task}", config)})) as client:
                Bench(client, config).run()


if __name__ == "__main__":
    main()
