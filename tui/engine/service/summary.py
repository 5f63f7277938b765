"""How the jobs of a deck are, in short: what a viewer shows of all of them at once and is not told all the time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui.engine.jobs.job import Job
from tui.protocol import messages

#: The widest course that is told.
WIDEST = 64


def of(jobs: Mapping[str, Job], command: messages.Summary) -> dict[str, Any]:
    """Return the answer: an object for each of the jobs that are asked for."""
    width = min(max(command.width, 1), WIDEST)
    return {name: _of_job(jobs[name], width) for name in command.jobs if name in jobs}


def _of_job(job: Job, width: int) -> dict[str, Any]:
    usage = job.recorder.usage if job.supervisor.live else {}
    metric, course = job.recorder.course(width)
    return {
        "cpu": usage.get("system.cpu_percent"),
        "memory": usage.get("system.memory_mb"),
        "restarts": job.record.restarts,
        "metric": metric,
        "course": course,
    }
