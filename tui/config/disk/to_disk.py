"""Bytes on their way to the disk: all of them, and until they are there."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems have no such call: there is nothing to wait for.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        close(descriptor)


def write_all(descriptor: int, raw: bytes) -> None:
    """Write all of it, however many calls that takes."""
    view = memoryview(raw)
    while view:
        view = view[os.write(descriptor, view) :]


@contextlib.contextmanager
def kept(copy: Path, raw: bytes) -> Iterator[None]:
    """Keep a copy of what is being overwritten: it stays where that fails, or we are killed meanwhile."""
    descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, raw)
        os.fsync(descriptor)
    finally:
        close(descriptor)
    yield
    copy.unlink()


def overwrite(descriptor: int, raw: bytes) -> None:
    """Have a file hold this and nothing else, and wait until it is on the disk."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    write_all(descriptor, raw)
    os.ftruncate(descriptor, len(raw))
    os.fsync(descriptor)


def close(descriptor: int) -> None:
    """Close a file that was only read, or whose data is on disk already: an error now says nothing of it."""
    with contextlib.suppress(OSError):
        os.close(descriptor)
