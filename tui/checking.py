"""``tunedeck check``: what is wrong with a deck or a config, without running anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tui.config import document, store
from tui.config.document import ConfigError
from tui.engine import deck, place
from tui.engine.spec import JobSpec
from tui.events import Problem
from tui.runners.base import LaunchError


def problems(path: str) -> Iterator[str]:
    """Yield what is wrong with a file, and where it is a deck with its configs, as ``FILE:LINE:COL: message``."""
    file = place.absolute(path)
    try:
        data = document.parse(document.decode(store.read(file).raw)).data
        if not _is_deck(data):
            return
        jobs = deck.load(file).jobs
    except ConfigError as error:
        yield _describe(file, error.problem)
        return
    found = (_describe(job.config, problem) for job in jobs for problem in _of_config(job))
    yield from dict.fromkeys(found)  # jobs may share a config


def _is_deck(data: dict[str, Any]) -> bool:
    """Return whether a file is meant as a deck: workflows of build servers have jobs too."""
    jobs = data.get("jobs")
    if "jobs" not in data:
        return False
    keys = {"config", "task", "command"}
    return len(data) == 1 or (
        isinstance(jobs, dict) and any(isinstance(job, dict) and keys.intersection(job) for job in jobs.values())
    )


def _of_config(job: JobSpec) -> Iterator[Problem]:
    try:
        text = document.decode(store.read(job.config).raw)
        if job.as_text:
            return
        data = document.parse(text).data
        if job.command is not None:
            job.command.fill(data, job.config)
    except ConfigError as error:
        yield error.problem
    except LaunchError as error:
        yield Problem(str(error))


def _describe(file: Path, problem: Problem) -> str:
    shown = os.path.relpath(file)
    shown = str(file) if shown.startswith("..") else shown
    place_ = "".join(f":{number}" for number in (problem.line, problem.column) if number is not None)
    return f"{shown}{place_}: {problem.message.removeprefix(f'{file} ')}"
