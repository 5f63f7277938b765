"""``tunedeck check``: what is wrong with a deck or a config, and what the latter would do, without doing it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tui.cli import change as cli_change
from tui.cli import client
from tui.cli.arguments import UsageError
from tui.config import document, schema
from tui.config.disk import store
from tui.config.document import ConfigError
from tui.config.problems import in_file, keyed
from tui.engine import claims, paths
from tui.engine.deck import load
from tui.engine.deck.spec import JobSpec
from tui.engine.service.headless import change_words, value_words
from tui.protocol import messages
from tui.protocol.messages import Change, Problem
from tui.runners.base import LaunchError

#: Seconds that an engine has to answer.
PREVIEW_PATIENCE = 20.0


class Finding(NamedTuple):
    """One line to be told, and whether it says that something is wrong."""

    line: str
    wrong: bool = True


def findings(path: str) -> Iterator[Finding]:
    """Yield what there is to say of a file, and where it is a deck of its configs.

    What is wrong is told as ``FILE:LINE:COL: message``, else what a config would do to each job that runs with it.
    """
    file = paths.absolute(path)
    try:
        text = document.decode(store.read(file).raw)
        found = document.parse(text)
        jobs = load.load(file).jobs if _is_deck(found.data) else None
    except ConfigError as error:
        # A config that is not parsed, of a command that runs, is no YAML and need not be.
        yield from _as_text(file) or [Finding(_describe(file, problem)) for problem in keyed(error.problem)]
        return
    if jobs is None:
        yield from _dedupe(_of_file(file, text))
    else:
        yield from _dedupe(line for job in jobs for line in _of_config(job))  # jobs may share a config


def _dedupe(found: Iterator[Finding]) -> Iterator[Finding]:
    yield from dict.fromkeys(found)


def _is_deck(data: dict[str, Any]) -> bool:
    """Return whether a file is meant as a deck: workflows of build servers have jobs too."""
    jobs = data.get("jobs")
    if "jobs" not in data:
        return False
    keys = {"config", "task", "command"}
    return len(data) == 1 or (
        isinstance(jobs, dict) and any(isinstance(job, dict) and keys.intersection(job) for job in jobs.values())
    )


def _as_text(file: Path) -> list[Finding]:
    """Return what the jobs that run with a file make of it which is no YAML; nothing where there are none."""
    try:
        raw = store.read(file).raw
        return list(_of_jobs(file, document.decode(raw)))
    except ConfigError:
        return []


def _of_file(file: Path, text: str) -> Iterator[Finding]:
    if cli_change.engine_of(file) is not None:  # what the jobs have it checked against counts
        yield from _of_jobs(file, text)
        return
    if (holder := claims.holder(file)) is not None:
        raise UsageError(f"{file} is in use by {holder}, which does not answer")
    try:
        if (remark := schema.require(file, text)) is not None:
            yield Finding(_describe(file, Problem(remark)))
    except ConfigError as error:
        yield from (Finding(_describe(file, problem)) for problem in keyed(error.problem))


def _of_jobs(file: Path, text: str) -> Iterator[Finding]:
    """Yield what the jobs that run with a config say to a text of it."""
    found = cli_change.engine_of(file)
    if found is None:
        return
    names = [name for name, job in found.jobs.items() if cli_change.same(Path(job.config), file)]
    reply = client.send_command(found.socket, messages.Preview(1, names[0], text), PREVIEW_PATIENCE)
    if reply is None or not reply.ok:
        raise UsageError(reply.message if reply is not None else f"{found.name} does not answer")
    for job in reply.data["jobs"]:
        if not job["errors"]:
            yield Finding(previewed(job), wrong=False)
        several = len(job["errors"]) > 1
        for error in job["errors"]:
            words = f"{error['key']}: {error['message']}" if several and error["key"] else error["message"]
            yield Finding(_describe(file, Problem(words, error["line"], error["column"])))


def previewed(job: Mapping[str, Any]) -> str:
    """Return what a save would do to a job, such as ``digits: lr 0.1 → 0.05 would be taken live``."""
    changed = ", ".join(change_words(Change(**change)) for change in job["changes"]) or "the file"
    keys, effect = ", ".join(job["restarting"]), job["effect"]
    words = {
        "none": f"nothing changes, v{job['running']} runs",
        "live": f"{changed} would be taken live",
        "restart": f"{changed} would restart it" + (f", for {keys}" if keys else ""),
        "start": "would start with it",
        "idle": "is not running: its next start takes it",
    }.get(effect, f"{changed} would be taken by {effect}")
    effective = ", ".join(f"{change['key']} {value_words(change['new'])}" for change in job["effective"])
    words += f"; the task would have {effective}" if effective else ""
    return f"{job['job']}: {words}" + (f" ({job['remark']})" if job["remark"] else "")


def _of_config(job: JobSpec) -> Iterator[Finding]:
    for problem in _problems(job):
        yield from (Finding(_describe(job.config, part)) for part in keyed(problem))
    if job.restart_keys:
        yield Finding(f"{job.name}: a change of {', '.join(job.restart_keys)} restarts it", wrong=False)


def _problems(job: JobSpec) -> Iterator[Problem]:
    try:
        text = document.decode(store.read(job.config).raw)
        if job.as_text:
            return
        config = document.parse(text)
        if job.command is not None:
            job.command.fill(config.data, job.config)
        if job.schema is None:
            if (remark := schema.require(job.config, text)) is not None:
                yield Problem(remark)
        elif (problem := schema.check(job.schema, config)) is not None:
            yield problem
    except ConfigError as error:
        yield error.problem
    except (LaunchError, schema.SchemaError) as error:
        yield Problem(str(error))


def _describe(file: Path, problem: Problem) -> str:
    shown = os.path.relpath(file)
    shown = str(file) if shown.startswith("..") else shown
    return in_file(shown, replace(problem, message=problem.message.removeprefix(f"{file} ")))
