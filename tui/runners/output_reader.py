"""The engine's end of the pipe or pseudo-terminal that carries what a job writes: read without ever waiting."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import sys
from collections.abc import Callable

_READ_SIZE = 1 << 16

#: So many reads are made in one turn of the loop.
_READS = 16

#: How much may wait in a pipe, so that a job goes on while the engine is busy; as much as the system allows.
_ROOM = 1 << 20

#: What waits in a pseudo-terminal, or in a pipe where the system does not say.
_LITTLE_ROOM = 1 << 12

#: A job that prints line by line is looked at again after so many seconds only, or when a quarter of the room should be
#: taken, if that is not too soon to be worth it: each look costs both sides more than the lines do. One that has been
#: silent for longer than the last figure says is no such job.
_PAUSE = 0.005
_SHORTEST_PAUSE = 0.003
_SILENCE = 0.02
_NEARLY_FULL = 0.8


class OutputReader:
    """Reads a descriptor until its end.

    Args:
        descriptor: To read; it belongs to the drain.
        take: Gets what was read.
    """

    def __init__(self, descriptor: int, take: Callable[[bytes], None]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._take = take
        self._room = _room(descriptor)
        self._loop = asyncio.get_running_loop()
        self._looked = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._over = False
        self._loop.add_reader(descriptor, self._look)

    def read_all(self) -> None:
        """Take everything that was written up to now; who goes on writing does not hold us up."""
        self._read(self._room + _READ_SIZE, up_to_now=True)

    def close(self) -> None:
        """Take what is left, and close the descriptor."""
        self.read_all()
        self._end()
        os.close(self._descriptor)

    def _look(self) -> None:
        now = self._loop.time()
        since, self._looked = now - self._looked, now
        taken = self._read(_READS * _READ_SIZE)
        if self._over:
            return
        pause = self._pause(taken, since) if taken and since < _SILENCE else 0.0
        if pause < _SHORTEST_PAUSE:
            if self._timer is not None:
                self._timer = None
                self._loop.add_reader(self._descriptor, self._look)
            return
        if self._timer is None:
            self._loop.remove_reader(self._descriptor)
        self._timer = self._loop.call_later(pause, self._look)

    def _pause(self, taken: int, since: float) -> float:
        """Return the seconds until half of the room should be taken, by what was taken in the time since the last look.

        It is 0 where the pipe was nearly full: the job may have waited for us.
        """
        each = since / taken  # seconds for a byte; the clock may stand still for a look
        if self._room / 2 * each < _SHORTEST_PAUSE:
            self._room = _make_room(self._descriptor)
        return min(self._room / 2 * each, _PAUSE) if taken < _NEARLY_FULL * self._room else 0.0

    def _read(self, most: int, *, up_to_now: bool = False) -> int:
        """Take at most about `most` bytes, and no more than there are; return how many."""
        taken = 0
        while taken < most and not self._over:
            try:
                data = os.read(self._descriptor, _READ_SIZE)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.EIO:  # how a pseudo-terminal says that nobody has it open any more
                    raise
                data = b""
            if not data:
                self._end()
                break
            taken += len(data)
            self._take(data)
            if len(data) < _READ_SIZE // 2 and not up_to_now:
                break
        return taken

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._loop.remove_reader(self._descriptor)
            if self._timer is not None:
                self._timer.cancel()


def _room(descriptor: int) -> int:
    """Return how much a pipe or a pseudo-terminal holds."""
    if sys.platform != "linux" or os.isatty(descriptor):
        return _LITTLE_ROOM
    return fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)


def _make_room(descriptor: int) -> int:
    """Make a pipe as large as wanted, if it is one and may be; return how much it holds."""
    room = _room(descriptor)
    if _LITTLE_ROOM < room < _ROOM:
        with contextlib.suppress(OSError):  # the user's other pipes leave no more
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _ROOM)
        room = _room(descriptor)
    return room
