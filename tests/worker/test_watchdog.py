from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from tests.patience import PATIENCE
from tests.worker.loops import FakeChannel
from tui.worker import current
from tui.worker.channel import JobChannel
from tui.worker.loop import Loop
from tui.worker.watchdog import Watchdog


class Street:
    """An event loop in a thread, two jobs, and a watchdog whose clock a test turns."""

    def __init__(self) -> None:
        self.now = 100.0
        self.loop = asyncio.new_event_loop()
        self.owners: dict[Any, Loop | None] = {}
        self.channels = {job: FakeChannel() for job in "ab"}
        self.jobs = {job: Loop(cast(JobChannel, channel), 1, {}) for job, channel in self.channels.items()}
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        assert self.thread.ident is not None
        self.dog = Watchdog(self.loop, self.thread.ident, self.owners, lambda: self.now)

    def close(self) -> None:
        """End the event loop."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def look(self, later: float) -> None:
        """Look after some time."""
        self.now += later
        self.dog.look()

    def settle(self) -> None:
        """Wait until the event loop has done what it was asked before."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(done.set)
        assert done.wait(PATIENCE)

    def told(self, job: str = "a") -> list[float]:
        """Return the seconds that were told of a job."""
        return [message["seconds"] for message in self.channels[job].of("blocking")]

    def block(self, job: str, *, callback: bool = False) -> Callable[[], None]:
        """Let a job block the event loop; return what ends that."""
        begun, end = threading.Event(), threading.Event()

        def step() -> None:
            begun.set()
            end.wait(PATIENCE)

        async def run() -> None:
            self.owners[asyncio.current_task()] = self.jobs[job]
            step()

        def create() -> None:
            self.keep = self.loop.create_task(run())

        context = contextvars.copy_context()
        context.run(current.hosted.set, self.jobs[job])
        self.loop.call_soon_threadsafe(step if callback else create, context=context)
        assert begun.wait(PATIENCE)
        return end.set


@pytest.fixture
def street() -> Any:
    made = Street()
    yield made
    made.close()


@pytest.mark.parametrize("callback", [False, True])
def test_a_job_that_blocks_is_told_by_name_and_place_once_a_second_until_it_is_over(
    street: Street, callback: bool
) -> None:
    end = street.block("a", callback=callback)
    for _ in range(46):
        street.look(0.05)
    end()
    street.settle()
    street.look(0.05)
    assert street.told() == pytest.approx([0.5, 1.5, 0], abs=0.11)
    assert street.told("b") == []
    first, _, last = street.channels["a"].of("blocking")
    assert first["where"].startswith("test_watchdog.py:")
    assert first["where"].endswith(" in step")
    assert "where" not in last


def test_an_event_loop_that_answers_is_left_in_peace(street: Street) -> None:
    for _ in range(30):
        street.look(0.05)
        street.settle()
    assert street.told() == []


def test_a_short_step_is_no_reason_to_complain(street: Street) -> None:
    end = street.block("a")
    for _ in range(5):
        street.look(0.05)
    end()
    street.settle()
    street.look(0.05)
    assert street.told() == []


def test_a_job_answers_only_for_its_own_time(street: Street) -> None:
    end = street.block("a")
    street.look(0)
    street.look(0.4)
    street.loop.call_soon_threadsafe(lambda: None)
    street.owners[street.keep] = street.jobs["b"]  # as if b's step had followed in the same round
    street.look(0.05)
    street.look(0.4)
    assert street.told("b") == []
    street.look(0.1)
    assert street.told("b") == pytest.approx([0.5], abs=0.01)
    assert street.told("a") == []
    end()


def test_time_that_nobody_owns_is_nobodys(street: Street) -> None:
    end = street.block("a")
    street.owners.clear()
    for _ in range(20):
        street.look(0.05)
    end()
    assert street.told() == street.told("b") == []


def test_the_clock_is_the_monotonic_one() -> None:
    loop = asyncio.new_event_loop()
    assert Watchdog(loop, 0, {}).clock is time.monotonic
    loop.close()
