"""Changes of a config file from the command line: checked first, then written, then a version as any other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from tui import events
from tui.config import document, edit, spell, store
from tui.config.document import ConfigError
from tui.engine.job import Job
from tui.events import Problem, Reply


async def set_values(job: Job, jobs: Iterable[Job], command: events.Set) -> Reply:
    """Carry out a `Set`; refused, it leaves the file as it was."""

    def change(raw: bytes) -> str:
        return edit.set_values(
            document.decode(raw), {path: spell.read(value) for path, value in command.values.items()}
        )

    return await _change(job, jobs, command, change, "set", None)


async def roll_back(job: Job, jobs: Iterable[Job], command: events.Rollback) -> Reply:
    """Carry out a `Rollback`; refused, it leaves the file as it was."""
    text = job.history.text(command.version)
    if text is None:
        return Reply(command.id, ok=False, message=f"there is no version {command.version}", code="unknown")

    def change(_: bytes) -> str:
        if not job.spec.as_text:
            document.parse(text)
        return text

    return await _change(job, jobs, command, change, "rollback", command.base)


async def _change(
    job: Job,
    jobs: Iterable[Job],
    command: events.Command,
    change: Callable[[bytes], str],
    source: str,
    base: str | None,
) -> Reply:
    try:
        changed = await job.file.edit(change, source, time.monotonic(), base=base)
    except store.StoreError as error:
        return Reply(command.id, ok=False, message=str(error), code="unwritable")
    except ConfigError as error:
        return Reply(command.id, ok=False, message=place_words(error.problem), code="refused")
    # Told before anything else could become a version: nothing has awaited since.
    versions = {
        other.name: other.reloads.newest
        for other in jobs
        if changed and other.file is job.file and other.spec.check is None
    }
    return Reply(command.id, ok=True, data={"versions": versions, "changed": changed})


def place_words(problem: Problem) -> str:
    """Return a problem with its place, where it has one."""
    return problem.message if problem.line is None else f"line {problem.line}:{problem.column}: {problem.message}"
