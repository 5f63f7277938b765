"""The code of a task while its worker runs: what was imported, whether it has changed since, and what follows.

With `code: ask` it is said, with `code: restart` a new worker is started once all of it can be imported; with `off`
nobody looks. Files are compared by their content: a checkout and back is no change.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

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


class CodeOwner(Protocol):
    """Whose code it is."""

    spec: JobSpec

    def tell_code(self, files: tuple[str, ...]) -> None:
        """Some files are others than the worker runs; none: all are as it runs them."""

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
        self._runs: Contents = {}  # what the worker has, by file; None for what is not known, or was not there
        self._checked: Contents = {}  # what was found to be good, or bad, and is told
        self._timer: asyncio.TimerHandle | None = None
        self._tasks = BackgroundTasks()
        self._turn = asyncio.Lock()

    def begin(self, files: Iterable[str], since: float) -> None:
        """The worker, started at `since`, has imported these files, or more of them than before."""
        self._files = [Path(file) for file in files]
        for path in self._files:
            if path not in self._runs:
                # What was written after the start may have come before or after the import: it counts as changed.
                self._runs[path] = _content(path, since)
        self.adopt()

    def end(self) -> None:
        """There is no worker any more: nobody looks."""
        self._runs, self.changed = {}, ()
        self._folders.watch(self, ())
        if self._timer is not None:
            self._timer.cancel()

    def adopt(self) -> None:
        """Look from now on or no longer, as the deck says."""
        if self._owner.spec.code == "off":
            self._folders.watch(self, ())
        elif self._runs:
            self._folders.watch(self, self._files)
            self.look()

    def look(self) -> None:
        """Look at the files once they are at rest."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(QUIET, lambda: self._tasks.start(self._look()))

    async def _look(self) -> None:
        async with self._turn:
            now = await asyncio.to_thread(_contents, self._files)
            names = tuple(self._name(path) for path in now if now[path] is None or now[path] != self._runs.get(path))
            if not self._runs or now == self._checked:
                return  # the worker has ended meanwhile, or this is known
            if not names or self._owner.spec.code == "ask":
                self._checked = {}
                if names != self.changed:
                    self.changed = names
                    self._owner.tell_code(names)
                return
            self.changed = names
            async with self._folders.checks:
                problem = await code_check.check(self._owner.spec, self._files)
            if await asyncio.to_thread(_contents, self._files) != now:
                self.look()  # once more, when it is at rest
                return
            self._checked = now
            sides = self._text(names, self._runs), self._text(names, now)
            version = None
            if problem is not None:
                version = self._owner.refuse_code(names, problem)
            elif self._runs:
                version = self._owner.renew_code(names)
            if version is not None:
                self.sides[version] = sides
            for old in list(self.sides)[:-MOST_SIDES]:
                del self.sides[old]

    def _text(self, names: Iterable[str], contents: Contents) -> str:
        """Return some files as one text."""
        found = {self._name(path): content for path, content in contents.items()}
        return "\n".join(f"# {name}\n{_shown(found.get(name))}" for name in names)

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self._owner.spec.cwd)


def _contents(files: Iterable[Path]) -> Contents:
    return {path: _content(path) for path in files}


def _shown(content: bytes | None) -> str:
    if content is None:
        return "(not known)\n"
    return content.decode("utf-8", "replace") if len(content) <= MOST_BYTES else f"({len(content):,} bytes)\n"


def _content(path: Path, before: float | None = None) -> bytes | None:
    """Return what is in a file; None where there is none, or it may be newer than `before`."""
    try:
        if before is not None and path.stat().st_ctime > before:
            return None
        return reading.read(path)[0]
    except OSError:
        return None
