from __future__ import annotations

import asyncio
import os
import sqlite3

import pytest

from tests.engine.plays import Play, turn
from tui.engine.jobs import joining
from tui.engine.jobs.job import Job
from tui.engine.scrollback import Output
from tui.protocol.messages import Metrics, Notice, Reload, Running, State
from tui.runners.base import Payload


async def test_a_life_without_accidents() -> None:
    play = Play()
    await play.run()
    assert play.worker.told == [("setup", 1, {"lr": 1})]
    assert play.job.state == State("job", "running", pid=42, time=play.job.state.time)
    await play.save("lr: 2\n")
    assert play.worker.told[1:] == [("reload", 2, {"lr": 2})]
    play.apply(2, step=7)
    play.exit(0)
    play.vanish()
    assert play.states == ["starting", "starting", "running", "finished"]
    assert [(row.version, row.status) for row in play.of(Reload)] == [
        (1, "sent"),
        (1, "applied"),
        (2, "sent"),
        (2, "applied"),
    ]
    assert list(play.history.rows()) == list(play.rows().values())
    assert play.history.text(2) == "lr: 2\n"


async def test_a_worker_may_have_loaded_its_task_before_its_id_is_known() -> None:
    play = Play()
    await play.start()
    play.job.worker_said({"kind": "loaded"})
    play.job.worker_started(42)
    assert (play.job.state.state, play.job.state.pid) == ("running", 42)


async def test_a_row_is_kept_before_it_is_sent() -> None:
    play = Play()
    kept: list[int] = []
    await play.run()

    def send(payload: Payload) -> bool:
        kept.append(play.history.newest())
        return True

    play.worker.send = send  # type: ignore[method-assign]
    await play.save("lr: 2\n")
    assert kept == [2]


async def test_the_running_version_is_told_when_it_changes() -> None:
    play = Play()
    await play.run()
    await play.save("lr: 2\n")
    play.apply(2)
    await play.save("lr: [\n")
    play.exit(0)
    assert [(event.version, event.differs) for event in play.of(Running)] == [
        (None, False),
        (1, False),
        (1, True),
        (2, False),
        (2, True),
        (None, False),
    ]


@pytest.mark.parametrize(
    ("code", "said", "state", "reason"),
    [
        (0, None, "finished", None),
        (3, None, "crashed", "ended with exit code 3"),
        (-9, None, "crashed", "killed by SIGKILL"),
        (-35, None, "crashed", "killed by signal 35"),
        (None, None, "crashed", "the worker was killed together with its shim"),
        (1, {"kind": "raised", "message": "ValueError: no"}, "crashed", "ValueError: no"),
        (1, {"kind": "unloadable", "message": "no file"}, "crashed", "could not load the task: no file"),
    ],
)
async def test_how_a_worker_ends_decides_the_state(
    code: int | None, said: dict[str, str] | None, state: str, reason: str | None
) -> None:
    play = Play()
    await play.run()
    await play.save("lr: 2\n")
    if said:
        play.job.worker_said(said)
    play.exit(code)
    assert (play.job.state.state, play.job.state.exit_code, play.job.state.reason) == (state, code, reason)
    assert play.job.supervisor.run.unloadable == (said is not None and said["kind"] == "unloadable")
    error = play.rows()[2].error
    assert play.rows()[2].status == "failed"
    assert error is not None
    assert (reason or state) in error.message


async def test_the_cause_of_one_end_is_not_that_of_the_next() -> None:
    play = Play()
    await play.run()
    play.job.worker_said({"kind": "unloadable", "message": "no file"})
    play.exit(1)
    play.vanish()
    await play.job.start()
    assert not play.job.supervisor.run.unloadable
    play.job.worker_started(4)
    play.exit(4)
    assert play.job.state.reason == "ended with exit code 4"


async def test_a_worker_that_cannot_be_launched_is_a_crash() -> None:
    play = Play()
    play.launch_error = FileNotFoundError(2, "No such file", "python9")
    await play.start()
    assert play.states == ["starting", "crashed"]
    assert "python9" in str(play.job.state.reason)
    assert play.job.supervisor.run.unloadable
    assert play.rows()[1].status == "failed"
    play.launch_error = None
    await play.job.start()
    assert play.job.supervisor.live


@pytest.mark.parametrize("before", ["has ended", "waits for a valid config"])
async def test_a_start_takes_a_save_that_comes_while_it_learns_what_ran_last(
    monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    play = Play("lr: 1\n" if before == "has ended" else "lr: [\n")
    await play.start()
    if before == "has ended":
        play.exit(0)
        play.vanish()
    workers = len(play.workers)
    begun, go = asyncio.Event(), asyncio.Event()

    async def remember(_: object) -> None:
        begun.set()
        await go.wait()

    monkeypatch.setattr(play.job, "remember", remember)
    starting = asyncio.create_task(play.job.start())
    await begun.wait()
    await play.save("lr: 2\n")
    assert len(play.workers) == workers, "it is left to the start"
    go.set()
    await starting
    await turn()
    assert len(play.workers) == workers + 1
    assert play.worker.told[0][2] == {"lr": 2}


async def test_stop_asks_the_worker_and_waits_until_it_is_gone() -> None:
    play = Play()
    await play.run()
    stopping = asyncio.create_task(play.job.stop())
    await play.worker.asked.wait()
    assert play.worker.told[-1] == ("stop", 2, 3.0)
    play.exit(-2)
    assert (play.job.state.state, play.job.state.reason) == ("stopped", None)
    assert not stopping.done()
    play.vanish()
    await stopping
    await play.job.stop()  # once more does no harm


async def test_start_stops_a_live_worker_first_and_the_job_stays_expected() -> None:
    play = Play()
    await play.run()
    starting = asyncio.create_task(play.job.start())
    await play.worker.asked.wait()
    play.exit(0)
    assert play.job.state.state == "stopped"
    assert play.job.supervisor.expected
    assert len(play.workers) == 1
    play.vanish()
    await starting
    assert len(play.workers) == 2
    assert play.worker.told == [("setup", 2, {"lr": 1})]
    assert not play.job.supervisor.expected


async def test_two_starts_and_a_stop_at_once_are_done_one_after_the_other() -> None:
    play = Play()
    await play.run()
    tasks = [asyncio.create_task(work) for work in (play.job.start(), play.job.start(), play.job.stop())]
    for number in range(3):
        if number:
            await play.launched[number].wait()
        await play.worker.asked.wait()
        play.exit(0)
        play.vanish()
    await asyncio.gather(*tasks)
    assert len(play.workers) == 3
    assert (play.job.state.state, play.job.supervisor.expected) == ("stopped", False)


@pytest.mark.parametrize("bad", ["lr: [\n", None])
async def test_without_a_valid_config_the_job_waits_for_the_first_good_save(bad: str | None) -> None:
    play = Play(bad)
    await play.start()
    assert (play.states, play.job.supervisor.expected) == (["stopped"], True)
    assert str(play.job.state.reason).startswith("waiting for a valid config: ")
    await play.save("lr: {\n")
    assert play.workers == []
    await play.save("lr: 3\n")
    version = play.job.reloads.newest
    assert play.worker.told == [("setup", version, {"lr": 3})]
    assert [row.status for row in play.rows().values()] == ["invalid"] * (version - 1) + ["sent"]


async def test_a_stop_ends_the_waiting() -> None:
    play = Play("lr: [\n")
    await play.start()
    await play.job.stop()
    await play.save("lr: 3\n")
    assert play.workers == []
    assert play.rows()[2].status == "failed"


async def test_a_save_after_the_end_is_a_failed_row_and_starts_nothing() -> None:
    play = Play()
    await play.run()
    play.exit(0)
    await play.save("lr: 2\n")
    play.vanish()
    await play.save("lr: 3\n")
    assert [play.rows()[version].status for version in (2, 3)] == ["failed", "failed"]
    assert len(play.workers) == 1


async def test_a_file_that_goes_missing_changes_nothing_for_the_worker() -> None:
    play = Play()
    await play.run()
    await play.save(None)
    assert (play.job.supervisor.live, len(play.rows())) == (True, 1)
    play.job.show_running()
    assert play.of(Running)[-1].differs
    await play.save("lr: 2\n")
    assert play.worker.told[-1] == ("reload", 2, {"lr": 2})


async def test_lines_are_those_of_the_version_that_ran() -> None:
    play = Play()
    await play.start()
    play.job.worker_wrote(b"import\nha")
    play.apply(1)
    play.job.worker_wrote(b"lf\nlast")
    play.exit(0)
    play.job.worker_wrote(b"a child\n")
    play.vanish()
    blocks = [output.block for output in play.of(Output) if output.block is not None]
    lines = [(block.first, block.text, block.version) for block in blocks]
    assert lines == [(0, "import", None), (1, "half", 1), (2, "last", 1), (3, "a child", None)]


async def test_the_metrics_are_those_of_this_worker() -> None:
    play = Play()
    await play.run()
    play.job.worker_said({"kind": "metrics", "step": 9, "values": {"loss": 1}})
    assert play.of(Metrics)[-1] == play.job.metrics
    await play.save("# comment\nlr: 1\n")
    assert play.rows()[2].step == 9
    play.exit(0)
    play.vanish()
    await play.job.start()
    assert play.job.metrics is None


async def test_a_history_that_cannot_be_written_is_told_and_the_job_goes_on() -> None:
    play = Play()
    await play.run()

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk full")

    play.history.add = play.history.update = fail  # type: ignore[method-assign,assignment]
    await play.save("lr: 2\n")
    play.apply(2)
    assert [notice.message for notice in play.of(Notice)] == ["the history could not be written: disk full"] * 2
    assert play.rows()[2].status == "applied"


async def test_versions_go_on_from_the_history() -> None:
    play = Play()
    await play.run()
    again = Job(play.job.spec, play.file, play.history, play.launch, play.events.append)
    assert again.reloads.newest == 1


async def test_a_state_that_cannot_follow_is_refused() -> None:
    play = Play()
    with pytest.raises(ValueError, match="is stopped and can't become running"):
        play.job.worker_said({"kind": "loaded"})


async def test_an_interpreter_that_starts_no_worker_is_named_as_the_cause() -> None:
    play = Play()
    await play.start()
    play.exit(1)
    assert play.job.supervisor.run.unloadable
    assert play.job.state.reason == "the interpreter did not start the worker: ended with exit code 1"


async def test_a_job_that_is_closed_does_not_start_again() -> None:
    play = Play()
    await play.job.close()
    await play.job.start()
    assert play.job.state.state == "stopped"
    assert play.job.reloads.newest == 0


async def test_a_refused_reload_leaves_the_job_as_it_is() -> None:
    play = Play()
    await play.run()
    await play.save("lr: -2\n")
    play.reject(2, "lr must be positive")
    row = play.rows()[2]
    assert (row.status, row.error and row.error.message) == ("rejected", "lr must be positive; v1 still runs")
    assert (play.job.state.state, play.job.running.version, play.job.running.differs) == ("running", 1, True)
    await play.save("lr: 3\n")
    play.apply(3, 7)
    assert [row.status for row in play.rows().values()] == ["applied", "rejected", "applied"]
    assert list(play.history.rows()) == list(play.rows().values())


async def refused_start() -> Play:
    play = Play()
    await play.start()
    play.job.worker_started(42)
    play.reject(1)
    return play


async def test_a_job_whose_first_config_is_refused_waits_for_a_better_one() -> None:
    play = await refused_start()
    play.exit(1)
    assert (play.job.state.state, play.job.state.reason) == ("stopped", "waiting for a valid config: no")
    assert play.job.supervisor.expected
    assert play.job.supervisor.refused_at_start
    play.vanish()
    await play.save("lr: 2\n")
    play.job.worker_started(43)
    play.job.worker_said({"kind": "loaded"})
    play.apply(2)
    assert [row.status for row in play.rows().values()] == ["rejected", "applied"]
    assert play.states == ["starting", "starting", "stopped", "starting", "starting", "running"]
    assert not play.job.supervisor.refused_at_start


@pytest.mark.parametrize("when", ["before its end", "before it is gone"])
async def test_a_better_config_may_come_before_the_worker_that_refused_is_gone(when: str) -> None:
    play = await refused_start()
    if when == "before its end":
        await play.save("lr: 2\n")
    play.exit(1)
    if when == "before it is gone":
        await play.save("lr: 2\n")
    assert play.job.state.state == "starting"
    await turn()
    play.vanish()
    await play.launched[1].wait()
    assert play.worker.told == [("setup", 2, {"lr": 2})]


@pytest.mark.parametrize("restart", ["never", "always"])
async def test_a_new_worker_that_refuses_gives_way_to_one_with_the_last_good_config(restart: str) -> None:
    play = Play(on_change="restart", restart=restart)
    await play.run()
    await play.save("lr: 2\n")
    await turn()
    play.exit(0)
    play.vanish()
    await play.launched[1].wait()
    play.reject(2)
    play.exit(1)
    assert (play.job.state.state, play.job.state.reason) == ("backoff", "no; going back to v1")
    play.vanish()
    await play.launched[2].wait()
    assert play.worker.told == [("setup", 1, {"lr": 1})]
    play.reject(1, "not even this")
    play.exit(1)
    assert play.job.state.reason == "waiting for a valid config: not even this"
    assert [row.status for row in play.rows().values()] == ["applied", "rejected"]


async def test_a_start_by_the_user_with_a_refused_config_does_not_bring_back_an_older_one() -> None:
    play = Play()
    await play.run()
    play.exit(0)
    play.vanish()
    await play.save("lr: 2\n")
    await play.job.start()
    play.reject(3)
    play.exit(1)
    assert play.job.state.reason == "waiting for a valid config: no"
    assert not play.job.supervisor.refused_at_start  # one has run: the user is there to correct it


async def test_a_job_that_is_resumed_before_its_first_receipt_ends_as_any_other() -> None:
    play = Play(on_change="restart")
    await play.start()
    play.job.worker_started(42)
    play.job.supervisor.pause()
    play.job.supervisor.resume()
    await turn()
    play.exit(0)
    assert play.job.state.state == "finished"


async def test_who_has_joined_and_who_has_not_is_told() -> None:
    play = Play()
    await play.run()
    play.job.worker_said({"kind": "unjoined", "seconds": 10.0})
    assert "none of its processes has called tui.checkpoint within 10 s" in (play.job.state.reason or "")
    assert "on_change: restart, a signal" in play.of(Notice)[-1].message
    assert play.of(Output)[-1].block is not None, "it is in the log too"
    play.job.worker_said({"kind": "joined", "pid": 77})
    assert (play.job.state.state, play.job.state.reason) == ("running", None)


async def test_a_process_that_leaves_and_lives_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "ENDING", 0)
    play = Play()
    await play.run()
    for pid in (1 << 22, os.getpid()):  # no process has so high a number
        play.job.worker_said({"kind": "left", "pid": pid})
        await turn()
    told = [notice.message for notice in play.of(Notice)]
    assert told == [f"process {os.getpid()} has closed its connection to the deck: it goes on with v1"]


async def test_ranks_that_join_after_the_start_was_applied_are_counted_in_its_row() -> None:
    play = Play()
    await play.run()  # as a command's, once it has lived for a while
    receipt = {"kind": "applied", "version": 1, "step": 1, "at": 0.0, "ranks": {"total": 4, "applied": 4, "step": 1}}
    play.job.worker_said(receipt)
    assert play.rows()[1].ranks == receipt["ranks"]
    assert next(iter(play.job.history.rows())).ranks == receipt["ranks"]
