"""An engine that runs a deck for a benchmark, the connection to it, and the table of what came out."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import socket
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tui.cli import launch
from tui.protocol import codec
from tui.protocol import messages as protocol_messages
from tui.protocol.messages import Message
from tui.worker import process_tree

TASKS = Path(__file__).with_name("tasks.py")

# Workers run in other folders, and their tasks import from here.
os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])

# So that a benchmark that is ended early still ends what it has started.
signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))

M = TypeVar("M", bound=Message)


class Client:
    """A viewer without a screen.

    Args:
        path: The socket of the engine.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._rest = b""
        self._inbox: deque[Message] = deque()
        self.send(protocol_messages.Hello(protocol_messages.PROTOCOL))
        self.engine = self.until(protocol_messages.Hello).pid

    def send(self, message: Message) -> None:
        """Send a message to the engine."""
        self._socket.sendall(codec.encode(message))

    def read(self, seconds: float = 0) -> list[Message]:
        """Return what has come, waiting at most `seconds` for the first message."""
        if not self._inbox and select.select([self._socket], [], [], seconds)[0]:
            self._receive()
        messages = list(self._inbox)
        self._inbox.clear()
        return messages

    def until(self, kind: type[M], wanted: Callable[[M], bool] = lambda _: True, seconds: float = 30) -> M:
        """Return the next message of this kind that is wanted; all before it are dropped."""
        deadline = time.monotonic() + seconds
        while True:
            while self._inbox:
                message = self._inbox.popleft()
                if isinstance(message, kind) and wanted(message):
                    return message
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self._socket], [], [], left)[0]:
                raise TimeoutError(f"no {kind.__name__} came within {seconds} s")
            self._receive()

    def close(self) -> None:
        """Leave the engine."""
        self._socket.close()

    def _receive(self) -> None:
        data = self._socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the engine ended")
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._inbox.extend(message for line in lines if (message := codec.decode(line)) is not None)


def ten_keys(**values: object) -> str:
    """Return a config of ten keys, the given ones first."""
    rest = {f"key{index}": f"{index / 7:.4f}  # what it is for" for index in range(10 - len(values))}
    return "".join(f"{key}: {value}\n" for key, value in {**values, **rest}.items())


def write_deck(
    folder: Path, jobs: Mapping[str, tuple[str, Path]], policies: Callable[[str], Mapping[str, Any]] = lambda _: {}
) -> Path:
    """Write a deck of jobs, each with a task, a config and the policies of its name, and return its path."""
    deck = folder / "deck.yaml"
    data = {name: {"task": task, "config": str(config), **policies(name)} for name, (task, config) in jobs.items()}
    deck.write_text(json.dumps({"jobs": data}))
    return deck


@contextlib.contextmanager
def engine(deck: Path) -> Iterator[Client]:
    """Run `deck` in the background, as `tunedeck run` does, until the end of the block."""
    log = deck.with_suffix(".log")
    process, answer = launch.start({"deck": str(deck)}, log)
    try:
        with answer:
            said = json.loads(answer.readline() or "{}")
        if "socket" not in said:
            raise SystemExit(said.get("error") or log.read_text())
        client = Client(Path(said["socket"]))
        yield client
        client.close()
    finally:
        process.terminate()
        process.wait()
        sys.stderr.write(log.read_text())


def cpu(pid: int) -> float:
    """Return the seconds of processor time that a process has taken so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(engine: int) -> dict[str, float]:
    """Return the MB that an engine, its shims and all below them take; what processes share is divided among them."""
    shims = process_tree.children(engine)
    rest = {pid for pid, _ in process_tree.descendants(engine)} - set(shims)
    groups = {"engine": [engine], "shims": shims, "workers": sorted(rest)}
    return {role: sum(map(megabytes, pids)) for role, pids in groups.items()}


def megabytes(pid: int) -> float:
    """Return the memory of one process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def share(pid: int, seconds: float) -> str:
    """Return how much of a core a process takes over some seconds, in percent."""
    before = cpu(pid)
    time.sleep(seconds)
    return f"{100 * (cpu(pid) - before) / seconds:.2f} %"


def spread(milliseconds: list[float]) -> str:
    """Return the median and the 95th percentile."""
    ordered = sorted(milliseconds)
    p95 = ordered[math.ceil(len(ordered) * 0.95) - 1]
    return f"median {statistics.median(ordered):.1f} ms, p95 {p95:.1f} ms, of {len(ordered)}"


def table(title: str, rows: list[tuple[str, str, str]]) -> None:
    """Print what was measured, what came out and what was aimed at."""
    rows = [("measured", "result", "target"), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    print(f"\n{title}")
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), flush=True)
