"""What a config must pass before it becomes a version that is sent.

It must parse, fit its schema, and hold the values that a command needs. Then comes the job's `check:`, a program of
the user's that must exit with 0.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tui import reading, wording
from tui.config import toml_text
from tui.config.disk import store
from tui.engine.deck.spec import JobSpec, is_keyed
from tui.engine.reloads.candidate import Candidate, Unanswered
from tui.engine.reloads.config_file import ConfigFile
from tui.protocol.messages import Problem
from tui.runners import readiness
from tui.runners.base import LaunchError

#: Seconds that a check may take.
TIMEOUT = 10.0

#: The config's path, in a check.
_CONFIG = "{config}"

#: A file that is named just before a line.
_FILE = re.compile(r"""([\w.-]*\w\.\w+)["']?[,:]?\s*(?:on |at )?$""")

_LINE = re.compile(r"\bline (\d+)(?:,? col(?:umn)? (\d+))?", re.IGNORECASE)


def problem_with(file: ConfigFile, spec: JobSpec) -> Problem | None:
    """Return what is wrong with a file, as far as this job minds."""
    if file.text is not None and spec.takes_text(keyed=file.keyed):
        return None
    return _of_task(file.problem, spec) or _fault(file.data, file.faults, spec)


def examine(candidate: Candidate, spec: JobSpec, runs: str | None) -> Candidate:
    """Return what a job makes of a content: its text where that is all it wants, or a problem.

    Args:
        candidate: The content.
        spec: The job.
        runs: The text that runs: where that is TOML, what is none is a mistake and no language of the command's own.
    """
    if candidate.readable and spec.takes_text(keyed=candidate.keyed):
        if spec.config.suffix == ".toml" and runs is not None and toml_text.problem(runs) is None:
            broken = toml_text.problem(candidate.text)
            if broken is not None:
                return replace(candidate, data=None, problem=broken)
        return replace(candidate, data=candidate.text, problem=None)
    fault = _of_task(candidate.problem, spec) or _fault(candidate.data, candidate.faults, spec)
    return candidate if fault is None else replace(candidate, data=None, problem=fault)


def _of_task(problem: Problem | None, spec: JobSpec) -> Problem | None:
    """Return the problem of a text; of a task's config in another language first that it can't be in one."""
    if problem is None or spec.command is not None or not spec.config.suffix or is_keyed(spec.config):
        return problem
    return replace(problem, message=f"the config of a task is YAML or JSON, and as such: {problem.message}")


def _fault(
    data: Mapping[str, Any] | str | None, faults: Mapping[Path | None, Problem], spec: JobSpec
) -> Problem | None:
    """Return what the schema objects to in the data, or which value the command needs that it lacks."""
    if data is not None and (fault := faults.get(spec.schema)):
        return fault
    if spec.command is not None and data is not None:
        try:
            spec.command.fill(data, spec.config)
        except LaunchError as error:
            return Problem(str(error))
    return None


class Gate:
    """Lets candidates through the check one at a time; of those that come meanwhile only the newest is checked.

    They leave in the order in which they came, so that versions do.

    A verdict is that of the candidate: where the file holds something else by then, the check is shown a copy. One that
    can't be is asked about the newest alone, for which there is another candidate soon.

    Args:
        spec: The job, which has a check.
        admit: Takes every candidate that was checked, with a problem if it failed.
        skip: Takes those for which a newer one came.

    Attributes:
        spec: The job; where it has no check any more, nothing is asked.
        problem: What the last check has objected to.
    """

    def __init__(
        self,
        spec: JobSpec,
        admit: Callable[[Candidate], None],
        skip: Callable[[Candidate], None],
    ) -> None:
        self.spec = spec
        self._admit = admit
        self._skip = skip
        self.problem: Problem | None = None
        self._waiting: list[Candidate] = []
        self._task: asyncio.Task[None] | None = None

    def put(self, candidate: Candidate) -> None:
        """Have `candidate` checked, if it needs to be, after the one that is being checked."""
        self._waiting.append(candidate)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def settled(self, unless: asyncio.Event) -> None:
        """Wait until all has been checked, `unless` something else happens; the check goes on all the same."""
        if self._task is not None:
            otherwise = asyncio.create_task(unless.wait())
            await asyncio.wait([self._task, otherwise], return_when=asyncio.FIRST_COMPLETED)
            otherwise.cancel()

    async def close(self) -> None:
        """End a check that is running, and everything below it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._waiting:
            *older, candidate = self._waiting
            self._waiting = []
            for one in older:
                self._skip(one)
            try:
                self.problem = problem = await self._check(candidate)
            except _Overtaken:
                self._skip(candidate)
                continue
            # A start that was called off meanwhile admits its candidate all the same: every version has a row.
            self._admit(candidate if problem is None else replace(candidate, data=None, problem=problem))

    async def _check(self, candidate: Candidate) -> Problem | None:
        """Return what the check says to a candidate.

        Raises:
            _Overtaken: It has seen another text.
        """
        spec = self.spec
        if candidate.data is None or spec.check is None:
            return None
        if self._is_there(candidate):
            problem = await _run(_for_shell(spec.check, spec.config), spec.cwd, spec.config)
            if self._is_there(candidate):
                return problem
        try:
            return await try_out(spec, candidate.text)
        except Unanswered as why:
            if sees_copies(spec):
                return Problem(str(why))
            raise _Overtaken from why

    def _is_there(self, candidate: Candidate) -> bool:
        """Return whether the file holds a candidate; what is missing or can't be read will not be another one."""
        try:
            return store.read(self.spec.config).raw == candidate.text.encode("utf-8", "surrogatepass")
        except store.StoreError:
            return True


class _Overtaken(Exception):  # noqa: N818 - it is no error
    """Another text has come into the file."""


def sees_copies(spec: JobSpec) -> bool:
    """Return whether a job's check, if it has one, can be shown a text that is not in the config file."""
    return spec.check is None or _CONFIG in spec.check


async def try_out(spec: JobSpec, text: str) -> Problem | None:
    """Return what a job's check says to a text that is not in the config file: it is shown a copy beside it.

    Raises:
        Unanswered: The check can't be shown another file than the config itself.
    """
    if spec.check is None:
        return None
    if not sees_copies(spec):
        raise Unanswered(f"the check names no {_CONFIG}, so it sees a change only once that is in the file")
    config = spec.config
    try:
        descriptor, name = tempfile.mkstemp(f".tunedeck{config.suffix}", f".{config.stem}.", config.parent)
    except OSError as error:
        raise Unanswered(f"no copy for the check can be written: {error.strerror}") from error
    copy = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8"))
        with contextlib.suppress(OSError):  # the config itself may be missing
            shutil.copymode(config, copy)
        problem = await _run(_for_shell(spec.check, copy), spec.cwd, copy)
        if problem is None:
            return None
        return replace(problem, message=problem.message.replace(name, str(config)).replace(copy.name, config.name))
    except OSError as error:
        raise Unanswered(f"no copy for the check can be written: {error.strerror}") from error
    finally:
        copy.unlink(missing_ok=True)


def _for_shell(command: str, config: Path) -> str:
    return command.replace(_CONFIG, shlex.quote(str(config)))


async def _run(command: str, cwd: Path, config: Path) -> Problem | None:
    try:
        code, said = await readiness.run(command, cwd, TIMEOUT)
    except OSError as error:
        return Problem(f"the check can't be run, {error.strerror}: {command}")
    if code == 0:
        return None
    if code is None:
        said = f"the check did not end within {TIMEOUT:g} s and was killed: {command}"
    end = f"{'was ' if (code or 0) < 0 else ''}{wording.exit_words(code)}"
    problem = problem_of(said or f"the check {end}: {command}", config)
    try:
        lines = reading.read(config)[0].count(b"\n") + 1
    except OSError:
        return problem  # it is gone; the check has seen it
    return problem if problem.line is None or problem.line <= lines else Problem(problem.message)


def problem_of(said: str, config: Path) -> Problem:
    """Return what a check said, with the place where it names one, as ``nginx.conf:12`` or ``line 12``.

    A place in another file is none in the config.
    """
    lines = (line for line in _LINE.finditer(said) if _file_before(line) in ("", config.name))
    found = re.search(rf"(?<![\w.-]){re.escape(config.name)}:(\d+)(?::(\d+))?", said) or next(lines, None)
    if found is None:
        return Problem(said)
    return Problem(said, int(found[1]), int(found[2]) if found[2] else None)


def _file_before(line: re.Match[str]) -> str:
    """Return the name of the file that is named just before a ``line 12``, or nothing."""
    named = _FILE.search(line.string[: line.start()])
    return named[1] if named is not None else ""
