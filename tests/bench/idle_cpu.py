"""How much of a core engine and viewer take while a job prints ten lines a second.

Run as ``python tests/bench/idle_cpu.py``. The viewer runs on a terminal that is read.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.bench.live import TASKS, cpu, table, write_deck
from tests.bench.terminal import Terminal
from tui import remote
from tui.engine import place

SECONDS = 20.0


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "talking.yaml"
        config.write_text("lr: 0.1\nmomentum: 0.9\n")
        deck = write_deck(Path(name), {"talking": (f"{TASKS}:talking", config)})
        viewer = Terminal([sys.executable, "-m", "tui", "run", str(deck)], Path(name))
        socket = place.socket_of(str(deck))
        try:
            viewer.shows("step", "applied", "Help")
            viewer.drain(3)
            engine = remote.ask(socket)
            assert isinstance(engine, remote.Running)
            pids = {"viewer": viewer.pid, "engine": engine.hello.pid}
            before = {what: cpu(pid) for what, pid in pids.items()}
            viewer.drain(SECONDS)
            shares = {what: 100 * (cpu(pid) - before[what]) / SECONDS for what, pid in pids.items()}
        finally:
            viewer.close()
            remote.stop(socket)
    rows = [(what, f"{share:.1f} %", "-") for what, share in shares.items()]
    table(f"share of a core over {SECONDS:.0f} s", [*rows, ("together", f"{sum(shares.values()):.1f} %", "3 %")])


if __name__ == "__main__":
    main()
