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

from tui.worker import processes

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
    engine_lives, ended, asked = True, False, 0
    try:
        while engine_lives:
            ended = _reap(worker, control) or ended
            # Where the engine has asked all of them to end, it gives the rest the time that the worker had.
            if ended and (asked in (0, signal.SIGKILL) or _childless()):
                break
            ready = select.select([control.fileno(), wakeup], [], [])[0]
            if wakeup in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wakeup, 4096)
            if control.fileno() in ready:
                engine_lives, asked = _obey(None if ended else worker, control, asked)
    finally:  # whatever has gone wrong here, nothing may outlive it
        _end_all(at_once=asked == signal.SIGKILL)


def _obey(worker: int | None, control: socket.socket, asked: int) -> tuple[bool, int]:
    """Do what the engine says; return whether it lives, and the last signal that asked all to end."""
    try:
        data = control.recv(4096)
    except ConnectionResetError:
        return False, asked
    for line in data.splitlines():
        message = json.loads(line)
        if not message["alone"]:
            if message["signal"] == signal.SIGSTOP:
                processes.hold_tree(os.getpid())
                continue
            processes.signal_tree(os.getpid(), message["signal"])
            if message["signal"] != signal.SIGCONT:
                asked = message["signal"]
        elif worker is not None:  # it has not been reaped: the id is still its own
            with contextlib.suppress(PermissionError):  # it runs as somebody else
                os.kill(worker, message["signal"])
    return bool(data), asked


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


def _end_all(*, at_once: bool) -> None:
    """Ask what is left to end, then kill it; return when no child remains."""
    if not at_once and not _childless():
        processes.signal_tree(os.getpid(), signal.SIGTERM)
    deadline = time.monotonic() + (0 if at_once else LAST_CALL)
    while not _childless():
        if time.monotonic() > deadline:
            processes.signal_tree(os.getpid(), signal.SIGKILL)
        time.sleep(0.005)  # there is no event for "the last descendant is gone"


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
