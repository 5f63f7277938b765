"""The lock that keeps a config to one engine, and what shows that nothing of an engine is left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import time
from pathlib import Path
from typing import NamedTuple

from tui.engine.paths import PlaceError, digest, place_of, sockets_folder, user

#: So often a lock is asked for: who sweeps holds it for a moment.
_ATTEMPTS = 3

#: Seconds that the shims of a killed engine may take to end its jobs; they take two at most.
_REST = 5.0

#: A name of so many bytes has no room for what makes it that of a lock.
_LONGEST = 230

#: The file of a lock holds a number of so many digits, and then its holder.
_DIGITS = 20


def sweep() -> None:
    """Remove what killed engines have left in the folder of the sockets; locks that keep a number stay."""
    for path in sockets_folder().glob("engine-*.join"):
        if holder_of(path.with_name(path.stem.rpartition("-")[0] + ".lock")) is None:
            path.unlink(missing_ok=True)
    for path in sockets_folder().glob("*.lock"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _read(descriptor).number and os.path.samestat(os.fstat(descriptor), path.stat()):
                    path.unlink()
            finally:
                os.close(descriptor)


def holder_of(lock: Path) -> str | None:
    """Return who holds a lock, None where nobody does or that can't be seen."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor).holder or "another engine"
    finally:
        os.close(descriptor)
    return None


class Presence:
    """What an engine and all its shims hold: the next engine with one of its configs sees when nothing of it is left.

    Attributes:
        name: Of its file. A process id is none: two engines of two containers may have the same.
        joins: How the sockets begin to which processes come that join.

    Raises:
        PlaceError: It can't be made.
    """

    def __init__(self) -> None:
        self.name = f"engine-{os.getpid()}-{secrets.token_hex(6)}.lock"
        self._path = sockets_folder() / self.name
        self.joins = self._path.with_suffix("")
        try:
            self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise PlaceError(f"{self._path} can't be locked: {error.strerror}") from error

    def release(self) -> None:
        """The engine has ended in order, and its jobs with it."""
        self._path.unlink(missing_ok=True)
        os.close(self.descriptor)


def _await_end(presence: str) -> None:
    """Wait until nothing is left of the jobs of the engine that had a lock, should it have been killed just now."""
    if not re.fullmatch(r"engine-[\w-]+\.lock", presence):
        return
    try:
        descriptor = os.open(sockets_folder() / presence, os.O_RDWR | os.O_CLOEXEC)
    except (OSError, PlaceError):
        return
    deadline = time.monotonic() + _REST
    try:
        while time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(0.01)
    finally:
        os.close(descriptor)


class Lock:
    """The lock of a config, held until it is released or this process ends.

    Its file says who holds it. It also keeps a number for the next holder, in room that it has from the beginning: it
    can be written even when the disk is full. Everybody may read it: who can't take it sees at least if it is held.

    Args:
        folder: Where the lock lies.
        config: The config file as given.
        owner: Who takes it, for the message that the next one gets.
        presence: The owner's, empty if it has none.
        name: Of the lock's file; else the one by which all engines know the lock of this config in that folder.

    Attributes:
        path: Its file.
        left: The number that the last holder has left, 0 for none.

    Raises:
        PlaceError: Another engine has it, or may have it.
    """

    def __init__(self, folder: Path, config: Path, owner: str, presence: str = "", *, name: str = "") -> None:
        self.path = folder / (name or lock_name(folder, config))
        self._inherited = 0
        self._take(config)
        former = _read(self.descriptor)
        # The numbers of devices and inodes are given again: elsewhere the lock may have been that of another file.
        ours = folder.parent == config.parent or former.config == str(config)
        self._number = self.left = max(former.number if ours else 0, self._inherited)
        if former.presence != presence:
            _await_end(former.presence)
        content = _Content(self.left, owner, presence, str(config)).encode()
        with contextlib.suppress(OSError):  # a full disk: it is held all the same
            os.pwrite(self.descriptor, content, 0)
            os.ftruncate(self.descriptor, len(content))

    @property
    def intact(self) -> bool:
        """Others find the lock; else its file has been deleted."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), self.path.stat())
        except OSError:
            return False

    def note(self, number: int) -> None:
        """Leave a number for the next holder, 0 for none; never a smaller one than was found."""
        number = max(number, self.left)
        if number != self._number:
            with contextlib.suppress(OSError):
                os.pwrite(self.descriptor, b"%0*d" % (_DIGITS, number), 0)
                self._number = number

    @property
    def kept(self) -> int:
        """The number that the next holder will find."""
        return self._number

    def release(self) -> None:
        """Give the lock back; its file goes away, unless it has something to keep."""
        if not self._number and self.intact:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self.descriptor)

    def _take(self, config: Path) -> None:
        attempts = 0
        while True:
            try:
                self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except PermissionError:
                self._clear(config)
                continue
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _read(self.descriptor).holder or "another engine"
                os.close(self.descriptor)
                attempts += 1
                if attempts < _ATTEMPTS:
                    time.sleep(0.01)
                    continue
                raise PlaceError(f"{config} is in use by {holder}; `tunedeck ls` shows it") from None
            if self.intact:
                return
            os.close(self.descriptor)  # the last holder has removed it meanwhile

    def _clear(self, config: Path) -> None:
        """Remove the lock of another user that nobody holds; what it keeps for the next holder is ours.

        Raises:
            PlaceError: Somebody holds it, or it can't be seen, or not be removed.
            OSError: There is none, only a folder in which we can't make one.
        """
        whose = user(self.path.stat().st_uid)
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._inherited = _read(descriptor).number
                self.path.unlink()
            except BlockingIOError:
                holder = _read(descriptor).holder or "another engine"
                message = f"{config} is in use by {holder} of the user {whose}, whose `tunedeck ls` shows it"
                raise PlaceError(message) from None
            finally:
                os.close(descriptor)
        except PermissionError:
            way = f"if {whose} runs no deck with it (sudo -u {whose} tunedeck ls), remove it: sudo rm {self.path}"
            raise PlaceError(f"{config} is locked by {self.path}, which belongs to {whose}; {way}") from None


def lock_name(folder: Path, config: Path) -> str:
    """Return the name of a config's lock in a folder.

    Beside the config its name is enough, and is the same for all who come to that folder, even from containers.
    """
    name = config.name if len(os.fsencode(config.name)) < _LONGEST else digest(os.fsencode(config.name))
    with contextlib.suppress(OSError):
        if folder.parent.samefile(config.parent):
            return f"{name}.lock"
    return f"{name}-{place_of(config)}.lock"


class _Content(NamedTuple):
    """What is in the file of a lock."""

    number: int = 0
    holder: str = ""
    presence: str = ""
    config: str = ""

    def encode(self) -> bytes:
        """Return what is written to the file."""
        lines = (f"{self.number:0{_DIGITS}d} {self.holder}", self.presence, self.config)
        return os.fsencode("".join(line.replace("\n", " ") + "\n" for line in lines))


def _read(descriptor: int) -> _Content:
    first, *rest = os.fsdecode(os.pread(descriptor, 1 << 14, 0)).split("\n")
    number, _, holder = first.partition(" ")
    return _Content(int(number), holder.strip(), *rest[:2]) if number.isdecimal() else _Content()
