"""Asks running engines from the command line: which there are, what they run, and to end."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedRWPair
from pathlib import Path
from typing import IO

from tui import events
from tui.engine import place

#: An engine that does not answer for so many seconds is shown as hanging.
PATIENCE = 5.0


@dataclass
class Running:
    """An engine that runs: its greeting, and the state of each of its jobs."""

    socket: Path
    hello: events.Hello
    jobs: dict[str, events.Job] = field(default_factory=dict)
    states: dict[str, events.State] = field(default_factory=dict)
    versions: dict[str, int | None] = field(default_factory=dict)


def running() -> Iterator[Running]:
    """Yield every engine of this user that runs; sockets left behind by dead ones are removed."""
    for path in place.all_sockets():
        found = ask(path)
        if found is not None:
            yield found


def ask(path: Path) -> Running | None:
    """Return what the engine at `path` says of itself, None where there is none."""
    try:
        with _connect(path, PATIENCE) as stream:
            return _read(path, stream)
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
    except (FileNotFoundError, ConnectionError, TimeoutError):
        pass  # it ended just now, or hangs: it can't be talked to
    return None


def stop(path: Path) -> None:
    """Have the engine at `path` end its jobs and itself; return when it has.

    Raises:
        ConnectionError: It ended before it was asked.
    """
    with _connect(path, None) as stream:
        stream.write(events.encode(events.Shutdown(1)))
        stream.flush()
        for _ in stream:  # up to the end of the stream, which is the end of the engine
            pass


def start(arguments: dict[str, str | None], log: Path) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start an engine in the background.

    Args:
        arguments: Of `tui.engine.main.load`.
        log: Where its own errors go.

    Returns:
        The process, and the stream on which it says where it listens or why it does not run.
    """
    reader, writer = os.pipe()
    # Named by its path: in this folder there may be another `tui`.
    code = f"import sys; sys.path[0] = {str(Path(__file__).parent.parent)!r}; from tui.engine.main import main; main()"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(writer), json.dumps(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(writer,),
            start_new_session=True,
        )
    os.close(writer)
    return process, os.fdopen(reader, "rb")


@contextlib.contextmanager
def _connect(path: Path, patience: float | None) -> Iterator[BufferedRWPair]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(path))
        with connection.makefile("rwb") as stream:
            stream.write(events.encode(events.Hello(events.PROTOCOL, pid=os.getpid())))
            stream.flush()
            connection.settimeout(patience)
            yield stream


def _read(path: Path, stream: BufferedRWPair) -> Running | None:
    found = None
    for line in stream:
        message = events.decode(line)
        if isinstance(message, events.Hello):
            found = Running(path, message)
        elif found is not None and isinstance(message, events.Job):
            found.jobs[message.job] = message
        elif found is not None and isinstance(message, events.State):
            found.states[message.job] = message
        elif found is not None and isinstance(message, events.Running):
            found.versions[message.job] = message.version
        elif isinstance(message, events.Ready):
            break
    return found
