"""A program below a shim: its start, its output, signals to it, and the end of its last descendant.

The control connection leads to the shim, which signals and reaps; a pipe or a pseudo-terminal carries stdout and
stderr of the program and all its children, in one order. Everything is read on the engine's loop without waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tui.worker
from tui.runners import fd_limits
from tui.runners.base import Owner
from tui.runners.output_reader import OutputReader
from tui.worker import process_tree

#: The program of a worker.
PROGRAM = Path(tui.worker.__file__).parent / "__main__.py"
_READ_SIZE = 1 << 16

#: A shim that has not ended everything so many seconds after the last signal does not listen.
_DEAF = 3.0

#: Rows and columns of a job's pseudo-terminal until a viewer says how large its log is.
_TTY_SIZE = (40, 120)

#: The shims of this process that live: its only other children are orphans of a shim that was killed.
_SHIMS: set[int] = set()

#: The descriptor that every shim holds, if there is one.
_KEPT: list[int] = []

#: The sessions of processes that were here before any shim: who became this program by `exec` may have had children.
#: What a shim starts has a session of its own.
_FOREIGN: set[int] = set()


class ProcessTree:
    """One program and its descendants.

    Args:
        watcher: Told of everything that happens.
        arguments: Of the worker's program after the control connection: how to go on in the child.
        cwd: The folder in which the program runs.
        env: Variables to add to the environment.
        tty: Give the program a pseudo-terminal.
        pass_fds: Descriptors that the child gets.

    Raises:
        OSError: The interpreter can't be started.
    """

    def __init__(
        self,
        owner: Owner,
        arguments: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        tty: bool = False,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._began = False
        self._exited = False
        self._gone = asyncio.Event()
        control, shim_end = socket.socketpair()
        try:
            output, write_end = _terminal() if tty else os.pipe()
        except OSError:
            control.close()
            shim_end.close()
            raise
        self._control = control
        try:
            self._shim = subprocess.Popen(
                [
                    sys.executable,
                    str(PROGRAM),
                    str(shim_end.fileno()),
                    str(fd_limits.of_children()),
                    *(map(str, _KEPT) if _KEPT else "-"),
                    *arguments,
                ],
                stdin=write_end if tty else subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                pass_fds=(shim_end.fileno(), *_KEPT, *pass_fds),
                start_new_session=True,
                cwd=cwd,
                env=_environment(env or {}, tty=tty),
            )
        except BaseException:
            control.close()
            os.close(output)
            if tty:
                os.close(write_end)
            raise
        finally:
            shim_end.close()
            if not tty:
                os.close(write_end)
        # Of a terminal we hold the program's end too: else one that closes it, and opens it anew, has lost us.
        self._terminal = write_end if tty else None
        _SHIMS.add(self._shim.pid)
        control.setblocking(False)
        self._told = JsonLines(control, self._from_shim)
        self._outbox = Outbox(control)
        self._output = OutputReader(output, owner.worker_wrote)
        self._loop.add_reader(control, self._read_control)

    @property
    def gone(self) -> bool:
        """All descendants are gone."""
        return self._gone.is_set()

    def signal(self, number: int, *, alone: bool = False) -> None:
        """Send a signal to the program and all its descendants; `alone`: to the program only."""
        if self._gone.is_set():
            return
        if number == signal.SIGKILL and not self._began:  # what runs in place of the shim does not listen
            process_tree.signal_tree(self._shim.pid, number)
            os.killpg(self._shim.pid, number)
            return
        self._outbox.send(json.dumps({"signal": int(number), "alone": alone}).encode() + b"\n")

    def resize(self, rows: int, columns: int) -> None:
        """Give its terminal another size, which the program is told by SIGWINCH."""
        if self._terminal is not None and not self._gone.is_set():
            _set_size(self._terminal, rows, columns)

    def read_output(self) -> None:
        """Pass on all that was written up to now."""
        if not self._gone.is_set():
            self._output.read_all()

    async def wait_gone(self) -> None:
        """Wait until the program and all its descendants are gone."""
        await self._gone.wait()

    async def gone_within(self, seconds: float) -> bool:
        """Return whether everything is gone within `seconds`."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._gone.wait(), seconds)
        return self._gone.is_set()

    async def end(self, *rungs: tuple[float, int]) -> None:
        """Wait and signal, rung by rung, until everything is gone.

        Args:
            rungs: Seconds to wait for the end, and the signal to the whole tree that follows if it does not come.
        """
        for wait, number in rungs:
            if await self.gone_within(wait):
                return
            self.signal(number)
        if not await self.gone_within(_DEAF):
            self._shim.kill()  # it is stopped, or hangs: the kernel kills the worker then, and we what is left
            await self._gone.wait()

    def _read_control(self) -> None:
        if self._told.read():
            return
        self._loop.remove_reader(self._control)
        self._shim.wait()  # its end of the connection closes as it exits
        _SHIMS.discard(self._shim.pid)
        code = self._shim.returncode
        if code != 0 and sys.platform == "linux":  # elsewhere nothing is inherited
            kill_orphans()
        # It was killed, or something went wrong in it, where it has not told how the program ended.
        self._exit(None if code < 0 or self._began else code)
        self._output.close()
        if self._terminal is not None:
            os.close(self._terminal)
        self._outbox.close()
        self._control.close()
        self._gone.set()
        self._owner.worker_gone()

    def _from_shim(self, message: Mapping[str, Any]) -> None:
        if "pid" in message:
            self._began = True
            self._owner.worker_started(message["pid"])
        elif "refused" in message:
            self._owner.worker_said({"kind": "refused", "message": message["refused"]})
        else:
            self._exit(message["exit"])

    def _exit(self, code: int | None) -> None:
        """Tell the end of the program once, after all that it wrote before."""
        if not self._exited:
            self._exited = True
            self._output.read_all()
            self._owner.worker_exited(code)


class Outbox:
    """What is to be written to a socket without waiting: what it takes now, the rest when it takes more."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._unsent = bytearray()

    def send(self, data: bytes) -> None:
        """Write `data` after all that still waits; to nobody where the other end is gone."""
        self._unsent += data
        self._flush()

    def close(self) -> None:
        """Forget what waits, before the socket is closed."""
        self._loop.remove_writer(self._socket)

    def _flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            self._loop.add_writer(self._socket, self._flush)
            return
        except (BrokenPipeError, ConnectionResetError):
            self._unsent.clear()
        self._loop.remove_writer(self._socket)


class JsonLines:
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
            if len(data) < _READ_SIZE:  # that was all: to ask once more costs as much again
                return True


def _environment(more: Mapping[str, str], *, tty: bool) -> dict[str, str]:
    """Return the environment of a program: what it takes for its width is said only where no terminal says it."""
    # A deck above this one is not its children's to join.
    away = ("TUNEDECK", "COLUMNS", "LINES") if tty else ("TUNEDECK",)
    found = {"COLUMNS": str(shutil.get_terminal_size().columns)} if not tty else {}
    return {**found, **{name: value for name, value in os.environ.items() if name not in away}, **more}


def _terminal() -> tuple[int, int]:
    """Return both ends of a new pseudo-terminal: ours, and the program's."""
    ours, theirs = os.openpty()
    _set_size(theirs, *_TTY_SIZE)
    return ours, theirs


def _set_size(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def keep(descriptor: int) -> None:
    """Have every shim hold a descriptor too: what it locks is locked until nothing is left of any job."""
    _KEPT[:] = [descriptor]


def adopt_orphans() -> None:
    """Become the parent of what a killed shim leaves, and learn which other processes may come to be our children."""
    process_tree.adopt_orphans()
    sessions = map(_session, [0, *(pid for pid, _ in process_tree.descendants(os.getpid()))])
    _FOREIGN.update(session for session in sessions if session is not None)


def _session(pid: int) -> int | None:
    """Return the session of a process: 0 where that was begun outside of this container, None where it is gone."""
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def kill_orphans() -> None:
    """Kill what a killed shim has left to this process, a subreaper, and reap it.

    What runs as somebody else can't be killed, and is not waited for.
    """
    spared = set(_SHIMS)
    while True:
        children = set(process_tree.children(os.getpid())) - spared
        orphans = [pid for pid in children if _session(pid) not in _FOREIGN]
        if not orphans:
            return
        for pid in orphans:
            process_tree.signal_tree(pid, signal.SIGKILL)
            try:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            except PermissionError:
                spared.add(pid)
                continue
            os.waitpid(pid, 0)  # SIGKILL leaves no choice: this takes about a millisecond
