"""`python:` may name anything: what can't be a worker says so in plain words, for each way to run a task."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

import tui
from tests.runs.folder import TICKER, Folder, Run, log, row, state
from tests.runs.worker import VERSIONS, interpreter

RUNNERS = pytest.mark.parametrize("runner", ["process", "thread", "asyncio"])

WORDS = ": a worker needs 3.8 or newer; name another interpreter under `python:`"

#: Ours, but for the version that it says it has.
OLD = """\
#!{python} -S
import runpy, sys
sys.executable, sys.version, sys.version_info = sys.argv[0], "3.7.99 (stand-in)", (3, 7, 99)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def deck(folder: Folder, runner: str, python: str) -> Run:
    folder.task(TICKER + "\n    async def atick(config):\n        yield\n")
    task = "atick" if runner == "asyncio" else "tick"
    what = f"task: 'job.py:{task}', config: c.yaml, runner: {runner}, python: '{python}'"
    return folder.run_deck(f"jobs:\n  a: {{{what}, stop: {{grace: 1}}}}\n")


def program(folder: Folder, text: str) -> str:
    path = folder.write("python", text)
    path.chmod(0o755)
    return str(path)


def crash(run: Run) -> str:
    """Return why the job could not be started."""
    assert run.end() == 2
    assert run.rows()[1]["status"] == "failed"
    [crashed] = [event for event in run.events if event["job"] == "a" and event.get("state") == "crashed"]
    assert isinstance(crashed["reason"], str)
    return crashed["reason"]


@RUNNERS
@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_a_real_python_that_is_too_old_says_so(folder: Folder, runner: str, version: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version}")
    run = deck(folder, runner, python)
    reason = crash(run)
    assert reason.startswith(f"{python} is Python {version}.")
    assert reason.endswith(WORDS)
    assert run.lines == []


@RUNNERS
def test_a_python_that_is_too_old_says_so(folder: Folder, runner: str) -> None:
    python = program(folder, OLD.format(python=sys.executable))
    assert crash(deck(folder, runner, python)) == f"{python} is Python 3.7.99{WORDS}"


@RUNNERS
@pytest.mark.parametrize("code", [0, 3])
def test_what_is_no_python_says_how_it_ended(folder: Folder, runner: str, code: int) -> None:
    python = program(folder, f"#!/bin/sh\nexit {code}\n")
    assert crash(deck(folder, runner, python)) == f"{python} did not start the worker: ended with exit code {code}"


@RUNNERS
def test_what_is_no_program_at_all_says_so(folder: Folder, runner: str) -> None:
    python = program(folder, "nothing that the system could run\n")
    reason = crash(deck(folder, runner, python))
    assert reason == f"{python} can't be run: Exec format error"


@RUNNERS
def test_what_never_begins_is_ended_by_a_stop(folder: Folder, runner: str) -> None:
    run = deck(folder, runner, program(folder, "#!/bin/sh\nexec sleep 1000\n"))
    run.wait_for(state("starting"))
    assert run.stop() == 128 + signal.SIGTERM


@RUNNERS
@pytest.mark.parametrize("version", VERSIONS)
def test_a_task_under_another_python_has_nothing_of_ours_but_tui(folder: Folder, runner: str, version: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version}")
    folder.write(
        "job.py",
        """
        import importlib.util, sys, tui

        def say(config):
            if config["lr"] == 2:
                print(*sys.version_info[:2], [path for path in sys.path if path.startswith(ROOT)])
                ours = ("textual", "rich", "ruamel", "loop", "shim")
                print([name for name in ours if importlib.util.find_spec(name)])
            tui.sleep(0.001)

        async def asay(config):
            say(config)
        """.replace("ROOT", repr(str(Path(tui.__file__).parents[1]))),
    )
    folder.write("c.yaml", "lr: 1\n")
    task = "asay" if runner == "asyncio" else "say"
    what = f"task: 'job.py:{task}', config: c.yaml, runner: {runner}, python: '{python}'"
    run = folder.run_deck(f"jobs:\n  a: {{{what}}}\n")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    run.wait_for(log(f"{version.replace('.', ' ')} []"))
    run.wait_for(log("[]"))


def test_each_interpreter_has_a_host_of_its_own(folder: Folder) -> None:
    folder.task(TICKER)
    python = program(folder, f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    run = folder.run_deck(f"""
        jobs:
          a: {{task: job.py:tick, config: c.yaml, runner: thread}}
          b: {{task: job.py:tick, config: c.yaml, runner: thread, python: '{python}'}}
          c: {{task: job.py:tick, config: c.yaml, runner: thread, python: '{python}'}}
    """)
    for job in "abc":
        run.wait_for(lambda event, job=job: event["job"] == job and row(1, "applied")(event))  # type: ignore[misc]
    pids = {event["job"]: event["pid"] for event in run.events if event["event"] == "state" and event["pid"]}
    assert pids["a"] == pids["host"] != pids["host-2"] == pids["b"] == pids["c"]
    assert run.stop() == 143
