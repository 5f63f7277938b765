from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
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
CANCEL = {"kind": "cancel"}


@pytest.fixture
def channel() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
def loop(channel: FakeChannel) -> Iterator[Loop]:
    current.loop = Loop(cast(JobChannel, channel), 1, {"lr": 1})
    yield current.loop
    current.loop = None


async def told(channel: FakeChannel, kind: str) -> None:
    """Wait until the loop has sent a message of this kind."""
    while not channel.of(kind):  # noqa: ASYNC110 - a task of this event loop sends it
        await asyncio.sleep(0)


async def test_an_async_generator_gets_each_config_at_its_next_checkpoint(loop: Loop, channel: FakeChannel) -> None:
    seen = []

    async def task(config: Any) -> AsyncGenerator[Any, Any]:
        for step in range(4):
            if step == 1:
                loop.put(reload(2, lr=2))
            seen.append(config["lr"])
            config = yield {"step": step}
        seen.append(config["lr"])

    await loop.run_async(task, again=True)
    assert seen == [1, 1, 2, 2, 2]
    assert receipts(channel) == [(1, 0, []), (2, 2, [])]
    assert loop.step == 4
    assert channel.of("metrics")[-1] == {"kind": "metrics", "step": 4, "values": {"step": 3}}


async def test_an_async_function_is_called_again_and_again_until_it_is_done(loop: Loop, channel: FakeChannel) -> None:
    seen = []

    async def task(config: Any) -> dict[str, int]:
        seen.append(config["lr"])
        if len(seen) == 2:
            for version in (2, 3, 4):
                loop.put(reload(version, lr=version))
        if len(seen) == 4:
            raise tui.Done
        return {"calls": len(seen)}

    await loop.run_async(task, again=True)
    assert seen == [1, 1, 4, 4]
    assert receipts(channel) == [(1, 0, []), (4, 2, [2, 3])]
    assert channel.of("metrics")[-1] == {"kind": "metrics", "step": 3, "values": {"calls": 3}}


async def test_without_loop_an_async_function_is_called_once(loop: Loop) -> None:
    calls = []

    async def task(config: Any) -> None:
        calls.append(config)

    await loop.run_async(task, again=False)
    assert calls == [{"lr": 1}]
    assert loop.step == 0


@pytest.mark.parametrize(("again", "inside", "times"), [(None, 2, 1), (None, 0, 3), (True, 2, 3), (False, 2, 1)])
async def test_a_call_with_checkpoints_inside_is_a_whole_run(
    loop: Loop, capsys: pytest.CaptureFixture[str], again: bool | None, inside: int, times: int
) -> None:
    calls = 0

    async def task(config: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise tui.Done
        for _ in range(inside):
            loop.checkpoint({})

    await loop.run_async(task, again)
    assert calls == times
    assert ("loop: true" in capsys.readouterr().err) == (again is None and inside > 0)


async def test_what_arrived_before_the_event_loop_ran_is_not_lost(loop: Loop, channel: FakeChannel) -> None:
    loop.put(reload(2, lr=2))
    loop.put(reload(3, lr=3))

    async def task(config: Any) -> None:
        if config["lr"] == 3:
            raise tui.Done

    await loop.run_async(task, again=True)
    assert receipts(channel) == [(1, 0, []), (3, 1, [2])]


async def test_a_coroutine_that_never_waits_starves_nobody_and_sees_its_reload(loop: Loop) -> None:
    steps = 0

    async def task(config: Any) -> AsyncGenerator[None, Any]:
        nonlocal steps
        while config["lr"] == 1:
            steps += 1
            config = yield

    job = asyncio.create_task(loop.run_async(task, again=True))
    for _ in range(100):
        await asyncio.sleep(0)
    assert 50 < steps < 200
    threading.Thread(target=loop.put, args=[reload(2, lr=2)]).start()
    await asyncio.wait_for(job, PATIENCE)


async def test_stop_closes_an_async_generator_so_that_it_can_clean_up(loop: Loop, channel: FakeChannel) -> None:
    done = []

    async def task(config: Any) -> AsyncGenerator[None, Any]:
        try:
            loop.put(reload(2, lr=2))
            loop.put(STOP)
            yield
            done.append("went on")
        finally:
            await asyncio.sleep(0)
            done.append("cleaned up")

    await loop.run_async(task, again=True)
    assert done == ["cleaned up"]
    assert receipts(channel) == [(1, 0, [])]


async def test_stop_ends_an_async_function_between_two_calls(loop: Loop) -> None:
    calls = []

    async def task(config: Any) -> None:
        calls.append(config)
        loop.put(STOP)

    await loop.run_async(task, again=True)
    assert len(calls) == 1


async def test_a_generator_that_will_not_end_is_an_error(loop: Loop) -> None:
    async def task(config: Any) -> AsyncGenerator[None, Any]:
        loop.put(STOP)
        try:
            yield
        except GeneratorExit:
            yield

    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        await loop.run_async(task, again=True)


def wait_for_ever(config: Any) -> Awaitable[None]:
    return asyncio.get_running_loop().create_future()


async def between_calls(config: Any) -> None:
    await wait_for_ever(config)


async def in_a_generator(config: Any) -> AsyncGenerator[None, Any]:
    await wait_for_ever(config)
    yield


@pytest.mark.parametrize("task", [between_calls, in_a_generator])
async def test_cancel_ends_a_task_that_reaches_no_checkpoint(loop: Loop, channel: FakeChannel, task: Any) -> None:
    job = asyncio.create_task(loop.run_async(task, again=True))
    await told(channel, "applied")
    threading.Thread(target=loop.put, args=[CANCEL]).start()
    await asyncio.wait_for(job, PATIENCE)


async def test_cancel_while_a_generator_is_held_lets_it_clean_up(loop: Loop, channel: FakeChannel) -> None:
    done = []

    async def task(config: Any) -> AsyncGenerator[None, Any]:
        try:
            yield
        finally:
            done.append("cleaned up")

    loop.put(PAUSE)
    job = asyncio.create_task(loop.run_async(task, again=True))
    await told(channel, "paused")
    loop.put(CANCEL)
    await asyncio.wait_for(job, PATIENCE)
    assert done == ["cleaned up"]


async def test_a_task_that_cancels_itself_is_cancelled(loop: Loop) -> None:
    async def task(config: Any) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await loop.run_async(task, again=True)


async def test_a_stop_at_a_plain_checkpoint_ends_the_coroutine_and_spares_the_event_loop(loop: Loop) -> None:
    async def task(config: Any) -> None:
        loop.put(STOP)
        await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            tui.checkpoint(config)
        other = asyncio.get_running_loop().run_in_executor(None, tui.checkpoint, config)
        assert await other == config, "another thread would end alone, and nobody would know"
        tui.checkpoint(config)
        pytest.fail("it went on")

    await loop.run_async(task, again=False)


async def test_a_pause_holds_the_task_and_not_the_event_loop(loop: Loop, channel: FakeChannel) -> None:
    seen = []

    async def task(config: Any) -> AsyncGenerator[None, Any]:
        while config["lr"] == 1:
            config = yield
            seen.append(config["lr"])

    loop.put(PAUSE)
    job = asyncio.create_task(loop.run_async(task, again=True))
    await told(channel, "paused")
    for version in (2, 3):
        loop.put(reload(version, lr=version))
        for _ in range(10):
            await asyncio.sleep(0)
    assert (seen, receipts(channel)) == ([], [(1, 0, [])])
    loop.put(RESUME)
    await asyncio.wait_for(job, PATIENCE)
    assert seen == [3]
    assert receipts(channel) == [(1, 0, []), (3, 1, [2])]


async def test_a_hold_that_a_plain_checkpoint_owes_is_taken_in_asleep(loop: Loop, channel: FakeChannel) -> None:
    async def task(config: Any) -> None:
        while config["lr"] == 1:
            await tui.asleep(0)
            config = tui.checkpoint(config)

    loop.put(PAUSE)
    loop.put(reload(2, lr=2))
    job = asyncio.create_task(loop.run_async(task, again=False))
    await told(channel, "paused")
    assert receipts(channel) == [(1, 0, [])]
    assert not job.done()
    loop.put(RESUME)
    await asyncio.wait_for(job, PATIENCE)
    assert [version for version, *_ in receipts(channel)] == [1, 2]


@pytest.mark.parametrize("task", [between_calls, in_a_generator])
def test_a_plain_function_that_returns_a_coroutine_is_told_what_to_do(loop: Loop, task: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="make it async def"):
        loop.run(lambda config: task(config), again=True)
