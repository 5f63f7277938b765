"""What a job and its worker are to each other, whatever the worker is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Payload:
    """A version of a config on its way to a worker.

    Attributes:
        version: Its number.
        data: The parsed config; the text itself where the config is not parsed.
        text: The whole text of the file.
        code: By their paths the files that a worker which starts imports so, whatever is in them by now.
    """

    version: int
    data: Mapping[str, Any] | str
    text: str
    code: Mapping[str, bytes] = field(default_factory=dict, repr=False)


class LaunchError(Exception):
    """The worker can't be started; the message says why."""


class StuckError(Exception):
    """The worker can't be ended without others that share its process; the message says so."""


class Owner(Protocol):
    """Who is told what becomes of a worker. Calls come on the loop that started it."""

    def worker_started(self, pid: int) -> None:
        """The worker process exists."""

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """The worker sent `message`; see the table of the channel."""

    def worker_wrote(self, data: bytes) -> None:
        """The job wrote `data` to its output."""

    def worker_exited(self, code: int | None) -> None:
        """The worker ended, with its exit code or minus a signal; None when the shim was killed with it."""

    def worker_gone(self) -> None:
        """The worker and all its descendants are gone and their output has been read."""


#: How what comes to checkpoints is held.
AT_CHECKPOINT = "from its next checkpoint on"


class Relay:
    """Passes on to the owner of a worker what one is told of a process; who takes part in it overrides that."""

    _owner: Owner

    def worker_started(self, pid: int) -> None:
        """The process exists."""
        self._owner.worker_started(pid)

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """It sent `message`, or its shim says why it is refused."""
        self._owner.worker_said(message)

    def worker_wrote(self, data: bytes) -> None:
        """It, or a child of it, wrote `data`."""
        self._owner.worker_wrote(data)

    def worker_exited(self, code: int | None) -> None:
        """It ended."""
        self._owner.worker_exited(code)

    def worker_gone(self) -> None:
        """Nothing of it is left."""
        self._owner.worker_gone()


class Worker(Protocol):
    """What a job needs of its worker."""

    def send(self, payload: Payload) -> bool:
        """Hand over a new config; False if only a new worker can take it."""

    def judge(self, number: int, data: Mapping[str, Any] | str) -> None:
        """Ask what the worker would say to a config; its answer is the message `judged` with that number."""

    def stack(self, number: int) -> None:
        """Ask where the task is; its answer is the message `stack` with that number."""

    def pause(self) -> str:
        """Hold the task until `resume`; return how, in words."""

    def resume(self) -> None:
        """Let a held task go on."""

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal that it has another size; nothing where it has none."""

    async def stop(self, number: int, grace: float) -> None:
        """End the worker and its whole tree, and return when it is gone.

        Args:
            number: The signal of the rung between asking and SIGKILL.
            grace: Seconds until SIGKILL.

        Raises:
            StuckError: It did not end, and can't be killed alone.
        """

    def hurry(self) -> None:
        """Wait no longer, in a stop that goes on, for what ends by its own means."""

    async def wait_gone(self) -> None:
        """Wait until nothing of the worker is left."""
