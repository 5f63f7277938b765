from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, cast

import pytest

import tui
from tests.patience import PATIENCE
from tests.worker.loops import STOP, FakeChannel, receipts, reload
from tui.worker import current
from tui.worker.channel import JobChannel
from tui.worker.loop import Loop

PAUSE = {"kind": "pause"}
RESUME = {"kind": "resume"}


class Told(FakeChannel):
    """Does something as soon as the task is held."""

    def __init__(self) -> None:
        super().__init__()
        self.when_held: Callable[[], None] = lambda: None

    def send(self, message: dict[str, Any]) -> None:
        super().send(message)
        if message["kind"] == "paused":
            self.when_held()


@pytest.fixture
def channel() -> Told:
    return Told()


@pytest.fixture
def loop(channel: Told) -> Loop:
    return Loop(cast(JobChannel, channel), 1, {"lr": 1})


@pytest.fixture
def deck(loop: Loop) -> Iterator[Loop]:
    current.loop = loop
    yield loop
    current.loop = None


def put(loop: Loop, *messages: dict[str, Any]) -> None:
    for message in messages:
        loop.put(message)


def test_a_paused_task_is_held_until_it_is_resumed(loop: Loop, channel: Told) -> None:
    seen = []
    put(loop, PAUSE)
    channel.when_held = lambda: put(loop, RESUME)

    def task(config: Any) -> Generator[None, Any, None]:
        for _ in range(3):
            yield
            seen.append(len(channel.of("paused")))

    loop.run(task, again=True)
    assert seen == [1, 1, 1]
    assert channel.of("paused") == [{"kind": "paused", "step": 1}]


def test_reloads_that_come_in_a_pause_are_answered_when_the_task_goes_on(loop: Loop, channel: Told) -> None:
    put(loop, PAUSE)
    channel.when_held = lambda: put(loop, reload(2, lr=2), reload(3, lr=3), RESUME)

    def task(config: Any) -> Generator[None, Any, None]:
        config = yield
        assert config == {"lr": 3}

    loop.run(task, again=True)
    assert receipts(channel) == [(1, 0, []), (3, 1, [2])]
    kinds = [message["kind"] for message in channel.sent if message["kind"] != "metrics"]
    assert kinds == ["applied", "paused", "applied"]


def test_a_reload_that_comes_with_the_pause_waits_too(loop: Loop, channel: Told) -> None:
    put(loop, reload(2, lr=2), PAUSE)
    answered: list[Any] = []

    def look() -> None:
        answered.extend(receipts(channel))
        put(loop, RESUME)

    channel.when_held = look
    assert loop.checkpoint(None) == {"lr": 2}
    assert answered == []
    assert receipts(channel) == [(2, 1, [])]


def test_stop_ends_a_pause(loop: Loop, channel: Told) -> None:
    put(loop, PAUSE)
    channel.when_held = lambda: put(loop, STOP)
    done = []

    def task(config: Any) -> Generator[None, Any, None]:
        try:
            yield
        finally:
            done.append("cleaned up")

    loop.run(task, again=True)
    assert done == ["cleaned up"]


def test_a_pause_that_is_over_before_the_checkpoint_holds_nobody(loop: Loop, channel: Told) -> None:
    put(loop, PAUSE, RESUME)
    loop.checkpoint(None)
    assert channel.of("paused") == []


def test_a_second_pause_while_held_is_told_again(loop: Loop, channel: Told) -> None:
    answers = iter([(RESUME, PAUSE), (RESUME,)])
    put(loop, PAUSE)
    channel.when_held = lambda: put(loop, *next(answers))
    loop.checkpoint(None)
    assert len(channel.of("paused")) == 2


def test_all_threads_that_come_to_a_checkpoint_are_held_and_released(deck: Loop, channel: Told) -> None:
    held = threading.Event()
    channel.when_held = held.set
    released = threading.Semaphore(0)
    inside = threading.Barrier(9)

    def callback() -> None:
        inside.wait()
        assert tui.checkpoint({"lr": 1}) == {"lr": 2}
        released.release()

    put(deck, PAUSE)
    threads = [threading.Thread(target=callback) for _ in range(8)]
    for thread in threads:
        thread.start()
    inside.wait()
    assert held.wait(PATIENCE)
    assert not released.acquire(timeout=0.05)
    put(deck, reload(2, lr=2), RESUME)
    for thread in threads:
        thread.join(PATIENCE)
    assert [released.acquire(blocking=False) for _ in threads] == [True] * 8
    assert len(channel.of("paused")) == 1


def test_a_checkpoint_within_a_checkpoint_is_no_deadlock(loop: Loop, channel: Told) -> None:
    class Nosy:
        def __float__(self) -> float:
            loop.checkpoint(None)
            return 1.0

    loop.checkpoint({"loss": Nosy()})
    assert loop.step == 2
