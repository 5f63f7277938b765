from __future__ import annotations

import os
import signal

import pytest

from tests.runs.folder import Event, Folder, Run, Wanted, ask, log, row
from tui.protocol import messages

TASKS = """
    import asyncio, os, subprocess, time
    import tui

    def ticks(config):
        while True:
            tui.sleep(0.01)
            new = yield {"lr": config["lr"]}
            if new is not config:
                print("thread took", new["lr"])
                config = new

    async def turns(config):
        while True:
            await tui.asleep(0.01)
            new = yield
            if new is not config:
                print("coroutine took", new["lr"])
                config = new

    def endless(config):
        print("endless", flush=True)
        while True:
            time.sleep(0.01)

    async def blocking(config):
        print("blocks from here on")
        time.sleep(1.5)
        print("no more")
        await asyncio.sleep(3600)

    def children(config):
        subprocess.run(["echo", "from a child"])
        os.write(1, b"from C\\n")
        print("from Python")
        tui.sleep(3600)
"""

DECK = """
    jobs:
      ticks: {task: job.py:ticks, config: c.yaml, runner: thread, restart: on-failure}
      turns: {task: job.py:turns, config: c.yaml, runner: asyncio}
      alone: {task: job.py:turns, config: c.yaml}
"""


def of(job: str, wanted: Wanted) -> Wanted:
    return lambda event: event["job"] == job and wanted(event)


def state(name: str, **fields: object) -> Wanted:
    expected = {"event": "state", "state": name, **fields}
    return lambda event: expected.items() <= event.items()


def start(folder: Folder, deck: str = DECK) -> Run:
    folder.task(TASKS)
    return folder.run_deck(deck)


def pids(run: Run) -> dict[str, int]:
    """Return the last process id of every job."""
    return {event["job"]: event["pid"] for event in run.events if event["event"] == "state" and event["pid"]}


def test_one_process_holds_threads_and_coroutines_and_each_gives_its_receipt(folder: Folder) -> None:
    run = start(folder)
    for job in ("ticks", "turns", "alone"):
        run.wait_for(of(job, row(1, "applied")))
    folder.save("c.yaml", "lr: 2\n")
    for job in ("ticks", "turns", "alone"):
        run.wait_for(of(job, row(2, "applied")))
    run.wait_for(of("ticks", log("thread took 2")))
    run.wait_for(of("turns", log("coroutine took 2")))
    run.wait_for(of("alone", log("coroutine took 2")))
    found = pids(run)
    assert found["ticks"] == found["turns"] == found["host"] != found["alone"]
    assert run.stop() == 128 + signal.SIGTERM
    ends = {event["job"]: event["state"] for event in run.events if event["event"] == "state"}
    assert set(ends.values()) == {"stopped"}


def test_what_comes_from_outside_python_is_the_hosts(folder: Folder) -> None:
    run = start(folder, "jobs: {a: {task: job.py:children, config: c.yaml, runner: thread, loop: false}}")
    run.wait_for(of("a", log("from Python")))
    run.wait_for(of("host", log("from a child")))
    run.wait_for(of("host", log("from C")))


def test_a_coroutine_that_blocks_the_others_is_named(folder: Folder) -> None:
    run = start(
        folder,
        """
        jobs:
          bad: {task: job.py:blocking, config: c.yaml, runner: asyncio, loop: false}
          good: {task: job.py:turns, config: c.yaml, runner: asyncio}
        """,
    )

    def blocks(event: Event) -> bool:
        return event["event"] == "state" and "blocks the event loop" in (event["reason"] or "")

    found = run.wait_for(blocks)
    assert (found["job"], found["state"]) == ("bad", "running")
    assert "job.py:28 in blocking" in found["reason"]
    run.wait_for(of("bad", log("no more")))
    run.wait_for(lambda event: of("bad", state("running", reason=None))(event) and event["time"] > found["time"])
    assert not any(event["job"] == "good" and blocks(event) for event in run.events)


def test_a_killed_host_ends_its_jobs_only_and_each_has_its_state(folder: Folder) -> None:
    run = start(folder)
    for job in ("ticks", "turns", "alone"):
        run.wait_for(of(job, row(1, "applied")))
    before = pids(run)
    os.kill(before["host"], signal.SIGKILL)
    run.wait_for(of("host", state("crashed", reason="killed by SIGKILL")))
    reason = "its host ended, with all jobs in it: killed by SIGKILL"
    run.wait_for(of("turns", state("crashed", reason=reason)))
    run.wait_for(of("ticks", state("backoff", reason=reason)))

    def again(event: Event) -> bool:
        return of("ticks", state("running"))(event) and event["pid"] not in (None, before["host"])

    run.wait_for(again)
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(of("ticks", row(2, "applied")))
    run.wait_for(of("alone", row(2, "applied")))
    run.wait_for(of("turns", row(2, "failed")))
    assert pids(run)["alone"] == before["alone"]


STUCK = """
    jobs:
      stuck: {task: job.py:endless, config: c.yaml, runner: thread, stop: {grace: 0.2}}
      ticks: {task: job.py:ticks, config: c.yaml, runner: thread}
      idle: {task: job.py:ticks, config: c.yaml, runner: thread}
"""


@pytest.mark.parametrize("kind", [messages.Stop, messages.Start])
def test_a_stuck_thread_is_said_to_be_stuck_and_ends_with_its_host(
    folder: Folder, kind: type[messages.Stop | messages.Start]
) -> None:
    run = start(folder, STUCK)
    run.wait_for(of("stuck", log("endless")))
    for job in ("ticks", "idle"):
        run.wait_for(of(job, row(1, "applied")))
    deck = folder.path / "deck.yaml"
    assert ask(deck, messages.Stop(1, "idle")).ok
    old = pids(run)["host"]
    reply = ask(deck, kind(2, "stuck"))
    assert (reply.ok, reply.code, reply.data) == (False, "stuck", {"with": ["ticks"]})
    assert "a thread can't be killed" in reply.message
    run.wait_for(of("stuck", lambda event: "restart the host" in str(event.get("reason"))))
    assert ask(deck, kind(3, "stuck", host=True)).ok
    run.wait_for(of("stuck", state("stopped")))
    run.wait_for(of("ticks", row(2, "applied")))  # started again, since the user has ended its host
    assert old != pids(run)["host"]
    assert max(event["version"] for event in run.events if event["event"] == "reload" and event["job"] == "idle") == 1
    if kind is messages.Start:
        run.wait_for(of("stuck", row(2, "applied")))


def test_the_end_of_a_deck_waits_for_a_stuck_thread_no_longer_than_its_grace(folder: Folder) -> None:
    run = start(folder, STUCK)
    run.wait_for(of("stuck", log("endless")))
    assert run.stop() == 128 + signal.SIGTERM  # a stuck thread left alone would hold it for ever
    run.wait_for(of("stuck", state("stopped")))


def test_a_plain_function_is_no_coroutine(folder: Folder) -> None:
    run = start(folder, "jobs: {a: {task: job.py:ticks, config: c.yaml, runner: asyncio}}")
    run.wait_for(of("a", lambda event: "use runner: thread" in str(event.get("reason"))))
    assert run.end() == 2


def test_a_job_that_is_held_is_held_in_the_next_host_too(folder: Folder) -> None:
    run = start(folder, STUCK)
    run.wait_for(of("stuck", log("endless")))
    for job in ("ticks", "idle"):
        run.wait_for(of(job, row(1, "applied")))
    deck = folder.path / "deck.yaml"
    assert ask(deck, messages.Pause(1, "ticks", paused=True)).ok
    run.wait_for(of("ticks", state("paused")))
    old = pids(run)["host"]
    assert ask(deck, messages.Stop(2, "stuck", host=True)).ok
    run.wait_for(of("idle", row(2, "applied")))
    run.wait_for(of("ticks", lambda event: event.get("state") == "paused" and event["pid"] not in (None, old)))
    last = [event for event in run.events if event["event"] == "state" and event["job"] == "ticks"][-1]
    assert last["state"] == "paused"
    assert run.stop() == 128 + signal.SIGTERM
