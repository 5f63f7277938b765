from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

import tui
from tests.patience import PATIENCE
from tests.worker.loops import FakeChannel, reload
from tui.worker import current
from tui.worker.channel import JobChannel
from tui.worker.loop import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    current.loop = Loop(cast(JobChannel, FakeChannel()), 1, {"lr": 1})
    yield current.loop
    current.loop = None


async def test_asleep_returns_at_once_when_a_reload_waits_or_comes(loop: Loop) -> None:
    async def task(config: Any) -> None:
        loop.put(reload(2, lr=2))
        await tui.asleep(1_000)
        assert tui.checkpoint(config) == {"lr": 2}
        threading.Timer(0.01, loop.put, [reload(3, lr=3)]).start()
        await tui.asleep(1_000)
        assert tui.checkpoint(config) == {"lr": 3}
        await tui.asleep(0.001)

    await asyncio.wait_for(loop.run_async(task, again=False), PATIENCE)


@pytest.mark.parametrize("late", [False, True])
def test_asleep_works_in_an_event_loop_that_a_plain_task_runs(loop: Loop, late: bool) -> None:
    async def own_loop() -> list[int]:
        beats = [0]

        async def beat() -> None:
            while True:
                beats[0] += 1
                await asyncio.sleep(0.001)

        beating = asyncio.create_task(beat())
        timer = threading.Timer(0.05 if late else 0, loop.put, [reload(2, lr=2)])
        timer.start()
        if not late:
            timer.join()
        await asyncio.wait_for(tui.asleep(1_000), PATIENCE)
        beating.cancel()
        return beats

    def task(config: Any) -> None:
        assert asyncio.run(own_loop())[0] > (2 if late else -1)
        assert tui.checkpoint(config) == {"lr": 2}

    loop.run(task, again=False)


async def test_a_sleep_that_blocks_the_event_loop_is_complained_of_once(
    loop: Loop, capsys: pytest.CaptureFixture[str]
) -> None:
    async def task(config: Any) -> None:
        tui.sleep(0)
        tui.sleep(0)

    await loop.run_async(task, again=False)
    assert capsys.readouterr().err.count("use await tui.asleep") == 1


async def test_a_thread_of_an_async_task_may_sleep(loop: Loop, capsys: pytest.CaptureFixture[str]) -> None:
    async def task(config: Any) -> None:
        sleeping = asyncio.get_running_loop().run_in_executor(None, tui.sleep, 1_000)
        loop.put(reload(2, lr=2))
        await asyncio.wait_for(sleeping, PATIENCE)

    await loop.run_async(task, again=False)
    assert capsys.readouterr().err == ""


async def test_outside_a_deck_asleep_is_plain() -> None:
    await tui.asleep(0)
