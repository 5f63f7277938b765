"""What a deck is: its jobs, and how each is to be treated."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tui.config.document import ConfigError
from tui.engine import paths
from tui.protocol.messages import Problem
from tui.runners.command import CommandSpec, literal
from tui.runners.dask import DaskSpec
from tui.runners.guest import GuestSpec
from tui.runners.members import RankPolicy

_TASK = re.compile(r"(?:.+\.py|[^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*)")


#: Of a job's name in bytes: that of a config's copy, in which it stands, may have 255.
LONGEST_NAME = 100


class ProbationPeriod(NamedTuple):
    """How long a reload is on trial; none is with zeros."""

    seconds: float = 10.0
    steps: int = 10


SETTLE = ProbationPeriod()


@dataclass(frozen=True)
class JobSpec:
    """One job of a deck: a task, a command, or a guest, which runs already; `config` is absolute, its links kept."""

    name: str
    task: str | None
    command: CommandSpec | None
    config: Path
    runner: str = "process"
    on_change: str = "reload"
    loop: bool | None = None
    restart: str = "never"
    stop_signal: str = "SIGTERM"
    grace: float = 10.0
    check: str | None = None
    validate: str | None = None
    schema: Path | None = None
    python: str | None = None
    cwd: Path = Path()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    tty: bool = False
    restart_keys: tuple[str, ...] = ()
    settle: ProbationPeriod = SETTLE
    guards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    code: str = "ask"
    depends_on: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    guest: GuestSpec | None = None
    dask: DaskSpec | None = None
    ranks: RankPolicy = field(default_factory=RankPolicy)

    @property
    def what(self) -> str:
        """The task or the command line, for people."""
        if self.guest is not None:
            return self.guest.what
        return self.task or " ".join(self.command.arguments if self.command else ())

    @property
    def as_text(self) -> bool:
        """The config is not parsed: it is a command's, and in a language of its own."""
        return self.command is not None and not self.command.filled and not is_keyed(self.config)

    def takes_text(self, *, keyed: bool) -> bool:
        """Return whether its config is no more than text.

        Args:
            keyed: What is in the file parses, or did before: else a command may have a language of its own.
        """
        own = self.command is not None and not self.command.filled and self.on_change != "reload"
        return self.as_text or (own and not keyed)

    @property
    def counts(self) -> bool:
        """Its steps are counted: it is a task, or its processes join."""
        return self.command is None or self.on_change == "reload"

    @property
    def hosted(self) -> bool:
        """The job shares its worker with others."""
        return self.runner in ("thread", "asyncio")

    @property
    def has_terminal(self) -> bool:
        """Its standard streams are a terminal."""
        return self.tty if self.command is None else self.command.tty

    @property
    def reload_may_end_worker(self) -> bool:
        """A reload starts a new worker, or the program may die of it, since it reads the config by itself."""
        return self.on_change != "reload"

    @property
    def serves(self) -> bool:
        """It is a command that is not meant to end: one that takes signals, or is started again whatever happens."""
        takes = self.on_change not in ("reload", "restart")
        return self.command is not None and (takes or self.restart == "always")


@dataclass(frozen=True)
class Deck:
    """The jobs that one engine runs; `path` is None for a deck from the command line, `digest` names the content."""

    name: str
    path: Path | None
    jobs: tuple[JobSpec, ...]
    on_event: str = ""
    digest: str = field(default="", compare=False)


def name_problem(name: Any) -> str | None:
    """Return what is wrong with the name of a job, which stands in names of files and in lines; None if nothing is."""
    if not isinstance(name, str) or not name:
        return f"a job's name is text: put {name} in quotes"
    if len(name.encode("utf-8", "replace")) > LONGEST_NAME:
        return f"a job's name has at most {LONGEST_NAME} bytes"
    return None if name.isprintable() else f"a job's name has no control characters: {name!r}"


def single(
    what: str | tuple[str, ...],
    config: str,
    name: str | None = None,
    *,
    runner: str = "process",
    on_change: str | None = None,
    tell: str = "",
    check: str | None = None,
    loop: bool | None = None,
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    tty: bool = False,
) -> Deck:
    """Return the deck of one job from the command line.

    Args:
        what: A task, or a command and its arguments.
        config: The config file.
        name: Of the job; else the function's, or the command's base name.
        runner: Of a task.
        on_change: What a change does; a command must say it.
        tell: The command that tells it of a change, where that is so.
        check: Of a command.
        loop: Whether a plain function is called again; None: unless it has called `tui.checkpoint`.
        args: What a task finds in ``sys.argv[1:]``.
        env: Variables to add to its environment.
        tty: Whether its standard streams are a terminal.

    Raises:
        ConfigError: The task is not spelled as one, or the program does not exist.
    """
    path, cwd = paths.absolute(config), Path.cwd()
    if isinstance(what, str):
        name = name or task_function(what)
        policy: dict[str, Any] = {"runner": runner, "on_change": on_change or "reload", "loop": loop}
        job = JobSpec(name, what, None, path, **policy, cwd=cwd, args=tuple(args), env=env or {}, tty=tty)
    else:
        on_change = on_change or "reload"
        missing = missing_program(what[0], cwd)
        if missing is not None:
            raise ConfigError(Problem(missing))
        name = name or Path(what[0]).name
        plain = {name: literal(value) for name, value in (env or {}).items()}  # as it was typed
        command = CommandSpec(name, what, path, on_change, tell, env=plain, tty=tty, cwd=cwd)
        job = JobSpec(name, None, command, path, on_change=on_change, check=check, cwd=cwd)
    if (problem := name_problem(name)) is not None:
        raise ConfigError(Problem(problem))
    return Deck(name, None, (job,))


def for_guest(config: str, name: str, guest: GuestSpec) -> Deck:
    """Return the deck that a process has begun which runs already.

    Raises:
        ConfigError: The name can't be a job's, or its config has no keys.
    """
    path = paths.absolute(config)
    if (problem := name_problem(name)) is not None:
        raise ConfigError(Problem(problem))
    return Deck(name, None, (JobSpec(name, None, None, path, runner="guest", cwd=Path.cwd(), guest=guest),))


def is_keyed(config: Path) -> bool:
    """Return whether a config is YAML or JSON by its name, so that its values have keys."""
    return config.suffix in (".yaml", ".yml", ".json")


def task_function(task: str, what: str = "task") -> str:
    """Return the function's name in ``FILE.py:FUNC`` or ``pkg.mod:FUNC``.

    Args:
        task: A task, or a validator, which is spelled in the same way.
        what: Which of them it is.

    Raises:
        ConfigError: It is not spelled so.
    """
    found = _TASK.fullmatch(task)
    if found is None:
        raise ConfigError(Problem(f"{task!r} names no {what}: write FILE.py:FUNC or pkg.mod:FUNC"))
    return found[1]


def missing_program(program: str, cwd: Path) -> str | None:
    """Return why `program` can't be run, None if it can; a bare name is looked up in PATH."""
    path = shutil.which(program) if "/" not in program else str(cwd / program)
    if path is None:
        return f"there is no program {program} in PATH"
    if not Path(path).exists():
        return f"there is no program {path}"
    if Path(path).is_dir() or not os.access(path, os.X_OK):
        return f"{path} is not executable: chmod +x makes it so"
    return None
