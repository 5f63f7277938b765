"""What a process that runs Python tasks is told about one of them, whether it runs that alone or is a host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tui.runners.base import AT_CHECKPOINT, Payload


class Task:
    """One task, seen from the engine.

    Args:
        setup: What to run: the `setup` message of the channel without version and config.
        payload: The first config.
        post: Sends a message to the process.
    """

    def __init__(self, setup: Mapping[str, Any], payload: Payload, post: Callable[[Mapping[str, Any]], None]) -> None:
        self._job = setup["job"]
        self._post = post
        first = {"version": payload.version, "config": payload.data, "code": dict(payload.code)}
        post({"kind": "setup", **first, **setup})

    def send(self, payload: Payload) -> bool:
        """Hand over a new config."""
        self._tell("reload", version=payload.version, config=payload.data)
        return True

    def judge(self, number: int, data: Mapping[str, Any] | str) -> None:
        """Ask what the worker would say to a config."""
        self._tell("judge", id=number, config=data)

    def stack(self, number: int) -> None:
        """Ask where the task is."""
        self._tell("stack", id=number)

    def pause(self) -> str:
        """Hold the task at its next checkpoint; return how, in words."""
        self._tell("pause")
        return AT_CHECKPOINT

    def resume(self) -> None:
        """Let the task go on."""
        self._tell("resume")

    def resize(self, rows: int, columns: int) -> None:
        """Do nothing: it has no terminal."""

    def _tell(self, kind: str, **fields: Any) -> None:
        self._post({"kind": kind, "job": self._job, **fields})
