from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.plays import Play, command_spec, turn
from tui.engine.deck.spec import ProbationPeriod
from tui.engine.jobs import lifecycle
from tui.protocol import messages
from tui.protocol.messages import Running
from tui.runners import readiness
from tui.runners.base import StuckError
from tui.runners.readiness import Readiness


async def test_a_reload_by_restart_ends_the_old_worker_before_it_starts_a_new_one() -> None:
    play = Play(on_change="restart")
    await play.run()
    await play.save("lr: 2\n")
    await play.workers[0].asked.wait()
    assert play.workers[0].told[1:] == [("stop", 2, 3.0)]
    play.exit(7)  # by our wish: no crash
    await turn()
    assert len(play.workers) == 1
    assert play.job.supervisor.live
    play.vanish()
    await turn()
    assert play.worker.told == [("setup", 2, {"lr": 2})]
    play.job.worker_started(43)
    play.job.worker_said({"kind": "loaded"})
    play.apply(2)
    assert play.states == ["starting", "starting", "running", "starting", "starting", "running"]
    assert [row.status for row in play.rows().values()] == ["applied", "applied"]


async def test_saves_during_a_slow_stop_start_one_worker_with_the_newest() -> None:
    play = Play(on_change="restart")
    await play.run()
    for lr in (2, 3, 4):
        await play.save(f"lr: {lr}\n")
        await turn()
    play.exit(0)
    play.vanish()
    await turn()
    assert [worker.told[0] for worker in play.workers] == [("setup", 1, {"lr": 1}), ("setup", 4, {"lr": 4})]
    assert not play.worker.asked.is_set()
    play.apply(4)
    assert [(row.status, row.by) for row in play.rows().values()] == [
        ("applied", None),
        ("superseded", 4),
        ("superseded", 4),
        ("applied", None),
    ]


async def test_a_worker_that_ends_by_itself_before_it_is_replaced_did_not_die_of_the_reload() -> None:
    play = Play(on_change="restart")
    await play.run()
    await play.save("lr: 2\n")
    play.exit(1)
    play.vanish()
    await turn()
    assert play.worker.told[0] == ("setup", 2, {"lr": 2})
    assert play.rows()[2].status == "sent"


async def test_a_stop_comes_between_the_end_of_a_worker_and_the_one_that_was_to_replace_it() -> None:
    play = Play(on_change="restart")
    await play.run()
    await play.save("lr: 2\n")
    play.exit(0)
    play.vanish()
    await play.job.stop()
    await turn()
    assert (play.job.state.state, len(play.workers)) == ("stopped", 1)
    assert play.rows()[2].status == "failed"


async def test_a_start_comes_between_a_save_and_the_worker_for_it() -> None:
    play = Play(on_change="restart")
    await play.run()
    starting = asyncio.create_task(play.job.start())
    await turn()
    await play.save("lr: 2\n")
    play.exit(0)
    play.vanish()
    await starting
    await turn()
    assert len(play.workers) == 2
    assert not play.worker.asked.is_set()
    assert play.worker.told[0] == ("setup", play.job.reloads.newest, {"lr": 2})


@pytest.mark.parametrize("policies", [{"on_change": "restart"}, {"command": command_spec(), "on_change": "SIGHUP"}])
async def test_what_dies_of_a_reload_goes_back_to_the_last_good_version_once(policies: dict[str, Any]) -> None:
    play = Play(**policies)
    await play.run()
    await play.save("lr: 2\n")
    if "command" in policies:
        assert play.worker.told[1:] == [("reload", 2, {"lr": 2})]
    else:
        await turn()
        play.exit(0)
        play.vanish()
        await turn()
        play.job.worker_started(43)
    play.exit(3)
    assert (play.job.state.state, play.job.supervisor.live) == ("backoff", False)
    await turn()
    assert play.job.state.state == "backoff"  # until nothing of the old one is left
    play.vanish()
    await play.launched[len(play.workers)].wait()
    assert play.worker.told == [("setup", 3, {"lr": 1})]
    assert play.history.text(3) == "lr: 1\n"
    reverted, guard = play.rows()[2], play.rows()[3]
    assert (reverted.status, reverted.by, reverted.error) == (
        "reverted",
        3,
        messages.Problem("ended with exit code 3"),
    )
    assert (guard.status, guard.source) == ("sent", "guard")
    play.job.worker_started(44)
    play.exit(4)
    assert (play.job.state.state, play.job.state.reason) == ("crashed", "ended with exit code 4")
    assert play.rows()[3].status == "failed"


async def test_a_save_while_it_goes_back_is_what_starts() -> None:
    play = Play(on_change="SIGHUP", command=command_spec())
    await play.run()
    await play.save("lr: 2\n")
    play.exit(3)
    await play.save("lr: 4\n")
    play.vanish()
    await play.launched[1].wait()
    assert play.worker.told == [("setup", 4, {"lr": 4})]
    play.job.worker_started(43)
    play.job.worker_said({"kind": "loaded"})
    play.apply(4)
    assert [row.status for row in play.rows().values()] == ["applied", "reverted", "superseded", "applied"]


async def test_a_save_that_a_program_never_got_is_tried_when_the_program_dies_of_the_one_before() -> None:
    play = Play(on_change="SIGHUP", command=command_spec())
    await play.run()
    play.worker.takes = False
    await play.save("lr: 2\n")
    await turn()
    play.exit(-15)
    play.vanish()
    await turn()
    await play.save("lr: 3\n")  # before the new one is up
    play.job.worker_started(43)
    play.exit(1)
    assert play.job.state.reason == "ended with exit code 1; trying v3, which came meanwhile"
    play.vanish()
    await play.launched[2].wait()
    assert play.worker.told == [("setup", 3, {"lr": 3})]
    play.job.worker_started(44)
    play.job.worker_said({"kind": "loaded"})
    play.apply(3)
    assert [row.status for row in play.rows().values()] == ["applied", "superseded", "applied"]


async def test_a_save_that_a_program_got_when_it_was_up_may_be_what_it_dies_of() -> None:
    play = Play(on_change="SIGHUP", command=command_spec())
    await play.start()
    await play.save("lr: 2\n")
    play.job.worker_started(42)
    play.job.worker_said({"kind": "loaded"})
    play.apply(1)
    play.exit(1)
    assert play.rows()[2].status == "reverted"


async def test_the_first_config_of_a_start_is_not_reverted() -> None:
    play = Play(on_change="restart")
    await play.run()
    play.exit(0)
    play.vanish()
    await play.job.start()
    play.job.worker_started(43)
    play.exit(1)
    assert play.job.state.state == "crashed"
    assert play.rows()[2].status == "failed"


async def test_a_worker_that_does_not_take_a_reload_is_replaced() -> None:
    play = Play(on_change="SIGHUP", command=command_spec())
    await play.run()
    play.worker.takes = False
    await play.save("lr: 2\n")
    await play.worker.asked.wait()
    play.exit(-15)
    play.vanish()
    await play.launched[1].wait()
    assert play.worker.told == [("setup", 2, {"lr": 2})]


@pytest.fixture
def long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "FIRST_DELAY", 1_000.0)
    monkeypatch.setattr(lifecycle, "LONGEST_DELAY", 1_000.0)


@pytest.mark.usefixtures("long_waits")
async def test_a_save_ends_the_wait_for_the_next_try() -> None:
    play = Play(restart="on-failure")
    await play.run()
    play.exit(1)
    play.vanish()
    state = play.job.state
    assert (state.state, state.reason, state.exit_code) == ("backoff", "ended with exit code 1", 1)
    assert state.retry_at is not None
    assert 899 < state.retry_at - time.time() < 1_001
    await turn()
    await play.save("lr: [\n")
    await turn()
    assert len(play.workers) == 1
    await play.save("lr: 2\n")
    await play.launched[1].wait()
    assert play.worker.told == [("setup", 3, {"lr": 2})]
    assert play.states[-2:] == ["backoff", "starting"]


@pytest.mark.usefixtures("long_waits")
async def test_a_stop_that_comes_at_once_after_a_save_ends_the_wait_for_good() -> None:
    play = Play(restart="on-failure")
    await play.run()
    play.exit(1)
    play.vanish()
    await turn()
    await play.save("lr: 2\n")
    await play.job.stop()
    await turn()
    assert play.job.state.state == "stopped"
    assert len(play.workers) == 1


@pytest.mark.usefixtures("long_waits")
async def test_a_stop_ends_the_wait_and_the_job() -> None:
    play = Play(restart="always")
    await play.start()
    play.job.worker_started(42)
    play.exit(0)
    assert play.rows()[1].status == "sent"  # the next one may take it
    stopping = asyncio.create_task(play.job.stop())
    await turn()
    assert not stopping.done()
    play.vanish()
    await stopping
    await turn()
    assert (play.job.state.state, len(play.workers)) == ("stopped", 1)
    assert play.rows()[1].status == "failed"


@pytest.mark.usefixtures("long_waits")
async def test_a_start_ends_the_wait() -> None:
    play = Play(restart="always")
    await play.run()
    play.exit(1)
    play.vanish()
    await play.job.start()
    await turn()
    assert play.worker.told == [("setup", 2, {"lr": 1})]
    assert len(play.workers) == 2


@pytest.mark.parametrize("change", ["a save ends the wait", "a save replaces the worker", "a start"])
async def test_a_change_by_the_user_begins_the_count_of_tries_anew(
    monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(lifecycle, "FIRST_DELAY", 0.0)
    play = Play(restart="on-failure", on_change="restart", settle=ProbationPeriod(0, 0))
    await play.run()
    for number in range(1, lifecycle.MOST_TRIES):  # one more in a row would be a crash loop
        if number == lifecycle.MOST_TRIES - 1:
            monkeypatch.setattr(lifecycle, "FIRST_DELAY", 1_000.0 if change == "a save ends the wait" else 0.0)
        play.exit(1)
        play.vanish()
        if play.job.state.retry_at is not None and play.job.state.retry_at < time.time() + 10:
            await play.launched[number].wait()
            play.job.worker_started(42 + number)
    if change == "a start":
        starting = asyncio.create_task(play.job.start())
    else:
        await play.save("lr: 2\n")
    if change != "a save ends the wait":
        await play.worker.asked.wait()
        play.exit(0)
        play.vanish()
    await play.launched[lifecycle.MOST_TRIES - (change == "a save ends the wait")].wait()
    if change == "a start":
        await starting
    play.job.worker_started(99)
    play.apply(2)
    play.exit(1)
    assert play.job.state.state == "backoff"


async def test_a_worker_that_is_tried_again_takes_the_running_version_without_a_new_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle, "FIRST_DELAY", 0.0)
    play = Play(restart="on-failure")
    await play.run()
    await play.save("lr: [\n")
    play.exit(1)
    assert play.job.running.version is None
    play.vanish()
    await play.launched[1].wait()
    assert play.worker.told == [("setup", 1, {"lr": 1})]
    play.apply(1)
    assert play.of(Running)[-1].version == 1
    assert list(play.rows()) == [1, 2]


@pytest.mark.parametrize(
    ("code", "policy", "last"),
    [
        (1, "on-failure", "ended with exit code 1"),
        (1, "always", "ended with exit code 1"),
        (0, "always", "finished"),
    ],
)
async def test_a_crash_loop_has_an_end(monkeypatch: pytest.MonkeyPatch, code: int, policy: str, last: str) -> None:
    monkeypatch.setattr(lifecycle, "FIRST_DELAY", 0.0)
    play = Play(restart=policy)
    await play.start()
    for number in range(lifecycle.MOST_TRIES):
        await play.launched[number].wait()
        play.job.worker_started(42 + number)
        play.exit(code)
        play.vanish()
    assert play.states.count("backoff") == lifecycle.MOST_TRIES - 1
    assert play.job.state.state == "crashed"
    assert play.job.state.reason == f"crash loop: {lifecycle.MOST_TRIES} ends in a row, the last one: {last}"
    await play.save("lr: 2\n")
    await turn()
    assert len(play.workers) == lifecycle.MOST_TRIES


async def test_a_task_that_never_loaded_is_not_tried_again() -> None:
    play = Play(restart="always")
    await play.start()
    play.job.worker_said({"kind": "unloadable", "message": "no file"})
    play.exit(1)
    assert play.job.state.state == "crashed"


async def test_a_stop_that_gets_stuck_is_told_and_the_job_lives_until_it_ends() -> None:
    play = Play()
    await play.run()
    play.worker.stuck = True
    with pytest.raises(StuckError, match="restart the host"):
        await play.job.stop()
    assert (play.job.state.state, play.job.state.reason) == ("running", "restart the host")
    play.exit(0)
    play.vanish()
    assert play.job.state.state == "stopped"


async def test_a_restart_that_gets_stuck_is_made_up_for_when_the_worker_ends() -> None:
    play = Play(on_change="restart", runner="thread")
    await play.run()
    play.worker.stuck = True
    await play.save("lr: 2\n")
    await turn()
    assert (play.job.state.state, play.job.state.reason) == ("running", "restart the host")
    await play.save("lr: 3\n")
    await turn()
    assert len(play.workers) == 1
    play.exit(0)
    play.vanish()
    await turn()
    assert [worker.told[0] for worker in play.workers] == [("setup", 1, {"lr": 1}), ("setup", 3, {"lr": 3})]
    play.apply(3)
    assert [row.status for row in play.rows().values()] == ["applied", "superseded", "applied"]


async def test_a_check_stands_between_a_save_and_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([(0, ""), (1, "line 1: too high"), (0, "")])

    async def check(command: str, cwd: Path, timeout: float | None) -> tuple[int | None, str]:
        return next(answers)

    monkeypatch.setattr(readiness, "run", check)
    play = Play(on_change="SIGHUP", command=command_spec(), check="check {config}")
    await play.run()
    await play.save("lr: 2\n")
    await turn()
    await play.save("lr: 3\n")
    await turn()
    assert [(row.status, row.error) for row in play.rows().values()] == [
        ("applied", None),
        ("invalid", messages.Problem("line 1: too high", 1)),
        ("sent", None),
    ]
    assert play.worker.told[1:] == [("reload", 3, {"lr": 3})]


async def test_a_stop_does_not_wait_for_the_check_of_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    answer: asyncio.Future[tuple[int | None, str]] = asyncio.get_running_loop().create_future()

    async def check(command: str, cwd: Path, timeout: float | None) -> tuple[int | None, str]:
        return await answer

    monkeypatch.setattr(readiness, "run", check)
    play = Play(on_change="SIGHUP", command=command_spec(), check="check {config}")
    starting = asyncio.create_task(play.start())
    await turn()
    assert not starting.done()
    await play.job.stop()
    await starting
    assert (play.job.state.state, play.job.supervisor.expected, play.rows()) == ("stopped", False, {})
    answer.set_result((0, ""))
    await turn()
    assert play.workers == []
    assert play.rows()[1].status == "failed"  # every version has a row


async def test_a_value_that_the_command_needs_and_the_config_lacks_is_a_problem_of_the_file() -> None:
    play = Play("l: 1\n", on_change="SIGHUP", command=command_spec())
    await play.start()
    problem = play.job.problem
    assert problem is not None
    assert "the command uses {lr}" in problem.message
    assert play.rows()[1].error == problem
    assert play.workers == []
    await play.save("lr: 1\n")
    assert play.job.problem is None
    assert len(play.workers) == 1


@pytest.mark.parametrize("wish", ["stop", "start"])
async def test_what_the_user_asks_for_while_a_worker_is_replaced_starts_no_worker_in_between(wish: str) -> None:
    play = Play(on_change="restart")
    await play.run()
    await play.save("lr: 2\n")
    await play.worker.asked.wait()
    asked = asyncio.create_task(play.job.stop() if wish == "stop" else play.job.start())
    await turn()
    play.exit(-9)
    play.vanish()
    await asked
    await turn()
    assert len(play.workers) == (1 if wish == "stop" else 2)
    assert play.job.state.state == ("stopped" if wish == "stop" else "starting")
    assert play.rows()[2].status == "failed"
    assert wish == "stop" or play.worker.told[0] == ("setup", 3, {"lr": 2})


@pytest.mark.usefixtures("long_waits")
async def test_a_job_that_waits_for_its_next_try_can_not_be_paused_and_says_so() -> None:
    play = Play(restart="always")
    await play.run()
    play.exit(1)
    play.vanish()
    words = "it waits for its next try: ctrl+r ends the wait, ctrl+t stops it"
    assert (play.job.supervisor.pause(), play.job.supervisor.resume(), play.job.state.state) == (
        words,
        words,
        "backoff",
    )
    await play.job.stop()
    assert (play.job.supervisor.pause(), play.job.state.state) == ("it is stopped", "stopped")


@pytest.mark.parametrize("loads", ["before", "while held"])
async def test_a_start_that_is_held_is_still_a_start_when_it_goes_on(loads: str) -> None:
    ready = Readiness(line="up")
    play = Play(on_change="SIGHUP", command=replace(command_spec(), ready=ready))
    await play.start()
    play.job.worker_started(42)
    assert play.job.supervisor.pause() == ""
    if loads == "while held":
        play.job.worker_said({"kind": "loaded"})
    assert play.job.supervisor.resume() == ""
    wanted = ("running", None) if loads == "while held" else ("starting", "waits for a line of output with up")
    assert (play.job.state.state, play.job.state.reason) == wanted
    assert play.job.state.pid == 42


async def test_a_program_that_ends_in_order_has_not_died_of_a_reload() -> None:
    play = Play(on_change="restart", command=command_spec())
    await play.run()
    await play.save("lr: 2\n")
    await play.worker.asked.wait()
    play.exit(0)
    play.vanish()
    await play.launched[1].wait()
    play.job.worker_started(43)
    play.exit(0)
    assert play.job.state.state == "finished"
    assert play.rows()[2].status == "failed"
    assert len(play.rows()) == 2
