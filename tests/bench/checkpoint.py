"""What a checkpoint costs a generator when nothing waits, over a bare ``send``.

Run as ``python tests/bench/checkpoint.py``. The generator is empty, so nothing but the loop around it is measured.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, cast

from tests.bench.live import table
from tui.worker.channel import Channel, JobChannel, listen
from tui.worker.inbox import Inbox
from tui.worker.loop import Loop

STEPS = 1_000_000
ROUNDS = 9


class NoChannel:
    """A connection over which nothing comes, and into which all that is sent vanishes."""

    def __init__(self) -> None:
        self._nothing = threading.Event()

    def wait(self, seconds: float) -> bool:
        """Wait in vain."""
        return self._nothing.wait(seconds)

    def send(self, message: dict[str, Any]) -> None:
        """Forget a message."""

    def offer(self, message: dict[str, Any]) -> bool:
        """Forget a message."""
        return True


def task() -> Generator[dict[str, float], Any, None]:
    """Take empty steps with five metrics."""
    metrics = {"loss": 0.5, "accuracy": 0.9, "rate": 0.01, "norm": 1.5, "epoch": 3}
    for _ in range(STEPS):
        yield metrics


def bare(generator: Generator[Any, Any, None]) -> None:
    """Drive a generator without a deck."""
    send = generator.send
    config = None
    try:
        while True:
            send(config)
    except StopIteration:
        return


def callback(loop: Loop) -> None:
    """Take the checkpoints of a framework's callback."""
    metrics = {"loss": 0.5, "accuracy": 0.9, "rate": 0.01, "norm": 1.5, "epoch": 3}
    checkpoint = loop.checkpoint
    for _ in range(STEPS):
        checkpoint(metrics)


def empty() -> None:
    """Take the same steps without checkpoints."""
    for _ in range(STEPS):
        pass


def nanoseconds(work: Callable[[], object]) -> float:
    """Return the time of one step."""
    began = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - began) / STEPS


def rounds() -> Iterator[tuple[float, float, float, float]]:
    """Yield the nanoseconds of a step: bare send, checkpoint, empty loop, `tui.checkpoint` in it."""
    channel = cast("Channel", NoChannel())
    loop = Loop(JobChannel(channel, "bench"), 1, {"lr": 0.1})
    # 20 times a second it asks for a sample.
    threading.Thread(target=listen, args=(channel, Inbox(loop).put, loop.sample), daemon=True).start()
    for _ in range(ROUNDS):
        yield (
            nanoseconds(lambda: bare(task())),
            nanoseconds(lambda: loop.run(lambda _: task(), None)),
            nanoseconds(empty),
            nanoseconds(lambda: callback(loop)),
        )


def main() -> None:
    sends, checkpoints, empties, calls = (statistics.median(column) for column in zip(*rounds(), strict=True))
    difference = checkpoints - sends
    rows = [
        ("bare send", f"{sends:.0f} ns", "-"),
        ("idle checkpoint at a yield", f"{checkpoints:.0f} ns", "-"),
        ("difference", f"{difference:.0f} ns", "600 ns"),
        ("ratio", f"{checkpoints / sends:.1f}", "-"),
        ("idle checkpoint as a call", f"{calls - empties:.0f} ns", "-"),
    ]
    table(f"{STEPS:,} steps, median of {ROUNDS} rounds", rows)


if __name__ == "__main__":
    main()
