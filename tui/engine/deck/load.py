"""Reads a deck file: which jobs there are, and how each is to be treated."""

from __future__ import annotations

import difflib
import math
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from tui import better
from tui.config import document, key_patterns, schema
from tui.config.disk import store
from tui.config.document import ConfigDocument, ConfigError
from tui.config.keys import child
from tui.engine import paths
from tui.engine.deck.spec import (
    SETTLE,
    Deck,
    JobSpec,
    ProbationPeriod,
    is_keyed,
    missing_program,
    name_problem,
    task_function,
)
from tui.protocol.messages import Problem
from tui.regexes import Pattern, PatternError
from tui.runners.command import CommandSpec, is_passable, placeholders
from tui.runners.readiness import LOOK, Readiness
from tui.worker.guards import ALL

RUNNERS = ("process", "thread", "asyncio")
RESTARTS = ("never", "on-failure", "always")
SIGNALS = tuple(item.name for item in signal.Signals)

KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "task": (str, "text such as train.py:train"),
    "command": (list, "a list such as [nginx, -g, daemon off;]"),
    "config": (str, "the path of a file"),
    "runner": (str, "a name"),
    "on_change": ((str, dict), "a name, or a mapping such as {command: ./reload.sh}"),
    "loop": (bool, "true or false"),
    "check": (str, "a command line"),
    "schema": (str, "the path of a JSON Schema"),
    "validate": (str, "text such as train.py:check"),
    "restart": (str, "a name"),
    "stop": (dict, "a mapping such as {signal: SIGTERM, grace: 10}"),
    "python": (str, "the path of an interpreter"),
    "restart_keys": (list, "a list of keys such as [model.*, layers[*].size]"),
    "settle": ((int, float, dict), "a number of seconds, or a mapping such as {seconds: 10, steps: 10}"),
    "guards": (dict, "a mapping such as {loss: {max: 10, for: 20}, finite: true}"),
    "metrics": (dict, "a mapping such as {loss: min, accuracy: max}"),
    "args": (list, "a list such as [--seed, '1']"),
    "cwd": (str, "the path of a folder"),
    "env": (dict, "a mapping such as {PORT: '{server.port}'}"),
    "tty": (bool, "true or false"),
    "ready": ((str, int, dict), "a line of output, a port, or one of {line: ...}, {port: ...}, {command: ...}"),
}
_STOP_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "signal": (str, "a name such as SIGTERM"),
    "grace": ((int, float), "a number of seconds"),
}
_READY_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "line": (str, "a pattern for a line of output"),
    "port": (int, "a number"),
    "command": (str, "a command line"),
}
_TELL_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {"command": (str, "a command line")}
_SETTLE_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "seconds": ((int, float), "a number of seconds"),
    "steps": (int, "a number of checkpoints"),
}
_GUARD_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "max": ((int, float), "a number"),
    "min": ((int, float), "a number"),
    "finite": (bool, "true or false"),
    "for": (int, "a number of steps"),
}
#: Keys that only the one kind of job has.
_FOR_TASKS = ("runner", "loop", "python", "validate", "args")
_FOR_COMMANDS = ("check", "ready")
#: Keys of jobs with a process of their own.
_OF_PROCESS = ("args", "env", "cwd", "tty")


def load(path: Path) -> Deck:
    """Read and validate a deck file.

    Raises:
        ConfigError: It can't be read, or something in it is wrong.
    """
    path = paths.absolute(str(path))
    deck = document.parse(document.decode(store.read(path).raw))
    reader = _Reader(deck, path.parent)
    reader.keys("", deck.data, ["jobs"])
    jobs = deck.data.get("jobs")
    if not isinstance(jobs, dict) or not jobs:
        reader.refuse("jobs" if "jobs" in deck.data else "", "a deck needs jobs: write jobs: {NAME: {task: ...}}")
    return Deck(path.stem, path, tuple(reader.job(name, job) for name, job in jobs.items()))


class _Reader:
    """Turns the data of a deck file into jobs, and knows the place of every mistake."""

    def __init__(self, deck: ConfigDocument, folder: Path) -> None:
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
        if (problem := name_problem(name)) is not None:
            self.refuse(path, problem, at_key=True)
        self._mapping(path, data, KINDS)
        stop = data.get("stop", {})
        self._mapping(child(path, "stop"), stop, _STOP_KINDS)
        if "config" not in data:
            self.refuse(path, f"job {name} has no config: add config: FILE", at_key=True)
        if ("task" in data) == ("command" in data):
            what = "both task and command" if "task" in data else "neither task nor command"
            self.refuse(path, f"job {name} has {what}: give it one of them", at_key=True)
        self._policies(path, data, stop)
        config = paths.absolute(str(self._folder / data["config"]))
        command = self._command(path, name, data, config) if "command" in data else None
        return JobSpec(
            name,
            self._function(path, data, "task", "task"),
            command,
            config,
            **{key: data[key] for key in ("runner", "loop", "restart", "check") if key in data},
            on_change=_word(data.get("on_change", "reload")),
            stop_signal=stop.get("signal", "SIGTERM"),
            grace=float(stop.get("grace", 10.0)),
            validate=self._function(path, data, "validate", "validator"),
            schema=self._schema(path, data, command),
            python=self._python(path, data),
            cwd=self._cwd(path, data),
            args=self._args(child(path, "args"), data.get("args", [])),
            env=self._env(child(path, "env"), data.get("env", {})),
            tty=data.get("tty", False),
            restart_keys=self._patterns(child(path, "restart_keys"), data.get("restart_keys", [])),
            settle=self._settle(child(path, "settle"), data.get("settle", SETTLE._asdict())),
            guards=dict(self._guards(child(path, "guards"), data.get("guards", {}))),
            metrics=self._metrics(child(path, "metrics"), data.get("metrics", {})),
        )

    def _settle(self, path: str, data: float | dict[str, Any]) -> ProbationPeriod:
        if not isinstance(data, dict):
            data = {"seconds": data, "steps": SETTLE.steps if data else 0}
        self._mapping(path, data, _SETTLE_KINDS)
        for key, value in data.items():
            if not 0 <= value < float("inf"):
                where = child(path, key)
                self.refuse(where if where in self._marks else path, f"{key} must be a number, 0 or more")
        return ProbationPeriod(**data)

    def _guards(self, path: str, data: dict[Any, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for metric, rule in data.items():
            where = child(path, metric)
            if not isinstance(metric, str) or not metric:
                self.refuse(where, f"a metric has a name: put {metric} in quotes", at_key=True)
            if metric == "finite" and isinstance(rule, bool):
                yield ALL, {"finite": rule}  # of every metric
                continue
            self._mapping(where, rule, _GUARD_KINDS)
            if not {"max", "min", "finite"} & set(rule):
                self.refuse(where, "a guard needs bounds: max, min or finite")
            if rule.get("for", 1) < 1:
                self.refuse(child(where, "for"), "for must be a number of steps, 1 or more")
            if not rule.get("min", -math.inf) <= rule.get("max", math.inf):
                self.refuse(where, "no number is between these bounds: min must not be more than max")
            yield metric, rule

    def _metrics(self, path: str, data: dict[Any, Any]) -> dict[str, str]:
        for metric, way in data.items():
            where = child(path, metric)
            if not isinstance(metric, str) or not metric:
                self.refuse(where, f"a metric has a name: put {metric} in quotes", at_key=True)
            if way not in better.WAYS:
                self.refuse(where, f"{metric} is better at its min or its max: write {metric}: min, or {metric}: max")
        return data

    def _patterns(self, path: str, data: list[Any]) -> tuple[str, ...]:
        for index, text in enumerate(data):
            where = child(path, index)
            if not isinstance(text, str):
                self.refuse(where, "a pattern of keys is text such as model.*")
            try:
                key_patterns.parse(text)
            except ValueError as error:
                self.refuse(where, str(error))
        return tuple(data)

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

    def _function(self, path: str, data: dict[str, Any], key: str, what: str) -> str | None:
        function: str | None = data.get(key)
        if function is not None:
            try:
                task_function(function, what)
            except ConfigError as error:
                self.refuse(child(path, key), str(error))
            if "cwd" in data and function.rpartition(":")[0].endswith(".py"):
                function = str(self._folder / function)  # beside the deck all the same
        return function

    def _schema(self, path: str, data: dict[str, Any], command: CommandSpec | None) -> Path | None:
        if "schema" not in data:
            return None
        where = child(path, "schema")
        if command is not None and not command.filled and not is_keyed(command.config):
            self.refuse(where, "the config of this command is not parsed: remove the schema", at_key=True)
        file: Path = self._folder / data["schema"]
        try:
            schema.load(file)
        except schema.SchemaError as error:
            self.refuse(where, str(error))
        return file

    def _python(self, path: str, data: dict[str, Any]) -> str | None:
        python: str | None = data.get("python")
        if python is None:
            return None
        missing = missing_program(python, self._folder)
        if missing is not None:
            self.refuse(child(path, "python"), missing)
        return str(self._folder / python) if "/" in python else python

    def _command(self, path: str, name: str, data: dict[str, Any], config: Path) -> CommandSpec:
        where, words = child(path, "command"), data["command"]
        if not words:
            self.refuse(where, "the command is empty: name a program")
        for index, word in enumerate(words):
            if not isinstance(word, str):
                self.refuse(child(where, index), "every word of a command is text: put this one in quotes")
            if not is_passable(word):
                self.refuse(child(where, index), "no program can be given a NUL or half a character: remove it")
        if not placeholders(words[0]):
            missing = missing_program(words[0], self._cwd(path, data))
            if missing is not None:
                self.refuse(child(where, 0), missing)
        return CommandSpec(
            name,
            tuple(words),
            config,
            _word(data.get("on_change", "reload")),
            tell=data["on_change"]["command"] if isinstance(data.get("on_change"), dict) else "",
            env=self._env(child(path, "env"), data.get("env", {})),
            ready=self._ready(child(path, "ready"), data["ready"]) if "ready" in data else None,
            tty=data.get("tty", False),
            cwd=self._cwd(path, data),
        )

    def _env(self, path: str, data: dict[Any, Any]) -> dict[str, str]:
        for variable, value in data.items():
            if not isinstance(variable, str) or isinstance(value, (dict, list)) or value is None:
                self.refuse(child(path, variable), "a variable and its value are text or a number")
            if not variable or "=" in variable or not is_passable(f"{variable}{value}"):
                what = "a variable has a name without =, and no NUL or half a character in it or its value"
                self.refuse(child(path, variable), what, at_key=True)
        return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in data.items()}

    def _args(self, path: str, data: list[Any]) -> tuple[str, ...]:
        for index, word in enumerate(data):
            if not isinstance(word, str):
                self.refuse(child(path, index), "every argument is text: put this one in quotes")
            if not is_passable(word):
                self.refuse(child(path, index), "no program can be given a NUL or half a character: remove it")
        return tuple(data)

    def _cwd(self, path: str, data: dict[str, Any]) -> Path:
        folder: Path = self._folder / data.get("cwd", "")
        if "cwd" in data and not folder.is_dir():
            self.refuse(child(path, "cwd"), f"there is no folder {folder}")
        return folder

    def _ready(self, path: str, data: str | int | dict[str, Any]) -> Readiness:
        if isinstance(data, str):
            data = {"line": data}
        elif isinstance(data, int):
            data = {"port": data}
        else:
            self._mapping(path, data, _READY_KINDS)
        if len(data) != 1:
            self.refuse(path, "ready is one of line, port and command")
        if not 0 < data.get("port", 1) < 1 << 16:
            self.refuse(path, "a port is a number from 1 to 65535")
        try:
            Pattern(data.get("line", ""), LOOK)
        except PatternError as error:
            self.refuse(path, f"this pattern is {error}")
        return Readiness(**data)

    def _policies(self, path: str, data: dict[str, Any], stop: dict[str, Any]) -> None:
        self._choice(path, data, "runner", RUNNERS)
        self._choice(path, data, "restart", RESTARTS)
        self._choice(child(path, "stop"), stop, "signal", SIGNALS)
        if not 0 <= stop.get("grace", 0) < float("inf"):
            self.refuse(child(child(path, "stop"), "grace"), "grace must be a number of seconds, 0 or more")
        if "task" in data:
            self._choice(path, data, "on_change", ("reload", "restart"))
        else:
            self._command_policy(path, data)
        for key in _OF_PROCESS:
            if key in data and data.get("runner", "process") != "process":
                why = f"{key} is for a process of its own, and {data['runner']} jobs share one: remove it"
                self.refuse(child(path, key), why, at_key=True)
        others, kind = (_FOR_COMMANDS, "commands") if "task" in data else (_FOR_TASKS, "tasks")
        for key in others:
            if key in data and data[key] != "process":
                self.refuse(child(path, key), f"{key} is for {kind}: remove it", at_key=True)

    def _command_policy(self, path: str, data: dict[str, Any]) -> None:
        where = child(path, "on_change")
        if isinstance(data.get("on_change"), dict):
            self._mapping(where, data["on_change"], _TELL_KINDS)
            if "command" not in data["on_change"]:
                self.refuse(where, "write restart, reload, none, a signal name such as SIGHUP, or {command: CMD}")
            return
        problem = on_change_problem(data.get("on_change"), Path(data["config"]))
        if problem is not None:
            self.refuse(where if "on_change" in data else path, problem, at_key="on_change" not in data)

    def _choice(self, path: str, data: dict[str, Any], key: str, choices: tuple[str, ...]) -> None:
        if key in data and data[key] not in choices:
            known = ", ".join(choices) if len(choices) < 5 else "a signal name"
            hint = _hint(data[key], choices) or f": it must be {known}"
            self.refuse(child(path, key), f"unknown {key} {data[key]}{hint}")


def on_change_problem(word: str | None, config: Path) -> str | None:
    """Return what is wrong with the `on_change` of a command with this config, None if nothing is."""
    if word in (None, "reload") and not is_keyed(config):
        choice = "restart, none or a signal name such as SIGHUP"
        if word is None:
            return f"a command whose config is not YAML or JSON needs on_change: {choice}"
        return f"the processes of a command can be given YAML and JSON only, not {config.name}: write {choice}"
    if word in ("SIGKILL", "SIGSTOP"):
        return f"no program can catch {word} to read its config again: write restart, or a signal such as SIGHUP"
    known = ("reload", "restart", "none", *SIGNALS)
    if word is None or word in known:
        return None
    hint = _hint(word, known) or ": it must be reload, restart, none or a signal name"
    return f"unknown on_change {word}{hint}"


def _word(on_change: str | dict[str, Any]) -> str:
    return on_change if isinstance(on_change, str) else "command"


def _hint(word: str, known: Iterable[str]) -> str:
    names = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(str(word).casefold(), list(names), 1)
    return f": did you mean {names[close[0]]}?" if close else ""
