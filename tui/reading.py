"""The one way to read what somebody else has made: nothing but a regular file, of a size, and without waiting."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

#: No config is this large, nor any other file that is read as a whole; a larger one was named by mistake.
LIMIT = 16 * 1024 * 1024


class Unfit(OSError):  # noqa: N818 - as those of the system are named
    """A file is none that is read; `strerror` says why, for behind its name."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(errno.EINVAL, why, str(path))


def read(path: Path, limit: int = LIMIT) -> tuple[bytes, os.stat_result, bool]:
    """Return what is in a file, what it looks like, and whether it did so all the while.

    Raises:
        OSError: It is missing, can't be read, or is `Unfit`.
    """
    try:
        _require(path, path.stat(), limit)
        # Not blocking, should a pipe have taken the file's place meanwhile.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError as error:
        raise Unfit(path, f"is no path: {error}") from error
    try:
        before = os.fstat(descriptor)
        _require(path, before, limit)
        raw = b"".join(_pieces(path, descriptor, limit))
        after = os.fstat(descriptor)
    finally:
        with contextlib.suppress(OSError):  # it was only read: an error now says nothing of what it holds
            os.close(descriptor)
    return raw, after, _look(before) == _look(after) and len(raw) == after.st_size


def _look(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _require(path: Path, status: os.stat_result, limit: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise Unfit(path, "is a directory: name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise Unfit(path, "is not a regular file: a pipe, a socket or a device is not read")
    if status.st_size > limit:
        raise _too_large(path, limit)


def _too_large(path: Path, limit: int) -> Unfit:
    size = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit >> 10} KiB"
    return Unfit(path, f"is larger than {size}: is it the right file?")


def _pieces(path: Path, descriptor: int, limit: int) -> Iterator[bytes]:
    total = 0
    while piece := os.read(descriptor, 1 << 20):
        total += len(piece)
        if total > limit:
            raise _too_large(path, limit)
        yield piece


def permission(path: Path, right: str) -> str:
    """Return how somebody comes to a right on a file that is not theirs: ``r`` or ``w``."""
    try:
        if os.geteuid() in (0, path.stat().st_uid):
            return f"give yourself the permission (chmod u+{right})"
        return f"it belongs to {path.owner()}, who can give you the permission"
    except KeyError:  # in a container a user may have a number only
        return f"it belongs to the user {path.stat().st_uid}, who can give you the permission"
    except OSError:
        return "a folder above it is closed to you"
