"""Jobs that wait for others, logs on disk, and a program that is told of events."""

from __future__ import annotations

import json
import time

from tests.patience import PATIENCE
from tests.runs.folder import TICKER, Event, Folder, tunedeck
from tests.runs.test_live_deck import of

ONCE = TICKER + "\n    def once(config):\n        yield\n    def fails(config):\n        raise OSError('no disk')\n"


def index(events: list[Event], job: str, state: str) -> int:
    return next(n for n, event in enumerate(events) if of(job, event="state", state=state)(event))


def test_a_job_starts_once_others_have_come_so_far(folder: Folder) -> None:
    folder.task(ONCE)
    run = folder.run_deck(
        """
        jobs:
          last: {task: job.py:once, config: c.yaml, depends_on: {first: finished, second: ready}}
          second: {task: job.py:once, config: c.yaml, depends_on: {first: started}}
          first: {task: job.py:once, config: c.yaml}
        """
    )
    assert run.end() == 0
    events = run.events
    assert index(events, "first", "finished") < index(events, "last", "starting")
    assert index(events, "second", "running") < index(events, "last", "starting")
    said = [event["reason"] for event in events if of("last", event="state", state="stopped")(event)]
    assert said[0] == "waits for first to be finished, second to be ready"


def test_what_never_becomes_ready_is_said_and_a_start_by_hand_does_not_wait(folder: Folder) -> None:
    folder.task(ONCE)
    run = folder.run_deck(
        """
        jobs:
          db: {task: job.py:fails, config: c.yaml}
          app: {task: job.py:tick, config: c.yaml, depends_on: {db: finished}}
          other: {task: job.py:tick, config: c.yaml}
        """
    )
    why = "waits for db, which is crashed and was never finished: start it, or start this one all the same"
    run.wait_for(of("app", event="state", reason=why))
    assert tunedeck("start", "app", cwd=folder.path).returncode == 0
    run.wait_for(of("app", event="reload", version=1, status="applied"))
    run.stop()


def test_the_output_is_kept_on_disk_too(folder: Folder) -> None:
    folder.task("def tick(config):\n    print('one')\n    yield\n    print('two')\n")
    run = folder.run_deck("jobs: {a: {task: job.py:tick, config: c.yaml, log: logs/a.log}}")
    assert run.end() == 0
    assert (folder.path / "logs/a.log").read_text() == "one\ntwo\n"


def test_a_program_is_told_of_every_event_but_lines_and_metrics(folder: Folder) -> None:
    folder.task("def tick(config):\n    print('one')\n    yield {'loss': 1}\n")
    folder.write("notify.sh", "#!/bin/sh\nexec cat > told\n").chmod(0o755)
    run = folder.run_deck("jobs: {a: {task: job.py:tick, config: c.yaml}}\non_event: notify.sh\n")
    assert run.end() == 0
    told = [json.loads(line) for line in (folder.path / "told").read_text().splitlines()]
    assert {event["event"] for event in told} == {"state", "reload"}
    assert [event for event in run.events if event["event"] in ("state", "reload")] == told


def test_a_program_that_ends_is_told_of_once(folder: Folder) -> None:
    folder.task(TICKER)
    run = folder.run_deck("jobs: {a: {task: job.py:tick, config: c.yaml}}\non_event: 'false'\n")
    said = run.wait_for(of("", event="notice"))["message"]
    assert said == "on_event: false ended with exit code 1: it is told of nothing any more in this run of the deck"
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(of("a", event="reload", version=2, status="applied"))
    run.stop()


def test_a_program_that_does_not_read_is_left_behind_and_holds_up_nobody(folder: Folder) -> None:
    folder.task(TICKER)
    run = folder.run_deck("jobs: {a: {task: job.py:tick, config: c.yaml}}\non_event: sleep 1000\n")
    run.wait_for(of("a", event="reload", version=1, status="applied"))
    before = time.monotonic()
    assert run.stop() == 143
    assert time.monotonic() - before < PATIENCE
