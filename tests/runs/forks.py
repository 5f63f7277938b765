"""Processes of ``python -m tui`` without the cost of its imports: one process has done them, and is forked for each.

What runs is a process of its own, with its own descriptors, folder, environment and exit code, and ends as Python ends.
It is another one only in its command line, which is that of the process it was forked from.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: What a command or an engine would import.
MODULES = """
    tui.cli.main tui.cli.change tui.cli.check tui.cli.client tui.cli.measured tui.cli.waiting tui.engine.main
    tui.config.schema jsonschema referencing
"""


#: How a number is told: the length of a request, a process id, an exit code.
_NUMBER, _LENGTH = b"%12d", 12


def _receive(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        assert part, "the process that is forked has ended"
        found += part
    return found


class Forked:
    """A process like that of `subprocess.Popen`.

    Args:
        arguments: The words after ``tunedeck``.
        cwd: Its folder.
        env: Its environment.
        files: Descriptors of its input, output and errors.
    """

    def __init__(self, arguments: Sequence[str], cwd: Path, env: dict[str, str], files: Sequence[int]) -> None:
        self.returncode: int | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(_server().address))
        wanted = json.dumps([[*arguments], str(cwd), env]).encode()
        socket.send_fds(self._connection, [_NUMBER % len(wanted)], list(files))
        self._connection.sendall(wanted)
        self.pid = int(_receive(self._connection, _LENGTH))

    def poll(self) -> int | None:
        """Return its exit code if it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = int(_receive(self._connection, _LENGTH))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("tunedeck", timeout or 0) from None
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """End it in order."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class _Server:
    """The process that is forked, for one process of the tests."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="forks")
        self.address = Path(self._folder.name, "socket")
        ready, told = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self.address), str(told)],
            cwd=ROOT,
            stdin=subprocess.PIPE,  # its end is the end of the tests
            stdout=subprocess.DEVNULL,
            pass_fds=[told],
        )
        os.close(told)
        with os.fdopen(ready) as stream:
            assert stream.read() == "ready"

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()


_servers: list[_Server] = []
_starting = threading.Lock()


def _server() -> _Server:
    with _starting:
        if not _servers:
            _servers.append(_Server())
        return _servers[0]


def close() -> None:
    """End what was started for this process of the tests."""
    while _servers:
        _servers.pop().close()


def _serve(address: str, told: int) -> None:
    """Wait for requests, and return in a process that is to be ``python -m tui``."""
    for name in MODULES.split():
        importlib.import_module(name)
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(100)
    os.write(told, b"ready")
    os.close(told)
    while True:
        ready, _, _ = select.select([listener.fileno(), 0], [], [])
        if 0 in ready:
            os._exit(0)  # the tests are over
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return _become(connection)
        connection.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _become(connection: socket.socket) -> None:
    """Return in the process that was asked for; what asks for it is told its id, and its exit code."""
    head, files, _, _ = socket.recv_fds(connection, _LENGTH, 3)
    arguments, cwd, env = json.loads(_receive(connection, int(head)))
    child = os.fork()
    if child:
        for file in files:
            os.close(file)
        connection.sendall(_NUMBER % child)
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(OSError):  # nobody waits for it
            connection.sendall(_NUMBER % os.waitstatus_to_exitcode(status))
        os._exit(0)
    connection.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    if "PYTHONFAULTHANDLER" in env:
        faulthandler.enable()
    sys.argv[1:] = arguments
    sys.path[0] = cwd


if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    _serve(sys.argv[1], int(sys.argv[2]))
    runpy.run_module("tui", run_name="__main__", alter_sys=True)
