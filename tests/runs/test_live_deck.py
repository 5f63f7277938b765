"""A deck file that is saved while its jobs run."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tests.runs.folder import TICKER, Event, Folder, Run, tunedeck

TICK = "task: job.py:tick"


def of(job: str, **wanted: Any) -> Callable[[Event], bool]:
    """Match an event of a job with these fields."""
    return lambda event: event["job"] == job and all(event.get(key) == value for key, value in wanted.items())


def deck(**jobs: str) -> str:
    return "jobs:\n" + "".join(f"  {name}: {{{body}}}\n" for name, body in jobs.items())


def begun(folder: Folder, **jobs: str) -> Run:
    folder.task(TICKER)
    folder.write("d.yaml", "lr: 1\n")
    run = folder.run_deck(deck(**jobs))
    for name in jobs:
        run.wait_for(of(name, event="reload", version=1, status="applied"))
    return run


def pid(run: Run, job: str) -> int:
    return int([e["pid"] for e in run.events if of(job, event="state", state="running")(e) and e["pid"]][-1])


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_runs_is_what_the_file_says_and_the_others_are_left_alone(folder: Folder) -> None:
    run = begun(folder, stays=f"{TICK}, config: c.yaml", goes=f"{TICK}, config: d.yaml")
    stays, goes = pid(run, "stays"), pid(run, "goes")
    new = deck(stays=f"{TICK}, config: c.yaml, restart: always", comes=f"{TICK}, config: d.yaml, runner: thread")
    folder.save("deck.yaml", new)
    run.wait_for(of("comes", event="reload", version=1, status="applied"))
    run.wait_for(of("goes", event="gone"))
    told = run.wait_for(of("", event="deck"))
    assert (told["added"], told["removed"], told["adopted"]) == (["comes"], ["goes"], ["stays"])
    assert not alive(goes)
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(of("stays", event="reload", version=2, status="applied"))
    assert pid(run, "stays") == stays
    shown = tunedeck("ls", cwd=folder.path).stdout
    assert ("  stays  running  v2" in shown, "  comes  running  v1" in shown, "goes" in shown) == (True, True, False)
    assert run.stop() == 143


def test_only_what_a_worker_is_started_with_starts_another_one(folder: Folder) -> None:
    run = begun(folder, a=f"{TICK}, config: c.yaml", b=f"{TICK}, config: c.yaml")
    before = pid(run, "a"), pid(run, "b")
    folder.save("deck.yaml", deck(a=f"{TICK}, config: c.yaml, env: {{A: b}}", b=f"{TICK}, config: c.yaml, settle: 3"))
    run.wait_for(of("a", event="reload", version=2, status="applied", source="start"))
    assert (pid(run, "a") == before[0], pid(run, "b") == before[1]) == (False, True)
    run.stop()


def test_another_config_is_a_new_job_under_the_old_name(folder: Folder) -> None:
    run = begun(folder, a=f"{TICK}, config: c.yaml", b=f"{TICK}, config: c.yaml")
    folder.write("d.yaml", "lr: 7\n")
    folder.save("deck.yaml", deck(a=f"{TICK}, config: d.yaml", b=f"{TICK}, config: c.yaml"))
    run.wait_for(of("a", event="log", line="config {'lr': 7}"))
    folder.save("d.yaml", "lr: 8\n")
    run.wait_for(of("a", event="reload", version=2, status="applied"))
    assert not any(of("b", event="reload", version=2)(event) for event in run.events)
    run.stop()


def test_a_deck_that_is_broken_or_gone_changes_nothing_and_is_told_with_its_place(folder: Folder) -> None:
    run = begun(folder, a=f"{TICK}, config: c.yaml")
    before = pid(run, "a")
    folder.save("deck.yaml", "jobs:\n  a: {task: job.py:tick, confg: c.yaml, settle: -1}\n")
    said = run.wait_for(of("", event="notice"))["message"]
    wrong, bad, end = said.split("\n")
    assert wrong == "deck.yaml:2:26: jobs.a.confg: unknown key confg: did you mean config?"
    assert bad == "deck.yaml:2:49: jobs.a.settle: seconds must be a number, 0 or more"
    assert end == "The jobs go on as they are."
    (folder.path / "deck.yaml").unlink()
    run.wait_for(lambda event: event["event"] == "notice" and "is missing" in event["message"])
    folder.save("deck.yaml", deck(a=f"{TICK}, config: c.yaml", b=f"{TICK}, config: d.yaml"))
    run.wait_for(of("b", event="reload", version=1, status="applied"))
    assert pid(run, "a") == before
    run.stop()


def test_a_new_job_with_a_bad_config_waits_for_a_better_one_and_the_deck_goes_on(folder: Folder) -> None:
    run = begun(folder, a=f"{TICK}, config: c.yaml")
    folder.write("d.yaml", "lr: [\n")
    folder.save("deck.yaml", deck(a=f"{TICK}, config: c.yaml", b=f"{TICK}, config: d.yaml"))
    run.wait_for(of("b", event="reload", version=1, status="invalid"))
    folder.save("d.yaml", "lr: 3\n")
    run.wait_for(of("b", event="reload", version=2, status="applied"))
    run.stop()


def test_the_last_job_of_a_deck_without_a_screen_ends_it_but_not_while_it_changes(folder: Folder) -> None:
    run = begun(folder, a=f"{TICK}, config: c.yaml")
    folder.save("deck.yaml", deck(b=f"{TICK}, config: c.yaml"))
    run.wait_for(of("b", event="reload", version=1, status="applied"))
    run.wait_for(of("a", event="gone"))
    assert tunedeck("stop", "deck.yaml", "--job", "b", cwd=folder.path).returncode == 0
    assert run.end() == 0


def test_several_jobs_on_one_config_take_one_save_as_a_version_each(folder: Folder) -> None:
    jobs = dict.fromkeys(("a", "b", "c"), f"{TICK}, config: c.yaml")
    run = begun(folder, **jobs)
    folder.save("c.yaml", "lr: 2\n")
    for name in jobs:
        run.wait_for(of(name, event="reload", version=2, status="applied"))
    said = tunedeck("set", "c.yaml", "lr=3", cwd=folder.path)
    assert (said.returncode, said.stdout.splitlines()[-1]) == (0, "3/3 applied")
    assert [line.split()[:3] for line in said.stdout.splitlines()[:-1]] == [[f"{n}:", "v3", "applied"] for n in jobs]
    rows = [event for event in run.events if event["event"] == "reload" and event["status"] == "applied"]
    assert sorted((row["job"], row["version"]) for row in rows) == [(name, n) for name in jobs for n in (1, 2, 3)]
    run.stop()
