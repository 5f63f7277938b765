"""How long ``tunedeck set`` takes from its start to its end, receipt and all, on a job with a loop of 1 ms.

Run as ``python tests/bench/set_live.py``. The time of an interpreter that does nothing is measured beside it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.board import Board
from tests.bench.live import TASKS, engine, spread, table, ten_keys, write_deck
from tui.protocol.messages import Reload

SETS = 30


def timed(*command: str) -> float:
    """Return the milliseconds that a command takes."""
    began = time.monotonic()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.monotonic() - began)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "paced.yaml"
        board = config.with_suffix(".board")
        Board.new(board)
        config.write_text(ten_keys(board=board, number=0, pause=0.001))
        with engine(write_deck(Path(name), {"paced": (f"{TASKS}:paced", config)})) as client:
            client.until(Reload, lambda row: row.status == "applied")
            sets = [timed("-m", "tui", "set", str(config), f"number={number}") for number in range(1, SETS + 1)]
        bare = [timed("-c", "") for _ in range(SETS)]
    rows = [
        ("tunedeck set, from its start to its end", spread(sets), "300 ms"),
        ("an interpreter that does nothing", spread(bare), "-"),
    ]
    table("a change from the command line", rows)


if __name__ == "__main__":
    main()
