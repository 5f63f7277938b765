"""The end of a worker in order: it is asked, then signalled, then killed, each when it has had its time.

How long it has depends on how it ends; see `tui.worker.stopping`, whose words these are.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

from tui.runners.process_tree import ProcessTree
from tui.worker.stopping import ASKS, HANDLER

#: Seconds that a task has at least which ends by its own means.
LONG = 60.0

#: A stop that takes longer is counted down before the user's eyes.
QUIET = 1.0

Tell = Callable[[Mapping[str, Any]], None]


class Termination:
    """One stop of a worker with a tree of its own.

    Args:
        tree: Of the worker.
        send: Sends a signal to all of it.
        number: The signal between asking and SIGKILL.
        grace: Seconds until SIGKILL; twice half of it where a signal is sent meanwhile.
        tell: Told what is waited for.
        force: Has the task end at its next checkpoint, by whatever means it was to.
        how: How it ends, where that is known; else it says so.
    """

    def __init__(
        self,
        tree: ProcessTree,
        send: Callable[[int], Any],
        number: int,
        grace: float,
        tell: Tell,
        force: Callable[[], Any],
        how: str = "",
    ) -> None:
        self._tree = tree
        self._send = send
        self._name = signal.Signals(number).name
        self._number = number
        self._grace = grace
        self._tell = tell
        self._force = force
        self._how = how
        self._since = time.monotonic()
        self._hurried = False
        self._news = asyncio.Event()

    def take_answer(self, how: str) -> None:
        """It says how it ends."""
        if how != self._how:
            self._how, self._since = how, time.monotonic()
            self._news.set()

    def hurry(self) -> None:
        """Somebody does not want to wait for it any longer."""
        self._hurried = True
        self._news.set()

    async def run(self) -> None:
        """Bring the worker to its end; return when nothing of it is left."""
        await self._wait(self._first, self._words)
        self._send(self._number)
        signalled = time.monotonic()
        rest = self._grace if self._how == HANDLER else self._grace / 2
        words = f"{self._name} was sent; SIGKILL follows"
        if self._how == HANDLER:
            await self._wait(lambda: signalled + rest / 2, lambda: words, signalled + rest)
            self._force()
        await self._wait(lambda: signalled + rest, lambda: words)
        await self._tree.end((0, signal.SIGKILL))

    def _first(self) -> float:
        """Return when the signal is to be sent."""
        if self._hurried or self._how == HANDLER:
            return 0.0
        return self._since + (max(self._grace, LONG) if self._how == ASKS else self._grace / 2)

    def _words(self) -> str:
        if self._how == ASKS:
            return f"it ends by its own means; {self._name} follows, a second stop sends it at once"
        return f"it is to end at its next checkpoint; {self._name} follows"

    async def _wait(self, until: Callable[[], float], words: Callable[[], str], shown: float | None = None) -> None:
        """Wait for the end of all until some time, which may change meanwhile."""
        began, told = time.monotonic(), ""
        while not self._tree.gone and (now := time.monotonic()) < until():
            if now - began >= QUIET and told != words():
                told = words()
                left = (shown or until()) - now
                self._tell({"kind": "ending", "reason": told, "until": time.time() + left})
            self._news.clear()
            left = until() - now if now - began >= QUIET else min(until() - now, QUIET)
            await self._either(left)

    async def _either(self, seconds: float) -> None:
        waits = [asyncio.ensure_future(self._news.wait()), asyncio.ensure_future(self._tree.wait_gone())]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*waits, return_exceptions=True)
