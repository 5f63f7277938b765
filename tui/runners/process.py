"""Runs one Python task in a worker process of its own, below a shim.

A socket pair, the channel, carries configs one way and receipts the other.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tui.runners.base import Owner, Payload
from tui.runners.process_tree import JsonLines, Outbox, ProcessTree
from tui.runners.stopping import Termination
from tui.runners.task import Task
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


class Process:
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

    def tree_started(self, pid: int) -> None:
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

    def tree_refused(self, reason: str) -> None:
        """The interpreter can't be a worker."""
        self._owner.worker_said({"kind": "refused", "message": reason})

    def tree_wrote(self, data: bytes) -> None:
        """The worker or a child of it wrote `data`."""
        self._owner.worker_wrote(data)

    def tree_exited(self, code: int | None) -> None:
        """The worker ended: first take all that it said."""
        self._read()
        self._owner.worker_exited(code)

    def tree_gone(self) -> None:
        """Nothing is left."""
        self.hang_up()
        self._owner.worker_gone()

    def _read(self) -> None:
        if self._open and not self._said.read():
            self._loop.remove_reader(self._channel)


class ProcessRunner(Task):
    """One task in a process of its own.

    Args:
        owner: Told of everything that happens.
        setup: See `Task`.
        payload: See `Task`.
        python: The interpreter of the worker; ours where none is named.
        place: Where it runs.

    Raises:
        OSError: The interpreter can't be started.
    """

    def __init__(
        self, owner: Owner, setup: Mapping[str, Any], payload: Payload, *, python: str | None, place: Place
    ) -> None:
        self._owner = owner
        self._stop: Termination | None = None
        self._process = Process(self, python, place)
        super().__init__(setup, payload, self._process.send)

    async def stop(self, number: int, grace: float) -> None:
        """Ask the task to end, and see that it does; see `Termination`."""
        tree = self._process.tree
        self._stop = Termination(tree, tree.signal, number, grace, self._owner.worker_said, lambda: self._tell("leave"))
        self._tell("stop", signal=int(number))
        await self._stop.run()

    def hurry(self) -> None:
        """Wait no longer for a task that ends by its own means."""
        if self._stop is not None:
            self._stop.hurry()

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """Take what the worker says of its stop, and pass all else on."""
        if message["kind"] != "stopping":
            self._owner.worker_said(message)
        elif self._stop is not None:
            self._stop.take(message["how"])

    def worker_started(self, pid: int) -> None:
        """Pass it on."""
        self._owner.worker_started(pid)

    def worker_wrote(self, data: bytes) -> None:
        """Pass it on."""
        self._owner.worker_wrote(data)

    def worker_exited(self, code: int | None) -> None:
        """Pass it on."""
        self._owner.worker_exited(code)

    def worker_gone(self) -> None:
        """Pass it on."""
        self._owner.worker_gone()

    async def wait_gone(self) -> None:
        """Wait until the worker and all its descendants are gone."""
        await self._process.tree.wait_gone()
