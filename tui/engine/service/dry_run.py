"""What a config would mean to a job if it were in the file now: looked at by all that a save passes, and not taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tui.config import document
from tui.config.diff import changes, same
from tui.config.disk import store
from tui.config.problems import problem_of
from tui.engine.jobs.job import Job
from tui.engine.reloads import checks
from tui.engine.reloads.candidate import Candidate, Unanswered
from tui.engine.reloads.effective import as_changes
from tui.protocol.codec import jsonable
from tui.protocol.messages import Change, Preview, Problem, Reply


@dataclass(frozen=True)
class DryRun:
    """What would become of a config.

    Attributes:
        job: The job's name.
        running: The version that runs, None without a worker.
        changes: What differs from what runs, or ran last.
        effect: What a save would do: ``none``, ``live``, ``restart``, the name of a signal, ``start``, or ``idle``
            where the job waits for somebody to start it.
        restarting: The changed keys that can't change live.
        status: ``invalid`` or ``rejected``, empty where nothing is wrong.
        problem: What is wrong.
        effective: Where the task would have something else than the config says.
        remark: What could not be looked at before the text is in the file, and why.
        unanswered: Why a worker that runs has not said anything.
    """

    job: str
    running: int | None = None
    changes: tuple[Change, ...] = ()
    effect: str = "none"
    restarting: tuple[str, ...] = ()
    status: str = ""
    problem: Problem | None = None
    effective: tuple[Change, ...] = ()
    remark: str = ""
    unanswered: str = ""

    def as_data(self) -> dict[str, Any]:
        """Return it for a reply to a viewer."""
        data: dict[str, Any] = jsonable({name: getattr(self, name) for name in ("job", "running", "changes", "effect")})
        data.update(jsonable({"restarting": self.restarting, "status": self.status, "effective": self.effective}))
        errors = self.problem.all if self.problem is not None else ()
        return {**data, "errors": jsonable(errors), "remark": self.unanswered or self.remark}


async def run_dry(job: Job, candidate: Candidate, *, brief: bool = False) -> DryRun:
    """Return what would become of a config: of its text, schema, the worker's word and, if not `brief`, the check."""
    candidate = checks.examine(candidate, job.spec, job.reloads.text)
    outlook = DryRun(job.name, job.reloads.running)
    if candidate.data is None:
        return replace(outlook, status="invalid", problem=candidate.problem)
    if job.reloads.last is not None:
        outlook = replace(outlook, changes=changes(job.reloads.last[1].data, candidate.data))
    outlook = replace(outlook, effect=_effect(job, candidate), restarting=_restarting(job, outlook.changes))
    try:
        problem = None if brief else await checks.try_out(job.spec, candidate.text)
    except Unanswered as why:
        return replace(outlook, remark=str(why))
    if problem is not None:
        return replace(outlook, status="invalid", problem=problem)
    try:
        return await _ask(job, candidate, outlook)
    except Unanswered as why:
        return replace(outlook, unanswered=str(why))


async def _ask(job: Job, candidate: Candidate, outlook: DryRun) -> DryRun:
    if job.spec.task is None or outlook.effect == "none":
        return outlook
    assert candidate.data is not None
    verdict = await job.supervisor.slot.judge(candidate.data) if job.supervisor.live else None
    if verdict is None:
        return replace(outlook, remark="the job is not running: its task's own checks wait for its next start")
    if verdict["message"] is not None:
        problem = problem_of(verdict["message"], verdict["errors"], candidate.data, candidate.marks)
        return replace(outlook, status="rejected", problem=problem)
    return replace(outlook, effective=as_changes(verdict["effective"]))


def _effect(job: Job, candidate: Candidate) -> str:
    assert candidate.data is not None
    if not job.supervisor.live:
        return "start" if job.supervisor.expected or job.state.state == "backoff" else "idle"
    last = job.reloads.last
    if job.reloads.pending is None and last is not None and same(last[1].data, candidate.data):
        return "none"
    if job.supervisor.needs_restart(candidate.data):
        return "restart"
    return "live" if job.spec.command is None else job.spec.on_change


def _restarting(job: Job, found: Iterable[Change]) -> tuple[str, ...]:
    if not job.supervisor.patterns:
        return ()
    return tuple(change.key for change in found if job.supervisor.patterns.touched(change))


async def preview(job: Job, jobs: Iterable[Job], command: Preview) -> Reply:
    """Answer what a save of a text would do to each job with that config."""
    try:
        raw = command.text.encode("utf-8")
    except UnicodeEncodeError:
        return Reply(command.id, ok=False, message="the text holds half a character: remove it", code="unwritable")
    candidate = await job.file.draft(raw, "editor", 0.0)
    others = () if command.brief else jobs
    sharing = [job, *(other for other in others if other.file is job.file and other is not job)]
    found = await asyncio.gather(*(run_dry(other, candidate, brief=command.brief) for other in sharing))
    told = [_told(other, outlook).as_data() for other, outlook in zip(sharing, found, strict=True)]
    data = {"jobs": told, "disk": _disk(job.file.path, raw)}
    return Reply(command.id, ok=True, data=data)


def _told(job: Job, outlook: DryRun) -> DryRun:
    """Return what may be told of it."""
    secrets = job.record.secrets
    return replace(outlook, changes=secrets.changes(outlook.changes), effective=secrets.changes(outlook.effective))


def _disk(path: Path, raw: bytes) -> str:
    try:
        return "same" if store.read(path).raw == raw else "changed"
    except store.Missing:
        return "missing"
    except document.ConfigError:
        return "unreadable"
