"""The worker's end of its connection to the engine.

The engine sends pickled dicts, each after its length in 4 bytes, big-endian: the config arrives as the very types
that were parsed. The worker answers with JSON, one object a line, since the engine must not unpickle what a task may
have made. Every dict has a ``kind``.

========== ========== ==================================================================================
direction  kind       further keys
========== ========== ==================================================================================
to worker  host       first message of a process that will hold many jobs
to worker  program    first message of a process that is to be something else: module, whose `main` gets the channel
to worker  setup      task, version, config, loop, runner (process, thread or asyncio), validate (may be left out),
                      guards: metrics by name with their max, min, finite and for, args, signal, state_dir (may be left
                      out), rank and ranks (may be left out): which of how many replicas; code (may be left out): by
                      their paths the files that are imported so, whatever is in them by now
to worker  reload     version, config
to worker  judge      id, config: what would be said to it? Nothing is taken
to worker  stack      id: where is the task?
to worker  pause      from the next checkpoint on the task is held
to worker  resume
to worker  stop       end at the next checkpoint
to worker  cancel     end where it is: for an async task that does not get to a checkpoint
to engine  loaded     the task is imported and about to be called; rules: it has an annotation or a validator;
                      of an annotation also schema (JSON Schema or null) and restart (keys that can't change live)
to engine  sources    files: what the task has imported from below its folder; again when there are more
to engine  unloadable message: why the task could not be imported
to engine  raised     message: the exception that ended the task; step, traceback
to engine  lingers    message: the task has ended, and what its process waits for; over: it takes no config any more
to engine  up         the interpreter runs this program
to engine  breached   version, step, message: a metric has left its bounds under this version
to engine  rejected   version, message: the task will not get this config, and why; the worker that is to start with it
                      ends. errors: what belongs to single values, as pairs of the steps to the value and the words
to engine  passed     version: the task will get it, so its children may; told where there are rules
to engine  judged     id, message (null: nothing is wrong), errors as in rejected, effective as in applied
to engine  stack      id, text: the stack of the task
to engine  applied    version, step, at (seconds of the monotonic clock), superseded (versions); effective: where the
                      task has something else than the config says, as lists of steps, requested and effective value
to engine  paused     step: the task is held at a checkpoint
to engine  metrics    step, values
to engine  block      first (step), size (in steps), at (as in applied), values by name: a number, where there was just
                      one; else count, mean, least, most and last of the finite ones, and how many were not finite
to engine  wrote      text: what Python code of the job printed, in whole lines where possible; from a host only
to engine  blocking   seconds, where ("file.py:12 in step"): this coroutine keeps the host's event loop from all
                      others; told about once a second; with seconds 0 and no `where` when it is over
to engine  ended      code: as a process would exit; the last message of this run of the job; from a host only
========== ========== ==================================================================================

Every message about a job has its name as ``job``, given by the engine and echoed in every answer. A process whose
first message is ``setup`` is that job's; its exit tells the end.
"""

from __future__ import annotations

import json
import pickle
import select
import socket
import struct
import threading
import time
from typing import Any, Callable

_LENGTH = struct.Struct(">I")
_PART = 1 << 20

#: Seconds between two ticks of a receiving thread.
TICK = 0.05


def pack(message: dict[str, Any]) -> bytes:
    """Return a message to the worker as it goes over the wire. Protocol 4 is what Python 3.8 writes."""
    body = pickle.dumps(message, protocol=4)
    return _LENGTH.pack(len(body)) + body


class Channel:
    """A connected stream socket, read by one thread and written by any."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket: socket.socket | None = connection
        self._received = bytearray()
        self._ended = False
        self._lock = threading.RLock()  # a finalizer that runs just here may print

    def receive(self) -> dict[str, Any] | None:
        """Return the next message of the engine, or None when the engine is gone."""
        while not self._is_there():
            self._read()
        if len(self._received) < self._end():
            return None
        end = self._end()
        body = bytes(self._received[_LENGTH.size : end])
        del self._received[:end]
        message: dict[str, Any] = pickle.loads(body)
        return message

    def wait(self, seconds: float) -> bool:
        """Return whether there is something to receive within `seconds`.

        By one call that gives up the interpreter, no more: beside a tight loop each costs a switch of threads.
        """
        if not self._is_there() and self._socket is not None:
            limit = struct.pack("ll", int(seconds), max(int(seconds % 1 * 1e6), 1))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            self._read()
        return self._is_there()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message that must arrive, such as a receipt."""
        self._write(json.dumps(message).encode() + b"\n")

    def offer(self, message: dict[str, Any]) -> bool:
        """Send a message that may be left out: never waits for an engine that does not read.

        A local stream socket counts as writable while it is at most a quarter full, so there is room for a small
        message.
        """
        if self._socket is None or not select.select([], [self._socket], [], 0)[1]:
            return False
        self._write(json.dumps(message).encode() + b"\n")
        return True

    def abandon(self) -> None:
        """Forget the connection, in a process forked from the worker: it must not hold or use it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._lock = threading.RLock()

    def _write(self, data: bytes) -> None:
        with self._lock:
            if self._socket is not None:
                try:
                    self._socket.sendall(data)
                except (BrokenPipeError, ConnectionResetError):
                    self._socket = None  # the engine is gone; the shim ends this process

    def _is_there(self) -> bool:
        """Whether a whole message has come, or the end."""
        return self._ended or self._socket is None or len(self._received) >= self._end()

    def _end(self) -> int:
        """Where the message ends that comes next."""
        if len(self._received) < _LENGTH.size:
            return _LENGTH.size
        return int(_LENGTH.size + _LENGTH.unpack_from(self._received)[0])

    def _read(self) -> None:
        connection = self._socket
        if connection is None:
            return
        try:
            part = connection.recv(_PART)
        except BlockingIOError:
            return
        except ConnectionResetError:
            part = b""
        self._received += part
        self._ended = not part


class JobChannel:
    """The channel as one job uses it: every message carries the job's name.

    Args:
        channel: The connection to the engine.
        job: The name.
    """

    def __init__(self, channel: Channel, job: str) -> None:
        self._channel = channel
        self._job = job

    def send(self, message: dict[str, Any]) -> None:
        """Send a message that must arrive."""
        self._channel.send({"job": self._job, **message})

    def offer(self, message: dict[str, Any]) -> bool:
        """Send a message that may be left out; return whether it was sent."""
        return self._channel.offer({"job": self._job, **message})


def listen(channel: Channel, handle: Callable[[dict[str, Any]], None], tick: Callable[[], None]) -> None:
    """Hand on what the engine sends until the engine is gone, and call `tick` 20 times a second."""
    due = time.monotonic()
    while True:
        now = time.monotonic()
        if now >= due:
            tick()
            due = now + TICK
        if not channel.wait(due - now):
            continue
        message = channel.receive()
        if message is None:
            return
        handle(message)
