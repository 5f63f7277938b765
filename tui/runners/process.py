"""Runs one Python task in a worker process of its own, below a shim.

A socket pair, the channel, carries configs one way and receipts the other.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tui.runners.base import Owner, Payload, Relay
from tui.runners.member import Member, TaskRank
from tui.runners.members import Members, RankPolicy
from tui.runners.process_tree import JsonLines, Outbox, ProcessTree
from tui.runners.task import Task
from tui.runners.termination import Termination
from tui.worker.channel import pack


@dataclass(frozen=True)
class Place:
    """Where a worker runs.

    Attributes:
        cwd: The folder.
        env: Variables that are added to its environment.
        tty: Whether its standard streams are a pseudo-terminal.
    """

    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    tty: bool = False


class Process(Relay):
    """A worker process and the engine's end of its channel.

    Args:
        owner: Told of everything that happens.
        python: The interpreter of the worker; ours where none is named.
        place: Where it runs.

    Raises:
        OSError: The interpreter can't be started.
    """

    def __init__(self, owner: Owner, python: str | None, place: Place) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._pid: int | None = None
        self._up = python is None  # of another interpreter nobody knows yet if it is one
        channel, worker_end = socket.socketpair()
        self._channel = channel
        try:
            what = [str(worker_end.fileno()), *([python] if python is not None else [])]
            settings: dict[str, Any] = {"cwd": place.cwd, "env": place.env, "tty": place.tty}
            self.tree = ProcessTree(self, what, **settings, pass_fds=[worker_end.fileno()])
        except OSError:
            channel.close()
            raise
        finally:
            worker_end.close()
        channel.setblocking(False)
        self._said = JsonLines(channel, self._hear)
        self._outbox = Outbox(channel)
        self._loop.add_reader(channel, self._read)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message to the worker."""
        if self._open:
            self._outbox.send(pack(dict(message)))

    def hang_up(self) -> None:
        """Close the channel, which ends the worker."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._channel)
            self._outbox.close()
            self._channel.close()

    def worker_started(self, pid: int) -> None:
        """The worker process exists."""
        self._pid = pid
        if self._up:
            self._owner.worker_started(pid)

    def _hear(self, message: Mapping[str, Any]) -> None:
        if message["kind"] != "up":
            if message["kind"] == "loaded":  # what was written until now was written by the import
                self.tree.read_output()
            self._owner.worker_said(message)
        elif not self._up and self._pid is not None:
            self._up = True
            self._owner.worker_started(self._pid)

    def worker_exited(self, code: int | None) -> None:
        """The worker ended: first take all that it said."""
        self._read()
        self._owner.worker_exited(code)

    def worker_gone(self) -> None:
        """Nothing is left."""
        self.hang_up()
        self._owner.worker_gone()

    def _read(self) -> None:
        if self._open and not self._said.read():
            self._loop.remove_reader(self._channel)


class ProcessRunner(Task, Relay):
    """One task in a process of its own.

    Args:
        owner: Told of everything that happens.
        setup: See `Task`.
        payload: See `Task`.
        python: The interpreter of the worker; ours where none is named.
        place: Where it runs.
        joins: How the path of the socket begins to which its children come.
        ranks: How those change that are ranks.

    Raises:
        OSError: The interpreter can't be started, or the socket not be made.
    """

    def __init__(
        self,
        owner: Owner,
        setup: Mapping[str, Any],
        payload: Payload,
        *,
        python: str | None,
        place: Place,
        joins: Path,
        ranks: RankPolicy,
    ) -> None:
        self._owner = owner
        self._stop: Termination | None = None
        self._judging: Payload | None = None
        self._judges = True  # until the task is loaded, and says whether it does
        self._rank = TaskRank()
        child = {"guards": setup["guards"], "state_dir": setup["state_dir"]}
        self._members = Members(joins, child, payload, self._hear, self._take_member, self._rank, policy=ranks)
        try:
            self._process = Process(self, python, replace(place, env={**place.env, "TUNEDECK": self._members.address}))
        except BaseException:
            self._members.close()
            raise
        super().__init__(setup, payload, self._process.send)

    def send(self, payload: Payload) -> bool:
        """Hand over a new config; to the children of the task once it has passed its rules."""
        self._judging = payload
        if not self._judges:
            self._pass_on(payload.version)
        return super().send(payload)

    def pause(self) -> str:
        """Hold the task and its children at their next checkpoints; return how, in words."""
        self._members.pause(paused=True)
        return super().pause()

    def resume(self) -> None:
        """Let all of them go on."""
        super().resume()
        self._members.pause(paused=False)

    def resize(self, rows: int, columns: int) -> None:
        """Give its terminal another size."""
        self._process.tree.resize(rows, columns)

    async def stop(self, number: int, grace: float) -> None:
        """Ask the task to end, and see that it does; see `Termination`."""
        tree = self._process.tree
        self._stop = Termination(tree, tree.signal, number, grace, self._owner.worker_said, self._force)
        self._tell("stop", signal=int(number))
        self._members.stop(number)
        await self._stop.run()

    def _force(self) -> None:
        self._tell("leave")
        self._members.force()

    def hurry(self) -> None:
        """Wait no longer for a task that ends by its own means."""
        if self._stop is not None:
            self._stop.hurry()

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """Take what the task says: for the job, unless it has children and no checkpoint of its own."""
        kind = message["kind"]
        self._rank.counts = self._rank.counts or bool(message.get("step"))
        if kind == "applied":
            self._members.take_receipt(self._rank, message)
        elif kind == "stopping":
            self._rank.how = message["how"]
            self._hear({"kind": kind, "how": self._members.how})
        elif kind == "passed":
            self._pass_on(message["version"])
        elif kind not in ("metrics", "block") or self._members.speaker is self._rank:
            if kind == "loaded":
                self._judges = message["rules"]
            elif kind == "lingers":  # its children may go on
                self._rank.counts = self._rank.counts and not message["over"]
                message = {**message, "over": message["over"] and self._members.lowest is None}
            self._owner.worker_said(message)

    def _pass_on(self, version: int) -> None:
        payload = self._judging
        if payload is not None and payload.version == version:
            self._judging = None
            self._members.send(payload)

    def _hear(self, message: Mapping[str, Any]) -> None:
        if message["kind"] != "stopping":
            self._owner.worker_said(message)
        elif self._stop is not None:
            self._stop.take_answer(message["how"])

    def _take_member(self, member: Member, *, came: bool) -> None:
        self._owner.worker_said({"kind": "joined" if came else "left", "pid": member.pid})

    def worker_gone(self) -> None:
        """Nothing of it is left."""
        self._members.close()
        self._owner.worker_gone()

    async def wait_gone(self) -> None:
        """Wait until the worker and all its descendants are gone."""
        await self._process.tree.wait_gone()
