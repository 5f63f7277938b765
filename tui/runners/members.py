"""Where the processes of a job come that join it by themselves, with their first `tui.checkpoint`.

Each is a member. The lowest rank that is there speaks for the job: its receipts are the job's, its metrics are kept.
The process of a task is rank 0 of those that it starts, once it has come to a checkpoint itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import marshal
import pickle
import secrets
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tui.runners.base import Payload
from tui.runners.process_tree import JsonLines, Outbox
from tui.worker.joined import PROTOCOL
from tui.worker.stopping import ASKS, HANDLER, LEAVES

#: So many processes may come at once.
_BACKLOG = 4096

#: Seconds in which who has connected must say who it is.
_HELLO = 10.0

#: Seconds for which receipts of several processes are gathered before it is said how many have come.
_COUNTING = 0.1

#: Of several processes of a job that is to stop, the one that takes its time counts.
_FIRST = (ASKS, HANDLER, LEAVES)

_HEAD = struct.Struct(">IB")
_numbers = itertools.count()


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


class Members:
    """Listens for the processes of one worker, and tells them what the job's worker is told.

    Args:
        joins: How the path of the socket begins.
        setup: What each gets when it joins, without the config: guards, state_dir.
        payload: The config that a member gets when it joins.
        hear: Told what the members say, each receipt once: when the lowest rank has it.
        changed: Called when a process has joined or left.
        task: The process of the task of which they are children, None where there is none.

    Attributes:
        address: What stands in the environment of the processes.
        ever: A process has joined, whether it is still there or not.

    Raises:
        OSError: The socket can't be made.
    """

    def __init__(
        self,
        joins: Path,
        setup: Mapping[str, Any],
        payload: Payload,
        hear: Callable[[Mapping[str, Any]], None],
        changed: Changed,
        task: TaskRank | None = None,
    ) -> None:
        self.ever = False
        self._task = task
        self._setup = setup
        self._payload = payload
        self._hear = hear
        self._changed = changed
        self._paused = False
        self._stopping: int | None = None
        self._counting: asyncio.TimerHandle | None = None
        self._step = 0  # at which that was
        self._counted: dict[str, int] | None = None
        self._answered = 0  # the newest version for which the lowest rank has answered
        self._token = secrets.token_hex(16)
        self._members: list[Member] = []
        self._unknown: set[Member] = set()
        self._path = joins.with_name(f"{joins.name}-{next(_numbers)}.join")
        self.address = f"{self._path}#{self._token}"
        self._loop = asyncio.get_running_loop()
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            self._listener.bind(str(self._path))
            self._listener.listen(_BACKLOG)
            self._listener.setblocking(False)
        except OSError:
            self._listener.close()
            raise
        self._loop.add_reader(self._listener, self._accept)

    @property
    def lowest(self) -> Member | None:
        """The lowest of the members."""
        return min(self._members, key=lambda member: member.rank, default=None)

    @property
    def speaker(self) -> Rank | None:
        """Who speaks for the job."""
        return min(self._counted_ranks, key=lambda one: one.rank, default=self._task)

    @property
    def _counted_ranks(self) -> list[Rank]:
        return [*([self._task] if self._task is not None and self._task.counts else []), *self._members]

    @property
    def how(self) -> str:
        """How the job ends: of several processes the one counts that takes its time."""
        hows = [one.how for one in (self._task, *self._members) if one is not None and one.how]
        return min(hows, key=_FIRST.index, default="")

    def send(self, payload: Payload) -> bool:
        """Hand a new config to all, and to who joins from now on; return whether anybody is there."""
        self._payload = payload
        for member in self._members:
            member.send({"kind": "reload", "version": payload.version, "config": payload.data})
        return bool(self._members)

    def pause(self, *, paused: bool) -> bool:
        """Hold all at their checkpoints, or let them go on; return whether anybody is there."""
        self._paused = paused
        self._tell({"kind": "pause" if paused else "resume"})
        return bool(self._members)

    def stop(self, number: int) -> bool:
        """Say that the job is to stop, by this signal in the end; return whether anybody is there."""
        self._stopping = int(number)
        self._tell({"kind": "stop", "signal": self._stopping})
        return bool(self._members)

    def force(self) -> None:
        """Have all end at their next checkpoints, by whatever means they were to."""
        self._tell({"kind": "leave"})

    def ask_speaker(self, message: dict[str, Any]) -> bool:
        """Put a question to the member that speaks for the job; return whether there is one."""
        lowest = self.lowest
        if lowest is not None:
            lowest.send(message)
        return lowest is not None

    def close(self) -> None:
        """End all connections, and listen no more."""
        for member in [*self._members, *self._unknown]:
            member.close()
        self._members.clear()
        self._unknown.clear()
        if self._counting is not None:
            self._counting.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _tell(self, message: dict[str, Any]) -> None:
        for member in self._members:
            member.send(message)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            while True:
                connection = self._listener.accept()[0]
                self._unknown.add(Member(connection, self._take, self._left))

    def _take(self, member: Member, message: Mapping[str, Any]) -> None:
        if member in self._unknown:
            self._admit(member, message)
        elif member in self._members:
            self._listen_to(member, message)

    def _admit(self, member: Member, hello: Mapping[str, Any]) -> None:
        self._unknown.discard(member)
        why = self._objection(hello)
        if why is not None:
            member.send({"kind": "refused", "message": why})
            member.close()
            self._hear({"kind": "remark", "message": f"process {hello.get('pid')} has not joined: {why}"})
            return
        taken = {other.rank for other in self._members}
        free = next(rank for rank in itertools.count(0 if self._task is None else 1) if rank not in taken)
        member.pid = hello["pid"]
        member.rank = hello["rank"] if hello["rank"] is not None else free
        self._members.append(member)
        self.ever = True
        ranks = hello["ranks"] if hello["ranks"] is not None else len(self._members) + (self._task is not None)
        member.send(
            {
                "kind": "setup",
                "version": self._payload.version,
                "config": self._payload.data,
                "paused": self._paused,
                "stopping": self._stopping,
                "rank": member.rank,
                "ranks": ranks,
                **self._setup,
            }
        )
        self._changed(member, came=True)

    def _objection(self, hello: Mapping[str, Any]) -> str | None:
        if hello.get("kind") != "join" or not secrets.compare_digest(str(hello.get("token")), self._token):
            return "TUNEDECK in its environment is not this job's"
        if hello.get("protocol") != PROTOCOL:
            return "its tunedeck is of another version than the deck's"
        return None

    def _listen_to(self, member: Member, message: Mapping[str, Any]) -> None:
        kind = message["kind"]
        if kind == "applied":
            self.take_receipt(member, message)
        elif kind == "stopping":
            member.how = message["how"]
            self._hear({"kind": kind, "how": self.how})
        elif kind == "lingers":
            member.over = True
            if all(one.over for one in self._members) and not (self._task is not None and self._task.counts):
                self._hear(message)
        elif kind == "breached" or member is self.speaker:
            self._hear(message)

    def take_receipt(self, one: Rank, message: Mapping[str, Any]) -> None:
        """Take what one of the processes has taken."""
        one.applied = message
        self._answer()
        if self._counting is None:
            self._counting = self._loop.call_later(_COUNTING, self._count)

    def _answer(self) -> None:
        """Pass the receipt of the lowest rank on, once."""
        speaker = self.speaker
        if speaker is not None and speaker.applied is not None and speaker.applied["version"] > self._answered:
            self._answered = speaker.applied["version"]
            self._step = speaker.applied["step"]
            self._counted = self._ranks
            self._hear({**speaker.applied, "ranks": self._counted})

    def _count(self) -> None:
        """Say how many have the newest version for which there is a receipt, if that is news."""
        self._counting = None
        ranks = self._ranks
        if self._answered and ranks is not None and ranks != self._counted:
            self._counted = ranks
            self._hear({"kind": "ranks", "version": self._answered, "ranks": ranks})

    @property
    def _ranks(self) -> dict[str, int] | None:
        """Of how many processes how many have it; None where there are not several."""
        ranks = self._counted_ranks
        if len(ranks) < 2:
            return None
        receipts = [one.applied for one in ranks if one.applied is not None]
        applied = sum(receipt["version"] >= self._answered for receipt in receipts)
        return {"total": len(ranks), "applied": applied, "step": self._step}

    def _left(self, member: Member) -> None:
        self._unknown.discard(member)
        if member in self._members:
            self._members.remove(member)
            self._changed(member, came=False)
            self._answer()


class Member:
    """One process that has connected.

    Args:
        connection: To it.
        hear: Told what it says.
        left: Told that it is gone.

    Attributes:
        pid: Its process.
        rank: Which of the job's processes it is.
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
        self._loop.add_reader(connection, self._read)
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

    def _read(self) -> None:
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
