"""What the interpreter itself offers, also where gevent has put its own in its place.

A thread of ours must be one of the system's, and must not wait for an event loop of the program. It is started below
`threading`, whose list of threads a later patch of gevent walks, and hangs at ours.
"""

from __future__ import annotations

import _thread
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_patched: Any = sys.modules.get("gevent.monkey")


def _original(name: str) -> Any:
    return _patched.get_original("_thread", name) if _patched is not None else getattr(_thread, name)


start_thread = _original("start_new_thread")
new_lock = _original("allocate_lock")
new_rlock = _thread.RLock  # which gevent leaves alone
_own_id = _original("get_ident")


def this_thread() -> int:
    """Return the id of the calling thread."""
    return int(_own_id())


def main_thread() -> int:
    """Return the id of the main thread, if it is known without the import of `threading`; else of this one."""
    if sys.platform == "linux" and _thread.get_native_id() == os.getpid():
        return int(_own_id())
    threading = sys.modules.get("threading")
    return int(threading.main_thread().ident if threading is not None else _own_id())


def is_cooperative() -> bool:
    """Tell whether gevent is at work: what waits must let its other greenlets run."""
    return "gevent" in sys.modules and "gevent.monkey" in sys.modules and time.sleep.__module__ != "time"


class NativeEvent:
    """What `threading.Event` is, of the system's own locks alone."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: set[Any] = set()

    def is_set(self) -> bool:
        """Tell whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Set it, and wake all who wait."""
        self._is_set = True
        for lock in tuple(self._waiting):
            try:  # noqa: SIM105 - `contextlib` takes too long to import
                lock.release()
            except RuntimeError:  # somebody else has woken it just now
                pass

    def clear(self) -> None:
        """Take it back."""
        self._is_set = False

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is set, at most `seconds`; return whether it is."""
        lock = new_lock()
        lock.acquire()
        self._waiting.add(lock)  # before the look, or a set in between is missed
        try:
            if not self._is_set:
                lock.acquire(True, -1 if seconds is None else seconds)
        finally:
            self._waiting.discard(lock)
        return self._is_set
