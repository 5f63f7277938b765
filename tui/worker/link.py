"""A process's end of its connection to the deck that it has joined; see `tui.worker.joined`.

A message to the process is its length in 4 bytes, a letter, and the message: by marshal (``M``), which every
interpreter has at once, or pickled (``P``) where the config has dates. What the process says is a JSON object a line.
"""

from __future__ import annotations

import _socket
import errno
import marshal
import os
import struct
from _json import encode_basestring_ascii

from tui.worker import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: So many bytes may wait for an engine that does not read; then the process goes on without it.
MOST_UNSENT = 1 << 20

_RECEIVED = 1 << 20
_HEAD = struct.Struct(">IB")
_AGAIN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)
_NEVER_WAIT = getattr(_socket, "MSG_DONTWAIT", 0) | getattr(_socket, "MSG_NOSIGNAL", 0)


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


def connected(path: str, seconds: float) -> _socket.socket:
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
