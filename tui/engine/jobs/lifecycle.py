"""The life of a job as a pure state machine, and the policy that starts a job again after its end.

::

    stopped --> starting --> running <--> paused
       ^           |  ^         |           |
       |           |  '-- (a reload that needs a new worker)
       |           v            v           v
       |        finished, crashed, stopped, or backoff --> starting
       '--- finished, crashed and stopped start again by the user's wish
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from random import random
from typing import Any

_ENDS = frozenset({"finished", "crashed", "stopped", "backoff"})

NEXT: dict[str, frozenset[str]] = {
    "stopped": frozenset({"starting", "stopped"}),
    "finished": frozenset({"starting", "stopped"}),
    "crashed": frozenset({"starting", "stopped"}),
    "starting": _ENDS | {"running", "paused", "starting"},
    "running": _ENDS | {"running", "paused", "starting"},
    "paused": _ENDS | {"running", "paused", "starting"},
    "backoff": frozenset({"starting", "stopped", "crashed"}),
}

#: Seconds before the first new try, doubled after each, and their limit.
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0

#: A worker that was up for so many seconds did not crash at its start: the delays begin anew.
UP = 10.0

#: So many ends in a row, none after `UP` seconds, are a crash loop.
MOST_TRIES = 10

#: The part of a delay that is random, so that jobs which fell together do not rise together.
JITTER = 0.1


class Intent(Enum):
    """What the user wants of a job."""

    NOTHING = "it was never started, or was stopped before it had a config to start with"
    RESTART = "a new worker: the end of the old one is not that of the job"
    WAIT = "a worker, with the next valid config"
    TRY = "a worker, but none has taken a config since the user started the job"
    RUN = "a worker"
    CLOSE = "no worker any more"


def move(job: str, before: str, after: str) -> None:
    """Check a step of the machine.

    Raises:
        ValueError: No job goes from the one state to the other.
    """
    if after not in NEXT[before]:
        raise ValueError(f"job {job} is {before} and can't become {after}")


@dataclass
class RestartPolicy:
    """Decides whether a worker that ended by itself is started again, and when.

    Attributes:
        policy: ``never``, ``on-failure`` or ``always``.
        tries: Ends in a row, none of which came after `UP` seconds.
    """

    policy: str
    tries: int = 0

    def reset(self) -> None:
        """The user starts the job, or changes its config: what was before does not count."""
        self.tries = 0

    def delay(self, *, failed: bool, up: float) -> float | None:
        """Return the seconds until the next try, None for no more.

        Args:
            failed: The worker ended with anything but 0.
            up: Seconds that it has lived.
        """
        if self.policy == "never" or (self.policy == "on-failure" and not failed):
            return None
        self.tries = 1 if up >= UP else self.tries + 1
        if self.looping:
            return None
        whole = min(FIRST_DELAY * 2.0 ** (self.tries - 1), LONGEST_DELAY)
        return whole * (1 - JITTER * random())

    @property
    def looping(self) -> bool:
        """The limit of tries is reached."""
        return self.tries >= MOST_TRIES


def blocking_words(message: Mapping[str, Any]) -> str | None:
    """Return what a `blocking` message of a host says of a job; None when it is over."""
    if not message["seconds"]:
        return None
    return f"blocks the event loop of its host for {message['seconds']:.1f} s: {message.get('where')}"
