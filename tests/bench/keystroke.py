"""How long a keystroke in a long config takes from the terminal to the screen.

`python tests/bench/keystroke.py [LINES]`: a deck with one job in a terminal, its config of 10,000 lines (190 KB); the
cursor is in the middle, and a letter is typed every 0.3 s, so that what is done in the pauses between them counts too.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.bench.live import TASKS, spread, table, write_deck
from tests.bench.terminal import Terminal
from tui.cli import client
from tui.engine import paths

WORDS = [f"{first}bcdefghijklmnopqr" for first in "ABCDEF"]  # each fits beside the text on a line of the pane
PAUSE = 0.3

CTRL_F, ENTER, ESCAPE, END, BACKSPACE = "\x06", "\r", "\x1b", "\x1b[F", "\x7f"


def config(lines: int) -> str:
    """Return a config of groups of ten keys, with numbers, words and comments."""
    rows = []
    for number in range(lines // 10):
        rows.append(f"group{number}:  # what it is for\n")
        rows += [f"  key{number}_{n}: {n / 7:.4f}\n" for n in range(6)]
        rows += [f"  name{number}: 'a word'\n", f"  list{number}: [1, 2, 3]\n", f"  flag{number}: true\n"]
    return "".join(rows)


def letter_by_letter(terminal: Terminal, word: str) -> list[float]:
    """Type a word slowly, and return the milliseconds until each of its letters can be seen."""
    found = []
    for count, letter in enumerate(word, 1):
        terminal.drain(PAUSE)
        began = time.perf_counter()
        terminal.type(letter)
        terminal.shows(f"# what it is for {word[:count]}")
        found.append((time.perf_counter() - began) * 1000)
    return found


def at_once(terminal: Terminal, word: str) -> float:
    """Type a word without a pause, and return the milliseconds that each of its letters took."""
    began = time.perf_counter()
    terminal.type(word)
    terminal.shows(f"# what it is for {word}")
    return (time.perf_counter() - began) * 1000 / len(word)


def measure(lines: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of letters that were typed one by one, and of each in a burst."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "long.yaml").write_text(config(lines))
        deck = write_deck(folder, {"long": (f"{TASKS}:quiet", folder / "long.yaml")})
        terminal = Terminal([sys.executable, "-m", "tui", "run", str(deck)], folder)
        try:
            terminal.shows("running", "group0:", seconds=120)
            terminal.type(f"{CTRL_F}group{lines // 20}:{ENTER}")
            terminal.shows(f"group{lines // 20}:")
            for keys in (ESCAPE, END + " "):
                terminal.drain(1)
                terminal.type(keys)
            terminal.drain(1)
            alone, together = [], []
            for word in WORDS:
                alone += letter_by_letter(terminal, word)
                terminal.type(BACKSPACE * len(word))
                terminal.drain(3)
                together.append(at_once(terminal, word.upper()))
                terminal.type(BACKSPACE * len(word))
                terminal.drain(3)
            return alone, together
        finally:
            terminal.close()
            client.stop_deck(paths.socket_of(str(deck)))


def main() -> None:
    """Print the table."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    alone, together = measure(lines)
    table(
        f"A keystroke in a config of {lines:,} lines",
        [
            ("key to screen, one letter every 0.3 s", spread(alone), "p95 50 ms"),
            ("a letter of a burst", spread(together), "-"),
        ],
    )


if __name__ == "__main__":
    main()
