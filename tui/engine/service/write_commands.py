"""Changes of a config file from the command line: checked first, then written, then a version as any other."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tui.config import document, keys
from tui.config.diff import changes, same
from tui.config.disk import store
from tui.config.document import ConfigError
from tui.config.editing import edit, spelling
from tui.config.problems import problem_words
from tui.engine.jobs.job import Job
from tui.engine.reloads import checks
from tui.engine.reloads.candidate import Candidate
from tui.engine.reloads.config_file import ConfigFile
from tui.engine.service import at_stake
from tui.engine.service.dry_run import run_dry
from tui.engine.service.save_commands import conflicting, parsed
from tui.protocol import messages
from tui.protocol.codec import jsonable
from tui.protocol.messages import Clash, Problem, Reply


class RefusedChange(ConfigError):  # noqa: N818 - it is no error of ours
    """A job would not take the config; the file stays as it is."""


class OnlyLooked(Exception):  # noqa: N818 - it is no error
    """All would take the config, and nothing is to be written."""


async def set_values(job: Job, jobs: Iterable[Job], command: messages.Set) -> Reply:
    """Carry out a `Set`; refused, it leaves the file as it was."""

    def change(raw: bytes) -> str:
        _refuse_clashes(job.file, command.base, raw, command.values)
        return edit.set_typed(document.decode(raw), command.values, add=command.add, known=job.file.last_parsed)

    try:
        return await _change(job, jobs, command, change, "knob" if command.knob else "set", dry=command.dry)
    except OnlyLooked:
        return Reply(command.id, ok=True, data={"changed": True})


def _refuse_clashes(file: ConfigFile, base: str | None, raw: bytes, values: Mapping[str, str]) -> None:
    """See that nobody has changed one of some values since the content that was named `base`.

    Raises:
        store.Conflict: Somebody has, to another value; or nobody knows any more what `base` was.
        ConfigError: What is there can't be parsed.
    """
    current = store.Content(raw, store.digest(raw))
    if base in (None, current.digest):
        return
    begun = file.text_of(base)
    if begun is None:
        raise store.Conflict(f"{file.path} has been changed by somebody else: nothing was written", current)
    wanted = {path: spelling.read(value).data for path, value in values.items()}
    clashes = []
    for change in changes(document.parse(begun).data, document.parse(document.decode(raw)).data):
        for path, value in wanted.items():
            if keys.overlap(change.key, path) and not same(change.new, value):
                clashes.append(Clash(path, change.old, value, change.new))
    if clashes:
        named = ", ".join(clash.key for clash in clashes)
        message = f"{file.path} has been changed by somebody else, and both have changed {named}: nothing was written"
        raise store.Conflict(message, current, tuple(clashes))


async def roll_back(job: Job, jobs: Iterable[Job], command: messages.Rollback) -> Reply:
    """Carry out a `Rollback`; refused, it leaves the file as it was."""
    try:
        text = job.history.text(command.version)
        row = next(iter(job.history.rows(command.version, command.version)), None)
    except sqlite3.Error as error:
        return Reply(command.id, ok=False, message=f"the history can't be read: {error}", code="unreadable")
    if text is None:
        return Reply(command.id, ok=False, message=f"there is no version {command.version}", code="unknown")
    if "\ufffd" in text and row is not None and row.status == "invalid":
        message = f"version {command.version} was no text in UTF-8: its bytes are not kept"
        return Reply(command.id, ok=False, message=message, code="unreadable")
    if row is not None and row.source == "code":
        message = f"version {command.version} is a change of the code, which no rollback touches"
        return Reply(command.id, ok=False, message=message, code="code")
    keyed = parsed(job.file, jobs)

    def change(raw: bytes) -> str:
        current = store.Content(raw, store.digest(raw))
        if command.base in (None, current.digest):
            return text
        return job.file.merged(text, command.base, current, {}, keyed=keyed)

    return await _change(job, jobs, command, change, "rollback")


async def _change(
    job: Job,
    jobs: Iterable[Job],
    command: messages.Set | messages.Rollback,
    change: Callable[[bytes], str],
    source: str,
    *,
    dry: bool = False,
) -> Reply:
    sharing = [other for other in jobs if other.file is job.file]
    seen = time.monotonic()
    versions: dict[str, int] = {}
    replaced: bytes | None = None
    written = b""

    def noted(raw: bytes) -> str:
        nonlocal replaced, written
        text = change(raw)
        replaced = raw if raw or job.file.path.exists() else None
        written = text.encode("utf-8", "surrogatepass")
        return text

    def told() -> None:
        versions.update({other.name: other.reloads.newest for other in sharing if other.spec.check is None})

    try:
        accept = functools.partial(_accept, sharing, restart=command.restart, dry=dry)
        restores = isinstance(command, messages.Rollback)
        changed = await job.file.edit(noted, source, seen, accept=accept, told=told, create=restores)
        if changed:
            for other in sharing:
                if other.spec.check is not None:
                    await other.checked()
                    version = other.version_of(seen)
                    if version is not None:
                        versions[other.name] = version
            await _accept_late(sharing, written, replaced, source)
    except at_stake.CostsState as costs:
        return costs.reply(command)
    except store.Conflict as conflict:
        return conflicting(command, conflict)
    except store.StoreError as error:
        return Reply(command.id, ok=False, message=str(error), code="unwritable")
    except ConfigError as error:
        errors = jsonable(error.problem.all)
        return Reply(
            command.id, ok=False, message=problem_words(error.problem), code="refused", data={"errors": errors}
        )
    data: dict[str, Any] = {"versions": versions, "changed": changed}
    if not changed:
        # What was refused, or taken back: the file says so, and the job does not.
        strays = (other for other in sharing if other.running.differs and other.reloads.pending is None)
        data["others"] = {other.name: other.running.version for other in strays}
    return Reply(command.id, ok=True, data=data)


async def _accept_late(sharing: list[Job], written: bytes, replaced: bytes | None, source: str) -> None:
    """Wait for the checks that see a change only once it is in the file, and take it back if one of them objects.

    Raises:
        ConfigError: One of them has; its row says so. Or what was there could not be put back.
    """
    found = [await job.checked() for job in sharing if not checks.sees_copies(job.spec)]
    problem = next((problem for problem in found if problem is not None), None)
    if problem is None:
        return
    file = sharing[0].file
    if replaced is None:
        if store.read(file.path).raw == written:
            file.path.unlink()
    else:
        before = document.decode(replaced)
        await file.edit(lambda raw: before if raw == written else document.decode(raw), source, time.monotonic())
    raise RefusedChange(problem)


async def _accept(sharing: list[Job], candidate: Candidate, *, restart: bool, dry: bool) -> None:
    """Have every job say if it would take a config.

    Raises:
        OnlyLooked: All would, and that is all that was asked.
        Refused: One of them would not, and has a row that says so; or it could not be asked.
        CostsState: It would cost one of them its state, without `restart`.
    """
    found = await asyncio.gather(*(run_dry(job, candidate) for job in sharing))
    refusal: Problem | None = None
    for job, outlook in zip(sharing, found, strict=True):
        if outlook.problem is not None:
            if not dry:
                job.refuse(candidate, outlook.status, outlook.problem)
            refusal = refusal or outlook.problem
    if refusal is not None:
        raise RefusedChange(refusal)
    for job, outlook in zip(sharing, found, strict=True):
        if outlook.unanswered:
            raise RefusedChange(Problem(f"{job.name} could not be asked, nothing was written: {outlook.unanswered}"))
    if not restart:
        at_stake.require_little(sharing, candidate)
    if dry:
        raise OnlyLooked
