"""Where engines meet: the folder of sockets, and the lock that keeps a config to one engine."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO


class PlaceError(Exception):
    """A lock or a socket can't be had; the message says who has it and what to do."""


def absolute(path: str) -> Path:
    """Return an absolute path with its links as given: where a link leads may change while a job runs."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve follows the links, Path.absolute keeps ``..``


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


def all_sockets() -> Iterator[Path]:
    """Yield every socket of this user's engines, living or left behind."""
    yield from sorted(sockets_folder().glob("*.sock"))


def lock(folder: Path, config: Path, owner: str) -> IO[str]:
    """Take the lock of `config`, held until the returned file is closed or this process ends.

    Args:
        folder: The folder that keeps the history of the config.
        config: The config file as given.
        owner: Who takes it, for the message that the next one gets.

    Raises:
        PlaceError: Another engine has it.
    """
    # The same file under another spelling of its folder has the same lock.
    name = hashlib.blake2b(os.fsencode(config.parent.resolve() / config.name), digest_size=6).hexdigest()
    file = (folder / f"{config.name}-{name}.lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "another engine"
        file.close()
        raise PlaceError(f"{config} is in use by {holder}; `tunedeck ls` shows it") from None
    file.truncate(0)
    file.write(owner)
    file.flush()
    return file
