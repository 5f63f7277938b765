"""The worker's parent: sees that nothing a job started outlives it.

On Linux the shim is a child subreaper, so every descendant of the worker, double-forked daemons in sessions of
their own included, stays below it. When the worker ends, or the engine disappears (its end of the control socket
closes, whatever killed it), the shim ends all that is left. Should the shim itself be killed, the kernel kills the
worker, and the engine, a subreaper too, inherits the rest.

The engine sends one JSON object a line: ``{"signal": n, "alone": false}`` for the whole tree, with ``true`` for the
worker only. The shim tells ``{"pid": n}`` once and ``{"exit": n}`` when the worker has ended, with the exit code or
minus the signal; it exits when nothing is left. Before a worker that can't begin, ``{"refused": why}`` comes.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time

from tui.worker import process_tree

#: Seconds that descendants get between SIGTERM and SIGKILL once the worker or the engine is gone.
LAST_CALL = 1.0


def watch(worker: int, control: socket.socket) -> None:
    """Stay with the worker until it and all its descendants are gone.

    Args:
        worker: The process id of the worker, a child of this process.
        control: The connection to the engine.
    """
    wakeup, alarm = os.pipe()
    os.set_blocking(wakeup, False)
    os.set_blocking(alarm, False)
    signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the shim ends last
    _tell(control, {"pid": worker})
    engine = _EngineLine(control)
    ended = False
    try:
        while engine.lives:
            ended = _reap(worker, control) or ended
            # Where the engine has asked all of them to end, it gives the rest the time that the worker had.
            if ended and (engine.asked in (0, signal.SIGKILL) or _childless()):
                break
            ready = select.select([control.fileno(), wakeup], [], [])[0]
            if wakeup in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wakeup, 4096)
            if control.fileno() in ready:
                engine.obey(None if ended else worker)
    finally:  # whatever has gone wrong here, nothing may outlive it
        _end_all(engine)


class _EngineLine:
    """What the engine says.

    Attributes:
        lives: It has not closed the connection.
        asked: The last signal that asked all to end, 0 for none.
    """

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.lives = True
        self.asked = 0
        self._rest = b""

    def obey(self, worker: int | None) -> None:
        """Do what it says now; `worker` is None once that has been reaped."""
        try:
            data = self.control.recv(4096)
        except ConnectionResetError:
            data = b""
        self.lives = bool(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            self._signal(message["signal"], worker, alone=message["alone"])

    def _signal(self, number: int, worker: int | None, *, alone: bool) -> None:
        if alone:
            if worker is not None:  # it has not been reaped: the id is still its own
                with contextlib.suppress(PermissionError):  # it runs as somebody else
                    os.kill(worker, number)
        elif number == signal.SIGSTOP:
            process_tree.hold_tree(os.getpid())
        else:
            process_tree.signal_tree(os.getpid(), number)
            if number != signal.SIGCONT:
                self.asked = number


def _reap(worker: int, control: socket.socket) -> bool:
    """Reap every child that has ended; return whether the worker was among them."""
    ended = False
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        if pid == worker:
            ended = True
            _tell(control, {"exit": -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)})


def _end_all(engine: _EngineLine) -> None:
    """Ask what is left to end, then kill it, at once where the engine says so; return when no child remains."""
    if engine.asked != signal.SIGKILL and not _childless():
        process_tree.signal_tree(os.getpid(), signal.SIGTERM)
    deadline = time.monotonic() + LAST_CALL
    while not _childless():
        if engine.asked == signal.SIGKILL or time.monotonic() > deadline:
            process_tree.signal_tree(os.getpid(), signal.SIGKILL)
        # There is no event for "the last descendant is gone".
        if select.select([engine.control] if engine.lives else [], [], [], 0.005)[0]:
            try:
                engine.obey(None)
            except ValueError:  # nothing that it says makes sense: nobody is to outlive that
                engine.lives = False


def _childless() -> bool:
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return False
        except ChildProcessError:
            return True


def _tell(control: socket.socket, message: dict[str, int]) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the engine is gone: nobody to tell
        control.sendall(json.dumps(message).encode() + b"\n")
