"""Asks the worker of a job: what would it say to a config that nobody has written yet, and where is its task?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from tui.engine.reloads.candidate import Unanswered
from tui.runners.base import Worker

#: Seconds that a worker has to answer.
ANSWER_PATIENCE = 5.0

_NOTHING: Mapping[str, Any] = {"message": None, "errors": (), "effective": ()}


class WorkerQueries:
    """The questions to the workers of one job, one worker after the other.

    Attributes:
        rules: The worker has anything to judge by; None until it has loaded its task.
    """

    def __init__(self) -> None:
        self.rules: bool | None = None
        self._waiting: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._last = 0

    async def ask(self, worker: Worker, data: Mapping[str, Any] | str) -> Mapping[str, Any]:
        """Return the worker's verdict: a `message` if it refuses the config, with `errors`; else `effective`.

        Raises:
            Unanswered: It has not answered in time, or ended before.
        """
        if self.rules is False:
            return _NOTHING
        try:
            return await self._answer(lambda number: worker.judge(number, data))
        except asyncio.TimeoutError:
            raise Unanswered(self._why()) from None

    async def stack(self, worker: Worker) -> str:
        """Return where the task is, in many lines.

        Raises:
            Unanswered: As for `ask`.
        """
        try:
            text: str = (await self._answer(worker.stack))["text"]
        except asyncio.TimeoutError:
            why = f"its worker has not answered within {ANSWER_PATIENCE:g} s: C code holds the interpreter"
            raise Unanswered(why) from None
        return text

    async def _answer(self, put: Callable[[int], None]) -> Mapping[str, Any]:
        self._last += 1
        number = self._last
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            put(number)
            return await asyncio.wait_for(answer, ANSWER_PATIENCE)
        finally:
            del self._waiting[number]

    def _why(self) -> str:
        if self.rules is None:
            return f"its worker has not loaded the task within {ANSWER_PATIENCE:g} s: try again when it runs"
        return (
            f"its worker has not answered within {ANSWER_PATIENCE:g} s: a validator does not return, "
            "or C code holds the interpreter. Try again"
        )

    def loaded(self, rules: bool) -> None:
        """A worker has loaded its task."""
        self.rules = rules

    def answered(self, message: Mapping[str, Any]) -> None:
        """Take an answer; nobody may wait for it any more."""
        waiting = self._waiting.get(message["id"])
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    def lost(self) -> None:
        """The worker ended: it answers nothing any more, and of the next one nothing is known yet."""
        self.rules = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Unanswered("its worker ended before it answered. Try again"))
