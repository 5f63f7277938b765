"""The output of a job on disk too: a file that is rotated by its size."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from tui.engine.background import BackgroundTasks

#: Bytes of one file, and how many older ones are kept beside it, as `x.log.1` and so on.
MOST = 10 << 20
KEPT = 3

#: Bytes that wait for a slow disk; what is more is left out, and counted in the file.
WAITING = 16 << 20


class LogFile:
    """Appends to a file in a thread: nobody waits for the disk.

    Args:
        path: The file; its folder is made.
        tell: Takes why it can't be written, once.
    """

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self.path = path
        self._tell = tell
        self._waiting = bytearray()
        self._left_out = 0
        self._trouble = ""
        self._tasks = BackgroundTasks()

    def write(self, data: bytes) -> None:
        """Have it written, after what came before."""
        if len(self._waiting) + len(data) > WAITING:
            self._left_out += len(data)
            return
        self._waiting += data
        if not self._tasks.busy:
            self._tasks.start(self._drain())

    async def close(self) -> None:
        """Write what waits."""
        while self._tasks.busy:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)

    async def _drain(self) -> None:
        while self._waiting or self._left_out:
            data, self._waiting = bytes(self._waiting), bytearray()
            if self._left_out:
                data += f"tunedeck: {self._left_out:,} bytes are left out here: the disk is too slow\n".encode()
                self._left_out = 0
            try:
                await asyncio.to_thread(self._append, data)
                self._trouble = ""
            except OSError as error:
                trouble = f"the log {self.path} can't be written: {error.strerror}"
                if trouble != self._trouble:
                    self._trouble = trouble
                    self._tell(trouble)

    def _append(self, data: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and self.path.stat().st_size + len(data) > MOST:
            for number in range(KEPT - 1, 0, -1):
                if self._older(number).exists():
                    self._older(number).replace(self._older(number + 1))
            self.path.replace(self._older(1))
        with open(self.path, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(data)

    def _older(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
