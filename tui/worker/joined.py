"""How a process that a deck did not set up as a worker becomes a part of a job: by its first `tui.checkpoint`.

The environment of the job's command has ``TUNEDECK=PATH#TOKEN``. The process connects, says who it is, and is sent
what a worker is sent; from then on its checkpoints are those of `tui.worker.loop`. Its own program must never come to
harm by that, so here is nothing that waits longer than `PATIENCE`, and nothing that takes its time to import.

========== ========== ==================================================================================
direction  kind       further keys
========== ========== ==================================================================================
to engine  join       token, protocol, pid; rank and ranks where the launcher says them, else null
to process refused    message: why it can't join
to process setup      version, config, guards, paused, stopping (a signal or null), rank, ranks, state_dir
both ways             else what a worker and its engine say; see `tui.worker.channel`
========== ========== ==================================================================================

A message to the process is its length in 4 bytes, a letter, and the message: by marshal (``M``), which every
interpreter has at once, or pickled (``P``) where the config has dates. What the process says is a JSON object a line.
"""

from __future__ import annotations

import _queue
import _socket
import atexit
import errno
import marshal
import os
import struct
import sys
import time
from _json import encode_basestring_ascii

from tui.worker import current, native, stopping
from tui.worker.loop import Loop
from tui.worker.mailbox import Mailbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOL = 1

#: Seconds that a process may be held up by its first checkpoint.
PATIENCE = 0.045

#: Seconds between two ticks of the receiving thread.
TICK = 0.05

#: So many bytes may wait for an engine that does not read; then the process goes on without it.
MOST_UNSENT = 1 << 20

_SIGTERM = 15
_RECEIVED = 1 << 20
_HEAD = struct.Struct(">IB")
_AGAIN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)
_NEVER_WAIT = getattr(_socket, "MSG_DONTWAIT", 0) | getattr(_socket, "MSG_NOSIGNAL", 0)

_RANKS = (
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)


class LostError(Exception):
    """The connection is gone; the message says how."""


class Link:
    """The process's end of its connection. It is read by one thread, and written by any that must not wait.

    Args:
        connection: A connected stream socket.

    Raises:
        OSError: The program has closed it already.
    """

    def __init__(self, connection: _socket.socket) -> None:
        self._socket: _socket.socket | None = connection
        self._is = _identity(connection)
        self._lock = native.new_rlock()  # a signal handler or a finalizer may come to a checkpoint just here
        self._unsent = bytearray()
        self._received = bytearray()
        self._buffer = bytearray(_RECEIVED)

    @property
    def is_open(self) -> bool:
        """The connection is there, as far as anybody has seen."""
        return self._socket is not None

    @property
    def unsent(self) -> int:
        """So many bytes wait for an engine that does not read."""
        return len(self._unsent)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message that must arrive: now, or with a later one."""
        with self._lock:
            self._unsent += text_of(message).encode() + b"\n"
            self.flush()

    def offer(self, message: dict[str, Any]) -> bool:
        """Send a message that may be left out where the engine does not read."""
        with self._lock:
            if self._unsent or self._socket is None:
                return False
            self.send(message)
            return True

    def flush(self) -> None:
        """Send what waits, as far as the engine takes it."""
        with self._lock:
            try:
                while self._unsent and (connection := self._socket) is not None:
                    self._check(connection)
                    del self._unsent[: connection.send(self._unsent, _NEVER_WAIT)]
            except OSError as error:
                if error.errno not in _AGAIN:
                    self.close()
            except LostError:
                pass  # the receiving thread tells
            if len(self._unsent) > MOST_UNSENT:
                self.close()

    def limit(self, seconds: float) -> None:
        """Let a connect and a receive return after so long. `settimeout` would have each ask twice."""
        if self._socket is not None:
            set_limit(self._socket, seconds)

    def receive(self) -> list[dict[str, Any]]:
        """Return the messages that have come, none where nothing came in time.

        One call that gives up the interpreter and no more: beside a tight loop each costs a switch of threads.

        Raises:
            LostError: The connection is gone.
        """
        connection = self._socket
        if connection is None:
            raise LostError("it was closed")
        self._check(connection)
        try:
            count = connection.recv_into(self._buffer)
        except OSError as error:
            if error.errno in _AGAIN:
                return []
            raise LostError(str(error)) from None
        if not count:
            raise LostError("the engine has ended")
        self._received += memoryview(self._buffer)[:count]
        return self._unpack()

    def close(self) -> None:
        """Give the connection up; a descriptor that is another file's by now is left alone."""
        connection, self._socket = self._socket, None
        self._unsent = bytearray()  # anew: another thread may be sending the other
        if connection is not None:
            try:
                ours = _identity(connection) == self._is
            except OSError:
                ours = False
            if ours:
                connection.close()
            else:
                connection.detach()

    #: In a forked process nobody may use it, and it must not be held.
    abandon = close

    def _unpack(self) -> list[dict[str, Any]]:
        found = []
        while len(self._received) >= _HEAD.size:
            length, how = _HEAD.unpack_from(self._received)
            end = _HEAD.size + length
            if len(self._received) < end:
                break
            body = bytes(self._received[_HEAD.size : end])
            del self._received[:end]
            try:
                found.append(marshal.loads(body) if how == ord("M") else _unpickled(body))
            except Exception:  # whatever it is, it is no deck's, and the program must go on
                raise LostError("what it says makes no sense") from None
        return found

    def _check(self, connection: _socket.socket) -> None:
        """See that the descriptor is still the connection: the program may have closed all, and opened others.

        Raises:
            LostError: It is not.
        """
        try:
            if _identity(connection) == self._is:
                return
        except OSError:
            pass
        self.close()
        raise LostError("the program has closed the connection")


class JoinedLoop(Loop):
    """The reload loop of a process that has joined.

    Its idle path is that of code which comes by millions of times: one flag says that there is anything to do.

    Attributes:
        due: The next checkpoint does more than to count.
    """

    def __init__(self, link: Link, setup: dict[str, Any]) -> None:
        super().__init__(link, setup["version"], setup["config"], JoinedMailbox())
        self.due = True
        self._began = False
        self.rank, self.ranks = setup["rank"], setup["ranks"]
        self.state_dir = setup["state_dir"]
        self._thread = native.main_thread()
        self.guard(setup["guards"])
        if setup["stopping"]:
            self.put({"kind": "stop", "signal": setup["stopping"]})
        if setup["paused"]:
            self.put({"kind": "pause"})

    def begin(self) -> None:
        """Answer for the config that came by joining: the program is about to have it."""
        if not self._began:
            self._began = True
            self._answer([])

    def put(self, message: dict[str, Any]) -> None:
        """Take a message of the engine: first into the mailbox, then the flag."""
        super().put(message)
        self.due = True

    def sample(self) -> None:
        """Have the next checkpoint report."""
        super().sample()
        self.due = True

    def checkpoint(self, metrics: Any) -> Any:
        """Complete a checkpoint: report, take what is waiting, return the current config."""
        self._latest = metrics
        self.step = step = self.step + 1
        if metrics:
            self._blocks.add(step, metrics)
        if self.due:
            self._take_notice(metrics)
        return self.config

    def finish(self) -> None:
        """The program ends in order: send what it has reported last."""
        self._blocks.finish()

    def sleep(self, seconds: float) -> None:
        """Sleep until a message waits in the mailbox, at most `seconds`."""
        deadline = time.monotonic() + seconds
        while native.is_cooperative() and not self.mailbox.event.is_set() and time.monotonic() < deadline:
            time.sleep(min(TICK, max(deadline - time.monotonic(), 0)))
        self.mailbox.wait(max(deadline - time.monotonic(), 0))

    def _take_notice(self, metrics: Any) -> None:
        self.due = False  # first: what comes from here on is seen now, or sets it again
        self.begin()
        if self._guards is not None:
            with self._lock:
                self._guards.look(metrics)
        self._attend(metrics)
        if self._stopping and self.stop.leaves(self.step):
            self._leave()
        self.due = self.due or self._guards is not None or self._stopping


class JoinedMailbox(Mailbox):
    """The mailbox of a process that has joined: the same parts, without their imports."""

    def __init__(self) -> None:
        self.queue = _queue.SimpleQueue()
        self.event = native.NativeEvent()
        self._empty = _queue.Empty
        self._wakers = set()

    def wait(self, seconds: float) -> None:
        """Wait in a thread until something has been put in, at most `seconds`."""
        self.event.wait(seconds)


class _Part:
    """This process as a part of a job: not yet, on its way, or there; anew in each process that is forked."""

    def __init__(self) -> None:
        self.lock = native.new_rlock()
        self.link: Link | None = None


_part = _Part()


def first_checkpoint(config: Any, metrics: Any) -> Any:
    """Join, and complete the first checkpoint; the caller's own config is what it has until the deck has answered."""
    loop = join()
    if loop is None:
        return config
    if isinstance(loop, JoinedLoop):
        loop.begin()
    return loop.checkpoint(metrics)


def member() -> tuple[int, int]:
    """Return the rank of this process and the number of all; joining tells it, where the launcher does not."""
    loop = join()
    return (loop.rank, loop.ranks) if loop is not None else (0, 1)


def join() -> Loop | None:
    """Join the deck, once in a process; None where there is no answer, or none yet."""
    with _part.lock:
        address, current.address = current.address, None
        if address is not None:
            _join(address)
        return current.loop


def _join(address: str) -> None:
    deadline = time.monotonic() + PATIENCE
    path, _, token = address.rpartition("#")
    try:
        link = Link(_connected(path, PATIENCE / 2))
    except OSError as error:
        _say(f"no deck answers at {path} ({error.strerror}): the script runs by itself")
        return
    rank, ranks = _launched()
    link.send({"kind": "join", "token": token, "protocol": PROTOCOL, "pid": os.getpid(), "rank": rank, "ranks": ranks})
    if be_part(link, JoinedLoop, max(deadline - time.monotonic(), 0.001)):
        stopping.install(_SIGTERM)  # anew, in a process that was forked


def be_part(link: Link, kind: type[JoinedLoop], seconds: float) -> bool:
    """Be a part of the job to which a connection leads; return whether it is up.

    Args:
        link: The connection.
        kind: Of the reload loop.
        seconds: How long the first message may take; then it is taken when it comes.
    """
    _part.link = link
    try:
        link.limit(seconds)
        messages = link.receive()
        link.limit(TICK)
    except (LostError, OSError) as error:
        _say(f"the deck has not taken it up ({error}): the script runs by itself")
        return False
    intake = _Intake(link, kind)
    for message in messages:
        intake.put(message)
    native.start_thread(_receive, (link, intake))
    return True


def is_on_its_way() -> bool:
    """Tell whether this process has said that it joins, and the deck may still answer."""
    return _part.link is not None and _part.link.is_open


class _Intake:
    """Takes what the engine says to this process."""

    def __init__(self, link: Link, kind: type[JoinedLoop]) -> None:
        self._link = link
        self._kind = kind
        self._loop: JoinedLoop | None = None
        self._thread = native.main_thread()

    def put(self, message: dict[str, Any]) -> None:
        """Take a message."""
        kind = message["kind"]
        if kind == "setup":
            self._loop = self._kind(self._link, message)
            current.loop = self._loop
            atexit.register(self._loop.finish)
        elif kind == "refused":
            _say(f"{message['message']}: the script runs by itself")
            self._link.close()
        elif kind == "stack" and self._loop is not None:
            from tui.worker import stack

            self._link.send({"kind": "stack", "id": message["id"], "text": stack.of(self._loop, self._thread)})
        elif self._loop is not None:
            self._loop.put(message)

    def tick(self) -> None:
        """Have metrics sent, and what could not be sent before."""
        if self._loop is not None:
            self._loop.sample()
        self._link.flush()

    def end(self) -> None:
        """The engine is gone: the process goes on with the config that it has, and a pause ends."""
        if self._loop is not None:
            self._loop.put({"kind": "resume"})


def _receive(link: Link, intake: _Intake) -> None:
    """Hand on what the engine sends until the connection is gone, in a thread of its own."""
    due = time.monotonic()
    try:
        while True:
            if time.monotonic() >= due:
                intake.tick()
                due = time.monotonic() + TICK
            for message in link.receive():
                intake.put(message)
    except LostError:
        link.close()
        intake.end()


def _connected(path: str, seconds: float) -> _socket.socket:
    """Return a connection that neither a full backlog nor an engine that does not read can hold up."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        os.set_inheritable(connection.fileno(), False)
        set_limit(connection, seconds)
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def set_limit(connection: _socket.socket, seconds: float) -> None:
    """Let a connect, send or receive of a blocking socket return after so long, without an answer."""
    whole = int(seconds)
    limit = struct.pack("ll", whole, int((seconds - whole) * 1e6))
    for option in (_socket.SO_RCVTIMEO, _socket.SO_SNDTIMEO):
        connection.setsockopt(_socket.SOL_SOCKET, option, limit)


def _identity(connection: _socket.socket) -> tuple[int, int]:
    found = os.fstat(connection.fileno())
    return found.st_dev, found.st_ino


def _launched() -> tuple[int | None, int | None]:
    """Return the rank of this process and the number of all, where a launcher says them."""
    for rank, ranks in _RANKS:
        if os.environ.get(rank, "").isdecimal() and os.environ.get(ranks, "").isdecimal():
            return int(os.environ[rank]), int(os.environ[ranks])
    return None, None


def _say(message: str) -> None:
    if sys.stderr is not None:
        print(f"tunedeck: {message}", file=sys.stderr)


def _unpickled(body: bytes) -> Any:
    import pickle

    return pickle.loads(body)


def text_of(value: Any) -> str:
    """Return a plain value as JSON: `json` takes longer to import than all of this."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        text = float.__repr__(value)
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(text, text)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text_of(str(key))}: {text_of(item)}" for key, item in value.items()) + "}"
    return "[" + ", ".join(map(text_of, value)) + "]"


def _leave() -> None:
    """A process that was forked is none that has joined: it joins by its own first checkpoint."""
    global _part
    link = _part.link
    _part = _Part()
    if link is not None:
        link.abandon()
    stopping.uninstall()
    current.loop = None
    current.address = os.environ.get("TUNEDECK") or None
    current.inside = current.address is not None


os.register_at_fork(after_in_child=_leave)
if current.address is not None:  # else the process is not a deck's to end
    stopping.install(_SIGTERM)
