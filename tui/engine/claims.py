"""What keeps a config file to one engine, by whatever way another one comes to it.

A lock is a file of ours. One on the config itself would hold up every program that locks it to write it, and go away
with the file that a save replaces. So there are several, each of which meets some of the ways:

| where | named by | meets |
| --- | --- | --- |
| the folder of the sockets | the folder of the config, and its name in it | who deletes `.tunedeck`; a missing config |
| the same | the folder and the name of the file that a link leads to | symbolic links |
| the same | the device and inode of the file | hard links, and a mount of the file alone |
| `.tunedeck` beside the file that a link leads to | its name | containers and users with other sockets |

The one in the `.tunedeck` of the config as given is that of its history: see `folders`. A save may replace
the file, and a link may come to lead elsewhere: then the locks `follow`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tui.engine import locks, paths
from tui.engine.locks import Lock
from tui.engine.paths import PlaceError

# One that is only pointed to is not open: it is in nobody's way.
_POINT = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)


class _Spot(NamedTuple):
    """Where a lock lies, and its name there."""

    folder: Path
    name: str


class Claim:
    """All locks of a config but the one that lies with its history.

    Args:
        config: The config file as given.
        owner: Who takes it, for the message that the next one gets.
        presence: The owner's, empty if it has none.

    Raises:
        PlaceError: Another engine has the file.
    """

    def __init__(self, config: Path, owner: str, presence: str = "") -> None:
        self._config = config
        self._owner = owner
        self._presence = presence
        self.locks: dict[str, Lock] = {}  # by what each is for
        self.pin: int | None = None
        try:
            self.follow()
        except PlaceError:
            self.release()
            raise

    @property
    def left(self) -> int:
        """The number that the last holder has left."""
        return max((lock.left for lock in self.locks.values()), default=0)

    def note(self, number: int) -> None:
        """Leave a number for the next holder of the config as it is named."""
        if "name" in self.locks:
            self.locks["name"].note(number)

    def follow(self) -> None:
        """Have the locks of the file that is there now, and have others find them; give up those of another one.

        Raises:
            PlaceError: Another engine has it. What could be taken is held.
        """
        pin = _pinned(self._config)
        spots = dict(_spots(self._config, pin))
        problem: PlaceError | None = None
        for use, spot in spots.items():
            try:
                self._hold(use, spot)
            except PlaceError as error:
                problem = problem or error
            except OSError:
                pass  # there is no place for this one; the others hold
        for use in self.locks.keys() - spots.keys():
            self.locks.pop(use).release()
        # As long as an inode is pinned, no other file is given its number: it goes last.
        self.pin, former = pin, self.pin
        if former is not None:
            os.close(former)
        if problem is not None:
            raise problem

    def _hold(self, use: str, spot: _Spot) -> None:
        before = self.locks.get(use)
        if before is not None and before.path == spot.folder / spot.name and before.intact:
            return
        if use == "target beside":
            paths.make_folder(spot.folder)
        lock = Lock(spot.folder, self._config, self._owner, self._presence, name=spot.name)
        self.locks[use] = lock
        if before is not None:
            lock.note(before.kept)
            before.release()

    def release(self) -> None:
        """Give the locks back."""
        for lock in self.locks.values():
            lock.release()
        self.locks = {}
        if self.pin is not None:
            os.close(self.pin)
        self.pin = None


def holder(config: Path) -> str | None:
    """Return who holds a config, None where nobody does."""
    pin = _pinned(config)
    try:
        spots = [spot for _, spot in _spots(config, pin)]
    finally:
        if pin is not None:
            os.close(pin)
    beside = config.parent / ".tunedeck"
    spots.append(_Spot(beside, locks.lock_name(beside, config)))
    return next(filter(None, (locks.holder_of(spot.folder / spot.name) for spot in spots)), None)


def _pinned(config: Path) -> int | None:
    try:
        return os.open(config, _POINT | os.O_CLOEXEC)
    except OSError:
        return None


def _spots(config: Path, pin: int | None) -> Iterator[tuple[str, _Spot]]:
    """Yield what each lock of a config is for, and where it lies now; all engines take them in this order."""
    target = Path(os.path.realpath(config))
    here = paths.place_of(config)
    with contextlib.suppress(PlaceError):
        sockets = paths.sockets_folder()
        yield "name", _Spot(sockets, locks.lock_name(sockets, config))
        if paths.place_of(target) != here:
            yield "target", _Spot(sockets, locks.lock_name(sockets, target))
        if pin is not None:
            found = os.fstat(pin)
            yield "file", _Spot(sockets, f"file-{found.st_dev:x}-{found.st_ino:x}.lock")
    if paths.place_of(target) != here:
        beside = target.parent / ".tunedeck"
        yield "target beside", _Spot(beside, locks.lock_name(beside, target))
