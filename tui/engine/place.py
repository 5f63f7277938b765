"""Where engines meet: the folder of sockets, and the lock that keeps a config to one engine."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

#: So often a lock is asked for: who sweeps holds it for a moment.
_ATTEMPTS = 3

#: Seconds that the shims of a killed engine may take to end its jobs; they take two at most.
_REST = 5.0

#: The file of a lock holds a number of so many digits, and then its holder.
_DIGITS = 20


class PlaceError(Exception):
    """A lock or a socket can't be had; the message says who has it and what to do."""


def absolute(path: str) -> Path:
    """Return an absolute path with its links as given: where a link leads may change while a job runs."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve follows the links, Path.absolute keeps ``..``


def who() -> str:
    """Return the user and the host, such as ``ada@lab``."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container a user may have a number only
        user = str(os.getuid())
    return f"{user}@{os.uname().nodename}"


def sockets_folder() -> Path:
    """Return the folder of all sockets of this user, made if it is missing.

    It is not the login's runtime directory, which goes away at logout while engines stay.

    Raises:
        PlaceError: Somebody else made it.
    """
    folder = Path(f"/tmp/tunedeck-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise PlaceError(f"{folder} can't be made: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PlaceError(f"{folder} belongs to somebody else; it must be a folder of yours")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def socket_of(path: str) -> Path:
    """Return the socket of the deck with this absolute path, its config's where it has no deck file."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", Path(path).stem)[:32]
    return sockets_folder() / f"{name}-{hashlib.blake2b(os.fsencode(path), digest_size=6).hexdigest()}.sock"


def log_of(socket: Path) -> Path:
    """Return where the engine behind this socket writes what goes wrong in itself."""
    return socket.with_suffix(".log")


def all_sockets() -> Iterator[Path]:
    """Yield every socket of this user's engines, living or left behind."""
    yield from sorted(sockets_folder().glob("*.sock"))


def sweep() -> None:
    """Remove the locks of killed engines in the folder of the sockets; those that keep a number stay."""
    for path in sockets_folder().glob("*.lock"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _read(descriptor)[0] and os.path.samestat(os.fstat(descriptor), path.stat()):
                    path.unlink()
            finally:
                os.close(descriptor)


def holder(config: Path) -> str | None:
    """Return who holds a config, None where nobody does; the lock in the folder of the sockets tells."""
    try:
        descriptor = os.open(_lock_of(sockets_folder(), config), os.O_RDWR | os.O_CLOEXEC)
    except (OSError, PlaceError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor)[1] or "another engine"
    finally:
        os.close(descriptor)
    return None


def _lock_of(folder: Path, config: Path) -> Path:
    # The same file under another spelling of its folder has the same lock.
    name = hashlib.blake2b(os.fsencode(config.parent.resolve() / config.name), digest_size=6).hexdigest()
    return folder / f"{config.name[:64]}-{name}.lock"


class Presence:
    """What an engine and all its shims hold: the next engine with one of its configs sees when nothing of it is left.

    Raises:
        PlaceError: It can't be made.
    """

    def __init__(self) -> None:
        self._path = _presence_of(os.getpid())
        try:
            self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise PlaceError(f"{self._path} can't be locked: {error.strerror}") from error

    def release(self) -> None:
        """The engine has ended in order, and its jobs with it."""
        self._path.unlink(missing_ok=True)
        os.close(self.descriptor)


def _presence_of(pid: int) -> Path:
    return sockets_folder() / f"engine-{pid}.lock"


def _await_end(former: str) -> None:
    """Wait until nothing is left of the jobs of the engine that had a lock, should it have been killed just now."""
    found = re.search(r"\(process (\d+)\)", former)
    if found is None or int(found[1]) == os.getpid():
        return
    try:
        descriptor = os.open(_presence_of(int(found[1])), os.O_RDWR | os.O_CLOEXEC)
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
    can be written even when the disk is full.

    Args:
        folder: Where the lock lies.
        config: The config file as given.
        owner: Who takes it, for the message that the next one gets.

    Attributes:
        left: The number that the last holder has left, 0 for none.

    Raises:
        PlaceError: Another engine has it.
    """

    def __init__(self, folder: Path, config: Path, owner: str) -> None:
        self._path = _lock_of(folder, config)
        self._take(config)
        self._number, former = _read(self._descriptor)
        self.left = self._number
        _await_end(former)
        line = b"%0*d %s\n" % (_DIGITS, self.left, owner.encode())
        with contextlib.suppress(OSError):  # a full disk: it is held all the same
            os.pwrite(self._descriptor, line, 0)
            os.ftruncate(self._descriptor, len(line))

    @property
    def intact(self) -> bool:
        """Others find the lock; else its file has been deleted."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False

    def note(self, number: int) -> None:
        """Leave a number for the next holder, 0 for none; never a smaller one than was found."""
        number = max(number, self.left)
        if number != self._number:
            with contextlib.suppress(OSError):
                os.pwrite(self._descriptor, b"%0*d" % (_DIGITS, number), 0)
                self._number = number

    @property
    def kept(self) -> int:
        """The number that the next holder will find."""
        return self._number

    def release(self) -> None:
        """Give the lock back; its file goes away, unless it has something to keep."""
        if not self._number and self.intact:
            with contextlib.suppress(OSError):
                self._path.unlink()
        os.close(self._descriptor)

    def _take(self, config: Path) -> None:
        attempts = 0
        while True:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _read(self._descriptor)[1] or "another engine"
                os.close(self._descriptor)
                attempts += 1
                if attempts < _ATTEMPTS:
                    time.sleep(0.01)
                    continue
                raise PlaceError(f"{config} is in use by {holder}; `tunedeck ls` shows it") from None
            if self.intact:
                return
            os.close(self._descriptor)  # the last holder has removed it meanwhile


def _read(descriptor: int) -> tuple[int, str]:
    """Return the number in a lock and who holds it."""
    number, _, holder = os.pread(descriptor, 1 << 12, 0).decode("utf-8", "replace").strip().partition(" ")
    return (int(number), holder) if number.isdecimal() else (0, "")
