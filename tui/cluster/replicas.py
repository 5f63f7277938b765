"""What is known of the replicas of a job, and what the engine is told of them; without a cluster and its clocks.

A replica is run by attempts: the first of them, and one more each time that its worker is lost. What an older attempt
still says is nobody's any more. The lowest replica that runs speaks for the job: its receipts are the job's, its
metrics are kept. Each takes a change at its own next checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tui.worker.channel import pack
from tui.worker.stopping import ASKS, HANDLER, LEAVES

#: A replica whose worker has died so often, each time soon after it had begun there, is given up.
MOST_DEATHS = 10

#: Seconds after which an attempt has lived long.
LONG = 60.0

#: Of several replicas of a job that is to stop, the one that takes its time counts.
_FIRST = (ASKS, HANDLER, LEAVES)

Message = Mapping[str, Any]


@dataclass
class Replica:
    """One of them.

    Attributes:
        rank: Which.
        key: Of the Dask task that runs it.
        attempt: Which attempt runs, None where none does.
        worker: Where.
        code: How it ended, None as long as it has not.
        applied: Its last receipt in this attempt.
        how: How it ends, once it was asked to.
        over: Its task has ended, though its process goes on.
        offset: What its clock is behind ours, in seconds; as much as a message takes too large at most.
        rest: What it has written of a line.
        speaks: It has been told that its metrics are the job's.
        since: When its attempt has begun, in monotonic seconds.
        deaths: Attempts that were lost in a row, each soon after it had begun.
    """

    rank: int
    key: str = ""
    attempt: str | None = None
    worker: str = ""
    code: int | None = None
    applied: Message | None = None
    how: str = ""
    over: bool = False
    offset: float = float("inf")
    rest: str = ""
    speaks: bool = False
    since: float = 0.0
    deaths: int = 0


@dataclass
class Replicas:
    """All replicas of a job.

    Args:
        total: How many there are.
        setup: What each is set up with: the `setup` message of the channel, whose config is the first.
        hear: Told what the job's worker says, as the engine wants to hear it.
        post: Sends an item to an attempt of a replica; see `tui.cluster.replica`.
    """

    total: int
    setup: dict[str, Any]
    hear: Callable[[Message], None]
    post: Callable[[Replica, Message], None]
    all: list[Replica] = field(init=False)
    stopping: Message | None = field(default=None, init=False)
    _paused: bool = field(default=False, init=False)
    _waiting: list[Message] = field(default_factory=list, init=False)  # reloads that none has taken yet
    _loaded: bool = field(default=False, init=False)
    _answered: int = field(default=0, init=False)
    _step: int = field(default=0, init=False)
    _anew: int = field(default=0, init=False)  # attempts that have begun anew since `_answered`
    _counted: Message | None = field(default=None, init=False)
    _refused: int = field(default=0, init=False)
    _refusals: dict[int, dict[int, Message]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.all = [Replica(rank) for rank in range(self.total)]

    @property
    def speaker(self) -> Replica | None:
        """The lowest that runs."""
        return next((one for one in self.all if one.attempt is not None), None)

    @property
    def unended(self) -> list[Replica]:
        """Those that have not ended."""
        return [one for one in self.all if one.code is None]

    @property
    def code(self) -> int:
        """How all of them have ended: as the first that has failed."""
        return next((one.code for one in self.all if one.code), 0)

    # What the engine says.

    def tell(self, message: Message) -> None:
        """Take a message of the engine, for all replicas, or for the one that speaks."""
        kind = message["kind"]
        if kind in ("judge", "stack"):
            if self.speaker is not None:  # else the engine waits, and says that nobody has answered
                self._post(self.speaker, message)
            return
        if kind == "reload":
            self._waiting.append(message)
        elif kind in ("pause", "resume"):
            self._paused = kind == "pause"
        elif kind == "stop":
            self.stopping = message
            for one in self.unended:
                if one.attempt is None:  # it need not begin
                    one.code = 0
        self._all(message)

    def signal(self, number: int) -> None:
        """Have every process of all replicas get a signal."""
        for one in self.all:
            if one.attempt is not None:
                self.post(one, {"signal": number})

    # What the cluster says.

    def started(self, rank: int, key: str, attempt: str, worker: str, now: float) -> None:
        """An attempt to run a replica has begun."""
        one = self.all[rank]
        if one.key != key or one.code is not None or self.stopping is not None:
            self.post(Replica(rank, key, attempt), {"end": True})
            return
        self.lose([one], now)
        if one not in self.unended:  # it is given up now
            return
        one.attempt, one.worker, one.since = attempt, worker, now
        one.offset, one.rest, one.over, one.speaks = float("inf"), "", False, False
        self._post(one, {**self.setup, "rank": rank, "ranks": self.total})
        for message in self._waiting:
            self._post(one, message)
        if self._paused:
            self._post(one, {"kind": "pause"})
        self._let_speak()

    def lose(self, lost: Iterable[Replica], now: float) -> None:
        """The workers of some replicas are gone, and what these had is lost; they begin anew."""
        lost = self._drop(lost)
        if not lost or self.stopping is not None:
            return
        workers = " and ".join(sorted({one.worker for one in lost}))
        self._remark(
            f"{names([one.rank for one in lost])} lost with {workers}, and the state too: "
            f"{'it begins' if len(lost) == 1 else 'they begin'} anew on another worker, with the newest config"
        )
        for one in lost:
            one.deaths = one.deaths + 1 if now - one.since < LONG else 1
            if one.deaths >= MOST_DEATHS:
                words = f"its worker has died {MOST_DEATHS} times in a row soon after it had begun: it is given up"
                self.said(one, {"kind": "raised", "message": words}, now)
                self.ended(one, 1)

    def lose_all(self) -> None:
        """The scheduler is gone, and all that ran there; who tells that is somebody else."""
        self._drop(self.all)

    def _drop(self, lost: Iterable[Replica]) -> list[Replica]:
        dropped = [one for one in lost if one.attempt is not None and one.code is None]
        for one in dropped:
            one.attempt, one.applied, one.how = None, None, ""
            if self.stopping is not None:  # it does not begin anew
                one.code = 0
        if self.stopping is None:
            self._anew += len(dropped)
        self._let_speak()
        return dropped

    def said(self, one: Replica, message: Message, now: float) -> None:
        """A replica says something.

        Args:
            one: Who.
            message: As on the channel of a worker.
            now: Seconds of the monotonic clock.
        """
        if "at" in message:
            one.offset = min(one.offset, now - message["at"])
            message = {**message, "at": message["at"] + one.offset}
        kind = message["kind"]
        if kind == "applied":
            self._take_receipt(one, message)
        elif kind == "stopping":
            one.how = message["how"]
            self.hear({"kind": kind, "how": self._how, "step": message["step"]})
        elif kind in ("raised", "unloadable", "refused"):
            self.hear({**message, "message": f"replica {one.rank}: {message['message']}"})
        elif kind == "lingers":
            one.over = message["over"]
            over = all(other.over for other in self.unended)
            self.hear({**message, "message": f"replica {one.rank}: {message['message']}", "over": over})
        elif kind == "loaded":
            if not self._loaded:
                self._loaded = True
                self.hear(message)
        elif kind == "rejected":
            self._refusals.setdefault(message["version"], {})[one.rank] = message
            self._answer()
        elif kind in ("breached", "judged", "stack") or one is self.speaker:
            self.hear(message)

    def wrote(self, one: Replica, text: str) -> str:
        """Return the lines that a replica has ended by writing something, each with its rank before it."""
        *lines, one.rest = (one.rest + text).split("\n")
        return "".join(f"[{one.rank}] {line}\n" for line in lines)

    def ended(self, one: Replica, code: int | None) -> None:
        """A replica has ended; None where nobody knows how."""
        one.code, one.attempt = (1 if code is None else code), None
        left = len(self.unended)
        if self.stopping is None and left and self.total > 1:
            words = "has finished" if one.code == 0 else f"has ended with {one.code}"
            self._remark(f"replica {one.rank} {words}; {left} of {self.total} go on")
        self._let_speak()

    def count(self) -> None:
        """Tell how many have the newest version that the speaker has answered for, if that is news."""
        counted = self._ranks
        if self._answered and counted is not None and counted != self._counted:
            self._counted = counted
            self.hear({"kind": "ranks", "version": self._answered, "ranks": counted})

    def _take_receipt(self, one: Replica, message: Message) -> None:
        one.applied = message
        # Whoever begins anew begins with what one has taken, since it may refuse what none has.
        taken = [other for other in self._waiting if other["version"] <= message["version"]]
        if taken:
            newest = taken[-1]
            self.setup = {**self.setup, "version": newest["version"], "config": newest["config"]}
            self._waiting = [other for other in self._waiting if other not in taken]
        self._answer()

    def _answer(self) -> None:
        """Tell what the speaker has answered, once: it may have done so before it was the one that speaks."""
        speaker = self.speaker
        if speaker is None:
            return
        receipt = speaker.applied
        if receipt is not None and receipt["version"] > self._answered:
            self._answered, self._step, self._anew = receipt["version"], receipt["step"], 0
            self._counted = self._ranks
            self.hear({**receipt, "ranks": self._counted})
        for version in sorted(self._refusals):
            self._settle_refusals(version, speaker)

    def _settle_refusals(self, version: int, speaker: Replica) -> None:
        """Rules are the same in all replicas: what the speaker says of a version is the job's answer, once."""
        refusals = self._refusals[version]
        if version <= self._refused:
            del self._refusals[version]
        elif speaker.rank in refusals:
            del self._refusals[version]
            self._refused = version
            self._waiting = [other for other in self._waiting if other["version"] != version]
            self.hear(refusals[speaker.rank])
        elif version <= self._answered:
            del self._refusals[version]
            for rank, message in refusals.items():
                words = f"replica {rank} alone refuses v{version}, and goes on with what it has: {message['message']}"
                self._remark(words)

    @property
    def _ranks(self) -> dict[str, int] | None:
        if self.total < 2 and not self._anew:
            return None
        receipts = [one.applied for one in self.all if one.applied is not None]
        applied = sum(receipt["version"] >= self._answered for receipt in receipts)
        counted = {"total": self.total, "applied": applied, "step": self._step}
        return {**counted, "anew": self._anew} if self._anew else counted

    @property
    def _how(self) -> str:
        return min((one.how for one in self.unended if one.how), key=_FIRST.index, default="")

    def _let_speak(self) -> None:
        """Have the speaker send its metrics, and nobody else."""
        for one in self.all:
            if one.attempt is not None and one.speaks != (one is self.speaker):
                one.speaks = not one.speaks
                self.post(one, {"speaks": one.speaks})
        self._answer()

    def _all(self, message: Message) -> None:
        for one in self.all:
            if one.attempt is not None:
                self._post(one, message)

    def _post(self, one: Replica, message: Message) -> None:
        self.post(one, {"message": pack(dict(message))})

    def _remark(self, words: str) -> None:
        self.hear({"kind": "remark", "message": words})


def names(ranks: list[int]) -> str:
    """Return replicas by their names, with the verb of what is over."""
    if len(ranks) == 1:
        return f"replica {ranks[0]} is"
    return f"replicas {', '.join(map(str, ranks[:-1]))} and {ranks[-1]} are"
