"""News from folders: what was written, made, renamed or removed in them.

Two sources with one interface. `Inotify` asks the Linux kernel: a change arrives within a millisecond, an idle
folder costs nothing, and a file that was renamed into place says so. `Portable` stands on watchfiles.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Protocol


class Sort(Enum):
    """What happened to a name in a folder."""

    RENAMED_IN = "renamed in"
    TOUCHED = "touched"
    CHANGED = "changed"


#: A folder, a name in it (None: any of them), and what happened to it.
Item = tuple[Path, "str | None", Sort]

#: Called with the news since the last call, oldest first; returns whether any of them mattered.
News = Callable[[list[Item]], bool]


class Source(Protocol):
    """Where news of folders comes from; an `exact` one tells names, and renaming from writing."""

    exact: bool

    def watch(self, folders: set[Path]) -> None:
        """Watch just these folders; those that are missing are left out, those made anew are found again."""

    def poll(self) -> bool:
        """Deliver at once what is known already; return whether any of it mattered."""

    async def close(self) -> None:
        """End watching."""


def source(news: News) -> Source:
    """Return the best source for this system."""
    return Inotify(news) if sys.platform == "linux" else Portable(news)


_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x002, 0x004, 0x008
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x040, 0x080, 0x100, 0x200
_OVERFLOW, _ONLYDIR = 0x4000, 0x01000000
_MASK = _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLYDIR
_HEAD = struct.Struct("iIII")

# A program that writes a log into the folder must not keep us busy: so many wakeups for nothing at once, so many a
# second.
_BURST, _RATE = 50, 25


class Inotify:
    """News from the Linux kernel."""

    exact = True

    def __init__(self, news: News) -> None:
        self._news = news
        self._loop = asyncio.get_running_loop()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._call(self._libc.inotify_init1, os.O_NONBLOCK | os.O_CLOEXEC)
        self._watches: dict[Path, int] = {}
        self._credit, self._refilled = float(_BURST), self._loop.time()
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._descriptor, self._ready)

    def watch(self, folders: set[Path]) -> None:
        """See `Source`."""
        watches = {}
        for folder in folders:
            try:
                # For a folder that is watched already this returns the number that it has.
                watches[folder] = self._call(self._libc.inotify_add_watch, self._descriptor, os.fsencode(folder), _MASK)
            except OSError as error:
                # Without a watch (ENOSPC: the user has too many) whoever looks now and then still finds changes.
                if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENOSPC):
                    raise
        for stale in set(self._watches.values()) - set(watches.values()):
            # The kernel has dropped the watch itself if the folder was removed.
            self._libc.inotify_rm_watch(self._descriptor, stale)
        self._watches = watches

    def poll(self) -> bool:
        """See `Source`."""
        news = [
            (folder, name, sort)
            for number, name, sort in self._read()
            for folder, watch in self._watches.items()
            if number in (watch, -1)
        ]
        return bool(news) and self._news(news)

    async def close(self) -> None:
        """See `Source`."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _call(self, function: Callable[..., int], *args: object) -> int:
        result = function(*args)
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result

    def _ready(self) -> None:
        if self.poll():
            return
        now = self._loop.time()
        self._credit = min(_BURST, self._credit + (now - self._refilled) * _RATE) - 1
        self._refilled = now
        if self._credit < 0:
            self._loop.remove_reader(self._descriptor)
            self._pause = self._loop.call_later(1 / _RATE, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._descriptor, self._ready)

    def _read(self) -> Iterator[tuple[int, str | None, Sort]]:
        while True:
            try:
                data = os.read(self._descriptor, 1 << 16)
            except BlockingIOError:
                return
            offset = 0
            while offset < len(data):
                number, mask, _, length = _HEAD.unpack_from(data, offset)
                start = offset + _HEAD.size
                offset = start + length
                name = os.fsdecode(data[start:offset].rstrip(b"\0")) or None
                if mask & _OVERFLOW or name is not None:
                    yield number, name, _sort(mask)


def _sort(mask: int) -> Sort:
    if mask & _MOVED_TO:
        return Sort.RENAMED_IN
    return Sort.TOUCHED if mask & _ATTRIB else Sort.CHANGED


class Portable:
    """News from watchfiles; it can't tell a file that was renamed into place from one that was written."""

    exact = False

    def __init__(self, news: News) -> None:
        self._news = news
        self._folders: dict[Path, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    def watch(self, folders: set[Path]) -> None:
        """See `Source`."""
        # A folder that was removed and made again has another inode, and a watch on the old one is deaf.
        there = {folder: folder.stat().st_ino for folder in folders if folder.is_dir()}
        if there == self._folders and not (self._task is not None and self._task.done()):
            return
        self._folders = there
        self._stop.set()
        self._stop = asyncio.Event()
        previous = self._task
        self._task = asyncio.create_task(self._run(sorted(there), self._stop, previous)) if there else None

    def poll(self) -> bool:
        """See `Source`: watchfiles has delivered all that it knows."""
        return False

    async def close(self) -> None:
        """See `Source`."""
        self._stop.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self, folders: list[Path], stop: asyncio.Event, previous: asyncio.Task[None] | None) -> None:
        from watchfiles import awatch

        if previous is not None:
            await asyncio.wait([previous])
        if stop.is_set():
            return
        news = awatch(*folders, watch_filter=None, step=5, debounce=50, recursive=False, stop_event=stop)
        try:
            async for _ in news:
                self._news([(folder, None, Sort.CHANGED) for folder in folders])
        except FileNotFoundError:
            # Removed meanwhile: the next call of `watch` sees that this task is done, and tries again.
            return
