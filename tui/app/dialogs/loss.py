"""What a user would lose: asked before a worker is ended that has a state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tui import wording
from tui.app.dialogs.dialog import Choice, Dialog
from tui.app.model.job import JobModel
from tui.app.sanitize import plain

RESTART = "restart"

#: So many jobs are named in a question, those that have run for longest.
MOST_NAMED = 3


def ask_loss(losses: Iterable[Mapping[str, Any]]) -> Dialog:
    """Return the question whether a change may cost jobs their state, as the engine says: `RESTART`, or nothing."""
    losses = list(losses)
    names = ", ".join(plain(str(loss["job"])) for loss in losses)
    keys = dict.fromkeys(plain(str(key)) for loss in losses for key in loss["keys"])
    why = f"{', '.join(keys)} can't change live." if keys else "It can't be taken live."
    lost = (f"{plain(str(loss['job']))} would lose {wording.work(loss['step'], loss['seconds'])}." for loss in losses)
    choices = [Choice("r", RESTART, "write it, and start anew")]
    return Dialog(f"This starts {names} anew", "\n".join([why, *lost]), choices)


def work_lost(jobs: Iterable[JobModel], now: float) -> str:
    """Return what the workers of some jobs have done, which ends with them; empty where there is none."""
    working = [(up, job) for job in jobs if job.has_worker and not job.is_host and (up := job.uptime(now)) is not None]
    working.sort(key=lambda one: one[0], reverse=True)
    lost = [f"{plain(job.name)} would lose {wording.work(job.steps_done, up)}." for up, job in working[:MOST_NAMED]]
    more = len(working) - MOST_NAMED
    return "\n".join([*lost, f"So would {more} more, which have run for less long."] if more > 0 else lost)
