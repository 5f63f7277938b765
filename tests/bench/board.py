"""What a task runs, in memory that it shares with the benchmark."""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path

_FIELD = struct.Struct("d")
_NAMES = ("number", "at", "steps", "broken")


class Board:
    """A few numbers in a mapped file: the task writes them, the benchmark reads them, nobody waits.

    Args:
        path: The file; the benchmark makes it with `new`.
    """

    def __init__(self, path: str | Path) -> None:
        with Path(path).open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), len(_NAMES) * _FIELD.size)

    @classmethod
    def new(cls, path: Path) -> Board:
        """Make the file, and nothing noted in it."""
        path.write_bytes(b"\0" * len(_NAMES) * _FIELD.size)
        return cls(path)

    def note(self, number: int) -> None:
        """Say that the task runs the config `number` from now on."""
        self._put("at", time.monotonic())
        self._put("number", number)  # last: who sees the number finds its time

    def count_step(self) -> None:
        """Say that a step is done."""
        self._put("steps", self.steps + 1)

    def count_broken(self) -> None:
        """Say that the task was given a config that is not whole."""
        self._put("broken", self.broken + 1)

    @property
    def number(self) -> int:
        """The config that runs."""
        return int(self._get("number"))

    @property
    def at(self) -> float:
        """Since when, in seconds of the monotonic clock, which all processes share."""
        return self._get("at")

    @property
    def steps(self) -> int:
        """Steps done."""
        return int(self._get("steps"))

    @property
    def broken(self) -> int:
        """Configs that were not whole."""
        return int(self._get("broken"))

    def _get(self, name: str) -> float:
        value: float = _FIELD.unpack_from(self._memory, _NAMES.index(name) * _FIELD.size)[0]
        return value

    def _put(self, name: str, value: float) -> None:
        _FIELD.pack_into(self._memory, _NAMES.index(name) * _FIELD.size, value)
