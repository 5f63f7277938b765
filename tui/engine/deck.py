"""The deck file: which jobs there are, and how each is to be treated."""

from __future__ import annotations

import difflib
import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tui.config import document, store
from tui.config.document import ConfigError, Document
from tui.config.keys import child
from tui.engine import place
from tui.events import Problem

RUNNERS = ("process", "thread", "asyncio")
RESTARTS = ("never", "on-failure", "always")
SIGNALS = tuple(item.name for item in signal.Signals)

_TASK = re.compile(r"(?:.+\.py|[^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*)")
_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "task": (str, "text such as train.py:train"),
    "command": (list, "a list such as [nginx, -g, daemon off;]"),
    "config": (str, "the path of a file"),
    "runner": (str, "a name"),
    "on_change": (str, "a name"),
    "loop": (bool, "true or false"),
    "check": (str, "a command line"),
    "restart": (str, "a name"),
    "stop": (dict, "a mapping such as {signal: SIGTERM, grace: 10}"),
    "python": (str, "the path of an interpreter"),
}
_STOP_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "signal": (str, "a name such as SIGTERM"),
    "grace": ((int, float), "a number of seconds"),
}


@dataclass(frozen=True)
class JobSpec:
    """One job of a deck, as `load` or `single` has validated it; `config` is absolute, its links kept."""

    name: str
    task: str | None
    command: tuple[str, ...] | None
    config: Path
    runner: str = "process"
    on_change: str = "reload"
    loop: bool = True
    restart: str = "never"
    stop_signal: str = "SIGTERM"
    grace: float = 10.0
    check: str | None = None
    python: str | None = None
    cwd: Path = Path()


@dataclass(frozen=True)
class Deck:
    """The jobs that one engine runs; `path` is None for a deck from the command line."""

    name: str
    path: Path | None
    jobs: tuple[JobSpec, ...]


def load(path: Path) -> Deck:
    """Read and validate a deck file.

    Raises:
        ConfigError: It can't be read, or something in it is wrong.
    """
    path = place.absolute(str(path))
    deck = document.parse(document.decode(store.read(path).raw))
    reader = _Reader(deck, path.parent)
    reader.keys("", deck.data, ["jobs"])
    jobs = deck.data.get("jobs")
    if not isinstance(jobs, dict) or not jobs:
        reader.refuse("jobs" if "jobs" in deck.data else "", "a deck needs jobs: write jobs: {NAME: {task: ...}}")
    return Deck(path.stem, path, tuple(reader.job(name, job) for name, job in jobs.items()))


def single(
    task: str, config: Path, name: str | None = None, *, runner: str = "process", on_change: str = "reload"
) -> Deck:
    """Return the deck of one job from the command line; its name is that of the function, if none is given.

    Raises:
        ConfigError: The task is not spelled as one.
    """
    name = name or task_function(task)
    job = JobSpec(name, task, None, place.absolute(str(config)), runner=runner, on_change=on_change, cwd=Path.cwd())
    return Deck(name, None, (job,))


def task_function(task: str) -> str:
    """Return the function's name in ``FILE.py:FUNC`` or ``pkg.mod:FUNC``.

    Raises:
        ConfigError: The task is not spelled as one.
    """
    found = _TASK.fullmatch(task)
    if found is None:
        raise ConfigError(Problem(f"{task!r} names no task: write FILE.py:FUNC or pkg.mod:FUNC"))
    return found[1]


def unsupported(deck: Deck) -> Problem | None:
    """Return the first thing in a deck that this version can't run yet."""
    for job in deck.jobs:
        wanted = {
            "command": job.command is not None,
            f"runner: {job.runner}": job.runner != "process",
            f"on_change: {job.on_change}": job.on_change != "reload",
            f"restart: {job.restart}": job.restart != "never",
            "check": job.check is not None,
        }
        for feature, asked in wanted.items():
            if asked:
                key = feature.partition(":")[0]
                message = f"job {job.name}: this version can't run '{feature}' yet"
                return Problem(message, key=child(child("jobs", job.name), key))
    return None


class _Reader:
    """Turns the data of a deck file into jobs, and knows the place of every mistake."""

    def __init__(self, deck: Document, folder: Path) -> None:
        self._marks = deck.marks
        self._folder = folder

    def refuse(self, path: str, message: str, *, at_key: bool = False) -> NoReturn:
        """Raise the error for the value, or the key, at `path`."""
        mark = self._marks[path]
        line, column = mark.key if at_key and mark.key else mark.value
        raise ConfigError(Problem(message, line, column, path or None))

    def keys(self, path: str, found: Iterable[Any], known: Iterable[str]) -> None:
        """Refuse keys that are not among `known`."""
        for key in found:
            if key not in known:
                self.refuse(child(path, key), f"unknown key {key}{_hint(str(key), known)}", at_key=True)

    def job(self, name: Any, data: Any) -> JobSpec:
        """Return the job of the given name."""
        path = child("jobs", name)
        if not isinstance(name, str) or not name:
            self.refuse(path, f"a job's name is text: put {name} in quotes", at_key=True)
        self._mapping(path, data, _KINDS)
        stop = data.get("stop", {})
        self._mapping(child(path, "stop"), stop, _STOP_KINDS)
        task, command = self._task(path, data), self._command(path, data)
        if "config" not in data:
            self.refuse(path, f"job {name} has no config: add config: FILE", at_key=True)
        if (task is None) == (command is None):
            what = "neither task nor command" if task is None else "both task and command"
            self.refuse(path, f"job {name} has {what}: give it one of them", at_key=True)
        self._policies(path, data, stop)
        python = data.get("python")
        return JobSpec(
            name,
            task,
            command,
            place.absolute(str(self._folder / data["config"])),
            **{key: data[key] for key in ("runner", "on_change", "loop", "restart", "check") if key in data},
            stop_signal=stop.get("signal", "SIGTERM"),
            grace=float(stop.get("grace", 10.0)),
            # A bare name is looked up in PATH.
            python=str(self._folder / python) if python and "/" in python else python,
            cwd=self._folder,
        )

    def _mapping(self, path: str, data: Any, kinds: dict[str, tuple[type | tuple[type, ...], str]]) -> None:
        if not isinstance(data, dict):
            self.refuse(path, f"this must be a mapping of {', '.join(kinds)}")
        self.keys(path, data, kinds)
        for key, value in data.items():
            kind, words = kinds[key]
            # To Python a bool is an int, to a user it is not.
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                self.refuse(child(path, key), f"{key} must be {words}")
            if value == "":
                self.refuse(child(path, key), f"{key} is empty: it must be {words}")

    def _task(self, path: str, data: dict[str, Any]) -> str | None:
        task: str | None = data.get("task")
        if task is not None:
            try:
                task_function(task)
            except ConfigError as error:
                self.refuse(child(path, "task"), str(error))
        return task

    def _command(self, path: str, data: dict[str, Any]) -> tuple[str, ...] | None:
        command = data.get("command")
        if command is None:
            return None
        where = child(path, "command")
        if not command:
            self.refuse(where, "the command is empty: name a program")
        for index, word in enumerate(command):
            if not isinstance(word, str):
                self.refuse(child(where, index), "every word of a command is text: put this one in quotes")
        return tuple(command)

    def _policies(self, path: str, data: dict[str, Any], stop: dict[str, Any]) -> None:
        self._choice(path, data, "runner", RUNNERS)
        self._choice(path, data, "restart", RESTARTS)
        self._choice(child(path, "stop"), stop, "signal", SIGNALS)
        if not 0 <= stop.get("grace", 0) < float("inf"):
            self.refuse(child(child(path, "stop"), "grace"), "grace must be a number of seconds, 0 or more")
        if "task" in data:
            self._choice(path, data, "on_change", ("reload", "restart"))
            if "check" in data:
                self.refuse(child(path, "check"), "check is for commands: remove it", at_key=True)
            return
        self._choice(path, data, "on_change", ("restart", *SIGNALS))
        if "on_change" not in data:
            self.refuse(path, "a command needs on_change: restart, or a signal name such as SIGHUP", at_key=True)
        for key in ("runner", "loop", "python"):
            if key in data and data[key] != "process":
                self.refuse(child(path, key), f"{key} is for tasks: remove it", at_key=True)

    def _choice(self, path: str, data: dict[str, Any], key: str, choices: tuple[str, ...]) -> None:
        if key in data and data[key] not in choices:
            known = ", ".join(choices) if len(choices) < 5 else "a signal name"
            hint = _hint(data[key], choices) or f": it must be {known}"
            self.refuse(child(path, key), f"unknown {key} {data[key]}{hint}")


def _hint(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f": did you mean {close[0]}?" if close else ""
