"""What follows the end of a worker: a table of what it was given and said, and of what the job was about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tui.engine.deck.spec import JobSpec
from tui.engine.jobs.lifecycle import Intent, RestartPolicy
from tui.engine.jobs.worker_run import Next, Then, WorkerEnd, WorkerRun
from tui.engine.reloads.candidate import Candidate
from tui.engine.reloads.reloads import Reloads


def history(*steps: str) -> Reloads:
    """Return reloads after some steps: each sends the next version, and has it taken if it ends in ``!``."""
    reloads = Reloads("job")
    for number, step in enumerate(steps, 1):
        candidate = Candidate(f"lr: {number}\n", {"lr": number}, None, step.rstrip("!"), 0.0)
        reloads.begin(candidate, live=True, time=0.0)
        if step.endswith("!"):
            reloads.applied(number, 0, 0.0)
    return reloads


RELOAD = "editor"
GONE = "killed by SIGKILL"
WAIT = Next(Then.WAIT, "waiting for a valid config: no")


@pytest.mark.parametrize(
    ("steps", "run", "code", "intent", "policy", "expected"),
    [
        # Ended by us.
        (["start!"], {"ending": "stop"}, 0, Intent.RUN, "always", Next(Then.END)),
        (["start!", RELOAD], {"ending": "replace", "given": 2}, -9, Intent.RUN, "never", Next(Then.REPLACE)),
        # By itself.
        (["start!"], {"given": 1}, 0, Intent.RUN, "never", Next(Then.END, None, "finished")),
        (["start!"], {"given": 1}, -9, Intent.RUN, "never", Next(Then.END, GONE, "crashed")),
        (["start!"], {"given": 1, "cause": "no"}, 1, Intent.RUN, "never", Next(Then.END, "no", "crashed")),
        (["start!"], {"given": 1}, -9, Intent.RUN, "on-failure", Next(Then.RETRY, GONE)),
        (["start!"], {"given": 1}, 0, Intent.RUN, "on-failure", Next(Then.END, None, "finished")),
        (["start!"], {"given": 1}, 0, Intent.RUN, "always", Next(Then.RETRY, "finished")),
        (["start"], {"given": 1, "unloadable": True}, -9, Intent.TRY, "always", Next(Then.END, GONE, "crashed")),
        # It refused what it was to start with.
        (["start"], {"refusal": "no"}, 0, Intent.TRY, "always", Next(Then.START)),
        (["start!"], {"refusal": "no", "first": 2}, 0, Intent.RUN, "never", Next(Then.RETRY, "no; going back to v1")),
        (
            ["start!"],
            {"refusal": "no", "first": 2},
            0,
            Intent.TRY,
            "never",
            WAIT,
        ),
        (
            ["start!"],
            {"refusal": "no", "first": 1},
            0,
            Intent.RUN,
            "never",
            WAIT,
        ),
        # Of a reload, or before it came to one.
        (["start!", RELOAD], {"renewed": True, "given": 2}, -9, Intent.RUN, "never", Next(Then.REVERT, GONE)),
        (["start!", RELOAD], {"given": 2}, -9, Intent.RUN, "never", Next(Then.END, GONE, "crashed")),
        (["start!", "guard"], {"renewed": True, "given": 2}, -9, Intent.RUN, "never", Next(Then.END, GONE, "crashed")),
        (
            *(["start!", RELOAD], {"renewed": True, "given": 1, "kept": 2}, -9, Intent.RUN, "never"),
            Next(Then.RETRY, f"{GONE}; trying v2, which came meanwhile"),
        ),
        # So short a time after a reload that it is blamed.
        (["start!", "editor!"], {"given": 2}, -9, Intent.RUN, "never", Next(Then.REVERT, GONE, trial=True)),
        (["start!", "editor!"], {"given": 2}, 0, Intent.RUN, "never", Next(Then.END, None, "finished")),
        (
            *(["start!", "editor!", RELOAD], {"given": 3, "answered": True}, -9, Intent.RUN, "never"),
            Next(Then.RETRY, f"{GONE}; trying v3, which came meanwhile"),
        ),
    ],
)
def test_what_follows(
    steps: list[str], run: dict[str, Any], code: int, intent: Intent, policy: Any, expected: Next
) -> None:
    spec = JobSpec("job", "job.py:run", None, Path("/nowhere/c.yaml"), stop_signal="SIGINT", grace=3.0)
    end = WorkerEnd(WorkerRun(**run), code, True, 0.1, 0, spec, history(*steps), intent)
    found = end.next(RestartPolicy(policy))
    assert (found.delay > 0) == (found.then is Then.RETRY and found.reason in (GONE, "finished"))
    assert found._replace(delay=0.0) == expected


def test_an_interpreter_that_does_not_begin_is_said_so() -> None:
    spec = JobSpec("job", "job.py:run", None, Path("/nowhere/c.yaml"), stop_signal="SIGINT", grace=3.0, python="/py")
    run = WorkerRun()
    end = WorkerEnd(run, 127, False, 0.0, 0, spec, history("start"), Intent.TRY)
    assert end.next(RestartPolicy("always")) == Next(
        Then.END, "/py did not start the worker: ended with exit code 127", "crashed"
    )
    assert run.unloadable
