"""The code of a task while its worker runs: what was imported, whether it has changed since, and what follows.

With `code: ask` it is said, with `code: restart` a new worker is started once all of it can be imported, and has it as
it was then, whatever is in the files by the time that it imports them; with `off` nobody looks. Files are compared by
their content: a checkout and back is no change.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from tui import reading
from tui.config.disk.code_folders import CodeFolders
from tui.engine.background import BackgroundTasks
from tui.engine.deck.spec import JobSpec
from tui.engine.jobs import code_check
from tui.protocol.messages import Problem

#: Seconds for which nothing must happen: a checkout changes many files.
QUIET = 0.2

#: Of the changes of so many versions, and of files up to so many bytes, it is known what they were.
MOST_SIDES = 20
MOST_BYTES = 1 << 18

Contents = dict[Path, bytes | None]


class CodeChange(NamedTuple):
    """Which files have changed, and what was and is in them."""

    files: tuple[str, ...] = ()
    before: str = ""
    after: str = ""


class CodeOwner(Protocol):
    """Whose code it is."""

    spec: JobSpec

    def tell_code(self, files: tuple[str, ...]) -> None:
        """Some files are others than the worker runs; none: all are as it runs them."""

    def keep_code(self, code: Mapping[str, bytes]) -> None:
        """Workers that are not started by the user's wish have these files so from now on."""

    def renew_code(self, files: tuple[str, ...]) -> int | None:
        """Start a new worker, which takes these; return the version that it becomes."""

    def refuse_code(self, files: tuple[str, ...], problem: Problem) -> int | None:
        """No worker could be started with them; return the version that says so."""


class Code:
    """Sees whether the code of a job has changed.

    Args:
        owner: The job.
        folders: Watches files.

    Attributes:
        changed: The files that are others than the worker runs, relative to the job's folder.
        sides: The changed files before and after the newest versions.
    """

    def __init__(self, owner: CodeOwner, folders: CodeFolders) -> None:
        self.changed: tuple[str, ...] = ()
        self.sides: dict[int, tuple[str, str]] = {}
        self._owner = owner
        self._folders = folders
        self._files: list[Path] = []
        self._more: list[Path] = []  # what the code as it is now would import as well
        self._runs: Contents = {}  # what the worker has, by file; None for what is not known, or was not there
        self._good: dict[str, bytes] = {}  # what was found to be good last, and is kept for the next worker
        self._renewed = False  # the worker is to end for that: what it has itself is kept no longer
        self._checked: Contents = {}  # what was found to be good, or bad, and is told
        self._timer: asyncio.TimerHandle | None = None
        self._tasks = BackgroundTasks()
        self._turn = asyncio.Lock()

    def begin(self, files: Iterable[str], since: float) -> None:
        """The worker, started at `since`, has imported these files, or more of them than before."""
        self._files, self._more = [Path(file) for file in files], []
        for path in self._files:
            if path not in self._runs:
                # What was written after the start may have come before or after the import: it counts as changed.
                self._runs[path] = self._good[name] if (name := str(path)) in self._good else content(path, since)
        self.adopt()

    def forget(self) -> None:
        """The user starts the job, with whatever is in the files."""
        self._keep({})

    def end(self) -> None:
        """There is no worker any more: nobody looks."""
        self._runs, self.changed, self._renewed = {}, (), False
        self._folders.watch(self, ())
        if self._timer is not None:
            self._timer.cancel()

    def adopt(self) -> None:
        """Look from now on or no longer, as the deck says."""
        if not self._renewed:
            self._keep(self._runs if self._owner.spec.code == "restart" else {})
        if self._owner.spec.code == "off":
            self._folders.watch(self, ())
        elif self._runs:
            self._folders.watch(self, [*self._files, *self._more])
            self.look()

    def _keep(self, contents: Contents) -> None:
        self._good = {str(path): content for path, content in contents.items() if content is not None}
        self._owner.keep_code(self._good)

    def look(self) -> None:
        """Look at the files once they are at rest."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(QUIET, lambda: self._tasks.start(self._look()))

    async def _look(self) -> None:
        async with self._turn:
            files = [*self._files, *self._more]
            now = await asyncio.to_thread(_contents, files)
            if not self._runs or now == self._checked:
                return  # the worker has ended meanwhile, or this is known
            names = self._changed(now)
            if not names or self._owner.spec.code == "ask":
                self._checked = {}
                if names != self.changed:
                    self.changed = names
                    self._owner.tell_code(names)
                return
            self.changed = names
            async with self._folders.checks:
                problem, found = await code_check.check(self._owner.spec, files)
            if not self._runs:
                return
            if self._learn(found) or await asyncio.to_thread(_contents, files) != now:
                self.look()  # once more, when it is at rest
                return
            self._checked = now
            self._settle(names, now, problem)

    def _changed(self, now: Contents) -> tuple[str, ...]:
        """Return what is other than the worker runs; where that is nothing, it does not matter what else there is."""
        if not any(now[path] is None or now[path] != self._runs.get(path) for path in self._files):
            return ()
        return tuple(self._name(path) for path in now if now[path] is None or now[path] != self._runs.get(path))

    def _learn(self, found: Iterable[Path]) -> bool:
        """Look at these files too; return whether there are any that nobody has looked at."""
        more = [path for path in found if path not in self._files and path not in self._more]
        self._more += more
        self._folders.watch(self, [*self._files, *self._more])
        return bool(more)

    def _settle(self, names: tuple[str, ...], now: Contents, problem: Problem | None) -> None:
        sides = self._text(names, self._runs), self._text(names, now)
        if problem is not None:
            version = self._owner.refuse_code(names, problem)
        else:
            self._keep(now)
            self._renewed = True
            version = self._owner.renew_code(names)
        if version is not None:
            self.show(version, *sides)

    def show(self, version: int, before: str, after: str) -> None:
        """Know of a version what it has changed; of old ones no longer."""
        self.sides[version] = before, after
        for old in list(self.sides)[:-MOST_SIDES]:
            del self.sides[old]

    async def change(self) -> CodeChange:
        """Return what a worker that is started now would have, and this one has not."""
        names, runs = self.changed, self._runs
        now = await asyncio.to_thread(_contents, [path for path in runs if self._name(path) in names])
        return CodeChange(names, self._text(names, runs), self._text(names, now))

    def _text(self, names: Iterable[str], contents: Contents) -> str:
        """Return some files as one text."""
        found = {self._name(path): content for path, content in contents.items()}
        return "\n".join(f"# {name}\n{_shown(found.get(name))}" for name in names)

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self._owner.spec.cwd)


def _contents(files: Iterable[Path]) -> Contents:
    return {path: content(path) for path in files}


def _shown(content: bytes | None) -> str:
    if content is None:
        return "(not known)\n"
    return content.decode("utf-8", "replace") if len(content) <= MOST_BYTES else f"({len(content):,} bytes)\n"


def content(path: Path, before: float | None = None) -> bytes | None:
    """Return what is in a file; None where there is none, or it may be newer than `before`."""
    try:
        if before is not None and path.stat().st_ctime > before:
            return None
        return reading.read(path)[0]
    except OSError:
        return None
