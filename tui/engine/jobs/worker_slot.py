"""The process side of a job's one worker: it is started, held, asked and ended here, and there are never two.

When and why is decided by `tui.engine.jobs.supervisor`.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tui.engine.deck.spec import JobSpec
from tui.engine.reloads.candidate import Candidate, Data, Unanswered
from tui.runners import fd_limits
from tui.runners.base import LaunchError, Owner, Payload, Worker

#: Seconds that a worker has to answer.
ANSWER_PATIENCE = 5.0

Launch = Callable[[Owner, Payload], Worker]

_NOTHING: Mapping[str, Any] = {"message": None, "errors": (), "effective": ()}


class WorkerSlot:
    """Holds the worker of a job, if there is one, and the questions that it has not answered.

    Args:
        spec: What the deck says of the job.
        launch: Starts a worker that reports to the given owner; raises LaunchError or OSError.
        owner: Told what becomes of the worker.

    Attributes:
        worker: The worker, until nothing is left of it.
        rules: It has anything to judge a config by; None until it has loaded its task.
        code: What the next worker imports of the task's files, whatever is in them by then.
    """

    def __init__(self, spec: JobSpec, launch: Launch, owner: Owner) -> None:
        self.worker: Worker | None = None
        self.rules: bool | None = None
        self.code: Mapping[str, bytes] = {}
        self._size: tuple[int, int] | None = None  # rows and columns of a log pane, as a viewer has said last
        self.spec = spec
        self.launch = launch
        self._owner = owner
        self._waiting: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._last = 0

    def start(self, version: int, candidate: Candidate) -> str | None:
        """Start a worker with a version; return why that can't be done."""
        try:
            self.worker = self.launch(self._owner, replace(_payload(version, candidate), code=self.code))
        except (OSError, ValueError, LaunchError) as error:
            self.worker = None
            why = fd_limits.explained(error) if isinstance(error, OSError) else str(error)
            return f"the worker could not be started: {why}"
        if self._size is not None:
            self.worker.resize(*self._size)
        return None

    def send(self, version: int, candidate: Candidate) -> bool:
        """Hand over a version; return whether the worker that there is can take it."""
        assert self.worker is not None
        return self.worker.send(_payload(version, candidate))

    def resize(self, rows: int, columns: int) -> None:
        """Give this worker and those that follow a terminal of this size."""
        self._size = rows, columns
        if self.worker is not None:
            self.worker.resize(rows, columns)

    @property
    def awaited(self) -> str | None:
        """What a worker that starts has to wait for, in words."""
        ready = self.spec.command.ready if self.spec.command is not None else None
        if ready is None and self.spec.python is not None:
            return f"waits for {self.spec.python} to begin"
        return f"waits for {ready.words}" if ready is not None else None

    async def end(self, *, live: bool) -> None:
        """End the worker, and return when it is gone.

        Raises:
            StuckError: It shares its process with others, and does not end.
        """
        if self.worker is not None and live:
            await self.worker.stop(signal.Signals[self.spec.stop_signal], self.spec.grace)
        await self.wait_gone()

    async def wait_gone(self) -> None:
        """Wait until nothing of the worker is left."""
        if self.worker is not None:
            await self.worker.wait_gone()

    async def judge(self, data: Data) -> Mapping[str, Any]:
        """Return what the worker says to a config that it does not get.

        It is a `message` if it refuses it, with `errors`; else how the `effective` one would differ.

        Raises:
            Unanswered: It has not answered in time, or ended before.
        """
        if self.rules is False or self.worker is None:
            return _NOTHING
        why = "a validator does not return, or C code holds the interpreter. Try again"
        return await self._answer(self.worker.judge, why if self.rules is not None else "", data)

    async def stack(self, *, live: bool) -> str:
        """Return where the task is, in many lines.

        Raises:
            Unanswered: It has not answered in time, or ended before, or there is none.
        """
        if self.worker is None or not live:
            raise Unanswered("it has no worker: ctrl+r starts it")
        text: str = (await self._answer(self.worker.stack, "C code holds the interpreter"))["text"]
        return text

    async def _answer(self, put: Callable[..., None], why: str, *about: Any) -> Mapping[str, Any]:
        self._last += 1
        number = self._last
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            put(number, *about)
            return await asyncio.wait_for(answer, ANSWER_PATIENCE)
        except asyncio.TimeoutError:
            within = f"within {ANSWER_PATIENCE:g} s: "
            silence = f"answered {within}{why}" if why else f"loaded the task {within}try again when it runs"
            raise Unanswered(f"its worker has not {silence}") from None
        finally:
            del self._waiting[number]

    def answered(self, message: Mapping[str, Any]) -> None:
        """Take an answer; nobody may wait for it any more."""
        waiting = self._waiting.get(message["id"])
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    def gone(self) -> None:
        """Nothing of the worker is left."""
        self.worker = None

    def lost(self) -> None:
        """The worker ended: it answers nothing any more, and of the next one nothing is known yet."""
        self.rules = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Unanswered("its worker ended before it answered. Try again"))


def _payload(version: int, candidate: Candidate) -> Payload:
    assert candidate.data is not None
    return Payload(version, candidate.data, candidate.text)
