from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.patience import PATIENCE
from tui.worker.mailbox import Mailbox


class Recorder:
    """Stands for a queue or an event and notes the calls that pass through it."""

    def __init__(self, name: str, real: Any, calls: list[str]) -> None:
        self._name, self._real, self._calls = name, real, calls

    def __getattr__(self, method: str) -> Any:
        self._calls.append(f"{self._name}.{method}")
        return getattr(self._real, method)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def calls(mailbox: Mailbox) -> list[str]:
    noted: list[str] = []
    mailbox.queue = Recorder("queue", mailbox.queue, noted)
    mailbox.event = Recorder("event", mailbox.event, noted)
    return noted


@pytest.fixture
def busy_switching() -> Iterator[None]:
    """Let Python change threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_put_is_the_queue_first_and_the_event_second(mailbox: Mailbox, calls: list[str]) -> None:
    mailbox.put(1)
    assert calls == ["queue.put_nowait", "event.set"]


def test_take_clears_the_event_first_and_drains_the_queue_second(mailbox: Mailbox, calls: list[str]) -> None:
    mailbox.put(1)
    mailbox.put(2)
    calls.clear()
    assert mailbox.take() == [1, 2]
    assert calls == ["event.clear", "queue.get_nowait", "queue.get_nowait", "queue.get_nowait"]


def test_all_that_has_arrived_is_taken_at_once_and_in_order(mailbox: Mailbox) -> None:
    assert mailbox.take() == []
    for item in range(5):
        mailbox.put(item)
    assert mailbox.event.is_set()
    assert mailbox.take() == [0, 1, 2, 3, 4]
    assert not mailbox.event.is_set()
    assert mailbox.take() == []


def test_an_item_that_comes_during_the_drain_sets_the_event_again(mailbox: Mailbox) -> None:
    real = mailbox.queue

    class Late:
        """Has one more item put in at the very end of the drain."""

        def get_nowait(self) -> Any:
            try:
                return real.get_nowait()
            finally:
                if real.empty() and not mailbox.event.is_set():
                    real.put("late")
                    mailbox.event.set()

    mailbox.put("early")
    mailbox.queue = Late()
    assert "early" in mailbox.take()
    assert mailbox.event.is_set()


@pytest.mark.usefixtures("busy_switching")
def test_no_item_is_ever_left_behind_without_an_event(mailbox: Mailbox) -> None:
    rounds = 10_000
    answered = threading.Semaphore(0)
    got: list[int] = []

    def receive() -> None:
        while not got or got[-1] != -1:
            if not mailbox.event.wait(PATIENCE):
                return  # an item lies there, and nobody says so
            items = mailbox.take()
            got.extend(items)
            for _ in items:
                answered.release()

    receiver = threading.Thread(target=receive)
    receiver.start()
    dice = random.Random(7)
    sent = 0
    for _ in range(rounds):
        burst = dice.randint(1, 3)
        for _ in range(burst):
            mailbox.put(sent)
            sent += 1
        # Only a sender that waits now can see that its item was not heard of.
        for _ in range(burst):
            assert answered.acquire(timeout=PATIENCE), f"item {len(got)} of {sent} was left behind"
    mailbox.put(-1)
    receiver.join()
    assert got == [*range(sent), -1]
