"""How long the knobs of a config with 500 keys take to come to the screen, and a letter of their filter.

`python tests/bench/knobs.py [KEYS]`: a deck with one job in a terminal of 120 by 40. Then a key is held for ten
seconds, 30 times a second: how long after its last the value is in the file, and in how many versions.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.bench.live import TASKS, engine, spread, table, write_deck
from tests.bench.terminal import Terminal
from tui.protocol.messages import Reload

F7, RIGHT, ESCAPE = "\x1b[18~", "\x1b[C", "\x1b"
ROUNDS, HELD, RATE = 20, 10, 30


def config(keys: int) -> str:
    """Return a config with so many keys."""
    return "count: 0\n" + "".join(f"key{number}x:  {number / 7:.4f}  # why\n" for number in range(1, keys))


def open_and_filter(terminal: Terminal, last: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds until the knobs are there, and until those that fit a letter more are."""
    opened, filtered = [], []
    for _ in range(ROUNDS):
        terminal.forget()
        began = time.perf_counter()
        terminal.type(F7)
        terminal.shows("knobs · live")
        opened.append((time.perf_counter() - began) * 1000)
        terminal.type("/")
        terminal.drain(0.3)
        terminal.type(f"y{last}")
        terminal.drain(0.3)
        terminal.forget()
        began = time.perf_counter()
        terminal.type("x")
        terminal.shows(f"y{last}x")
        filtered.append((time.perf_counter() - began) * 1000)
        terminal.type(ESCAPE)
        terminal.drain(0.5)
        terminal.type(F7)
        terminal.drain(0.3)
    return opened, filtered


def hold(terminal: Terminal, path: Path) -> float:
    """Hold a key; return the milliseconds from its last to the value in the file."""
    terminal.type(F7)
    terminal.drain(1)
    terminal.type("g")
    terminal.drain(0.5)
    count = HELD * RATE
    due = time.perf_counter()
    for _ in range(count):
        due += 1 / RATE
        terminal.type(RIGHT)
        terminal.drain(max(due - time.perf_counter(), 0))
    last = time.perf_counter()
    while f"count: {count}\n" not in path.read_text():
        terminal.drain(0.001)
    return (time.perf_counter() - last) * 1000


def main() -> None:
    """Print the table."""
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "many.yaml"
        path.write_text(config(keys))
        deck = write_deck(folder, {"many": (f"{TASKS}:quiet", path)})
        with engine(deck) as client:
            terminal = Terminal([sys.executable, "-m", "tui", "attach", str(deck)], folder)
            try:
                terminal.shows("count: 0", seconds=60)
                terminal.drain(1)
                opened, filtered = open_and_filter(terminal, keys - 1)
                held = hold(terminal, path)
                terminal.drain(1)
                rows = [row for row in client.read(1) if isinstance(row, Reload) and row.source == "knob"]
            finally:
                terminal.close()
    table(
        f"knobs of {keys} keys",
        [
            ("open: median, p95, most", spread(opened), "100 ms"),
            ("a letter of the filter", spread(filtered), "50 ms"),
            (f"held for {HELD} s: from the last key to the file", f"{held:.0f} ms", "150 ms of rest, and 20"),
            ("versions of it", str(len({row.version for row in rows})), "1"),
        ],
    )


if __name__ == "__main__":
    main()
