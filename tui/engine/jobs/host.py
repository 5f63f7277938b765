"""The hosts of a deck as its viewers see them: each is shown beside the jobs that it holds, with its own log."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tui import wording
from tui.engine.jobs.publisher import Emit, Publisher
from tui.runners.host import HostProcess


class HostJob(Publisher):
    """One host, started when the first of its jobs is; another process after each end.

    Args:
        name: What it is called in events.
        python: Its interpreter; ours where none is named.
        cwd: The folder in which it runs.
        emit: Takes its events.
    """

    def __init__(self, name: str, python: str | None, cwd: Path, emit: Emit) -> None:
        super().__init__(name, emit, "none of its jobs has been started yet")
        self._python = python
        self._cwd = cwd
        self._host: HostProcess | None = None
        self._asked = False
        self._cause: str | None = None

    def host(self) -> HostProcess:
        """Return the host that runs, or a new one.

        Raises:
            OSError: The interpreter can't be started.
        """
        if self._host is None or not self._host.open:
            self._asked, self._cause = False, None
            self._host = HostProcess(self, self._python, self._cwd)
            self.move("starting")
        return self._host

    async def end(self) -> None:
        """End the process, and return when it is gone."""
        if self._host is not None:
            self._asked = True
            await self._host.end()

    def worker_started(self, pid: int) -> None:
        """The process exists."""
        self.move("running", pid=pid)

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """Keep what keeps the host itself from running."""
        self._cause = message["message"]

    def worker_wrote(self, data: bytes) -> None:
        """Take output that can't be told apart by job."""
        self.write(data, None)

    def worker_exited(self, code: int | None) -> None:
        """The process ended."""
        reason = None if self._asked else self._cause or wording.exit_words(code)
        self.move("stopped" if self._asked else "crashed", exit_code=code, reason=reason)

    def worker_gone(self) -> None:
        """Nothing of it is left."""
        self.end_lines(None)


def free_name(taken: Collection[str]) -> str:
    """Return ``host``, or ``host-2`` and so on where a job is called that."""
    number = 1
    while (name := f"host-{number}" if number > 1 else "host") in taken:
        number += 1
    return name
