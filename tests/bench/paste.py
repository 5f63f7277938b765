"""How long 2.8 kB take that are pasted into a config without brackets, beside a bare TextArea in the same run.

`python tests/bench/paste.py [ROUNDS]`: both in a terminal of 120 by 40, one after the other; the time runs from the
sending to the last line on the screen.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.live import TASKS, engine, table, write_deck
from tests.bench.terminal import Terminal

BARE = "from textual.app import App\nfrom textual.widgets import TextArea\nclass Bare(App[None]):\n def compose(self):\n  yield TextArea.code_editor('ready: 1\\n', language='yaml')\nBare().run()\n"  # fmt: skip  # noqa: E501
END = "the-last-of-it"


def pasted() -> str:
    """Return 2.8 kB of YAML, as a terminal sends them."""
    rows = [f"key{number}:\r  rate: {number / 7:.4f}  # what it is for\r" for number in range(70)]
    return "".join(rows)[: 2800 - len(END)] + END


def seconds(command: list[str], folder: Path) -> float:
    """Return how long it takes until the paste is on the screen."""
    terminal = Terminal([sys.executable, *command], folder)
    try:
        terminal.shows("ready", seconds=60)
        terminal.drain(1)
        began = time.perf_counter()
        terminal.type(pasted())
        terminal.shows(END, seconds=300)
        return time.perf_counter() - began
    finally:
        terminal.close()


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "long.yaml"
        config.write_text("ready: 1\n")
        deck = write_deck(folder, {"long": (f"{TASKS}:quiet", config)})
        with engine(deck):
            found = [
                (seconds(["-c", BARE], folder), seconds(["-m", "tui", "attach", str(deck)], folder))
                for _ in range(rounds)
            ]
    bare, ours = (statistics.median(column) for column in zip(*found, strict=True))
    table(
        "2.8 kB without brackets",
        [
            ("a bare TextArea", f"{bare:.2f} s", "-"),
            ("the config of a deck", f"{ours:.2f} s", "-"),
            ("median of the ratios", f"{statistics.median(b / a for a, b in found):.2f}", "2"),
        ],
    )


if __name__ == "__main__":
    main()
