"""What one rank has promised in the rounds of its job, and what was decided in them; see `tui.runners.rounds`.

A round brings a message, such as a reload or a stop, to all ranks at one step. The receiving thread promises a fence:
this rank does not pass that checkpoint unheard. The task goes on meanwhile, and only where it comes to its fence before
the engine has decided does it wait there, for answers of receiving threads, never for another rank's task: whatever
collective a task is in, there is no circle.
"""

from __future__ import annotations

import _queue
import os
import time

from tui.worker import native
from tui.worker.mailbox import Mailbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

#: Seconds that a rank waits at its fence longer than the engine may take: the engine gives up first.
GRACE = 1.0

_NAMES = (
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)


def launched() -> tuple[int | None, int | None]:
    """Return the rank of this process and the number of all, where a launcher says them."""
    for rank, ranks in _NAMES:
        if os.environ.get(rank, "").isdecimal() and os.environ.get(ranks, "").isdecimal():
            return int(os.environ[rank]), int(os.environ[ranks])
    return None, None


class Fence:
    """The promise of a rank, and the decisions that its task has not come to.

    The receiving thread calls `promise`, `decide` and `forget`, the task's thread the others.

    Args:
        hold: Seconds that a round may take.
        clock: Tells monotonic seconds.
    """

    def __init__(self, hold: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.patience = hold + GRACE
        self._clock = clock
        self._lock = native.new_rlock()  # a signal handler may come to a checkpoint within a checkpoint
        self._news = native.NativeEvent()
        self._round = 0
        self._at: int | None = None  # the checkpoint that is not passed unheard
        self._message: dict[str, Any] = {}
        self._decided: list[tuple[int, dict[str, Any]]] = []
        self._lost = False

    @property
    def is_set(self) -> bool:
        """There is a promise to keep or a decision to come to: the next checkpoint must look."""
        return self._at is not None or bool(self._decided)

    def promise(self, number: int, message: dict[str, Any], next_step: Callable[[], int]) -> int:
        """Promise for a round not to pass a checkpoint unheard, and return which.

        Args:
            number: Of the round.
            message: What the round is about.
            next_step: Has every checkpoint from now on look here, and after that returns the next one.
        """
        with self._lock:  # a checkpoint that looks here just now waits until the fence is there
            self._at = at = next_step()
            self._round, self._message = number, message
            return at

    @property
    def ends_pause(self) -> bool:
        """It is decided that a pause ends, further on: who is held before that goes on to where the others are."""
        return any(message["kind"] in ("stop", "resume") for _, message in self._decided)

    def decide(self, number: int, step: int) -> None:
        """Heed the message of a round at this checkpoint."""
        with self._lock:
            if self._at is not None and number == self._round:
                self._decided.append((step, self._message))
                self._at = None
        self._news.set()

    def forget(self, number: int) -> None:
        """Take a promise back: the round has come to nothing."""
        with self._lock:
            if number == self._round:
                self._at = None
        self._news.set()

    def holds(self, step: int) -> bool:
        """Return whether the task, at this checkpoint, must wait for a decision."""
        return self._at is not None and step >= self._at

    def claims(self, step: int) -> bool:
        """Return whether the task can't pass this checkpoint: it must wait, or there is something to heed."""
        return self.holds(step) or any(at <= step for at, _ in self._decided)

    def take(self, step: int) -> list[dict[str, Any]]:
        """Return what is to be heeded at this checkpoint, in the order in which it was decided."""
        with self._lock:
            due = [message for at, message in self._decided if at <= step]
            self._decided = [item for item in self._decided if item[0] > step]
            return due

    def wait(self, step: int) -> bool:
        """Wait at this checkpoint as long as it must; return False where nobody has decided in time."""
        deadline = self._clock() + self.patience
        while True:
            self._news.clear()
            with self._lock:
                if not self.holds(step):
                    return True
            heard = not self._lost and self._news.wait(max(deadline - self._clock(), 0))
            self._lost = not heard and self.holds(step)
            if self._lost:  # for good: who goes on after that would do so alone
                return False


class JoinedMailbox(Mailbox):
    """The mailbox of a process that has joined: the same parts, without their imports."""

    def __init__(self, fence: Fence) -> None:
        self.fence = fence  # not beside this: a loop of 30 attributes is slower than one of 29
        self.queue = _queue.SimpleQueue()
        self.event = native.NativeEvent()
        self._empty = _queue.Empty
        self._wakers = set()

    def wait(self, seconds: float) -> None:
        """Wait in a thread until something has been put in, at most `seconds`."""
        self.event.wait(seconds)
