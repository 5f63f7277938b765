"""Where engines meet: the folder of their sockets, and the names in it."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from tui.protocol.messages import WHO

#: The environment variable that names the folder of the sockets.
_FOLDER = "TUNEDECK_RUNTIME_DIR"


class PlaceError(Exception):
    """A lock or a socket can't be had; the message says who has it and what to do."""


def absolute(path: str) -> Path:
    """Return an absolute path with its links as given: where a link leads may change while a job runs."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve follows the links, Path.absolute keeps ``..``


def who() -> str:
    """Return how the user wants to be named, else the user and the host, such as ``ada@lab``."""
    return os.environ.get(WHO) or f"{user(os.getuid())}@{os.uname().nodename}"


def user(number: int) -> str:
    """Return the name of a user."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # in a container a user may have a number only
        return str(number)


def sockets_folder() -> Path:
    """Return the folder of all sockets of this user, made if it is missing.

    It is not the login's runtime directory, which goes away at logout while engines stay.

    Raises:
        PlaceError: Somebody else made it.
    """
    given = os.environ.get(_FOLDER)
    folder = absolute(given) if given else Path(f"/tmp/tunedeck-{os.getuid()}")
    another = f"set {_FOLDER} to another folder"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise PlaceError(f"{folder} can't be made: {error.strerror}; {another}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PlaceError(f"{folder} belongs to {user(found.st_uid)}, it must be a folder of yours: {another}")
    if found.st_mode & 0o077:
        if given:  # it may be more than ours
            raise PlaceError(f"{folder} must be open to nobody but you: chmod 700, or {another}")
        folder.chmod(0o700)
    return folder


def socket_of(path: str) -> Path:
    """Return the socket of the deck with this absolute path, its config's where it has no deck file."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", Path(path).stem)[:32]
    return sockets_folder() / f"{name}-{place_of(Path(path))}.sock"


def place_of(path: Path) -> str:
    """Return a short name of a place for a file: the same through any way to its folder, links and mounts.

    A path is none: in two containers it may lead to two files.
    """
    try:
        folder = path.parent.stat()
        place = b"%d:%d/%s" % (folder.st_dev, folder.st_ino, os.fsencode(path.name))
    except OSError:
        place = os.fsencode(path)
    return digest(place)


def digest(name: bytes) -> str:
    """Return a short name for a long one."""
    return hashlib.blake2b(name, digest_size=6).hexdigest()


def log_of(socket: Path) -> Path:
    """Return where the engine behind this socket writes what goes wrong in itself."""
    return socket.with_suffix(".log")


def all_sockets() -> Iterator[Path]:
    """Yield every socket of this user's engines, living or left behind."""
    yield from sorted(sockets_folder().glob("*.sock"))


def make_folder(folder: Path) -> None:
    """Make the folder of a history, if it is missing."""
    folder.mkdir(mode=0o700, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists() or not ignore.stat().st_size:  # who was to write it may have been killed
        ignore.write_text("*\n")
