from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from tests.patience import PATIENCE
from tui.engine import in_thread


async def test_no_garbage_is_collected_while_any_work_goes_on() -> None:
    assert gc.isenabled()
    ends = {"a": threading.Event(), "b": threading.Event()}

    def work(name: str) -> bool:
        ends[name].wait(PATIENCE)
        return gc.isenabled()

    both = [asyncio.create_task(in_thread.run(work, name)) for name in ends]
    await asyncio.sleep(0)
    ends["a"].set()
    assert not await both[0]
    assert not gc.isenabled()
    ends["b"].set()
    assert not await both[1]
    assert gc.isenabled()


async def test_what_fails_is_raised_and_leaves_all_as_it_was() -> None:
    def fail(text: str) -> None:
        raise ValueError(text)

    with pytest.raises(ValueError, match="no"):
        await in_thread.run(fail, "no")
    assert gc.isenabled()
