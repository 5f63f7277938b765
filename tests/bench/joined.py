"""What a script pays for its checkpoints, outside a deck and joined to one, and how soon a save reaches it.

Run as ``python tests/bench/joined.py``. Calls and imports are measured by processor time, over a bare function of the
same signature, or over a bare interpreter, in one run. There the engine is a stand-in that answers the first message
and reads all that comes.
"""

from __future__ import annotations

import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.board import Board
from tests.bench.live import TASKS, Client, engine, spread, table, ten_keys
from tests.statuses import FINAL
from tui.config.disk import store
from tui.protocol.messages import Metrics, Reload, Save
from tui.runners.member import pack

ROUNDS = 9

SETUP = {
    "kind": "setup",
    "version": 1,
    "config": {"lr": 0.1},
    "paused": False,
    "stopping": None,
    "rank": 0,
    "ranks": 1,
    "hold": 5.0,
    "guards": {},
    "state_dir": "",
}

LOOP = """
import time
import tui
def bare(config, **metrics):
    return config
def cost(function, steps=300_000):
    best = 1e9
    for _ in range(5):
        began = time.thread_time()
        for _ in range(steps):
            function(None)
        best = min(best, time.thread_time() - began)
    return best / steps * 1e9
tui.checkpoint(None)
plain = cost(bare)
print(cost(tui.checkpoint) - plain)
"""

FIRST = """
import time
import tui
began = time.perf_counter()
config = tui.checkpoint(None)
if config:  # else the engine has not answered in time: it joins when the answer comes
    print((time.perf_counter() - began) * 1000)
"""

IMPORT = "import time; began = time.process_time(); import tui; print((time.process_time() - began) * 1000)"


SCRIPT = """
import sys
import time
import tui
pause = float(sys.argv[1])
config = None
while True:
    config = tui.checkpoint(config)
    if pause:
        time.sleep(pause)
"""

PACED: dict[str, dict[str, Any]] = {
    "a script": {"command": [sys.executable, "-c", SCRIPT, "0.001"]},
    "a task, to compare with": {"task": f"{TASKS}:paced"},
}
TIGHT: dict[str, dict[str, Any]] = {
    "a script": {"command": [sys.executable, "-c", SCRIPT, "0"]},
    "a task": {"task": f"{TASKS}:tight"},
}

#: Saves of each job.
SAVES = 60


def main() -> None:
    """Measure, and print the tables."""
    costs()
    for what, aim, jobs in (("a loop of 1 ms", "median 5 ms", PACED), ("a tight loop", "median 9 ms", TIGHT)):
        table(what, [(f"ctrl+s to its checkpoint: {kind}", spread(saves(job)), aim) for kind, job in jobs.items()])


def costs() -> None:
    """Measure what calls and imports cost."""
    with tempfile.TemporaryDirectory() as folder:
        address = f"{folder}/b.join#token"
        serve(Path(folder) / "b.join")
        rows = [
            ("tui.checkpoint(config) outside a deck, over a bare function", "ns", run(LOOP, ""), "60"),
            ("tui.checkpoint(config) joined, over a bare function", "ns", run(LOOP, address), "150"),
            ("import tui, over a bare interpreter", "ms", run(IMPORT, ""), "2"),
            ("import tui where a deck has its address there", "ms", run(IMPORT, address), ""),
            ("the first call: connect, hello, config", "ms", run(FIRST, address), "5"),
        ]
    table(
        "a script and its deck, the median of some processes and the least",
        [(what, f"{statistics.median(found):.1f} / {min(found):.1f} {unit}", aim) for what, unit, found, aim in rows],
    )


def saves(job: Mapping[str, Any]) -> list[float]:
    """Return the milliseconds of some saves, from the arrival of the app's command to the checkpoint."""
    with tempfile.TemporaryDirectory() as name:
        config, deck = Path(name) / "c.yaml", Path(name) / "deck.yaml"
        Board.new(Path(name) / "board")
        config.write_text(ten_keys(board=f"{name}/board", number=0, pause=0.001))
        deck.write_text(json.dumps({"jobs": {"it": {**job, "config": "c.yaml", "settle": 0}}}))
        with engine(deck) as client:
            client.until(Reload, lambda row: row.status == "applied")
            client.until(Metrics)  # it has joined, and comes to its checkpoints
            found = [_saved(client, config, number) for number in range(1, SAVES + 1)]
    return found


def _saved(client: Client, config: Path, number: int) -> float:
    time.sleep(random.uniform(0.05, 0.15))
    text = ten_keys(board=config.with_name("board"), number=number, pause=0.001)
    client.send(Save(number, "it", text, store.read(config).digest))
    row = client.until(Reload, lambda row: row.status in FINAL)
    assert row.latency_ms is not None, row
    return row.latency_ms


def run(code: str, address: str) -> list[float]:
    """Return what fresh interpreters print that run some code."""
    environment = {**os.environ, "TUNEDECK": address, "PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is imported is compiled, as where it is installed
    command = [sys.executable, "-c", code]
    found = [subprocess.check_output(command, env=environment) for _ in range(ROUNDS + 1)][1:]
    return [float(number) for number in found if number]


def serve(path: Path) -> None:
    """Be the engine, in threads of this process."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    threading.Thread(target=accept, args=(listener,), daemon=True).start()


def accept(listener: socket.socket) -> None:
    """Answer whoever comes."""
    while True:
        connection = listener.accept()[0]
        threading.Thread(target=talk, args=(connection,), daemon=True).start()


def talk(connection: socket.socket) -> None:
    """Take the hello, send the config, and read the rest."""
    hello = json.loads(connection.recv(1 << 16))
    assert hello["kind"] == "join"
    connection.sendall(pack(SETUP))
    while connection.recv(1 << 16):
        pass
    connection.close()


if __name__ == "__main__":
    main()
