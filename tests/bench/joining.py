"""What is left in the engine of processes that have joined and left, or were killed at any moment.

Run as ``python tests/bench/joining.py [--joins 1000] [--kills 100]``. One program forks children, one after the other:
each joins by its first checkpoint and leaves, and, in between, some are killed at a random moment of their first 30 ms,
while the config is saved again and again. Afterwards the engine must have as many descriptors and threads as after
the first half, and every row its outcome.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.live import Client, engine, table
from tests.statuses import FINAL
from tui.protocol.messages import Lines, Reload, Set

PROGRAM = """
import os, random, signal, sys, time
import tui
joins, kills = map(int, sys.argv[1:])
killed = set(random.sample(range(joins + kills), kills))
tui.checkpoint(None)
for number in range(joins + kills):
    child = os.fork()
    if not child:
        tui.checkpoint(None, loss=1.0)
        while number in killed:
            tui.checkpoint(None, loss=1.0)
        os._exit(0)
    if number in killed:
        time.sleep(random.random() * 0.03)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    tui.checkpoint(None)
    if number == (joins + kills) // 2:
        print("half", flush=True)
print("all", flush=True)
while True:
    tui.checkpoint(None)
    time.sleep(0.001)
"""


def main() -> None:
    """Run it, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--joins", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=100)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "program.py").write_text(PROGRAM)
        (folder / "c.yaml").write_text("lr: 0\n")
        command = [sys.executable, str(folder / "program.py"), str(wanted.joins), str(wanted.kills)]
        job = {"command": command, "config": "c.yaml", "settle": 0}
        (folder / "deck.yaml").write_text(json.dumps({"jobs": {"it": job}}))
        with engine(folder / "deck.yaml") as client:
            began = time.monotonic()
            rows = save_until(client, "half", {})
            before = held(client.engine)
            rows = save_until(client, "all", rows)
            seconds = time.monotonic() - began
            after = settled(client.engine, before)
    open_rows = sorted(version for version, row in rows.items() if row.status not in FINAL)
    count = f"{wanted.joins} joins and leaves, {wanted.kills} killed, {len(rows)} saves"
    table(
        f"{count}, in {seconds:.0f} s",
        [
            ("descriptors of the engine, more than after half of them", str(after[0] - before[0]), "0"),
            ("threads of the engine, more than after half of them", str(after[1] - before[1]), "0"),
            ("rows without an outcome", str(len(open_rows)), "0"),
        ],
    )


def save_until(client: Client, word: str, rows: dict[int, Reload]) -> dict[int, Reload]:
    """Save again and again until the program says a word, and return all rows with their last status."""
    number, over, deadline = len(rows), False, time.monotonic() + 1800
    while not over or any(row.status not in FINAL for row in rows.values()):
        assert time.monotonic() < deadline, f"{len(rows)} rows, and some have no outcome"
        if not over:
            number += 1
            client.send(Set(number, "it", {"lr": str(number)}))
        for message in client.read(0.05):
            over = over or (isinstance(message, Lines) and word in message.lines)
            if isinstance(message, Reload):
                rows[message.version] = message
        time.sleep(0.02)
    return rows


def held(pid: int) -> tuple[int, int]:
    """Return how many descriptors and threads a process has."""
    of = Path(f"/proc/{pid}")
    return len(list((of / "fd").iterdir())), len(list((of / "task").iterdir()))


def settled(pid: int, before: tuple[int, int]) -> tuple[int, int]:
    """Return the same once it is no more than before, or after ten seconds."""
    deadline = time.monotonic() + 10
    while (now := held(pid)) > before and time.monotonic() < deadline:
        time.sleep(0.1)
    return now


if __name__ == "__main__":
    main()
