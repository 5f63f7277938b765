"""Runs one Python task in a worker process of its own, below a shim.

Two socket pairs lead to it: the control connection to the shim, which signals and reaps, and the channel to the
worker, which carries configs one way and receipts the other. A pipe carries stdout and stderr of the job and all
its children, in one order. Everything is read on the engine's loop without waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import tui.worker
from tui.worker import processes
from tui.worker.channel import pack

_PROGRAM = Path(tui.worker.__file__).parent / "__main__.py"
_READ_SIZE = 1 << 16

#: The shims of this process that live: its only other children are orphans of a shim that was killed.
_SHIMS: set[int] = set()


class Owner(Protocol):
    """Who is told what becomes of a worker. Calls come on the loop that started it."""

    def worker_started(self, pid: int) -> None:
        """The worker process exists."""

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """The worker sent `message`; see the table of the channel."""

    def worker_wrote(self, data: bytes) -> None:
        """The job wrote `data` to its output."""

    def worker_exited(self, code: int | None) -> None:
        """The worker ended, with its exit code or minus a signal; None when the shim was killed with it."""

    def worker_gone(self) -> None:
        """The worker and all its descendants are gone and their output has been read."""


class ProcessRunner:
    """One worker process, from its start to the end of its last descendant.

    Args:
        owner: Told of everything that happens.
        python: The interpreter of the worker; ours where none is named.
        cwd: The folder in which the task runs.
    """

    def __init__(self, owner: Owner, python: str | None = None, cwd: Path | None = None) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._exited = False
        self._gone = asyncio.Event()
        self._open: set[int] = set()
        self._unsent = bytearray()
        control, shim_end = socket.socketpair()
        channel, worker_end = socket.socketpair()
        output, write_end = os.pipe()
        self._control, self._channel, self._output = control, channel, output
        try:
            self._shim = subprocess.Popen(
                [python or sys.executable, str(_PROGRAM), str(shim_end.fileno()), str(worker_end.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                pass_fds=(shim_end.fileno(), worker_end.fileno()),
                start_new_session=True,
                cwd=cwd,
            )
        except OSError:
            control.close()
            channel.close()
            os.close(output)
            raise
        finally:
            shim_end.close()
            worker_end.close()
            os.close(write_end)
        os.set_blocking(output, False)
        control.setblocking(False)
        channel.setblocking(False)
        _SHIMS.add(self._shim.pid)
        self._said = _Lines(channel, owner.worker_said)
        self._told = _Lines(control, self._from_shim)
        self._listen(output, self._read_output)
        self._listen(channel.fileno(), self._read_channel)
        self._listen(control.fileno(), self._read_control)

    def setup(self, task: str, version: int, config: Mapping[str, Any], again: bool) -> None:
        """Tell the worker what to run; `again`: call a plain function again and again."""
        self._send({"kind": "setup", "task": task, "version": version, "config": config, "loop": again})

    def send(self, version: int, config: Mapping[str, Any]) -> None:
        """Hand a new config to the worker."""
        self._send({"kind": "reload", "version": version, "config": config})

    async def stop(self, number: int, grace: float) -> None:
        """End the worker and its whole tree: ask, after half the grace signal, at its end kill.

        Args:
            number: The signal of the second rung.
            grace: Seconds until SIGKILL.
        """
        self._send({"kind": "stop"})
        for wait, then in ((grace / 2, number), (grace / 2, signal.SIGKILL)):
            try:
                await asyncio.wait_for(self._gone.wait(), wait)
            except asyncio.TimeoutError:
                self.signal(then)
            else:
                return
        await self._gone.wait()

    def signal(self, number: int) -> None:
        """Send a signal to the worker and all its descendants."""
        if self._gone.is_set():
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._control.send(json.dumps({"signal": int(number)}).encode() + b"\n")

    async def wait_gone(self) -> None:
        """Wait until the worker and all its descendants are gone."""
        await self._gone.wait()

    def _listen(self, descriptor: int, read: Callable[[], None]) -> None:
        self._open.add(descriptor)
        self._loop.add_reader(descriptor, read)

    def _forget(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.discard(descriptor)
            self._loop.remove_reader(descriptor)

    def _send(self, message: dict[str, Any]) -> None:
        if self._channel.fileno() in self._open:
            self._unsent += pack(message)
            self._flush()

    def _flush(self) -> None:
        """Write what the socket takes now, the rest when it takes more."""
        channel = self._channel.fileno()
        try:
            while self._unsent:
                del self._unsent[: self._channel.send(self._unsent)]
        except BlockingIOError:
            self._loop.add_writer(channel, self._flush)
            return
        except (BrokenPipeError, ConnectionResetError):
            self._unsent.clear()
        self._loop.remove_writer(channel)

    def _read_output(self, *, all_of_it: bool = False) -> None:
        while self._output in self._open:
            try:
                data = os.read(self._output, _READ_SIZE)
            except BlockingIOError:
                return
            if data:
                self._owner.worker_wrote(data)
            else:
                self._forget(self._output)
            if not all_of_it:
                return

    def _read_channel(self) -> None:
        if not self._said.read():
            self._forget(self._channel.fileno())

    def _read_control(self) -> None:
        if self._told.read():
            return
        self._forget(self._control.fileno())
        self._shim.wait()  # its end of the connection closes as it exits
        _SHIMS.discard(self._shim.pid)
        if self._shim.returncode < 0 and sys.platform == "linux":  # elsewhere nothing is inherited
            kill_orphans()
        self._exit(None if self._shim.returncode < 0 else self._shim.returncode)
        self._read_output(all_of_it=True)
        for descriptor in list(self._open):
            self._forget(descriptor)
        self._loop.remove_writer(self._channel.fileno())
        os.close(self._output)
        self._control.close()
        self._channel.close()
        self._gone.set()
        self._owner.worker_gone()

    def _from_shim(self, message: Mapping[str, Any]) -> None:
        if "pid" in message:
            self._owner.worker_started(message["pid"])
        else:
            self._exit(message["exit"])

    def _exit(self, code: int | None) -> None:
        """Tell the end of the worker once, after all that it said and wrote before."""
        if not self._exited:
            self._exited = True
            self._said.read()
            self._read_output(all_of_it=True)
            self._owner.worker_exited(code)


class _Lines:
    """JSON objects, one a line, from a socket that is read without waiting."""

    def __init__(self, connection: socket.socket, handle: Callable[[Mapping[str, Any]], None]) -> None:
        self._socket = connection
        self._handle = handle
        self._rest = b""

    def read(self) -> bool:
        """Handle all lines that have arrived; return False at the end of the stream."""
        while True:
            try:
                data = self._socket.recv(_READ_SIZE)
            except BlockingIOError:
                return True
            except ConnectionResetError:
                return False
            if not data:
                return False
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._handle(json.loads(line))


def kill_orphans() -> None:
    """Kill what a killed shim has left to this process, a subreaper, and reap it."""
    while True:
        orphans = [pid for pid in processes.children(os.getpid()) if pid not in _SHIMS]
        if not orphans:
            return
        for pid in orphans:
            processes.signal_tree(pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)  # SIGKILL leaves no choice: this takes about a millisecond
