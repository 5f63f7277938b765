"""A paused job: what is held, and which worker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.engine.plays import Play, command_spec, turn
from tui.engine.jobs import lifecycle


async def test_a_task_takes_a_reload_while_it_is_paused() -> None:
    play = Play()
    await play.run()
    play.job.supervisor.pause()
    play.job.supervisor.pause()
    assert (play.job.state.state, play.job.state.reason) == ("paused", "from its next checkpoint on")
    play.job.worker_said({"kind": "paused", "step": 1234})
    assert (play.job.state.state, play.job.state.reason) == ("paused", "held at step 1,234")
    await play.save("lr: 2\n")
    play.job.supervisor.resume()
    play.job.supervisor.resume()
    play.job.worker_said({"kind": "paused", "step": 1234})  # said before it heard of it
    assert play.worker.told[1:] == [("pause",), ("reload", 2, {"lr": 2}), ("resume",)]
    assert (play.job.state.state, play.job.state.pid) == ("running", 42)


@pytest.mark.parametrize("policies", [{"on_change": "restart"}, {"command": command_spec(), "on_change": "SIGHUP"}])
async def test_a_pause_holds_reloads_that_may_end_the_worker(policies: dict[str, Any]) -> None:
    play = Play(**policies)
    await play.run()
    play.job.supervisor.pause()
    for lr in (2, 3):
        await play.save(f"lr: {lr}\n")
        await turn()
    assert play.worker.told[1:] == [("pause",)]
    play.job.supervisor.resume()
    await turn()
    newest = ("reload", 3, {"lr": 3}) if "command" in policies else ("stop", 2, 3.0)
    assert play.worker.told[1:] == [("pause",), ("resume",), newest]


@pytest.mark.parametrize("policies", [{"on_change": "restart"}, {"command": command_spec(), "on_change": "SIGHUP"}])
async def test_a_pause_before_the_first_receipt_leads_to_no_second_worker(policies: dict[str, Any]) -> None:
    play = Play(**policies)
    await play.start()
    play.job.supervisor.pause()
    play.job.supervisor.resume()
    await turn()
    assert play.worker.told[1:] == [("pause",), ("resume",)]
    play.job.worker_started(42)
    play.apply(1)
    play.exit(0)
    assert play.job.state.state == "finished"


@pytest.mark.parametrize("policies", [{"on_change": "restart"}, {"command": command_spec(), "on_change": "SIGHUP"}])
async def test_a_pause_while_the_worker_is_being_replaced_holds_the_new_one(policies: dict[str, Any]) -> None:
    play = Play(**policies)
    await play.run()
    old = play.worker
    old.takes = False
    await play.save("lr: 2\n")
    await old.asked.wait()
    play.job.supervisor.pause()
    assert (play.job.state.state, play.job.state.reason) == ("paused", "the worker that follows will be held")
    play.exit(0)
    play.vanish()
    await play.launched[1].wait()
    assert ("pause",) not in old.told  # it would not come to its end
    assert play.worker.told == [("setup", 2, {"lr": 2}), ("pause",)]
    play.job.worker_started(43)
    play.job.worker_said({"kind": "loaded"})
    assert play.job.state.state == "paused"
    play.job.supervisor.resume()
    assert (play.worker.told[-1], play.job.state.state) == (("resume",), "running")


async def test_a_pause_may_be_taken_back_before_the_new_worker_is_there() -> None:
    play = Play(on_change="restart")
    await play.run()
    await play.save("lr: 2\n")
    await play.worker.asked.wait()
    play.job.supervisor.pause()
    play.job.supervisor.resume()
    play.exit(0)
    play.vanish()
    await play.launched[1].wait()
    assert [worker.told for worker in play.workers] == [
        [("setup", 1, {"lr": 1}), ("stop", 2, 3.0)],
        [("setup", 2, {"lr": 2})],
    ]


async def test_a_pause_during_a_restart_by_the_user_holds_the_new_worker_and_one_before_it_does_not() -> None:
    play = Play()
    await play.run()
    for pause in (False, True):
        play.job.supervisor.pause()
        worker = play.worker
        starting = asyncio.create_task(play.job.start())
        await worker.asked.wait()
        if pause:
            play.job.supervisor.resume()
            play.job.supervisor.pause()
        play.exit(0)
        play.vanish()
        await starting
        assert (("pause",) in play.worker.told) == pause
    assert play.job.state.state == "paused"
    stopping = asyncio.create_task(play.job.stop())
    await play.worker.asked.wait()
    play.exit(0)
    play.vanish()
    await stopping
    await play.job.start()
    assert ("pause",) not in play.worker.told


async def test_a_worker_that_is_tried_again_stays_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "FIRST_DELAY", 0.0)
    play = Play(restart="on-failure")
    await play.run()
    play.job.supervisor.pause()
    play.exit(-9)
    play.vanish()
    await play.launched[1].wait()
    assert play.worker.told == [("setup", 1, {"lr": 1}), ("pause",)]


async def test_a_paused_job_can_be_stopped_and_what_was_held_has_failed() -> None:
    play = Play(on_change="restart")
    await play.run()
    play.job.supervisor.pause()
    await play.save("lr: 2\n")
    stopping = asyncio.create_task(play.job.stop())
    await play.worker.asked.wait()
    play.exit(0)
    play.vanish()
    await stopping
    assert (play.job.state.state, play.rows()[2].status) == ("stopped", "failed")


async def test_there_is_nothing_to_pause_without_a_worker() -> None:
    play = Play()
    play.job.supervisor.pause()
    play.job.supervisor.resume()
    assert play.states == []
