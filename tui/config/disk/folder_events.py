"""News of names in folders: what was written, made, renamed or removed under them.

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
from collections.abc import Callable, Iterator, Mapping, Set
from enum import Enum
from pathlib import Path
from typing import Generic, Protocol, TypeVar


class Sort(Enum):
    """What happened to a name in a folder."""

    RENAMED_IN = "renamed in"
    TOUCHED = "touched"
    CHANGED = "changed"


#: A folder and a name in it.
Step = tuple[Path, str]

#: A folder, a name in it (None: any of them), and what happened to it.
Item = tuple[Path, "str | None", Sort]

#: Called with the news since the last call, oldest first.
News = Callable[[list[Item]], None]


class Source(Protocol):
    """Where news of names come from; an `exact` one tells names, and renaming from writing."""

    exact: bool

    def watch(self, files: Mapping[Path, frozenset[Step]]) -> None:
        """Watch these names for each file, in place of those before, as they are now; what is missing is awaited."""

    def poll(self) -> bool:
        """Deliver at once what is known already; return whether there was any."""

    async def close(self) -> None:
        """End watching."""


def source(news: News) -> Source:
    """Return the best source for this system."""
    if sys.platform != "linux":
        return Portable(news)
    try:
        return Inotify(news)
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENOSYS):
            raise
        return Portable(news, polling=True)  # the user's other programs have taken all that one user may have


_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x002, 0x004, 0x008
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE, _MOVE_SELF = 0x040, 0x080, 0x100, 0x200, 0x800
_OVERFLOW, _IGNORED, _ONLYDIR, _DONT_FOLLOW = 0x4000, 0x8000, 0x01000000, 0x02000000
_OF_FILE = _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVE_SELF | _DONT_FOLLOW
_OF_FOLDER = _ATTRIB | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLYDIR
_HEAD = struct.Struct("iIII")

#: Seconds between two looks into a folder in which something is missing while others make files in it.
PAUSE = 0.01


class Inotify:
    """News from the Linux kernel.

    Only the files and links themselves wake us. One that is replaced, moved or removed hears of it, after its folder
    did; what the folder has told besides, of all the other names in it, waits until somebody looks. So a program
    that fills the folder with files costs next to nothing. Where something is missing there is nothing to hear of
    it, and the folder wakes us.
    """

    exact = True

    def __init__(self, news: News) -> None:
        self._news = news
        self._loop = asyncio.get_running_loop()
        self._files: Watches[Step] = Watches(_OF_FILE)
        self._folders: Watches[Path] = Watches(_OF_FOLDER)
        self._steps: dict[Path, frozenset[Step]] = {}
        self._wanted: frozenset[Step] = frozenset()
        self._missing: set[Step] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._files.descriptor, self.poll)

    def watch(self, files: Mapping[Path, frozenset[Step]]) -> None:
        """See `Source`."""
        self._steps.update(files)
        self._wanted = frozenset().union(*self._steps.values())
        here = frozenset().union(*files.values())
        for folder in {folder for folder, _ in here}:
            self._folders.add(folder, folder)
        self._missing = (self._missing - here) & self._wanted
        self._missing.update([step for step in here if not self._files.add(step, step[0] / step[1])])
        self._files.keep(self._wanted)
        self._folders.keep({folder for folder, _ in self._wanted})
        self._attend()

    def poll(self) -> bool:
        """See `Source`."""
        own = [(step, number, mask) for step, number, _, mask in self._files.read() if step in self._wanted]
        told: list[Item] = [
            (folder, name, _sort(mask))
            for folder, _, name, mask in self._folders.read()
            if (folder, name) in self._wanted
        ]
        # What was written into a file that has been replaced is past. What is there was written to after it had come.
        for step in {step for step, *_ in own}:
            self._files.add(step, step[0] / step[1])
        told += [(*step, _sort(mask if self._files.is_at(step, number) else _ATTRIB)) for step, number, mask in own]
        if told:
            self._news(told)
        return bool(told)

    async def close(self) -> None:
        """See `Source`."""
        if self._pause is not None:
            self._pause.cancel()
        for watches in (self._files, self._folders):
            self._loop.remove_reader(watches.descriptor)
            os.close(watches.descriptor)

    def _attend(self) -> None:
        """Be woken by the folders if something is missing in them."""
        if self._missing and self._pause is None:
            self._loop.add_reader(self._folders.descriptor, self._search)
        else:
            self._loop.remove_reader(self._folders.descriptor)

    def _search(self) -> None:
        if not self.poll():
            self._pause = self._loop.call_later(PAUSE, self._resume)
            self._attend()

    def _resume(self) -> None:
        self._pause = None
        self._attend()


K = TypeVar("K")


class Watches(Generic[K]):
    """One instance of inotify, and what each of its watches stands for.

    Args:
        mask: What it is to tell of.
    """

    def __init__(self, mask: int) -> None:
        self._mask = mask
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._call(self._libc.inotify_init1, os.O_NONBLOCK | os.O_CLOEXEC)
        self._numbers: dict[K, int] = {}
        self._keys: dict[int, set[K]] = {}  # also of watches that have ended, until the last of their news is read

    def add(self, key: K, path: Path) -> bool:
        """Watch for `key` what is at `path` now; return False if that can't be."""
        before = self._numbers.pop(key, None)
        try:
            # For what is watched already this returns the number that it has.
            number = self._call(self._libc.inotify_add_watch, self.descriptor, os.fsencode(path), self._mask)
        except OSError as error:
            # Without a watch (ENOSPC: the user has too many) whoever looks now and then still finds changes.
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENOSPC):
                raise
        else:
            self._numbers[key] = number
            self._keys.setdefault(number, set()).add(key)
        if before is not None:
            self._end(before)
        return key in self._numbers

    def keep(self, wanted: Set[K]) -> None:
        """End the watches of all other keys."""
        for key in self._numbers.keys() - wanted:
            self._end(self._numbers.pop(key))

    def is_at(self, key: K, number: int) -> bool:
        """Return whether the watch of this number is the one for `key`."""
        return self._numbers.get(key) == number

    def read(self) -> Iterator[tuple[K, int, str, int]]:
        """Yield of each of the news the key, the watch, the name in its folder and the mask.

        Where too many have come to be kept, that is told of every key.
        """
        for number, mask, name in self._read():
            if mask & _OVERFLOW:
                yield from ((key, here, "", mask) for key, here in list(self._numbers.items()))
            elif mask & _IGNORED:
                self._keys.pop(number, None)
            else:
                yield from ((key, number, name, mask) for key in self._keys.get(number, ()))

    def _end(self, number: int) -> None:
        if number not in self._numbers.values():
            # The kernel has ended the watch itself if what it watched was removed.
            self._libc.inotify_rm_watch(self.descriptor, number)

    def _call(self, function: Callable[..., int], *args: object) -> int:
        result = function(*args)
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result

    def _read(self) -> Iterator[tuple[int, int, str]]:
        while True:
            try:
                data = os.read(self.descriptor, 1 << 16)
            except BlockingIOError:
                return
            offset = 0
            while offset < len(data):
                number, mask, _, length = _HEAD.unpack_from(data, offset)
                start = offset + _HEAD.size
                offset = start + length
                yield number, mask, os.fsdecode(data[start:offset].rstrip(b"\0"))


def _sort(mask: int) -> Sort:
    if mask & _MOVED_TO:
        return Sort.RENAMED_IN
    # What is moved away or removed is told apart by what is there afterwards.
    return Sort.CHANGED if mask & (_MODIFY | _CLOSE_WRITE | _CREATE | _OVERFLOW) else Sort.TOUCHED


class Portable:
    """News from watchfiles; it can't tell a file that was renamed into place from one that was written."""

    exact = False

    def __init__(self, news: News, *, polling: bool | None = None) -> None:
        self._news = news
        self._polling = polling  # None: as watchfiles thinks best
        self._steps: dict[Path, frozenset[Step]] = {}
        self._folders: dict[Path, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    def watch(self, files: Mapping[Path, frozenset[Step]]) -> None:
        """See `Source`."""
        self._steps.update(files)
        folders = {folder for steps in self._steps.values() for folder, _ in steps}
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
        news = awatch(
            *folders,
            watch_filter=None,
            step=5,
            debounce=50,
            recursive=False,
            stop_event=stop,
            force_polling=self._polling,
            poll_delay_ms=100,
        )
        try:
            async for _ in news:
                self._news([(folder, None, Sort.CHANGED) for folder in folders])
        except FileNotFoundError:
            # Removed meanwhile: the next call of `watch` sees that this task is done, and tries again.
            return
