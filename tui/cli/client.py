"""Asks running engines from the command line: which there are, what they run, and to end."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedRWPair
from pathlib import Path
from typing import ClassVar

from tui.engine import locks
from tui.engine import paths as engine_paths
from tui.protocol import codec, messages

#: An engine that does not answer for so many seconds hangs, or is suspended.
ANSWER_PATIENCE = 5.0


@dataclass
class RunningEngine:
    """An engine that runs: its greeting, and the state of each of its jobs."""

    socket: Path
    hello: messages.Hello
    jobs: dict[str, messages.JobInfo] = field(default_factory=dict)
    states: dict[str, messages.State] = field(default_factory=dict)
    versions: dict[str, int | None] = field(default_factory=dict)
    since: dict[str, float | None] = field(default_factory=dict)
    problems: dict[str, messages.Problem] = field(default_factory=dict)  # with configs; known to who is not brief

    @property
    def name(self) -> str:
        """The name of its deck."""
        return self.hello.deck

    @property
    def path(self) -> str:
        """The path of its deck file, empty where it has none."""
        return self.hello.path

    @property
    def own_jobs(self) -> list[str]:
        """The names of its jobs; a host of some is none."""
        return [name for name, job in self.jobs.items() if job.runner != "host"]

    @property
    def paths(self) -> list[str]:
        """The paths by which it can be named."""
        return [self.path, *(job.config for job in self.jobs.values())]


@dataclass
class HangingEngine:
    """An engine that listens but does not answer; its process id where the system tells it."""

    socket: Path
    pid: int | None
    path = ""
    paths: ClassVar[list[str]] = []  # it does not say them

    @property
    def name(self) -> str:
        """The name of its deck, or of its config where it has no deck file."""
        return self.socket.stem.rpartition("-")[0]

    def __str__(self) -> str:
        if self.pid is None:
            return f"{self.name} does not answer: look for its process, and end it with kill -KILL"
        return (
            f"{self.name} (process {self.pid}) does not answer: if it was suspended, kill -CONT {self.pid} wakes it up;"
            f" kill -KILL {self.pid} ends it together with its jobs"
        )


def running() -> list[RunningEngine | HangingEngine]:
    """Return every engine of this user; what dead ones have left behind is removed."""
    locks.sweep()
    sockets = list(engine_paths.all_sockets())
    answers: Iterator[RunningEngine | HangingEngine | None]
    if len(sockets) == 1:
        answers = map(greet_deck, sockets)
    else:
        from concurrent.futures import ThreadPoolExecutor

        # All at once: one that hangs takes all the patience there is.
        with ThreadPoolExecutor(32) as pool:
            answers = pool.map(greet_deck, sockets)
    return [found for found in answers if found is not None]


def greet_deck(path: Path, *, brief: bool = True) -> RunningEngine | HangingEngine | None:
    """Return what the engine at `path` says of itself, None where there is none."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            with _connect(connection, path, brief=brief) as stream:
                return _read(path, stream)
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            engine_paths.log_of(path).unlink(missing_ok=True)
        except (TimeoutError, BlockingIOError):  # the latter when too many connections wait for it already
            return HangingEngine(path, _peer(connection))
        except (FileNotFoundError, ConnectionError):
            pass  # it ended just now
    return None


def stop_deck(path: Path) -> HangingEngine | None:
    """Have the engine at `path` end its jobs and itself; return when it has, or when it does not answer.

    Raises:
        ConnectionError: It ended before it was asked.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            with _connect(connection, path) as stream:
                stream.write(codec.encode(messages.Shutdown(1)))
                stream.flush()
                for message in codec.read(stream):  # up to the end of the stream, which is the end of the engine
                    if isinstance(message, messages.Reply):
                        connection.settimeout(None)  # it ends: its jobs may take their time
        except (TimeoutError, BlockingIOError):
            return HangingEngine(path, _peer(connection))
    return None


@contextlib.contextmanager
def connect_to_deck(path: Path, *, brief: bool = True) -> Iterator[tuple[socket.socket, BufferedRWPair]]:
    """Connect to the engine at `path`, and greet it; one who is not `brief` is told all that is known.

    Raises:
        OSError: It ended, or does not answer.
    """
    with socket.socket(socket.AF_UNIX) as connection, _connect(connection, path, brief=brief) as stream:
        yield connection, stream


def send_command(path: Path, command: messages.Command, patience: float) -> messages.Reply | None:
    """Have the engine at `path` carry out a command; return its reply, None where it does not answer in time.

    Raises:
        ConnectionError: It ended meanwhile.
    """
    with connect_to_deck(path) as (connection, stream):
        stream.write(codec.encode(command))
        stream.flush()
        connection.settimeout(patience)
        try:
            for message in codec.read(stream):
                if isinstance(message, messages.Reply):
                    return message
        except TimeoutError:
            return None
    raise ConnectionError("the engine closed the connection")


@contextlib.contextmanager
def _connect(connection: socket.socket, path: Path, *, brief: bool = True) -> Iterator[BufferedRWPair]:
    connection.settimeout(ANSWER_PATIENCE)
    connection.connect(str(path))
    with connection.makefile("rwb") as stream:
        who = os.environ.get(messages.WHO, "")
        stream.write(codec.encode(messages.Hello(messages.PROTOCOL, pid=os.getpid(), brief=brief, who=who)))
        stream.flush()
        yield stream


def _peer(connection: socket.socket) -> int | None:
    """Return the process id of who listens at the other end."""
    # Spelled in numbers where Python has no name for them: LOCAL_PEERPID of SOL_LOCAL, on macOS.
    level, name = (socket.SOL_SOCKET, socket.SO_PEERCRED) if sys.platform == "linux" else (0, 2)
    try:
        (pid,) = struct.unpack_from("i", connection.getsockopt(level, name, 12))
    except OSError:  # there is no connection: too many wait for it already
        return None
    return pid or None


def _read(path: Path, stream: BufferedRWPair) -> RunningEngine | None:
    found = None
    for message in codec.read(stream):
        if isinstance(message, messages.Hello):
            found = RunningEngine(path, message)
        elif found is not None and isinstance(message, messages.JobInfo):
            found.jobs[message.job] = message
        elif found is not None and isinstance(message, messages.State):
            found.states[message.job] = message
        elif found is not None and isinstance(message, messages.Running):
            found.versions[message.job] = message.version
            found.since[message.job] = message.since
        elif found is not None and isinstance(message, messages.Document) and message.error is not None:
            found.problems[message.job] = message.error
        elif isinstance(message, messages.Ready):
            break
    return found
