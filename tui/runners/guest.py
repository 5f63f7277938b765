"""A process that was started by hand and has begun this deck, by `tui.join`: it is told and heard, and never ended."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tui.runners.base import AT_CHECKPOINT, Owner, Payload
from tui.runners.member import Member


@dataclass(frozen=True)
class GuestSpec:
    """The process.

    Attributes:
        what: It is, for people.
        pid: Its id.
        connection: The descriptor of our end of its connection.
    """

    what: str
    pid: int
    connection: int

    @property
    def no_restart(self) -> str:
        """Why it can't be started anew."""
        return (
            f"process {self.pid} has joined by tui.join, and is not the deck's: only who has started it can restart it"
        )


class GuestRunner:
    """The engine's side of it.

    Args:
        owner: Told of everything that happens.
        spec: The process.
        payload: The first config.
        setup: What else it gets: guards, state_dir.
    """

    def __init__(self, owner: Owner, spec: GuestSpec, payload: Payload, setup: Mapping[str, Any]) -> None:
        self._owner = owner
        self._pid = spec.pid
        self._goodbye = False
        self._hurried = asyncio.Event()
        self._gone = asyncio.Event()
        self._member = Member(socket.socket(fileno=spec.connection), self._hear, self._left)
        self._member.pid = spec.pid
        state = {"paused": False, "stopping": None, "rank": 0, "ranks": 1, "hold": 0.0}
        self._member.send({"kind": "setup", "version": payload.version, "config": payload.data, **state, **setup})
        asyncio.get_running_loop().call_soon(self._begin)  # who launches it has not got it yet

    def send(self, payload: Payload) -> bool:
        """Hand it a new config."""
        self._member.send({"kind": "reload", "version": payload.version, "config": payload.data})
        return True

    def judge(self, number: int, data: Mapping[str, Any] | str) -> None:  # noqa: ARG002
        """Say nothing against any config: it has no validator."""
        self._owner.worker_said({"kind": "judged", "id": number, "message": None, "errors": (), "effective": ()})

    def stack(self, number: int) -> None:
        """Ask where it is."""
        self._member.send({"kind": "stack", "id": number})

    def pause(self) -> str:
        """Hold it at its next checkpoint; return how, in words."""
        self._member.send({"kind": "pause"})
        return AT_CHECKPOINT

    def resume(self) -> None:
        """Let it go on."""
        self._member.send({"kind": "resume"})

    def resize(self, rows: int, columns: int) -> None:
        """Do nothing: its terminal is its own."""

    async def stop(self, number: int, grace: float) -> None:  # noqa: ARG002
        """Say that it is to stop, give it the time, and let it go: nothing more is done to a process of the user's."""
        self._member.send({"kind": "stop", "signal": None})
        words = f"tui.stopping() is True in process {self._pid}; if it goes on, it does so without the deck"
        self._owner.worker_said({"kind": "ending", "reason": words, "until": time.time() + grace})
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._hurried.wait(), grace)
        if not self._gone.is_set():
            words = f"process {self._pid} was asked to stop; it goes on without the deck, with the config that it has"
            self._end(words, None)

    def hurry(self) -> None:
        """Wait no longer for it."""
        self._hurried.set()

    async def wait_gone(self) -> None:
        """Wait until it has ended, or was let go."""
        await self._gone.wait()

    def _begin(self) -> None:
        if not self._gone.is_set():
            self._owner.worker_started(self._pid)
            self._owner.worker_said({"kind": "loaded"})

    def _hear(self, _: Member, message: Mapping[str, Any]) -> None:
        kind = message["kind"]
        if kind == "goodbye":
            self._goodbye = True
        elif kind == "output":
            self._owner.worker_wrote(message["text"].encode("utf-8", "replace"))
        elif kind != "stopping":  # however it ends, it does so by itself
            self._owner.worker_said(message)

    def _left(self, _: Member) -> None:
        if self._goodbye:
            self._end(None, 0)
        else:
            self._end(f"process {self._pid} is gone without a word: it was killed, or has closed its connection", None)

    def _end(self, words: str | None, code: int | None) -> None:
        self._gone.set()
        self._hurried.set()
        self._member.close()
        if words is not None:
            self._owner.worker_said({"kind": "departed", "message": words})
        self._owner.worker_exited(code)
        self._owner.worker_gone()
