"""What a script pays for its checkpoints: outside a deck, and joined to one.

Run as ``python tests/bench/joined.py``. Each figure is over a bare function of the same signature, or over a bare
interpreter, in one run. The engine is a stand-in that answers the first message and reads all that comes.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from tests.bench.live import table
from tui.runners.members import pack

ROUNDS = 9

SETUP = {
    "kind": "setup",
    "version": 1,
    "config": {"lr": 0.1},
    "paused": False,
    "stopping": None,
    "rank": 0,
    "ranks": 1,
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
        began = time.perf_counter()
        for _ in range(steps):
            function(None)
        best = min(best, time.perf_counter() - began)
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
print((time.perf_counter() - began) * 1000)
assert config, config
"""

IMPORT = "import time; began = time.perf_counter(); import tui; print((time.perf_counter() - began) * 1000)"


def main() -> None:
    """Measure, and print the table."""
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


def run(code: str, address: str) -> list[float]:
    """Return what fresh interpreters print that run some code."""
    environment = {**os.environ, "TUNEDECK": address, "PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is imported is compiled, as where it is installed
    command = [sys.executable, "-c", code]
    return [float(subprocess.check_output(command, env=environment)) for _ in range(ROUNDS + 1)][1:]


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
