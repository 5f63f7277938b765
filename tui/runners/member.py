"""One process that has joined a job: the engine's end of its connection."""

from __future__ import annotations

import asyncio
import marshal
import pickle
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tui.runners.process_tree import JsonLines, Outbox

#: Seconds in which who has connected must say who it is.
_HELLO = 10.0

_HEAD = struct.Struct(">IB")


def pack(message: dict[str, Any]) -> bytes:
    """Return a message to a process as it goes over the wire; see `tui.worker.joined`."""
    try:
        letter, body = b"M", marshal.dumps(message, 2)  # what every Python 3 reads
    except ValueError:
        letter, body = b"P", pickle.dumps(message, protocol=4)
    return _HEAD.pack(len(body), letter[0]) + body


class Changed(Protocol):
    """Who is told that a process has joined or left."""

    def __call__(self, member: Member, *, came: bool) -> None:
        """It has come, or gone."""


class Rank(Protocol):
    """One process of a job that has several.

    Attributes:
        rank: Which of them it is.
        applied: Its last receipt.
        how: How it ends, once it was asked to.
    """

    rank: int
    applied: Mapping[str, Any] | None
    how: str


@dataclass
class TaskRank:
    """The process of the task whose children join; see `Rank`.

    Attributes:
        counts: It has come to a checkpoint: one that only waits for its children is none of them.
    """

    rank: int = 0
    applied: Mapping[str, Any] | None = None
    how: str = ""
    counts: bool = False


class Member:
    """One process that has connected.

    Args:
        connection: To it.
        hear: Told what it says.
        left: Told that it is gone.

    Attributes:
        pid: Its process.
        rank: Which of the job's processes it is.
        world: How many ranks there are, as its launcher says.
        begun: It has come to its first checkpoint.
        step: Checkpoints that it had completed when it said so last.
        applied: Its last receipt.
        how: How it ends, once it was asked to.
        over: Its program has ended, and takes nothing any more, though its process goes on.
    """

    def __init__(
        self,
        connection: socket.socket,
        hear: Callable[[Member, Mapping[str, Any]], None],
        left: Callable[[Member], None],
    ) -> None:
        self.pid = 0
        self.rank = 0
        self.world: int | None = None
        self.begun = False
        self.step = 0
        self.how = ""
        self.over = False
        self.applied: Mapping[str, Any] | None = None
        self._loop = asyncio.get_running_loop()
        self._left = left
        self._socket = connection
        connection.setblocking(False)
        self._said = JsonLines(connection, lambda message: hear(self, message))
        self._outbox = Outbox(connection)
        self._open = True
        self._loop.add_reader(connection, self.look)
        self._deadline = self._loop.call_later(_HELLO, self._end_stranger)

    def send(self, message: dict[str, Any]) -> None:
        """Send it a message."""
        if self._open:
            self._outbox.send(pack(message))

    def close(self) -> None:
        """End the connection."""
        if self._open:
            self._open = False
            self._deadline.cancel()
            self._loop.remove_reader(self._socket)
            self._outbox.close()
            self._socket.close()

    def _end_stranger(self) -> None:
        if not self.pid:
            self._leave()

    def _leave(self) -> None:
        self.close()
        self._left(self)

    def look(self) -> None:
        """Take what it has said, and see whether it has ended."""
        try:
            goes_on = self._said.read()
        except (ValueError, KeyError, TypeError, AttributeError):
            if self.pid:
                raise
            goes_on = False  # it is none of ours, whatever it says
        except OSError:
            if self._open:  # else what it said has ended the connection
                raise
        if self._open and not goes_on:
            self._leave()
