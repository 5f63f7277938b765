"""Where the processes of a job come that join it by themselves, with their first `tui.checkpoint`.

Each is a member. The lowest rank that is there speaks for the job: its receipts are the job's, its metrics are kept.
The process of a task is rank 0 of those that it starts, once it has come to a checkpoint itself.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import itertools
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.runners.base import Payload
from tui.runners.member import Changed, Member, Rank, TaskRank
from tui.runners.rank_metrics import RankMetrics
from tui.runners.rounds import Rounds, Standing
from tui.worker.joined import PROTOCOL
from tui.worker.stopping import ASKS, HANDLER, LEAVES

#: So many processes may come at once.
_BACKLOG = 4096

#: Seconds for which receipts of several processes are gathered before it is said how many have come.
_COUNTING = 0.1

#: Seconds after which it is told again where the ranks are, for which a version waits.
_AGAIN = 1.0

#: Of several processes of a job that is to stop, the one that takes its time counts.
_FIRST = (ASKS, HANDLER, LEAVES)

_numbers = itertools.count()


@dataclass(frozen=True)
class RankPolicy:
    """How the processes of a job change that say which rank they are.

    Attributes:
        ranks: ``together``, at one step; ``each``, at its own next checkpoint; None: together where the first that
            joins says that there are several.
        hold: Seconds that it may take to agree on a step.
        metrics: Whose are kept: those of the ``first`` that is there, or the ``mean`` of all.
    """

    ranks: str | None = None
    hold: float = 5.0
    metrics: str = "first"

    def takes_rounds(self, world: int | None) -> bool:
        """Return whether they change together, where the first says so many ranks there are, or nothing."""
        return self.ranks == "together" or (self.ranks is None and (world or 1) > 1)


class Members:
    """Listens for the processes of one worker, and tells them what the job's worker is told.

    Args:
        joins: How the path of the socket begins.
        setup: What each gets when it joins, without the config: guards, state_dir.
        payload: The config that a member gets when it joins.
        hear: Told what the members say, each receipt once: when the lowest rank has it.
        changed: Called when a process has joined or left.
        task: The process of the task of which they are children, None where there is none.
        policy: How they change.

    Attributes:
        address: What stands in the environment of the processes.
        ever: A process has joined, whether it is still there or not.

    Raises:
        OSError: The socket can't be made.
    """

    def __init__(
        self,
        joins: Path,
        setup: Mapping[str, Any],
        payload: Payload,
        hear: Callable[[Mapping[str, Any]], None],
        changed: Changed,
        task: TaskRank | None = None,
        *,
        policy: RankPolicy,
    ) -> None:
        self.ever = False
        self._policy = policy
        self._rounds: Rounds | None = None
        self._means = RankMetrics() if policy.metrics == "mean" else None
        self._first = payload.version  # with which all begin that are there before the first change
        self._timer: asyncio.TimerHandle | None = None
        self._told_at = 0.0
        self._stood: dict[int, Standing] = {}  # what was told of the versions on their way
        self._task = task
        self._setup = setup
        self._payload = payload
        self._hear = hear
        self._changed = changed
        self._paused = False
        self._stopping: int | None = None
        self._counting: asyncio.TimerHandle | None = None
        self._step = 0  # at which that was
        self._counted: dict[str, int] | None = None
        self._answered = 0  # the newest version for which the lowest rank has answered
        self._token = secrets.token_hex(16)
        self._members: list[Member] = []  # by their ranks
        self._begun: dict[int, Member] = {}  # those that take part in rounds
        self._unknown: set[Member] = set()
        self._path = joins.with_name(f"{joins.name}-{next(_numbers)}.join")
        self.address = f"{self._path}#{self._token}"
        self._loop = asyncio.get_running_loop()
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            self._listener.bind(str(self._path))
            self._listener.listen(_BACKLOG)
            self._listener.setblocking(False)
        except OSError:
            self._listener.close()
            raise
        self._loop.add_reader(self._listener, self._accept)

    @property
    def lowest(self) -> Member | None:
        """The lowest of the members."""
        return self._members[0] if self._members else None

    @property
    def speaker(self) -> Rank | None:
        """Who speaks for the job."""
        lowest = self.lowest
        if lowest is None or (self._task is not None and self._task.counts and self._task.rank <= lowest.rank):
            return self._task
        return lowest

    @property
    def _counted_ranks(self) -> list[Rank]:
        return [*([self._task] if self._task is not None and self._task.counts else []), *self._members]

    @property
    def how(self) -> str:
        """How the job ends: of several processes the one counts that takes its time."""
        hows = [one.how for one in (self._task, *self._members) if one is not None and one.how]
        return min(hows, key=_FIRST.index, default="")

    def send(self, payload: Payload) -> bool:
        """Hand a new config to all, and to who joins from now on; return whether anybody is there."""
        self._payload = payload
        message = _reload(payload)
        if self._rounds is not None:
            self._rounds.offer(message)
            self._attend()
        else:
            self._tell(message)
        return bool(self._members)

    def pause(self, *, paused: bool) -> bool:
        """Hold all at their checkpoints, or let them go on; return whether anybody is there."""
        self._paused = paused
        if self._rounds is not None:
            self._rounds.pause(paused=paused)
            self._attend()
        else:
            self._tell({"kind": "pause" if paused else "resume"})
        return bool(self._members)

    def stop(self, number: int) -> bool:
        """Say that the job is to stop, by this signal in the end; return whether anybody is there."""
        self._stopping = int(number)
        if self._rounds is not None:
            self._rounds.stop(self._stopping)
            self._attend()
        else:
            self._tell({"kind": "stop", "signal": self._stopping})
        return bool(self._members)

    def force(self) -> None:
        """Have all end at their next checkpoints, by whatever means they were to."""
        self._tell({"kind": "leave"})

    def ask_speaker(self, message: dict[str, Any]) -> bool:
        """Put a question to the member that speaks for the job; return whether there is one."""
        lowest = self.lowest
        if lowest is not None:
            lowest.send(message)
        return lowest is not None

    def close(self) -> None:
        """End all connections, and listen no more."""
        for member in [*self._members, *self._unknown]:
            member.close()
        self._members.clear()
        self._unknown.clear()
        for timer in (self._counting, self._timer):
            if timer is not None:
                timer.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _tell(self, message: dict[str, Any]) -> None:
        for member in self._members:
            member.send(message)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            while True:
                connection = self._listener.accept()[0]
                self._unknown.add(Member(connection, self._take, self._left))

    def _take(self, member: Member, message: Mapping[str, Any]) -> None:
        if member in self._unknown:
            self._admit(member, message)
        elif member in self._members:
            self._listen_to(member, message)

    def _admit(self, member: Member, hello: Mapping[str, Any]) -> None:
        self._unknown.discard(member)
        why = self._objection(hello)
        if why is not None:
            member.send({"kind": "refused", "message": why})
            member.close()
            self._hear({"kind": "remark", "message": f"process {hello.get('pid')} has not joined: {why}"})
            return
        taken = {other.rank for other in self._members}
        free = next(rank for rank in itertools.count(0 if self._task is None else 1) if rank not in taken)
        member.pid = hello["pid"]
        member.rank = hello["rank"] if hello["rank"] is not None else free
        member.world = hello["ranks"]
        if not self._members and self._policy.takes_rounds(member.world):
            rounds = self._rounds = Rounds(self._policy.hold, _reload(self._payload), self._post, self._take_news)
            rounds.paused, rounds.stopping, self._first = self._paused, self._stopping, self._payload.version
        bisect.insort(self._members, member, key=lambda one: one.rank)
        self.ever = True
        member.send({**self._first_message, "rank": member.rank, "ranks": member.world or self._world})
        self._changed(member, came=True)

    @property
    def _first_message(self) -> dict[str, Any]:
        """What a process is sent first: with ranks that change together it begins with what all of them have."""
        runs: Mapping[str, Any] = _reload(self._payload) if self._rounds is None else self._rounds.running
        paused = self._paused if self._rounds is None else self._rounds.paused
        stopping = self._stopping if self._rounds is None else self._rounds.stopping
        state = {"version": runs["version"], "config": runs["config"], "paused": paused, "stopping": stopping}
        return {"kind": "setup", **state, "hold": self._policy.hold, **self._setup}

    @property
    def _world(self) -> int:
        return len(self._members) + (self._task is not None)

    def _objection(self, hello: Mapping[str, Any]) -> str | None:
        if hello.get("kind") != "join" or not secrets.compare_digest(str(hello.get("token")), self._token):
            return "TUNEDECK in its environment is not this job's"
        if hello.get("protocol") != PROTOCOL:
            return "its tunedeck is of another version than the deck's"
        if self._rounds is not None:
            for other in [member for member in self._members if member.rank == hello["rank"]]:
                other.look()  # it may have ended just now, and this is the one that takes its place
                if other in self._members:
                    return f"process {other.pid} is rank {other.rank} already"
        return None

    def _listen_to(self, member: Member, message: Mapping[str, Any]) -> None:
        kind = message["kind"]
        member.step = message.get("step", member.step)
        if kind in ("applied", "rejected") and self._rounds is not None:
            self._take_answer(self._rounds, member, message)
        elif kind == "promised" and self._rounds is not None:
            self._rounds.promised(member.rank, message["round"], message["fence"])
            self._attend()
        elif kind == "applied":
            self.take_receipt(member, message)
        elif kind == "stopping":
            member.how = message["how"]
            self._hear({"kind": kind, "how": self.how})
        elif kind == "lingers":
            member.over = True
            if all(one.over for one in self._members) and not (self._task is not None and self._task.counts):
                self._hear(message)
        elif kind in ("metrics", "block") and self._means is not None:
            self._hear_all(self._means.take(member.rank, message, speaks=member is self.speaker))
        elif kind == "breached" or member is self.speaker:
            self._hear(message)

    def _hear_all(self, messages: Iterable[Mapping[str, Any]]) -> None:
        for message in messages:
            self._hear(message)

    # Ranks that change together.

    def _take_answer(self, rounds: Rounds, member: Member, message: Mapping[str, Any]) -> None:
        """Take a receipt or a refusal of one of them: with its first it has come to a checkpoint."""
        if not member.begun:
            member.begun = True
            self._begun[member.rank] = member
            rounds.join(member.rank, member.world or self._world)
        if message["kind"] == "applied":
            self.take_receipt(member, message)
            rounds.applied(member.rank, message["version"])
        elif "round" in message:
            rounds.rejected(member.rank, message["round"], message)
        elif member is self.speaker:
            self._hear(message)
        self._attend()

    def _post(self, rank: int | None, message: Mapping[str, Any]) -> None:
        for member in self._members if rank is None else [self._begun[rank]]:
            member.send(dict(message))

    def _take_news(self, news: Mapping[str, Any]) -> None:
        """Take what has become of a round."""
        if news["kind"] != "landed":
            self._hear(news)
            return
        version, ranks = news["version"], news["ranks"]
        total, applied, step = ranks["total"], ranks["applied"], ranks["step"]
        self._tell_standing(
            Standing(version, step, sum(member.begun for member in self._members), total, applied, (), "")
        )
        receipts = [member.applied for member in self._members if member.applied is not None]
        last = max((one for one in receipts if one["version"] == version), key=lambda one: one["at"], default=None)
        if last is not None and version > self._answered:
            self._answered, self._step, self._counted = version, step, ranks
            self._hear({**last, "step": step, "ranks": ranks})

    def _attend(self) -> None:
        """See when the rounds want to be looked at, and tell how far they have come if that is news."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._rounds is not None and self._rounds.deadline is not None:
            self._timer = self._loop.call_later(max(self._rounds.deadline - time.monotonic(), 0), self._tick)
        if self._counting is None:
            self._counting = self._loop.call_later(_COUNTING, self._count)

    def _tick(self) -> None:
        if self._rounds is not None:
            self._rounds.tick()
        self._attend()

    def _tell_standings(self) -> None:
        """Tell how far the versions on their way have come: what is news at once, where the ranks are now and then."""
        standings = [] if self._rounds is None else self._rounds.standings
        now = time.monotonic()
        again = now - self._told_at >= _AGAIN
        for standing in standings:
            if again or self._stood.get(standing.version) != standing:
                self._told_at = now
                self._tell_standing(standing)
        gone = self._stood.keys() - {standing.version for standing in standings}
        if self._rounds is not None and self._rounds.running["version"] in gone & {self._first}:
            joined = self._rounds.joined  # all have come, to the first one
            self._tell_standing(Standing(self._first, None, joined, self._rounds.world, joined, (), ""))
        self._stood = {standing.version: standing for standing in standings}
        if standings:
            self._attend()

    def _tell_standing(self, standing: Standing) -> None:
        steps = {str(member.rank): member.step for member in self._members if member.begun}
        self._hear({"kind": "standing", "steps": steps, **standing._asdict()})

    def take_receipt(self, one: Rank, message: Mapping[str, Any]) -> None:
        """Take what one of the processes has taken."""
        one.applied = message
        self._answer()
        if self._counting is None:
            self._counting = self._loop.call_later(_COUNTING, self._count)

    def _answer(self) -> None:
        """Pass the receipt of the lowest rank on, once."""
        speaker = self.speaker
        if speaker is None or speaker.applied is None or not self._speaks_for_all(speaker.applied["version"]):
            return
        if speaker.applied["version"] > self._answered:
            self._answered = speaker.applied["version"]
            self._step = speaker.applied["step"]
            self._counted = self._ranks
            self._hear({**speaker.applied, "ranks": self._counted})

    def _speaks_for_all(self, version: int) -> bool:
        """Return whether the lowest rank answers for a version, and not the last of those that change together."""
        return self._rounds is None or version == self._first

    def _count(self) -> None:
        """Say how many have the newest version for which there is a receipt, if that is news."""
        self._counting = None
        self._tell_standings()
        ranks = self._ranks
        if not self._answered or not self._speaks_for_all(self._answered) or ranks is None or ranks == self._counted:
            return
        if self._counted is None or ranks["applied"] >= self._counted["applied"]:  # else one has ended that had it
            self._counted = ranks
            self._hear({"kind": "ranks", "version": self._answered, "ranks": ranks})

    @property
    def _ranks(self) -> dict[str, int] | None:
        """Of how many processes how many have it; None where there are not several."""
        ranks = self._counted_ranks
        total = max(len(ranks), self._rounds.world if self._rounds is not None else 0)
        if total < 2:
            return None
        receipts = [one.applied for one in ranks if one.applied is not None]
        applied = sum(receipt["version"] >= self._answered for receipt in receipts)
        return {"total": total, "applied": applied, "step": self._step}

    def _left(self, member: Member) -> None:
        self._unknown.discard(member)
        if member in self._members:
            self._members.remove(member)
            self._changed(member, came=False)
            if self._rounds is not None and member.begun:
                del self._begun[member.rank]
                self._rounds.leave(member.rank)
            if self._means is not None:
                self._hear_all(self._means.leave(member.rank))
            if not self._members:
                self._rounds = None  # who comes next begins with the newest
            self._answer()
            self._attend()


def _reload(payload: Payload) -> dict[str, Any]:
    return {"kind": "reload", "version": payload.version, "config": payload.data}
