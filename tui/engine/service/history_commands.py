"""What viewers ask of the history of a job, and the notes that they put into it."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from tui.config import document
from tui.config.diff import changes
from tui.engine.history.job_history import ALL
from tui.engine.history.search import condition_of
from tui.engine.jobs.job import Job
from tui.engine.metrics.best import ordered
from tui.engine.reloads.secrets import MASK
from tui.protocol import codec, messages
from tui.protocol.messages import Notice, Reload, Reply

#: So many reloads are told to every viewer that comes; it asks for older ones when they are looked at.
NEWEST = 200

#: So many come with one page, and so many are searched at once.
_PAGE = 200
_SEARCHED = 10_000

MOST_NOTE = 1_000
MOST_TAG = 40

COMMANDS = (
    *(messages.Detail, messages.Page, messages.Find, messages.Note, messages.Tag),
    *(messages.Best, messages.Order),
)


def newest(job: Job) -> Iterator[Reload | Notice]:
    """Yield the newest reloads, oldest first; where they can't be read, why."""
    try:
        yield from job.history.rows(job.reloads.newest - NEWEST + 1)
    except sqlite3.Error as error:
        yield Notice(job.name, f"the history can't be read: {error}", "error")


async def obey(job: Job, command: messages.Command) -> Reply:
    """Carry out one of `COMMANDS`."""
    try:
        if isinstance(command, messages.Page):
            first = max(command.first, command.last - _PAGE + 1)
            rows = list(map(codec.public, await job.history.page(first, command.last)))
            return Reply(command.id, ok=True, data={"first": first, "rows": rows, "oldest": job.history.oldest()})
        if isinstance(command, messages.Find):
            first = max(command.first, command.last - _SEARCHED + 1)
            found = await job.history.find(condition_of(command.words), first, command.last)
            return Reply(command.id, ok=True, data={"first": first, "versions": found})
        if isinstance(command, messages.Order):
            return Reply(command.id, ok=True, data={"versions": ordered(await job.history.effects())})
        if isinstance(command, messages.Best):
            metric, best = await job.recorder.best(await job.history.page(1, ALL))
            return Reply(command.id, ok=True, data={**best._asdict(), "metric": metric})
        if isinstance(command, messages.Note):
            known = job.record.annotate(command.version, note=note_of(command.note))
        elif isinstance(command, messages.Tag):
            known = job.record.annotate(command.version, tag=tag_of(command.tag))
        else:
            assert isinstance(command, messages.Detail)
            return await _detail(job, command)
    except ValueError as error:
        return Reply(command.id, ok=False, message=str(error), code="refused")
    except sqlite3.Error as error:
        doing = "written" if isinstance(command, (messages.Note, messages.Tag)) else "read"
        return Reply(command.id, ok=False, message=f"the history can't be {doing}: {error}", code="unwritable")
    if not known:
        return _unknown(command, command.version)
    return Reply(command.id, ok=True)


async def _detail(job: Job, command: messages.Detail) -> Reply:
    history = job.history
    row = next(iter(history.rows(command.version, command.version)), None)
    if row is None:
        return _unknown(command, command.version)
    base = row.base or history.ran_before(command.version)
    text = history.text(command.version)
    data: dict[str, Any] = {
        "text": text,
        "base": base,
        "base_text": history.text(base) if base else None,
        "running": job.reloads.running,
        "row": codec.public(row),
        "probation": job.reloads.trial.left(row.version, time.monotonic(), job.metrics.step if job.metrics else 0),
    }
    if (sides := job.code_of(row.version)) is not None:
        data["base_text"], data["text"] = sides
    if row.effective is not None and text is not None:
        data["differences"] = await asyncio.to_thread(differences, text, row.effective)
    return Reply(command.id, ok=True, data=data)


def differences(text: str, effective: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return where the task works with something else than the text says."""
    try:
        requested: dict[str, Any] = codec.jsonable(document.parse(text).data)
    except document.ConfigError:  # another version of ruamel.yaml has read it
        requested = {}
    # What is secret is masked in what is kept of the one side, and would be told of the other.
    found: list[dict[str, Any]] = codec.jsonable(
        [change for change in changes(requested, effective) if change.new != MASK]
    )
    return found


def _unknown(command: messages.Command, version: int) -> Reply:
    return Reply(command.id, ok=False, message=f"there is no version {version}", code="unknown")


def note_of(text: str) -> str:
    """Return a text as a note.

    Raises:
        ValueError: It is none.
    """
    return _line(text, "note", MOST_NOTE)


def tag_of(text: str) -> str:
    """Return a text as a tag: one word, which nobody can take for a version; empty for none.

    Raises:
        ValueError: It is none.
    """
    tag = _line(text, "tag", MOST_TAG)
    if len(tag.split()) > 1:
        raise ValueError("a tag is one word: put the rest into the note")
    if re.fullmatch(r"v?[0-9]+", tag):
        raise ValueError(f"a tag is no number, so that {tag} is always a version: write a word")
    return tag


def _line(text: str, what: str, most: int) -> str:
    """Return a line of text without the spaces around it.

    Raises:
        ValueError: It is no such line.
    """
    text = text.strip(" ")
    for character in text:
        # Controls, half characters, ends of lines, and what turns the direction of all that follows.
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _TURNS:
            raise ValueError(f"a {what} can't hold U+{ord(character):04X}, a control character: remove it")
    if len(text) > most:
        raise ValueError(f"a {what} has {most:,} characters at most, this one has {len(text):,}")
    return text


_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
