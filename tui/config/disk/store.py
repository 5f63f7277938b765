"""Reading and writing config files without ever losing one."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tui import reading
from tui.config.disk import atomic, to_disk
from tui.config.document import ConfigError
from tui.protocol.messages import Clash, Problem

#: Who has the file open for writing gets so many seconds to finish.
WRITER_PATIENCE = 1.0

#: So often a change is made anew because somebody else was faster.
ATTEMPTS = 50

#: A temporary file that nobody has touched for so many seconds is left from a writer that was killed.
STALE = 60.0

_SOLID = {errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES, errno.EROFS}


class StoreError(ConfigError):
    """A config file can't be read or written; the message names the file and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(Problem(message))


class Missing(StoreError):  # noqa: N818
    """There is no such file."""


class Conflict(StoreError):  # noqa: N818
    """The file is not what the writer took it for; `current` is what it is, None if it is missing.

    `clashes` are the keys to which both have given a new value, where that is known.
    """

    def __init__(self, message: str, current: Content | None, clashes: tuple[Clash, ...] = ()) -> None:
        super().__init__(message)
        self.current = current
        self.clashes = clashes


class Irreplaceable(StoreError):  # noqa: N818
    """The file can't be replaced by a rename, but it may be possible to write it in place."""


class ReadOnly(StoreError):  # noqa: N818
    """The file is marked as read-only; who insists can write it all the same."""


class _Stranded(StoreError):  # noqa: N818
    """What somebody else has written is in the temporary file, which must stay."""


class Fingerprint(NamedTuple):
    """What tells one state of a file from another without reading it."""

    device: int
    inode: int
    size: int
    mtime: int
    ctime: int

    @classmethod
    def of(cls, status: os.stat_result) -> Fingerprint:
        """Return the fingerprint of a stat result."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(frozen=True)
class Content:
    """The bytes of a config file, and the digest that names them.

    `fingerprint` is that of the file that was read, None if it changed during the reading.
    """

    raw: bytes
    digest: str
    fingerprint: Fingerprint | None = None


class Placed(NamedTuple):
    """What is left to do when a new file stands in its place: see `settle_file`.

    Attributes:
        folder: The one that must reach the disk; None where the file was written in place.
        old: The file that was replaced, under another name; None where there is none.
    """

    folder: Path | None = None
    old: Path | None = None


def digest(raw: bytes) -> str:
    """Return the name of a content."""
    return hashlib.blake2b(raw, digest_size=12).hexdigest()


def read(path: Path) -> Content:
    """Return what is in a file, without waiting for anything.

    Raises:
        StoreError: It is missing, too large, no plain file, or can't be read.
    """
    try:
        raw, status, steady = reading.read(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    return Content(raw, digest(raw), Fingerprint.of(status) if steady else None)


def write(path: Path, raw: bytes, *, base: str | None, in_place: bool = False, force: bool = False) -> Content:
    """Do as `place_file`, and wait until that would outlive a power failure.

    Raises:
        StoreError: See `place_file` and `settle_file`.
    """
    settle_file(path, place_file(path, raw, base=base, in_place=in_place, force=force))
    return Content(raw, digest(raw))


def found(path: Path, *, create: bool) -> Content | None:
    """Return what is in a file, as `read` does; None where it is missing and may be."""
    try:
        return read(path)
    except Missing:
        if not create:
            raise
        return None


def attempts() -> Iterator[contextlib.AbstractContextManager[None]]:
    """Yield contexts to write in, one for each attempt: where somebody else was faster, the next one follows.

    Raises:
        Conflict: The last attempt has ended so.
    """
    for attempt in range(ATTEMPTS):
        yield contextlib.suppress(Conflict) if attempt < ATTEMPTS - 1 else contextlib.nullcontext()


def update(path: Path, change: Callable[[bytes], bytes], *, create: bool = False) -> bool:
    """Change what is in a file; return whether there was anything to change.

    Args:
        path: The file.
        change: Is given what is there, nothing where a missing file is to be made, and returns what shall be.
        create: A missing file is made.

    Raises:
        StoreError: See `read` and `write`; and what `change` raises.
    """
    for attempt in attempts():
        content = found(path, create=create)
        new = change(content.raw if content is not None else b"")
        if content is not None and new == content.raw:
            return False
        with attempt:
            write(path, new, base=content.digest if content is not None else None)
            return True
    raise AssertionError("the last attempt returns or raises")


def place_file(
    path: Path,
    raw: bytes,
    *,
    base: str | None,
    in_place: bool = False,
    force: bool = False,
    syncing: Callable[[], object] = lambda: None,
) -> Placed:
    """Write a file, if its content is still the one named `base`; None means that it must be missing.

    The new text is complete on disk before it takes the place of the old one, in one step. A file that is a mount
    point itself, as in containers, is overwritten, and a copy of its old text kept until that is done. Only with
    `in_place` others are overwritten that can't be replaced; only with `force` a file that is read-only, and it
    stays so. `syncing` is called when all is written and only the disk is waited for.

    Returns:
        What `settle_file` needs.

    Raises:
        Conflict: The file is something else than `base`.
        Irreplaceable: The file can't be replaced; nothing has been changed.
        ReadOnly: The file is read-only; nothing has been changed.
        StoreError: It can't be written; the message says if anything was changed.
    """
    try:
        real = _target(path)
        current = expect(real, base)
        if current is not None and not force:
            _require_writable(path, real)
        if in_place and current is not None:
            _overwrite(path, real, current.raw, raw)
            return Placed()
        try:
            return Placed(real.parent, _replace(path, real, raw, base, syncing))
        except Irreplaceable as error:
            if current is None or not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EBUSY:
                raise
            with to_disk.kept(real.with_name(f".tunedeck-{secrets.token_hex(6)}-kept.tmp"), current.raw):
                _overwrite(path, real, current.raw, raw)
            return Placed()
    except OSError as error:
        raise _unwritable(path, error, solid=False) from error


def settle_file(path: Path, placed: Placed) -> None:
    """Remove the old file, and wait until what `place_file` did would outlive a power failure.

    Args:
        path: The file, for the message.
        placed: What `place_file` returned.

    Raises:
        StoreError: The file is written, but nobody knows whether it would.
    """
    if placed.old is not None:
        with contextlib.suppress(OSError):  # a file too many is no failure to write, and is swept up later
            placed.old.unlink()
    if placed.folder is not None:
        try:
            to_disk.sync_folder(placed.folder)
        except OSError as error:
            message = f"{path} is written, but may be lost in a power failure: {error.strerror}"
            raise StoreError(message) from error


def sweep(folder: Path) -> list[Path]:
    """Remove what writers that were killed have left in a folder; return what must stay.

    That is a text which somebody had put in the place of a config while we replaced it, and which was not put back.
    """
    kept = []
    for temporary in sorted(folder.glob(".tunedeck-*.tmp")):
        with contextlib.suppress(OSError, StoreError):
            # Its writer may live where it is young.
            if time.time() - temporary.lstat().st_ctime >= STALE and not _remove(temporary):
                kept.append(temporary)
    return kept


def _remove(temporary: Path) -> bool:
    """Remove a temporary file, unless it holds a text that nobody else has; return whether it did."""
    # One that may hold what was in the place of a config has the names of the texts that are known in its own.
    known = temporary.stem.split("-")[2:]
    if known and read(temporary).digest not in known:
        return False
    temporary.unlink()
    return True


def _unreadable(path: Path, error: OSError) -> StoreError:
    if error.errno == errno.ENOENT:
        return Missing(f"{path} is missing: create it, or name another file")
    if isinstance(error, reading.Unfit):
        return StoreError(f"{path} {error.strerror}")
    if error.errno == errno.EACCES:
        return StoreError(f"{path} can't be read: {reading.permission(path, 'r')}")
    return StoreError(f"{path} can't be read: {error.strerror}")


def _target(path: Path) -> Path:
    """Return the file that a path leads to: who can't follow a link must not put a file in its place."""
    try:
        return Path(os.path.realpath(path, strict=True))
    except FileNotFoundError:
        return Path(os.path.realpath(path))


def expect(real: Path, base: str | None) -> Content | None:
    """Return what a file holds; raise Conflict if that is not `base`, None for no file, or StoreError."""
    current = read(real) if os.path.lexists(real) else None
    if current is not None and base is None:
        raise Conflict(f"{real} exists already: nothing was written", current)
    if current is None and base is not None:
        raise Conflict(f"{real} has been removed: nothing was written", None)
    if current is not None and current.digest != base:
        raise Conflict(f"{real} has been changed by somebody else: nothing was written", current)
    return current


def _require_writable(path: Path, real: Path) -> None:
    # To root the system allows everything; the owner's wish counts for root too.
    if os.statvfs(real).f_flag & os.ST_RDONLY:
        raise StoreError(f"{path} is on a file system that is mounted read-only: nothing was written")
    if not real.stat().st_mode & 0o222 or not os.access(real, os.W_OK):
        raise ReadOnly(f"{path} is read-only, nothing was written: {reading.permission(real, 'w')}")


def _replace(path: Path, real: Path, raw: bytes, base: str | None, syncing: Callable[[], object]) -> Path | None:
    """Return the name that the old file has now, None where it is gone."""
    temporary = real.with_name(f".tunedeck-{secrets.token_hex(6)}.tmp")
    try:
        _prepare(path, real, temporary, raw, syncing, new=base is None)
        try:
            if base is not None:
                complete = temporary.with_name(f"{temporary.stem}-{base}-{digest(raw)}.tmp")
                temporary.rename(complete)
                temporary = complete
            return _take_place(path, temporary, real, base)
        except OSError as error:
            raise _unwritable(path, error, solid=base is not None) from error
    except _Stranded:
        raise
    except Conflict:
        with contextlib.suppress(OSError):
            temporary.unlink()  # it holds our text, or one that somebody has replaced or removed
        raise
    except BaseException:
        with contextlib.suppress(OSError, StoreError):
            _remove(temporary)
        raise


def _take_place(path: Path, temporary: Path, real: Path, base: str | None) -> Path | None:
    """Put the new file in the place of the old one, if that still is `base` and nobody is writing it.

    Return the name that the old one has now, None where it is gone.

    Where names can be exchanged in one step, what is in the place of the old file is looked at after it was taken
    away, and put back if it is something else: nothing that anybody has renamed or written there is lost, but what is
    written into our own file in the instant before it is put back. Elsewhere (macOS, and file systems such as NFS) a
    change between the last look and the rename, some microseconds, is overwritten.
    """
    if base is None:
        expect(real, None)
        try:
            atomic.claim(temporary, real)
        except FileExistsError:
            expect(real, None)
            raise
        return None
    deadline = time.monotonic() + WRITER_PATIENCE
    while True:
        busy = atomic.being_written(real)
        patient = time.monotonic() < deadline
        if not busy or not patient:
            expect(real, base)
            own = temporary.stat().st_ino
            if not atomic.exchange(temporary, real):
                temporary.replace(real)
                return None
            if _replaced(temporary, base) and not (patient and atomic.being_written(temporary)):
                return temporary
            _put_back(path, temporary, real, own)
            expect(real, base)
        time.sleep(0.01)


def _replaced(old: Path, base: str) -> bool:
    """Return whether the file that we have taken the place of is the one that was meant."""
    try:
        return read(old).digest == base
    except StoreError:
        return False


def _put_back(path: Path, temporary: Path, real: Path, own: int) -> None:
    """Give the file back that we have taken away; one that has come meanwhile has replaced it and stays."""
    placed = own
    try:
        while True:
            held = temporary.stat().st_ino
            atomic.exchange(temporary, real)
            if temporary.stat().st_ino == placed:
                return
            placed = held  # it stands there now, and what we hold has come after it
    except FileNotFoundError:
        return  # somebody has removed the file
    except OSError as error:
        message = f"{path} was changed by somebody else, whose text is now in {temporary}: {error.strerror}"
        raise _Stranded(message) from error


def _prepare(path: Path, real: Path, temporary: Path, raw: bytes, syncing: Callable[[], object], *, new: bool) -> None:
    """Write the temporary file: complete, on disk, with the mode and the owner of the real one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(temporary, flags, 0o666 if new else 0o600)
    except OSError as error:
        raise _unwritable(path, error, solid=not new) from error
    try:
        if not new:
            _inherit(path, descriptor, real.stat())
        to_disk.write_all(descriptor, raw)
        syncing()
        os.fsync(descriptor)
    finally:
        to_disk.close(descriptor)


def _inherit(path: Path, descriptor: int, status: os.stat_result) -> None:
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
        try:
            os.fchown(descriptor, status.st_uid, status.st_gid)
        except PermissionError:
            try:
                os.fchown(descriptor, -1, status.st_gid)
            except PermissionError as error:
                # Another group might read what it must not, or the job no longer what it must.
                message = f"{path} can't be replaced: you are not in its group, {status.st_gid}. Nothing was written"
                message += " (chgrp to one of yours helps; the editor can write it in place)"
                raise Irreplaceable(message) from error
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _unwritable(path: Path, error: OSError, *, solid: bool) -> StoreError:
    if solid and error.errno in _SOLID:
        message = f"{path} can't be replaced ({error.strerror}), only overwritten in place: nothing was written"
        return Irreplaceable(message)
    if error.errno == errno.ENOENT:
        return StoreError(f"the folder of {path} is missing: nothing was written")
    return StoreError(f"{path} can't be written, it stays as it was: {error.strerror}")


def _overwrite(path: Path, real: Path, old: bytes, new: bytes) -> None:
    """Write over the file itself; what went wrong is undone, as far as the disk allows."""
    descriptor = os.open(real, os.O_RDWR | os.O_CLOEXEC)
    try:
        to_disk.overwrite(descriptor, new)
    except OSError:
        try:
            to_disk.overwrite(descriptor, old)
        except OSError as error:
            message = f"{path} is damaged, writing failed halfway ({error.strerror}): save the text elsewhere"
            raise StoreError(message) from error
        raise
    finally:
        to_disk.close(descriptor)
