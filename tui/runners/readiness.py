"""When a command counts as ready: a line of its output, an open port, or a program that exits with 0."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.regexes import Pattern
from tui.runners.process_tree import ProcessTree

#: Seconds, at least, between two looks at a port or runs of a program.
EVERY = 0.05

#: Seconds that a look for the pattern in one line may take: nothing else goes on meanwhile.
LOOK = 0.1

#: Seconds after which a program that does not end is asked anew.
LONGEST = 10.0


@dataclass(frozen=True)
class Readiness:
    """One of three: a pattern for a line, a port on this machine, a shell command."""

    line: str | None = None
    port: int | None = None
    command: str | None = None

    def taken(self) -> bool:
        """Return whether somebody else has the port open, before the program has been started."""
        if self.port is None:
            return False
        with socket.socket() as trial:
            trial.settimeout(EVERY)
            return trial.connect_ex(("localhost", self.port)) == 0

    @property
    def words(self) -> str:
        """What is waited for."""
        if self.port is not None:
            return f"port {self.port} to be open"
        if self.line is not None:
            return f"a line of output with {self.line}"
        return f"{self.command} to exit with 0"

    def in_line(self, line: str) -> bool:
        """Return whether this line of output says so.

        Raises:
            regexes.TooLongError: It can't be said in time.
        """
        return self.line is not None and Pattern(self.line, LOOK).search(line)

    async def wait(self, cwd: Path) -> None:
        """Wait until the port is open or the command exits with 0."""
        began = time.monotonic()
        while not await self._holds(cwd):  # nobody tells of an open port
            # A command that takes its time is given four times as long to rest.
            await asyncio.sleep(max(EVERY, 4 * (time.monotonic() - began)))
            began = time.monotonic()

    async def _holds(self, cwd: Path) -> bool:
        if self.port is not None:
            try:
                _, writer = await asyncio.open_connection("localhost", self.port)
            except OSError:
                return False
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return True
        assert self.command is not None
        try:
            return (await run(self.command, cwd, timeout=LONGEST))[0] == 0
        except OSError:
            return False  # there is no room for one more process now


class _ProbeOutput:
    """Collects what a short-lived command writes and how it ends."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.code: int | None = None

    def worker_started(self, pid: int) -> None:
        """Nobody wants to know."""

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """There is no shell."""
        self.data += message["message"].encode()

    def worker_wrote(self, data: bytes) -> None:
        """Keep the beginning of what it says."""
        if len(self.data) < 1 << 16:
            self.data += data

    def worker_exited(self, code: int | None) -> None:
        """Keep its exit code."""
        self.code = code

    def worker_gone(self) -> None:
        """`run` waits for it."""


async def run(
    command: str, cwd: Path, timeout: float | None, env: Mapping[str, str] | None = None
) -> tuple[int | None, str]:
    """Run a shell command to its end, below a shim as every other: nothing of it survives.

    Args:
        command: For ``sh -c``.
        cwd: The folder in which it runs.
        timeout: Seconds after which it is killed, as it is when the call is cancelled.
        env: Variables to add to its environment.

    Returns:
        Its exit code or minus a signal, None if it did not end in time, and what it wrote.
    """
    output = _ProbeOutput()
    tree = ProcessTree(output, ["--", "/bin/sh", "-c", command], cwd=cwd, env=env or {})
    in_time = True
    try:
        if timeout is None:
            await tree.wait_gone()
        else:
            in_time = await tree.gone_within(timeout)
    finally:
        if not tree.gone:
            tree.signal(signal.SIGKILL)
            await tree.wait_gone()
    code = -signal.SIGKILL if output.code is None else output.code  # else its shim was killed, and it with that
    return (code if in_time else None), output.data.decode("utf-8", "replace").strip()
