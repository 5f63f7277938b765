"""How much of a core engine and viewer take while a job prints 0, 10 or 10,000 lines a second.

Run as ``python tests/bench/idle_cpu.py [--rates 0 10 10000] [--seconds 20]``.
The viewer runs on a terminal that is read.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench.live import TASKS, cpu, table, write_deck
from tests.bench.terminal import Terminal
from tui.cli import client
from tui.engine import paths

#: By lines a second: how much of a core engine and viewer may take together, in percent.
TARGETS = {0: 1, 10: 3, 10_000: 40}


def shares(folder: Path, rate: int, seconds: float) -> dict[str, float]:
    """Return what viewer and engine take of a core, in percent."""
    config = folder / "talking.yaml"
    config.write_text(f"rate: {rate}\n")
    deck = write_deck(folder, {"talking": (f"{TASKS}:talking", config)})
    viewer = Terminal([sys.executable, "-m", "tui", "run", str(deck)], folder)
    socket = paths.socket_of(str(deck))
    try:
        viewer.shows("talking", "applied", "Help")
        viewer.drain(3)
        engine = client.greet_deck(socket)
        assert isinstance(engine, client.RunningEngine)
        pids = {"viewer": viewer.pid, "engine": engine.hello.pid}
        before = {what: cpu(pid) for what, pid in pids.items()}
        viewer.drain(seconds)
        return {what: 100 * (cpu(pid) - before[what]) / seconds for what, pid in pids.items()}
    finally:
        viewer.close()
        client.stop_deck(socket)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="+", default=list(TARGETS), help="lines a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each")
    options = parser.parse_args()
    rows = []
    for rate in options.rates:
        with tempfile.TemporaryDirectory() as name:
            found = shares(Path(name), rate, options.seconds)
        rows += [(f"{rate:,} lines a second, {what}", f"{share:.1f} %", "-") for what, share in found.items()]
        target = f"{TARGETS[rate]} %" if rate in TARGETS else "-"
        rows.append((f"{rate:,} lines a second, together", f"{sum(found.values()):.1f} %", target))
    table(f"share of a core over {options.seconds:.0f} s", rows)


if __name__ == "__main__":
    main()
