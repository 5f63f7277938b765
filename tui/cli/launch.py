"""Starts an engine in the background: the first thing to do, because it takes as long as the imports of a viewer."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tui.engine.paths import PlaceError


def start(arguments: dict[str, Any], log: Path) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start an engine in the background.

    Args:
        arguments: Of `tui.engine.main.load`.
        log: Where its own errors go.

    Returns:
        The process, and the stream on which it says where it listens or why it does not run.
    """
    reader, writer = os.pipe()
    # Named by its path: in this folder there may be another `tui`.
    code = f"import sys; sys.path[0] = {str(Path(__file__).parents[2])!r}; from tui.engine.main import main; main()"
    log.unlink(missing_ok=True)  # that of an engine which is about to end, and to remove it, is another file
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(writer), json.dumps(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(writer,),
            start_new_session=True,
            # For jobs without a terminal of their own, which would take 80.
            env={"COLUMNS": str(shutil.get_terminal_size().columns), **os.environ},
        )
    os.close(writer)
    return process, os.fdopen(reader, "rb")


@contextlib.contextmanager
def turn(socket: Path) -> Iterator[None]:
    """Wait until nobody else starts the engine that listens there; who looks for it inside finds theirs.

    Raises:
        PlaceError: Nothing can be written there.
    """
    path = socket.with_suffix(".lock")
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise PlaceError(f"{path} can't be locked: {error.strerror}") from error
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                break
        os.close(descriptor)  # the one before has removed it meanwhile
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
