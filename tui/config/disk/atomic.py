"""What a plain rename can't do: tell what it replaces, and leave alone what it must not.

On Linux two files can exchange their names in one step (``renameat2``). Whoever replaces a file so holds the old one
in his hand, can look at it, and can put it back. Elsewhere, and on file systems without it, there is only the rename.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

if sys.platform == "linux":
    import fcntl

_HERE = -100  # AT_FDCWD
_NO_REPLACE, _EXCHANGE = 1, 2

# The system, or the file system, does not know the call.
_UNKNOWN = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


def exchange(one: Path, other: Path) -> bool:
    """Let two files exchange their names in one step; return False where that can't be done here.

    Raises:
        OSError: One of them is missing, or can't be renamed.
    """
    return _rename(one, other, _EXCHANGE)


def claim(temporary: Path, path: Path) -> None:
    """Rename a file to a name that must not exist yet.

    Raises:
        OSError: It exists (where the system can tell in the same step), or the file can't be renamed.
    """
    if not _rename(temporary, path, _NO_REPLACE):
        temporary.replace(path)


def _rename(old: Path, new: Path, flag: int) -> bool:
    call = renameat2()
    if call is None:
        return False
    if call(_HERE, os.fsencode(old), _HERE, os.fsencode(new), flag) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), str(new))


@functools.cache
def renameat2() -> Callable[..., int] | None:
    """Return the system call that exchanges two files, None where there is none."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return call


def being_written(path: Path) -> bool:
    """Return whether some process has the file open for writing; False where the system does not tell."""
    if sys.platform != "linux":
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # A lease is refused while there is a writer. Who opens the file in the moment that we hold the lease waits
        # until it is released, and we get a signal: one that does nothing, since the default one would end us.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        with contextlib.suppress(OSError):  # what the system has told holds
            os.close(descriptor)
    return False
