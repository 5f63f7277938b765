"""Watches the folders of source files, by watchfiles: what is told is that some of them may have changed.

Only folders that hold such a file are watched, not what lies below them: a project may hold a million other files.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

#: Milliseconds in which what happens together is told together.
_TOGETHER = 50


class Looker(Protocol):
    """Who has files."""

    def look(self) -> None:
        """Some of them may have changed."""


class CodeFolders:
    """The source files of all jobs of an engine: one watch for all of them.

    Attributes:
        checks: So many imports are tried at once.
    """

    def __init__(self) -> None:
        self.checks = asyncio.Semaphore(2)
        self._files: dict[Looker, frozenset[str]] = {}
        self._names: frozenset[str] = frozenset()
        self._folders: frozenset[Path] = frozenset()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def watch(self, owner: Looker, files: Iterable[Path]) -> None:
        """Watch these files for somebody, in place of those before; none: no longer."""
        found = frozenset(map(os.path.abspath, files))
        if found == self._files.get(owner, frozenset()):
            return
        self._files = {**self._files, owner: found}
        if not found:
            del self._files[owner]
        self._names = frozenset().union(*self._files.values())
        folders = frozenset(Path(name).parent for name in self._names)
        if folders != self._folders or (self._task is not None and self._task.done()):
            self._begin(folders)

    def _begin(self, folders: frozenset[Path]) -> None:
        self._stop.set()
        self._stop, self._folders = asyncio.Event(), folders
        before = self._task
        self._task = asyncio.create_task(self._run(sorted(filter(Path.is_dir, folders)), self._stop, before))

    async def _run(self, folders: list[Path], stop: asyncio.Event, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        if stop.is_set() or not folders:
            return
        # In a thread: it takes a tenth of a second, in which a process that has just been started may want to join.
        watchfiles = await asyncio.to_thread(importlib.import_module, "watchfiles")

        def wanted(_: object, path: str) -> bool:
            return path in self._names

        news = watchfiles.awatch(
            *folders, watch_filter=wanted, debounce=_TOGETHER, step=_TOGETHER, recursive=False, stop_event=stop
        )
        # Behind the first step of what follows, which begins to watch: what was saved before that, nobody is told of.
        asyncio.get_running_loop().call_soon(self._look)
        async for changes in news:
            paths = {path for _, path in changes}
            for owner, files in list(self._files.items()):
                if not files.isdisjoint(paths):
                    owner.look()

    def _look(self) -> None:
        for owner in list(self._files):
            owner.look()

    async def close(self) -> None:
        """End watching."""
        self._files = {}
        self._stop.set()
        if self._task is not None:
            await asyncio.wait([self._task])
