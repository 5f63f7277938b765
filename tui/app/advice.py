"""What to do next, where a user might not know it: one sentence in its place above the panes."""

from __future__ import annotations

from pathlib import Path

from tui.app.model.job import JobModel
from tui.app.sanitize import plain

#: Seconds without a checkpoint after which a task is told how to have one: a save waits for it.
CHECKPOINT_PATIENCE = 10.0

NO_JOBS = "This deck has no job: write one under jobs: in its file, then run it again. f1 has the keys."

#: What is said where a job has gone, but not its view.
NOT_SAVED = "It is no longer in the deck. Its config is not saved: copy what you need."

CHECKPOINT = (
    "no checkpoint for {seconds:.0f} s, and {what} for one: "
    "config = yield in the task's loop, or config = tui.checkpoint(config)"
)


def advice(job: JobModel, now: float) -> str:
    """Return what the user of a job should know to go on, or nothing."""
    if job.is_host or job.state is None:
        return ""
    state, document = job.state.state, job.document
    name = plain(Path(job.info.config).name)
    if document is not None and document.missing and state != "running":
        return f"{name} does not exist yet: write it here, ctrl+s saves it, and the job starts"
    # One that the user has stopped has no reason, and no save starts it.
    if job.problem is not None and (state == "starting" or (state == "stopped" and job.state.reason)):
        return f"the job waits for a config that is right: mend {name}, ctrl+s saves it, and the job starts"
    if state == "crashed" and not job.lines.written:
        why = plain((job.state.reason or "").partition("\n")[0])
        return f"the job crashed before it wrote anything, ctrl+r starts it again: {why}"
    if state == "crashed":
        return "the job crashed: e in the log leads to the error (f6, twice), ctrl+r starts the job again"
    if state == "finished":
        return "the job has finished: ctrl+r starts it again with the config as it is, ctrl+q leaves"
    if state == "stopped":
        return "the job was stopped: ctrl+r starts it again"
    silent = _without_checkpoint(job, now)
    if silent is None:
        return ""
    waiting = job.timeline.waiting()
    what = f"v{waiting.version} waits" if waiting is not None else "a save would wait"
    return CHECKPOINT.format(seconds=silent, what=what)


def _without_checkpoint(job: JobModel, now: float) -> float | None:
    """Return for how long a task has run without its first checkpoint, if that is too long."""
    if job.state is None or job.state.state != "running" or job.started is None or job.info.on_change != "reload":
        return None
    reached = job.metrics is not None and job.metrics.step > 0 and job.metrics.time >= job.started
    silent = now - job.started
    return silent if silent >= CHECKPOINT_PATIENCE and not reached else None
