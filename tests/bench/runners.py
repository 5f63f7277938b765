"""How long a save in the app takes to the task's checkpoint, for each runner.

Run as ``python tests/bench/runners.py``. One deck for each runner, each with a loop of 1 ms and a config of ten keys;
they are saved in turn. This process is the viewer.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from tests.bench.board import Board
from tests.bench.live import TASKS, engine, spread, table, write_deck
from tests.bench.reload import Bench, text

SAVES = 150
RUNNERS = {"process": "paced", "thread": "paced", "asyncio": "paced_async"}


def prepare(folder: Path, runner: str) -> tuple[Path, Path]:
    """Write the deck of one job, and return it and the job's config."""
    task = RUNNERS[runner]
    config = folder / f"{task}.yaml"
    folder.mkdir()
    Board.new(config.with_suffix(".board"))
    config.write_text(text(config.with_suffix(".board"), 0))
    return write_deck(folder, {task: (f"{TASKS}:{task}", config)}, lambda _: {"runner": runner}), config


def main() -> None:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        benches = {}
        for runner in RUNNERS:
            deck, config = prepare(Path(name) / runner, runner)
            benches[runner] = Bench(stack.enter_context(engine(deck)), config)
        taken: dict[str, list[tuple[float, float]]] = {runner: [] for runner in RUNNERS}
        for _ in range(SAVES):
            for runner, bench in benches.items():
                taken[runner].append(bench.save(0.1))
    rows = []
    for runner, both in taken.items():
        receipts, steps = zip(*both, strict=True)
        rows.append((f"{runner}: command's arrival to checkpoint", spread(list(receipts)), "median 5 ms"))
        rows.append((f"{runner}: sent by the viewer to the task's next step", spread(list(steps)), "-"))
    table("a save in the app, a loop of 1 ms", rows)


if __name__ == "__main__":
    main()
