"""Reads a deck file: which jobs there are, and how each is to be treated."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from tui import better
from tui.config import document, key_patterns, schema
from tui.config.disk import store
from tui.config.document import ConfigDocument, ConfigError
from tui.config.keys import child
from tui.config.problems import summed
from tui.engine import paths
from tui.engine.deck import order
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
from tui.engine.deck.vocabulary import (
    CODES,
    FOR_COMMANDS,
    FOR_TASKS,
    GUARD_KINDS,
    KINDS,
    MOST_REPLICAS,
    NOT_OF_CLUSTER,
    OF_CLUSTER,
    OF_PROCESS,
    READY_KINDS,
    RESTARTS,
    RUNNERS,
    SETTLE_KINDS,
    SIGNALS,
    STOP_KINDS,
    TELL_KINDS,
    Kinds,
    events_command,
    hint,
    near,
    on_change_problem,
)
from tui.protocol.messages import Problem
from tui.regexes import Pattern, PatternError
from tui.runners.command import CommandSpec, is_passable, placeholders
from tui.runners.dask import DaskSpec
from tui.runners.members import RankPolicy
from tui.runners.readiness import LOOK, Readiness
from tui.worker.guards import ALL

_ADDRESS = re.compile(r"(?:[a-z]+://)?[^\s/:]+:\d+|[a-z]+://[^\s/]+")


def load(path: Path) -> Deck:
    """Read and validate a deck file.

    Raises:
        ConfigError: It can't be read, or something in it is wrong: the problem sums up all that is.
    """
    path = paths.absolute(str(path))
    return read(path, store.read(path).raw)


def read(path: Path, raw: bytes) -> Deck:
    """Return the deck of a content of the deck file, as `load` does."""
    deck = document.parse(document.decode(raw))
    reader = _Reader(deck, path.parent)
    jobs, on_event = reader.deck(deck.data), reader.on_event(deck.data)
    if reader.problems:
        raise ConfigError(summed(reader.problems))
    return Deck(path.stem, path, jobs, on_event, store.digest(raw))


class _Reader:
    """Turns the data of a deck file into jobs, and knows the place of every mistake."""

    def __init__(self, deck: ConfigDocument, folder: Path) -> None:
        self.problems: list[Problem] = []
        self._text, self._marks = deck.text, deck.marks
        self._folder = folder

    def deck(self, data: dict[str, Any]) -> tuple[JobSpec, ...]:
        """Return the jobs in which nothing is wrong; what is, is in `problems` then."""
        with self._noted():
            self.keys("", data, ["jobs", "on_event"])
        jobs = data.get("jobs")
        if isinstance(jobs, dict) and jobs:
            found = [self._tried(self.job, None, name, job) for name, job in jobs.items()]
            for where, words in order.problems(jobs):
                self._tried(self.refuse, None, where, words)
            return tuple(job for job in found if job is not None)
        if not self.problems:
            where = "jobs" if "jobs" in data else ""
            self._tried(self.refuse, None, where, "a deck needs jobs: write jobs: {NAME: {task: ...}}")
        return ()

    def on_event(self, data: dict[str, Any]) -> str:
        """Return the command that is told of events, empty for none; what is wrong with it is noted."""
        command, problem = events_command(data.get("on_event", ""), self._folder)
        if problem:
            self._tried(self.refuse, None, "on_event", problem)
        return command

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """Note what is refused, and go on after the block."""
        try:
            yield
        except ConfigError as error:
            self.problems.append(error.problem)

    def _tried(self, take: Callable[..., Any], default: Any, *arguments: Any) -> Any:
        """Return what `take` makes of the arguments, or the default where it refuses them, which is noted."""
        try:
            return take(*arguments)
        except ConfigError as error:
            self.problems.append(error.problem)
            return default

    def refuse(self, path: str, message: str, *, at_key: bool = False) -> NoReturn:
        """Raise the error for the value, or the key, at `path`."""
        mark = self._marks[path]
        line, column = mark.key if at_key and mark.key else mark.value
        raise ConfigError(Problem(message, line, column, path or None))

    def keys(self, path: str, found: Iterable[Any], known: Iterable[str]) -> None:
        """Refuse keys that are not among `known`."""
        for key in found:
            if key not in known:
                self.refuse(child(path, key), f"unknown key {key}{hint(str(key), known)}", at_key=True)

    def job(self, name: Any, data: Any) -> JobSpec | None:
        """Return the job of the given name; None where something in it is wrong, which is noted."""
        path, before = child("jobs", name), len(self.problems)
        with self._noted():
            if (problem := name_problem(name)) is not None:
                self.refuse(path, problem, at_key=True)
        known = self._sound(path, data, KINDS)
        stop = self._sound(child(path, "stop"), known.get("stop", {}), STOP_KINDS)
        with self._noted():
            self._essentials(path, name, data)
        config = paths.absolute(str(self._folder / known.get("config", "")))
        command = None
        if "config" in known and ("task" in known or "command" in known):  # else that can't be said of it for sure
            self._policies(path, known, stop)
            command = self._tried(self._command, None, path, name, known, config) if "command" in known else None
        fields = {key: self._tried(take, default, self, path, known) for key, (take, default) in _FIELDS.items()}
        fields["schema"] = self._tried(self._schema, None, path, known, command)
        if len(self.problems) > before:
            return None
        return JobSpec(
            name,
            command=command,
            config=config,
            **{key: known[key] for key in ("runner", "loop", "restart", "check", "code", "depends_on") if key in known},
            on_change=_word(known.get("on_change", "reload")),
            stop_signal=stop.get("signal", "SIGTERM"),
            grace=float(stop.get("grace", 10.0)),
            tty=known.get("tty", False),
            log=paths.absolute(str(self._folder / known["log"])) if "log" in known else None,
            **fields,
        )

    def _essentials(self, path: str, name: Any, data: dict[str, Any]) -> None:
        meant = {key if key in KINDS else near(str(key), KINDS) or key for key in data}  # a slip is not missing
        if "config" not in meant:
            self.refuse(path, f"job {name} has no config: add config: FILE", at_key=True)
        if ("task" in meant) == ("command" in meant):
            what = "both task and command" if "task" in meant else "neither task nor command"
            self.refuse(path, f"job {name} has {what}: give it one of them", at_key=True)

    def _sound(self, path: str, data: Any, kinds: Kinds) -> dict[str, Any]:
        """Return of a mapping what is as it must be; what is not is noted."""
        if not isinstance(data, dict):
            self.refuse(path, f"this must be a mapping of {', '.join(kinds)}")
        sound = {}
        for key, value in data.items():
            with self._noted():
                self._mapping(path, {key: value}, kinds)
                sound[key] = value
        return sound

    def ranks(self, path: str, data: dict[str, Any]) -> RankPolicy:
        """Return how the processes change that are ranks."""
        self._choice(path, data, "ranks", ("together", "each"))
        self._choice(path, data, "rank_metrics", ("first", "mean"))
        if not 0 < (hold := float(data.get("hold", RankPolicy.hold))) < math.inf:
            self.refuse(child(path, "hold"), "hold must be a number of seconds, more than 0")
        return RankPolicy(data.get("ranks"), hold, data.get("rank_metrics", "first"))

    def settle(self, path: str, job: dict[str, Any]) -> ProbationPeriod:
        """Return how long a reload is on trial."""
        data = job.get("settle", SETTLE._asdict())
        if not isinstance(data, dict):
            data = {"seconds": data, "steps": SETTLE.steps if data else 0}
        self._mapping(path, data, SETTLE_KINDS)
        for key, value in data.items():
            if not 0 <= value < float("inf"):
                where = child(path, key)
                self.refuse(where if where in self._marks else path, f"{key} must be a number, 0 or more")
        return ProbationPeriod(**data)

    def guards(self, path: str, data: dict[Any, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the metrics that are guarded, each with its bounds."""
        for metric, rule in data.items():
            where = child(path, metric)
            if not isinstance(metric, str) or not metric:
                self.refuse(where, f"a metric has a name: put {metric} in quotes", at_key=True)
            if metric == "finite" and isinstance(rule, bool):
                yield ALL, {"finite": rule}  # of every metric
                continue
            self._mapping(where, rule, GUARD_KINDS)
            if not {"max", "min", "finite"} & set(rule):
                self.refuse(where, "a guard needs bounds: max, min or finite")
            if rule.get("for", 1) < 1:
                self.refuse(child(where, "for"), "for must be a number of steps, 1 or more")
            if not rule.get("min", -math.inf) <= rule.get("max", math.inf):
                self.refuse(where, "no number is between these bounds: min must not be more than max")
            yield metric, rule

    def metrics(self, path: str, data: dict[Any, Any]) -> dict[str, str]:
        """Return which way each metric is better."""
        for metric, way in data.items():
            where = child(path, metric)
            if not isinstance(metric, str) or not metric:
                self.refuse(where, f"a metric has a name: put {metric} in quotes", at_key=True)
            if way not in better.WAYS:
                self.refuse(where, f"{metric} is better at its min or its max: write {metric}: min, or {metric}: max")
        return data

    def patterns(self, path: str, data: dict[str, Any]) -> tuple[str, ...]:
        """Return the patterns of keys that can't change live."""
        keys = data.get("restart_keys", [])
        for index, text in enumerate(keys):
            where = child(path, index)
            if not isinstance(text, str):
                self.refuse(where, "a pattern of keys is text such as model.*")
            try:
                key_patterns.parse(text)
            except ValueError as error:
                self.refuse(where, str(error))
        return tuple(keys)

    def _mapping(self, path: str, data: Any, kinds: Kinds) -> None:
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

    def function(self, path: str, data: dict[str, Any], key: str, what: str) -> str | None:
        """Return a function of the user's as it is to be imported."""
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

    def python(self, path: str, data: dict[str, Any]) -> str | None:
        """Return the interpreter of the worker, None for ours."""
        python: str | None = data.get("python")
        if python is None:
            return None
        missing = missing_program(python, self._folder)
        if missing is not None:
            self.refuse(child(path, "python"), missing)
        return str(self._folder / python) if "/" in python else python

    def cluster(self, path: str, data: dict[str, Any]) -> DaskSpec | None:
        """Return where the replicas of a task run, None where it has none."""
        if data.get("runner") != "dask":
            return None
        if not 1 <= data.get("replicas", 1) <= MOST_REPLICAS:
            self.refuse(child(path, "replicas"), f"replicas must be a number from 1 to {MOST_REPLICAS:,}")
        if "scheduler" in data and _ADDRESS.fullmatch(data["scheduler"]) is None:
            self.refuse(child(path, "scheduler"), "scheduler must be an address such as tcp://head:8786")
        if importlib.util.find_spec("distributed") is None:
            self.refuse(child(path, "runner"), "runner: dask needs Dask: pip install 'tunedeck[dask]'")
        return DaskSpec(data.get("scheduler"), data.get("replicas", 1))

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
            missing = missing_program(words[0], self.cwd(path, data))
            if missing is not None:
                self.refuse(child(where, 0), missing)
        return CommandSpec(
            name,
            tuple(words),
            config,
            _word(data.get("on_change", "reload")),
            tell=data["on_change"].get("command", "") if isinstance(data.get("on_change"), dict) else "",
            env=self.env(child(path, "env"), data.get("env", {})),
            ready=self._ready(child(path, "ready"), data["ready"]) if "ready" in data else None,
            tty=data.get("tty", False),
            cwd=self.cwd(path, data),
        )

    def env(self, path: str, data: dict[Any, Any]) -> dict[str, str]:
        """Return what is added to the environment."""
        for variable, value in data.items():
            if not isinstance(variable, str) or isinstance(value, (dict, list)) or value is None:
                self.refuse(child(path, variable), "a variable and its value are text or a number")
            if not variable or "=" in variable or not is_passable(f"{variable}{value}"):
                what = "a variable has a name without =, and no NUL or half a character in it or its value"
                self.refuse(child(path, variable), what, at_key=True)
        return {key: self._written(child(path, key), value) for key, value in data.items()}

    def _written(self, path: str, value: Any) -> str:
        """Return the text of a value; a number as it is written: 1.10 is no 1.1 to a program."""
        if isinstance(value, (str, bool)):
            return str(value).lower() if isinstance(value, bool) else value
        return document.written(self._text, self._marks[path]) or str(value)

    def args(self, path: str, data: list[Any]) -> tuple[str, ...]:
        """Return the arguments of a task."""
        for index, word in enumerate(data):
            if not isinstance(word, str):
                self.refuse(child(path, index), "every argument is text: put this one in quotes")
            if not is_passable(word):
                self.refuse(child(path, index), "no program can be given a NUL or half a character: remove it")
        return tuple(data)

    def cwd(self, path: str, data: dict[str, Any]) -> Path:
        """Return the folder in which it runs."""
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
            self._mapping(path, data, READY_KINDS)
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
        self._tried(self._choice, None, path, data, "runner", RUNNERS)
        self._tried(self._choice, None, path, data, "restart", RESTARTS)
        self._tried(self._choice, None, path, data, "code", CODES)
        self._tried(self._choice, None, child(path, "stop"), stop, "signal", SIGNALS)
        if "task" in data:
            self._tried(self._choice, None, path, data, "on_change", ("reload", "restart"))
        else:
            self._tried(self._command_policy, None, path, data)
        if not 0 <= stop.get("grace", 0) < float("inf"):
            where = child(child(path, "stop"), "grace")
            self._tried(self.refuse, None, where, "grace must be a number of seconds, 0 or more")
        others, kind = (FOR_COMMANDS, "commands") if "task" in data else (FOR_TASKS, "tasks")
        wrong = {key: f"{key} is for {kind}: remove it" for key in others if data.get(key, "process") != "process"}
        if data.get("runner") == "dask":
            wrong |= {key: f"{why}: remove {key}" for key, why in NOT_OF_CLUSTER.items() if key in data}
        elif "task" in data:
            why = "is for runner: dask: remove it, or add that"
            wrong |= {key: f"{key} {why}" for key in OF_CLUSTER if key in data}
        if data.get("runner") in ("thread", "asyncio"):
            why = f"is for a process of its own, and {data['runner']} jobs share one: remove it"
            wrong |= {key: f"{key} {why}" for key in OF_PROCESS if key in data}
        for key, words in wrong.items():
            with self._noted():
                self.refuse(child(path, key), words, at_key=True)

    def _command_policy(self, path: str, data: dict[str, Any]) -> None:
        where = child(path, "on_change")
        if isinstance(data.get("on_change"), dict):
            self._mapping(where, data["on_change"], TELL_KINDS)
            if "command" not in data["on_change"]:
                self.refuse(where, "write restart, reload, none, a signal name such as SIGHUP, or {command: CMD}")
            return
        problem = on_change_problem(data.get("on_change"), Path(data["config"]))
        if problem is not None:
            self.refuse(where if "on_change" in data else path, problem, at_key="on_change" not in data)

    def _choice(self, path: str, data: dict[str, Any], key: str, choices: tuple[str, ...]) -> None:
        if key in data and data[key] not in choices:
            known = ", ".join(choices) if len(choices) < 5 else "a signal name"
            meant = hint(data[key], choices) or f": it must be {known}"
            self.refuse(child(path, key), f"unknown {key} {data[key]}{meant}")


#: What each field of a job is made of, by a part of the reader, and what it is where that can't be told.
_FIELDS: dict[str, tuple[Callable[[_Reader, str, dict[str, Any]], Any], Any]] = {
    "task": (lambda reader, path, data: reader.function(path, data, "task", "task"), None),
    "validate": (lambda reader, path, data: reader.function(path, data, "validate", "validator"), None),
    "python": (lambda reader, path, data: reader.python(path, data), None),
    "dask": (lambda reader, path, data: reader.cluster(path, data), None),
    "cwd": (lambda reader, path, data: reader.cwd(path, data), None),
    "args": (lambda reader, path, data: reader.args(child(path, "args"), data.get("args", [])), ()),
    "env": (lambda reader, path, data: reader.env(child(path, "env"), data.get("env", {})), {}),
    "restart_keys": (lambda reader, path, data: reader.patterns(child(path, "restart_keys"), data), ()),
    "settle": (lambda reader, path, data: reader.settle(child(path, "settle"), data), SETTLE),
    "guards": (lambda reader, path, data: dict(reader.guards(child(path, "guards"), data.get("guards", {}))), {}),
    "metrics": (lambda reader, path, data: reader.metrics(child(path, "metrics"), data.get("metrics", {})), {}),
    "ranks": (lambda reader, path, data: reader.ranks(path, data), RankPolicy()),
}


def _word(on_change: str | dict[str, Any]) -> str:
    return on_change if isinstance(on_change, str) else "command"
