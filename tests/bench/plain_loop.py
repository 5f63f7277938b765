"""The reload loop beside the plain form of queue and event: saves back to back, and a save during a long step.

Run as ``python tests/bench/plain_loop.py``. The plain form is in `plain` and `Plain`: the worker takes a config from
the queue, sets the event and runs until the event is cleared; the sender puts a config and clears the event. Beside it
stands the worker of tunedeck, with the same task, fed through its runner. No file takes part on either side.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Mapping
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Protocol

from tests.bench.board import Board
from tests.bench.live import TASKS, table
from tui.engine import paths
from tui.runners.base import Payload
from tui.runners.members import RankPolicy
from tui.runners.process import Place, ProcessRunner

PAIRS = 200
STEP = 3.0
DELAYS = 7


class Sender(Protocol):
    """Hands configs to a worker."""

    def send(self, config: dict[str, Any]) -> None:
        """Hand over one config."""

    def wake(self) -> None:
        """Have the worker look again."""

    async def close(self) -> None:
        """End the worker."""


def plain(queue: Queue[dict[str, Any]], event: Event) -> None:
    """Be the worker of the plain form."""
    while True:
        config = queue.get()
        event.set()
        board = Board(config["board"])
        board.note(config["number"])
        while event.is_set():
            time.sleep(config["pause"])
            board.count_step()


class Plain:
    """The plain form: a queue and an event of multiprocessing."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._queue: Queue[dict[str, Any]] = spawn.Queue()
        self._event = spawn.Event()
        self._process = spawn.Process(target=plain, args=(self._queue, self._event), daemon=True)
        self._process.start()

    def send(self, config: dict[str, Any]) -> None:
        """See `Sender`."""
        self._queue.put(config)
        self._event.clear()

    def wake(self) -> None:
        """See `Sender`."""
        self._event.clear()

    async def close(self) -> None:
        """See `Sender`."""
        self._process.kill()
        self._process.join()


class Tuned:
    """The worker of tunedeck, and the owner that its runner reports to.

    Args:
        task: A function of `tasks.py`.
    """

    def __init__(self, task: str) -> None:
        self._setup = {"job": task, "task": f"{TASKS}:{task}", "loop": True, "runner": "process"}
        self._setup.update(guards={}, state_dir="")
        self._joins = paths.sockets_folder() / f"bench-{os.getpid()}"
        self._version = 0
        self._runner: ProcessRunner | None = None

    def send(self, config: dict[str, Any]) -> None:
        """See `Sender`."""
        self._version += 1
        payload = Payload(self._version, config, "")
        if self._runner is None:
            place = Place(TASKS.parent)
            self._runner = ProcessRunner(
                self, self._setup, payload, python=None, place=place, joins=self._joins, ranks=RankPolicy()
            )
        else:
            self._runner.send(payload)

    def wake(self) -> None:
        """See `Sender`: it is awake whenever something waits."""

    async def close(self) -> None:
        """See `Sender`."""
        if self._runner is not None:
            await self._runner.stop(9, 0.1)

    def worker_started(self, pid: int) -> None:
        """See `tui.runners.process.Owner`."""

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """See `tui.runners.process.Owner`."""

    def worker_wrote(self, data: bytes) -> None:
        """See `tui.runners.process.Owner`."""
        print(data.decode(), end="")

    def worker_exited(self, code: int | None) -> None:
        """See `tui.runners.process.Owner`."""

    def worker_gone(self) -> None:
        """See `tui.runners.process.Owner`."""


class Trial:
    """One worker, and its board."""

    def __init__(self, sender: Sender, path: Path, pause: float) -> None:
        self._sender = sender
        self._board = Board.new(path)
        self._config = {"board": str(path), "pause": pause}
        self._number = 0

    def send(self) -> None:
        """Hand over the next config."""
        self._number += 1
        self._sender.send({**self._config, "number": self._number})

    async def arrived(self) -> None:
        """Wait until the worker has the newest config."""
        while self._board.number != self._number:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.0005)

    async def stale(self) -> int:
        """Return how often the worker stays on an older config, of `PAIRS` pairs back to back."""
        self.send()
        await self.arrived()
        count = 0
        for _ in range(PAIRS):
            self.send()
            self.send()
            steps = self._board.steps + 30
            while self._board.steps < steps:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            stale = self._board.number != self._number
            count += stale
            while self._board.number != self._number:  # so that each pair begins alike
                self._sender.wake()
                await asyncio.sleep(0.02)
        return count

    async def delays(self) -> str:
        """Return how long a config that comes at some time in a step waits for the worker to take it."""
        self.send()
        await self.arrived()
        waits = []
        for _ in range(DELAYS):
            await asyncio.sleep(random.uniform(0.1, STEP - 0.1))
            began = time.monotonic()
            self.send()
            await self.arrived()
            waits.append(1000 * (self._board.at - began))
        return f"median {statistics.median(waits):.1f} ms, longest {max(waits):.1f} ms"


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        board = Path(name) / "board"

        async def trial(sender: Sender, pause: float, what: str) -> str:
            try:
                measured = Trial(sender, board, pause)
                return f"{await measured.stale()} of {PAIRS}" if what == "stale" else await measured.delays()
            finally:
                await sender.close()

        rows = [
            ("stale pairs, plain", await trial(Plain(), 0.001, "stale"), "-"),
            ("stale pairs, tunedeck", await trial(Tuned("paced"), 0.001, "stale"), "0"),
            ("delay, plain", await trial(Plain(), STEP, "delay"), "-"),
            ("delay, tunedeck, time.sleep in the step", await trial(Tuned("paced"), STEP, "delay"), "-"),
            ("delay, tunedeck, tui.sleep in the step", await trial(Tuned("resting"), STEP, "delay"), "a few ms"),
        ]
    table(f"saves back to back, and a save during a step of {STEP:.0f} s ({DELAYS} times)", rows)


if __name__ == "__main__":
    asyncio.run(main())
