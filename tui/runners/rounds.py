"""How the ranks of a job agree on the step at which all of them heed a message: a reload, a stop, a pause, its end.

::

    prepare   to all: validate it, and promise a fence: "I shall not pass this checkpoint unheard"
    go        once all have promised: heed it at step S, the largest of the fences
    abort     to all, instead: a rank rejects it, does not answer in time, or has ended

Nobody waits for another rank's task, only for the answers of threads that receive; so whatever collective a task is in,
there is no circle. Only the engine decides. Here are no sockets and no clock: `Members` has both, `tui.worker.rank` is
a rank's side of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Message = Mapping[str, Any]

#: Seconds after a round that failed until the next one: at first, and at most after it has doubled.
FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0

#: Seconds for which the next reload waits until the one before it has been taken: in a flood of saves one at each step
#: is enough, but where a step takes long the newest is to be there in time.
PACE = 0.1

#: So many ranks are named in a sentence.
MOST_NAMED = 8

#: Fences that differ by so much are not those of ranks in step.
UNEVEN = 2


@dataclass
class Round:
    """One round that is not decided yet: what it is about, until when, and what was promised."""

    number: int
    message: Message
    deadline: float
    fences: dict[int, int] = field(default_factory=dict)


@dataclass
class Flight:
    """A reload that is decided, on its way to a step: since when, who has taken it, and who has not."""

    step: int
    since: float
    awaited: set[int]
    applied: int = 0


class Standing(NamedTuple):
    """How far a version has come.

    Attributes:
        version: The version.
        step: At which all take it, None as long as that is not decided.
        joined: So many ranks there are.
        total: So many there are to be.
        applied: So many have taken it.
        missing: Those for which it waits.
        why: What for, in words; empty where it waits for nothing but a step.
    """

    version: int
    step: int | None
    joined: int
    total: int
    applied: int
    missing: tuple[int, ...]
    why: str


class Rounds:
    """The rounds of one job, one at a time. Newer reloads wait in one slot.

    Args:
        hold: Seconds that a round may take.
        running: The reload with which the ranks begin.
        post: Sends a message to a rank; to all that there are, where the rank is None.
        tell: Told, in a message, what becomes of a round.
        clock: Tells monotonic seconds.

    Attributes:
        world: How many ranks there are to be.
        running: The last reload that was decided: who joins begins with it.
        paused: It is decided that all are held.
        stopping: The signal of the stop that is decided, None for none.
    """

    def __init__(
        self,
        hold: float,
        running: Message,
        post: Callable[[int | None, Message], None],
        tell: Callable[[Message], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.world = 0
        self.running = running
        self.paused = False
        self.stopping: int | None = None
        self._hold = hold
        self._post = post
        self._tell = tell
        self._clock = clock
        self._ranks: set[int] = set()
        self._newest: Message | None = None
        self._wants_pause = False
        self._wants_stop: int | None = None
        self._current: Round | None = None
        self._number = 0
        self._last_step = 0
        self._flying: dict[int, Flight] = {}  # by version
        self._silent: tuple[int, ...] = ()  # who has not answered in the last round
        self._not_before = 0.0
        self._wait = 0.0
        self._uneven = 0

    # Who takes part.

    def join(self, rank: int, world: int) -> None:
        """A rank has come to its first checkpoint; it says how many there are to be."""
        self.world = world
        self._ranks.add(rank)
        if self._current is not None:
            self._abort()  # it has not heard of that one
        self._begin()

    def leave(self, rank: int) -> None:
        """A rank has ended: what is not decided yet is decided without it, or never."""
        if rank not in self._ranks:
            return
        self._ranks.discard(rank)
        self._land(rank, None)
        self._silent = ()
        if not self._ranks:
            self._last_step, self._wait, self._not_before = 0, 0.0, 0.0
        if self._current is not None:
            self._abort()
        self._begin()

    @property
    def joined(self) -> int:
        """How many have come."""
        return len(self._ranks)

    @property
    def absent(self) -> list[int]:
        """Those that have not come, by the numbers that the launcher gives."""
        return [rank for rank in range(self.world) if rank not in self._ranks]

    @property
    def _complete(self) -> bool:
        return 0 < self.world <= len(self._ranks)

    # What is wanted.

    def offer(self, message: Message) -> None:
        """Bring a reload to all, instead of any that waits for its round."""
        self._newest = message
        self._begin()

    def pause(self, *, paused: bool) -> None:
        """Hold all at one step, or let them go on from there."""
        self._wants_pause = paused
        if self._current is not None and self._current.message["kind"] in ("pause", "resume"):
            self._abort()
        self._begin()

    def stop(self, number: int) -> None:
        """Have all stop at one step, by this signal in the end; nothing else matters any more."""
        self._wants_stop, self._newest = number, None
        if self._current is not None and self._current.message["kind"] != "stop":
            self._abort()
            self._newest = None
        self._begin()

    # What the ranks say.

    def promised(self, rank: int, number: int, fence: int) -> None:
        """A rank promises not to pass a checkpoint unheard."""
        current = self._current
        if current is None or current.number != number or rank not in self._ranks:
            return
        current.fences[rank] = fence
        if self._ranks <= current.fences.keys():
            self.tick()  # the clock may have gone on while nobody looked: then it is too late
            if self._current is current:
                self._go(current)
                self._begin()

    def rejected(self, rank: int, number: int, refusal: Message) -> None:
        """A rank does not take what the round is about: so nobody does."""
        current = self._current
        if current is not None and current.number == number:
            self._current = None
            self._post_all({"kind": "abort", "round": number})
            errors = [(steps, f"rank {rank}: {words}") for steps, words in refusal.get("errors", ())]
            self._tell({**refusal, "message": f"rank {rank}: {refusal['message']}", "errors": errors})
            self._begin()

    def applied(self, rank: int, version: int) -> None:
        """A rank has taken a version: no older one is awaited of it any more."""
        self._land(rank, version)
        if not self._flying and self._not_before and not self._wait:
            self._not_before = 0.0
            self._begin()

    @property
    def standings(self) -> list[Standing]:
        """How far the versions have come that not all have taken yet."""
        total = max(self.world, self.joined)
        found = [self._standing_of(version, flight, total) for version, flight in self._flying.items()]
        current = self._current.message if self._current is not None else None
        waiting = self._newest or (current if current is not None and current["kind"] == "reload" else None)
        if waiting is not None:
            missing = self.absent if not self._complete else self._silent
            found.append(Standing(waiting["version"], None, self.joined, total, 0, tuple(missing), self._why))
        elif (
            not self._complete and self._ranks and self.running["version"] not in self._flying
        ):  # those that are there have what runs, the others have yet to come
            version = self.running["version"]
            found.append(Standing(version, None, self.joined, total, self.joined, tuple(self.absent), self._why))
        return found

    def _standing_of(self, version: int, flight: Flight, total: int) -> Standing:
        """Return how far a decided version has come; longer than `hold`, and a rank may be stopped."""
        awaited, why = tuple(sorted(flight.awaited)), ""
        if self._clock() >= flight.since + self._hold:
            who = _have(awaited) + " not" if len(awaited) < self.joined else "no rank has"
            why = f"{who} come to step {flight.step:,} yet"
        return Standing(version, flight.step, self.joined, total, flight.applied, awaited, why)

    @property
    def _why(self) -> str:
        """What a reload waits for that no round has decided."""
        if not self._complete:
            calls = "rank calls" if self.world == 1 else "ranks calls" if self.joined == 1 else "ranks call"
            return f"{self.joined} of {self.world} {calls} tui.checkpoint"
        if not self._silent:
            return ""
        silent = f"{_have(self._silent)} not answered within {self._hold:g} s"
        return f"{silent}: nobody takes it; tried again after {self._wait:g} s"

    # The clock.

    @property
    def deadline(self) -> float | None:
        """When `tick` is to be called; None for never."""
        if self._current is not None:
            return self._current.deadline
        return self._not_before if self._wanted() is not None and self._complete and self._not_before else None

    def tick(self) -> None:
        """See whether it is time."""
        current = self._current
        if current is not None and self._clock() >= current.deadline:
            self._silent = tuple(sorted(self._ranks - current.fences.keys()))
            self._wait = min(max(2 * self._wait, FIRST_WAIT), LONGEST_WAIT)
            self._not_before = self._clock() + self._wait
            self._abort()
            if current.message["kind"] == "stop":
                self._do_plainly(current.message)  # it goes on by signals, and each is to know why
        self._begin()

    # One round.

    def _wanted(self) -> Message | None:
        """Return what the next round is about, None for nothing."""
        if self._wants_stop is not None:
            return {"kind": "stop", "signal": self._wants_stop} if self.stopping is None else None
        if self._wants_pause != self.paused:
            return {"kind": "pause" if self._wants_pause else "resume"}
        return self._newest

    def _begin(self) -> None:
        """Begin a round, if there is anything to agree on and all are there."""
        while self._current is None and (wanted := self._wanted()) is not None:
            if not self._complete:
                if wanted is self._newest:
                    return
                self._do_plainly(wanted)  # what is no config must not wait for who never comes
            elif self._clock() < self._not_before and wanted["kind"] != "stop":
                return
            else:
                self._prepare(wanted)

    def _prepare(self, message: Message) -> None:
        if message is self._newest:
            self._newest = None
        self._number += 1
        self._current = Round(self._number, message, self._clock() + self._hold)
        self._post_all({"kind": "prepare", "round": self._number, "message": dict(message)})

    def _go(self, current: Round) -> None:
        # Not below the last one, which another rank may not have come to yet. At the same step they are heeded in
        # order, as everywhere: none of these ranks has passed its fence.
        self._last_step = step = max(*current.fences.values(), self._last_step)
        self._current = None
        self._wait, self._not_before, self._silent = 0.0, 0.0, ()
        self._heed(current.message, step)
        self._post_all({"kind": "go", "round": current.number, "step": step})
        uneven = max(current.fences.values()) - min(current.fences.values()) >= UNEVEN
        self._uneven = self._uneven + 1 if uneven else 0
        if self._uneven == 2:
            self._tell({"kind": "uneven", "fences": dict(current.fences)})

    def _heed(self, message: Message, step: int) -> None:
        if message["kind"] == "stop":
            self.stopping = message["signal"]
        elif message["kind"] in ("pause", "resume"):
            self.paused = message["kind"] == "pause"
        else:
            self.running = message
            self._flying[message["version"]] = Flight(step, self._clock(), set(self._ranks))
            self._not_before = self._clock() + PACE

    def _abort(self) -> None:
        """End the round for all; what it was about waits again, unless there is something newer."""
        current, self._current = self._current, None
        assert current is not None
        self._post_all({"kind": "abort", "round": current.number})
        if current.message["kind"] == "reload" and self._newest is None:
            self._newest = current.message

    def _do_plainly(self, message: Message) -> None:
        """Have each heed it at its own next checkpoint."""
        self._heed(message, 0)
        self._post(None, message)

    def _post_all(self, message: Message) -> None:
        for rank in sorted(self._ranks):
            self._post(rank, message)

    def _land(self, rank: int, version: int | None) -> None:
        """A rank has taken a version, or has ended, with None, and takes nothing any more."""
        for flying, flight in list(self._flying.items()):
            if version is None or flying <= version:
                flight.applied += version == flying and rank in flight.awaited
                flight.awaited.discard(rank)
                if not flight.awaited:
                    del self._flying[flying]
                    if flight.applied:
                        counted = {"total": self.world, "applied": flight.applied, "step": flight.step}
                        self._tell({"kind": "landed", "version": flying, "ranks": counted})


def _have(ranks: Sequence[int]) -> str:
    """Return the beginning of a sentence about some ranks."""
    if len(ranks) == 1:
        return f"rank {ranks[0]} has"
    more = f" and {len(ranks) - MOST_NAMED} more" if len(ranks) > MOST_NAMED else ""
    return f"ranks {', '.join(map(str, ranks[:MOST_NAMED]))}{more} have"
