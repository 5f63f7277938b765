"""Tells when a config file has new content that is complete.

A file that was renamed into place is complete and is read at once. Any other write is read when it has been still
for `STILL` seconds, after `LATEST` seconds at the latest. `Settling` holds this rule and does no I/O; `Watcher`
feeds it from the disk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tui.config.disk import atomic, folder_events, store
from tui.config.disk.folder_events import Sort
from tui.config.disk.store import Content, Fingerprint, StoreError

STILL = 0.05
LATEST = 1.0

#: All files are looked at this often, in case that the system did not tell of a change.
SAFETY = 1.0

#: Called with the file, its content or why it can't be read, whether that had settled, and when it was first seen.
OnChange = Callable[[Path, "Content | StoreError", bool, float], None]


class Settling:
    """Decides when the content of one file may be read.

    Attributes:
        last: The fingerprint that was seen last, None for a missing file.
        since: When it was seen first.
        whole: Whether it was renamed into place.
    """

    def __init__(self) -> None:
        self.last: Fingerprint | None = None
        self.since = 0.0
        self.whole = False
        self._unread_since: float | None = None

    def see(self, now: float, found: Fingerprint | None, *, touched: bool = False, whole: bool = False) -> None:
        """Take an observation.

        Args:
            now: The time.
            found: What the file looks like.
            touched: Something was done to it, even if that does not show: clocks may be coarse.
            whole: It was renamed into place.
        """
        if found == self.last and not touched:
            return
        if self._unread_since is None:
            self._unread_since = now
        self.last, self.since = found, now
        self.whole = whole and found is not None and found.size > 0

    def verdict(self, now: float) -> bool | None:
        """Return whether the content may be read: True, False for read but not settled, None for not yet."""
        if self._unread_since is None:
            return None
        if self.whole or now >= self.since + STILL:
            return True
        return False if self._plausible() and now >= self._unread_since + LATEST else None

    def wake(self) -> float | None:
        """Return when to ask for the next verdict, None if there is nothing to wait for."""
        if self._unread_since is None:
            return None
        still = self.since + STILL
        return min(still, self._unread_since + LATEST) if self._plausible() else still

    def read(self, now: float, settled: bool) -> None:
        """The content was read; what had not settled is asked for again when it has, or after `LATEST`."""
        self._unread_since = None if settled else now
        self.whole = False

    def doubt(self, now: float) -> None:
        """The content can't be trusted yet: ask again when it has been still for `STILL` from now."""
        self._unread_since = max(self._unread_since or now, now + STILL - LATEST)
        self.since, self.whole = now, False

    def _plausible(self) -> bool:
        return self.last is not None and self.last.size > 0


class _File:
    """What the watcher knows of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settling = Settling()
        self.trail = frozenset(trail(path))
        self.timer: asyncio.TimerHandle | None = None
        # News since the last look: of any sort, the last one a renaming, one that was not.
        self.touched = self.renamed = self.spoiled = False
        self.reported: str | None = None
        self.reported_settled = True


class Watcher:
    """Watches files and reports each new content once.

    Args:
        paths: The files, which may be missing.
        on_change: Called with what is new, in the event loop.
    """

    def __init__(self, paths: Iterable[Path], on_change: OnChange) -> None:
        self._files = {path: _File(path) for path in paths}
        self._on_change = on_change
        self._source: folder_events.Source | None = None
        self._safety: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin; what differs from the known content already is reported too."""
        self._source = folder_events.source(self._news)
        for file in self._files.values():
            file.touched = True
        self._sweep()

    async def close(self) -> None:
        """End; nothing is reported any more."""
        if self._source is None:
            return
        await self._source.close()
        self._source = None
        for handle in (self._safety, *(file.timer for file in self._files.values())):
            if handle is not None:
                handle.cancel()

    def add(self, path: Path, digest: str | None) -> None:
        """Watch one more file, whose content is known."""
        file = self._files[path] = _File(path)
        file.reported = digest
        if self._source is not None:
            self._follow([file])
            file.touched = True
            self._look(file)

    def drop(self, path: Path) -> None:
        """Watch a file no longer."""
        file = self._files.pop(path)
        if file.timer is not None:
            file.timer.cancel()
        if self._source is not None:
            self._source.watch({path: frozenset()})

    def known(self, path: Path, digest: str | None) -> None:
        """Take `digest` for reported: it was read at the start, or is about to be written by ourselves."""
        file = self._files[path]
        file.reported, file.reported_settled = digest, True

    def _sweep(self) -> None:
        """Look at all files, and watch what is in their places now."""
        assert self._source is not None
        # Whatever goes wrong with this look, there is another one.
        self._safety = asyncio.get_running_loop().call_later(SAFETY, self._sweep)
        self._source.poll()
        self._follow(list(self._files.values()))
        for file in self._files.values():
            self._look(file)

    def _follow(self, files: list[_File]) -> None:
        """Watch what decides what these files are."""
        assert self._source is not None
        while files:
            for file in files:
                file.trail = frozenset(trail(file.path))
            self._source.watch({file.path: file.trail for file in files})
            # A link may have been swapped before it was watched.
            files = [file for file in files if len(file.trail) > 1 and file.trail != frozenset(trail(file.path))]

    def _news(self, news: list[folder_events.Item]) -> None:
        vague = any(name is None for _, name, _ in news)
        told = [file for file in self._files.values() if any(item[:2] in file.trail for item in news)]
        files = list(self._files.values()) if vague else told
        self._follow(files)
        for file in files:
            file.touched |= file in told
            # Where a link now leads elsewhere, what becomes of its old target no longer matters.
            for *_, sort in (item for item in news if item[:2] in file.trail):
                if sort is not Sort.TOUCHED:
                    file.renamed = sort is Sort.RENAMED_IN
                    file.spoiled |= sort is Sort.CHANGED
            # Not at once: these may be news that came to light while a file was being read.
            asyncio.get_running_loop().call_soon(self._look, file)

    def _look(self, file: _File) -> None:
        if self._source is None or self._files.get(file.path) is not file:
            return
        now = time.monotonic()
        found = _fingerprint(file.path)
        whole = file.renamed if self._source.exact else _looks_renamed(file.settling.last, found)
        file.settling.see(now, found, touched=file.touched, whole=whole)
        file.touched = file.renamed = file.spoiled = False
        verdict = file.settling.verdict(now)
        if verdict is not None:
            self._read(file, verdict)
        if file.timer is not None:
            file.timer.cancel()
        file.timer = None
        wake = file.settling.wake()
        if wake is not None:
            file.timer = asyncio.get_running_loop().call_later(max(0.0, wake - now), self._look, file)

    def _read(self, file: _File, settled: bool) -> None:
        assert self._source is not None
        settling = file.settling
        seen, whole = settling.since, settling.whole
        if (whole or not settled) and atomic.being_written(file.path):
            settling.doubt(time.monotonic())
            return
        found: Content | StoreError
        try:
            found = store.read(file.path)
        except StoreError as error:
            found = error
        if whole:
            self._source.poll()
        now = time.monotonic()
        if isinstance(found, Content):
            sure = found.fingerprint is not None and found.fingerprint == settling.last
        else:
            sure = settled and _fingerprint(file.path) == settling.last
        if not sure or file.spoiled:
            settling.doubt(now)
            return
        settling.read(now, settled)
        name = found.digest if isinstance(found, Content) else str(found)
        if name == file.reported and (file.reported_settled or not settled):
            return
        file.reported, file.reported_settled = name, settled
        self._on_change(file.path, found, settled, seen)


def trail(path: Path) -> list[tuple[Path, str]]:
    """Return the folder and name of all that decides what `path` is: the links on its way, and the file itself."""
    steps: list[tuple[Path, str]] = []
    rest = list(path.absolute().parts[1:])
    here = Path("/")
    # As many links as the system follows itself.
    while rest and len(steps) < 40:
        name = rest.pop(0)
        if name == "..":
            here = here.parent
            continue
        try:
            target = (here / name).readlink()
        except OSError:
            if not rest:
                steps.append((here, name))
            here /= name
            continue
        steps.append((here, name))
        rest[:0] = target.parts[1:] if target.is_absolute() else target.parts
        here = Path("/") if target.is_absolute() else here
    return steps


def _fingerprint(path: Path) -> Fingerprint | None:
    try:
        return Fingerprint.of(path.stat())
    except OSError:
        return None


def _looks_renamed(last: Fingerprint | None, found: Fingerprint | None) -> bool:
    """Return whether another file has come whose name changed after its content.

    A program that makes a file and writes it leaves both times equal. They are equal too after a renaming within
    one tick of a coarse clock; such a file is only read later.
    """
    return found is not None and (last is None or found.inode != last.inode) and found.ctime > found.mtime
