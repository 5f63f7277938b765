"""Saves configs thousands of times in five styles while an engine runs them, and asks the workers what they have.

Run as ``python tests/bench/saves_live.py --saves 10000``. The ways to save are those of `saves.py`. Every hundred saves
the saver waits for each worker to have the newest content of its file. A worker that does not get there within five
seconds, a config that is not whole in a worker, and an error that the engine tells of are failures: exit code 1.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.bench import saves
from tests.bench.board import Board
from tests.bench.live import Client, engine, table, write_deck
from tui.protocol import messages

BATCH = 100

TASK = """
from tests.bench.tasks import careful

def follow(config):
    return careful(config, {board!r})
"""

WAYS: dict[str, Callable[[Path, bytes], None]] = {
    "in place": saves.in_place,
    "rename": saves.rename,
    "vim": saves.vim,
    "truncate": saves.truncate,
}


class Bench:
    """The files, the boards of the workers that have them, and what the engine says."""

    def __init__(self, client: Client, paths: dict[str, Path], boards: dict[Path, Board], spacing: float) -> None:
        self._client = client
        self._paths = paths
        self._boards = boards
        self._spacing = spacing
        self._newest = dict.fromkeys(boards, 0)
        self.rows: Counter[str] = Counter()
        self.errors: list[str] = []
        self.lost = 0
        self.checks = 0

    def run(self, count: int) -> None:
        """Save `count` times."""
        for number in range(1, count + 1):
            self._save(random.choice(saves.STYLES), number)
            time.sleep(random.uniform(0, self._spacing))
            self._listen()
            if number % BATCH == 0 or number == count:
                self._check()

    def _save(self, style: str, number: int) -> None:
        path = self._paths[style]
        if style == "configmap":
            saves.configmap(path.parent, number, saves.text(number))
        else:
            WAYS[style](path, saves.text(number))
        self._newest[path] = number

    def _check(self) -> None:
        deadline = time.monotonic() + 5
        while self._behind() and time.monotonic() < deadline:
            self._listen(0.02)
        self.checks += 1
        self.lost += self._behind()

    def _behind(self) -> int:
        return sum(self._boards[path].number != number for path, number in self._newest.items())

    def _listen(self, seconds: float = 0) -> None:
        for message in self._client.read(seconds):
            if isinstance(message, messages.Reload):
                self.rows[message.status] += message.source == "disk"
                if message.status in ("invalid", "rejected", "failed"):
                    self.errors.append(f"v{message.version} {message.status}: {message.error}")
            elif isinstance(message, messages.Document) and message.error is not None:
                self.errors.append(f"document: {message.error}")
            elif isinstance(message, messages.State) and message.state == "crashed":
                self.errors.append(f"crashed: {message.reason}")


def prepare(root: Path, one_file: bool) -> tuple[dict[str, Path], dict[Path, Board], Path]:
    """Make the files, a board for each, and the deck that runs them."""
    paths = saves.prepare(root, one_file)
    boards = {}
    jobs = {}
    for path in sorted({*paths.values()}):
        # The text of the config is the saver's, so the board is named in a task file of the job's own.
        board = root / f"{path.parent.name}.board"
        boards[path] = Board.new(board)
        task = root / f"{path.parent.name.replace('-', '_')}.py"
        task.write_text(TASK.format(board=str(board)))
        jobs[path.parent.name] = (f"{task}:follow", path)
    return paths, boards, write_deck(root, jobs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saves", type=int, default=2_000)
    parser.add_argument("--spacing", type=float, default=0.020, help="the longest pause between two saves, seconds")
    parser.add_argument("--one-file", action="store_true", help="mix the styles on one file, the symlink swap aside")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        paths, boards, deck = prepare(Path(name), options.one_file)
        with engine(deck) as client:
            waiting = {path.parent.name for path in boards}
            while waiting:
                waiting.discard(client.until(messages.State, lambda state: state.state == "running").job)
            time.sleep(0.5)  # the watch's first look at the files comes shortly after the start
            bench = Bench(client, paths, boards, options.spacing)
            began = time.monotonic()
            bench.run(options.saves)
            took = time.monotonic() - began
    broken = sum(board.broken for board in boards.values())
    for error in bench.errors[:10]:
        print(error)
    rows = [
        (f"workers behind the newest save, {bench.checks} checks", str(bench.lost), "0"),
        ("half-written configs in a worker", str(broken), "0"),
        ("errors told of", str(len(bench.errors)), "0"),
        ("versions", ", ".join(f"{count} {status}" for status, count in sorted(bench.rows.items())), "-"),
    ]
    table(f"{options.saves} saves in {took:.0f} s, {len(boards)} files", rows)
    return 1 if bench.lost or broken or bench.errors else 0


if __name__ == "__main__":
    raise SystemExit(main())
