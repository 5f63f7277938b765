"""What is left of a viewer whose terminal is closed at a random moment of its life.

`python tests/bench/hang_up.py [TIMES]`: 200 viewers of a deck with two jobs, one after the other; half of them are
about to quit, 30 to 150 ms after `l` in the dialog. The jobs must go on, but for those that were told to stop.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.live import table
from tests.terminal.closing import MOMENTS, Closing

#: Seconds after which a viewer is still there, and not about to end.
LATE = 2.0


def main() -> None:
    """Print the table."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    chance, left, took = random.Random(), 0, []
    with tempfile.TemporaryDirectory() as name:
        deck = Closing(Path(name))
        try:
            for number in range(times):
                try:
                    took.append(deck.close_at(MOMENTS[number % len(MOMENTS)], chance))
                except subprocess.TimeoutExpired:
                    left += 1
        finally:
            deck.end()
    table(
        f"A terminal closed at {times} moments",
        [
            (f"viewers that are there after {LATE:.0f} s", str(left + sum(seconds > LATE for seconds in took)), "0"),
            ("the slowest to end", f"{max(took):.2f} s", f"{LATE:.0f} s"),
        ],
    )


if __name__ == "__main__":
    main()
