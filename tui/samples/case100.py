"""A small service under load, to be tuned while it runs: the same task as a generator and as an async generator.

Requests arrive, wait in a queue, and are served in batches by a few workers; all of it is simulated. A request that
waits too long is given up, one that finds the queue full is refused. What the service has counted is its state: it
survives every reload, and is lost when the job is restarted.
"""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, Any

import tui

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

TICK = 0.02  # simulated seconds of a step
MOST_AT_ONCE = 100_000  # requests that may arrive in a step, whatever the rate

Config = dict[str, Any]
Metrics = dict[str, float]


def serve(config: Config) -> Generator[Metrics, Config, None]:
    """Serve requests, in a process or in a thread."""
    service = Service(config["seed"])
    while service.handled < config["requests"]:
        tui.sleep(config["pause"])  # comes back at once when a new config is waiting
        config = yield service.step(config)


async def serve_async(config: Config) -> AsyncGenerator[Metrics, Config]:
    """Serve requests as a coroutine: the same, but for how it waits."""
    service = Service(config["seed"])
    while service.handled < config["requests"]:
        await tui.asleep(config["pause"])
        config = yield service.step(config)


class Service:
    """The queue, the clock and the counters of the service.

    Attributes:
        handled: Requests that were served, ever.
        lost: Requests that were given up or refused, ever.
        latency: Seconds from arrival to answer, a moving average.
    """

    def __init__(self, seed: int) -> None:
        self.handled = self.lost = 0
        self.latency = 0.0
        self._rng = random.Random(seed)
        self._clock = self._owed = self._time = 0.0
        self._steps = 0
        self._waiting: deque[float] = deque()  # when each request arrived

    def step(self, config: Config) -> Metrics:
        """Let a little time go by, and return what there is to say of it."""
        self._clock += TICK
        self._steps += 1
        self._receive(config["rate"], config["queue"])
        self._give_up(config["timeout"])
        self._answer(config["workers"], config["batch"], config["overhead"], config["cost"])
        if self._steps % max(1, config["report_every"]) == 0:
            print(
                f"handled {self.handled:8,}  lost {self.lost:6,}  waiting {len(self._waiting):4}"
                f"  latency {self.latency * 1000:6.1f} ms"
            )
        return {
            "handled": self.handled,
            "lost": self.lost,
            "waiting": len(self._waiting),
            "latency_ms": self.latency * 1000,
        }

    def _receive(self, rate: float, room: int) -> None:
        self._owed += min(max(0.0, rate * TICK * 2 * self._rng.random()), MOST_AT_ONCE)
        arrived = int(self._owed)
        self._owed -= arrived
        taken = min(arrived, max(0, int(room) - len(self._waiting)))
        self._waiting.extend([self._clock] * taken)
        self.lost += arrived - taken

    def _give_up(self, timeout: float) -> None:
        while self._waiting and self._clock - self._waiting[0] > timeout:
            self._waiting.popleft()
            self.lost += 1

    def _answer(self, workers: int, batch: int, overhead: float, cost: float) -> None:
        self._time += max(0, workers) * TICK
        while self._waiting and self._time > 0:
            size = min(max(1, int(batch)), len(self._waiting))
            self._time -= max(0.0, overhead) + max(0.0, cost) * size
            for _ in range(size):
                self.latency += 0.02 * (self._clock - self._waiting.popleft() - self.latency)
            self.handled += size
        self._time = min(self._time, 0.0)  # nobody works ahead
