"""Sees that a schema of a config has changed: what is in the file is checked anew, and what runs is left alone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from tui import reading
from tui.config.disk.code_folders import CodeFolders
from tui.engine.background import BackgroundTasks
from tui.engine.reloads.config_file import ConfigFile

#: Seconds for which nothing must happen to them.
QUIET = 0.2


class SchemaWatch:
    """The schemas of one config file.

    Args:
        file: The config.
        folders: Watches files.
        tell: Takes what the user should know.
    """

    def __init__(self, file: ConfigFile, folders: CodeFolders, tell: Callable[[str], None]) -> None:
        self._file = file
        self._folders = folders
        self._tell = tell
        self._known: dict[Path, bytes | None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tasks = BackgroundTasks()
        self.follow()

    def follow(self) -> None:
        """Watch those that count now: the config may name another one."""
        files = self._file.schema_files
        if set(files) != set(self._known):
            self._known = {path: self._known.get(path, _content(path)) for path in files}
            self._folders.watch(self, files)

    def look(self) -> None:
        """One of them may have changed: look once they are at rest."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(QUIET, lambda: self._tasks.start(self._look()))

    def end(self) -> None:
        """Nobody wants to know any more."""
        self._folders.watch(self, ())
        if self._timer is not None:
            self._timer.cancel()

    async def _look(self) -> None:
        now = {path: _content(path) for path in self._known}
        changed = [os.path.relpath(path, self._file.path.parent) for path in now if now[path] != self._known[path]]
        self._known = now
        if changed:
            await self._file.check_again()
            self._tell(f"schema changed: {', '.join(changed)}; it holds from the next save on")


def _content(path: Path) -> bytes | None:
    try:
        return reading.read(path)[0]
    except OSError:
        return None
