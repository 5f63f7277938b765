"""Saves by a viewer: what somebody else has changed meanwhile is merged into them, or is shown as a conflict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from tui.config.disk import store
from tui.engine.jobs.job import Job
from tui.engine.reloads.config_file import ConfigFile
from tui.engine.service import at_stake
from tui.protocol import messages
from tui.protocol.codec import jsonable
from tui.protocol.messages import Merge, Reply, Save


async def save(job: Job, jobs: Iterable[Job], command: Save) -> Reply:
    """Carry out a `Save`."""
    seen = time.monotonic()
    file, text, base = job.file, command.text, command.base
    keyed = parsed(file, jobs)
    versions: list[int] = []
    sharing = [other for other in jobs if other.file is file]

    def told() -> None:
        versions.append(job.reloads.newest)

    for attempt in range(store.ATTEMPTS):
        try:
            if not command.restart:
                await at_stake.require_little_by_save(sharing, text)
            await file.save(text, base, command.in_place, seen, force=command.force, told=told)
        except at_stake.CostsState as costs:
            return costs.reply(command)
        except store.Conflict as conflict:
            if conflict.current is None or attempt == store.ATTEMPTS - 1:
                return conflicting(command, conflict)
            try:
                text = await _merged(file, command, conflict.current, keyed=keyed)
            except store.Conflict as clash:
                return conflicting(command, clash)
            base = conflict.current.digest
        except store.StoreError as error:
            codes = {store.Irreplaceable: "irreplaceable", store.ReadOnly: "read-only"}
            return Reply(command.id, ok=False, message=str(error), code=codes.get(type(error), "unwritable"))
        else:
            # Of what was written, not of what is there by now: the next save is based on it.
            data: dict[str, Any] = {"digest": store.digest(text.encode("utf-8")), "version": versions[-1]}
            return Reply(command.id, ok=True, data=data if text == command.text else {**data, "text": text})
    raise AssertionError("the last attempt returns")


async def merge(job: Job, jobs: Iterable[Job], command: Merge) -> Reply:
    """Carry out a `Merge`."""
    file = job.file
    try:
        current = store.read(file.path)
        text = await _merged(file, command, current, keyed=parsed(file, jobs))
    except store.Conflict as conflict:
        return conflicting(command, conflict)
    except store.StoreError as error:
        return Reply(command.id, ok=False, message=str(error), code="unreadable")
    return Reply(command.id, ok=True, data={"text": text, "digest": current.digest})


async def _merged(file: ConfigFile, command: Save | Merge, current: store.Content, *, keyed: bool) -> str:
    def merged() -> str:
        return file.merged(command.text, command.base, current, command.choices, keyed=keyed)

    return await asyncio.to_thread(merged)


def parsed(file: ConfigFile, jobs: Iterable[Job]) -> bool:
    """Return whether any job takes a file for more than a text."""
    return not all(job.spec.takes_text(keyed=file.keyed) for job in jobs if job.file is file)


def conflicting(command: messages.Command, conflict: store.Conflict) -> Reply:
    """Return the reply that shows what is there instead."""
    theirs = conflict.current
    data = {
        "text": theirs.raw.decode("utf-8", "replace") if theirs else None,
        "digest": theirs.digest if theirs else None,
        "clashes": jsonable(conflict.clashes),
    }
    return Reply(command.id, ok=False, message=str(conflict), code="conflict", data=data)
