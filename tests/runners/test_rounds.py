"""The rounds of ranks: whatever happens between them, what they agree on they do at one step."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tui.runners.rounds import PACE, Rounds
from tui.worker.rank import GRACE, Fence

HOLD = 5.0


def reload(version: int, bad: frozenset[int] = frozenset()) -> dict[str, Any]:
    """Return a reload that some ranks reject."""
    return {"kind": "reload", "version": version, "config": {"bad": bad}}


class Rank:
    """A rank as `JoinedLoop` is one, in a world where each move is the test's: its thread that receives, and its task.

    Attributes:
        step: Checkpoints that it has come to.
        at_checkpoint: It has not returned from that yet.
        ran: What it had when it went on from each.
    """

    def __init__(self, rank: int, world: World, running: Mapping[str, Any], *, paused: bool, stopping: bool) -> None:
        self.rank = rank
        self.world = world
        self.fence = Fence(HOLD, world.now)
        self.inbox: deque[dict[str, Any]] = deque()
        self.outbox: deque[dict[str, Any] | None] = deque([{"kind": "applied", "version": running["version"]}])
        self.alive = True
        self.step = 0
        self.at_checkpoint = False
        self.waits_since: float | None = None
        self.version = running["version"]
        self.reloads: list[int] = []
        self.mailbox: list[dict[str, Any]] = []
        self.paused, self.stopping = paused, stopping
        self.ran: dict[int, int] = {}
        self.left_at: int | None = None

    @property
    def stands(self) -> bool:
        return self.at_checkpoint and self.paused and not self.stopping

    @property
    def held(self) -> bool:
        return self.stands and not self.fence.ends_pause

    def receive(self) -> None:
        """Take the next message of the engine, in the thread that receives."""
        message = self.inbox.popleft()
        kind = message["kind"]
        if kind == "prepare":
            self._promise(message["round"], message["message"])
        elif kind == "go":
            self.fence.decide(message["round"], message["step"])
        elif kind == "abort":
            self.fence.forget(message["round"])
        else:
            self.mailbox.append(message)
        self.look()

    def _promise(self, number: int, message: dict[str, Any]) -> None:
        if message["kind"] == "reload" and self.rank in message["config"]["bad"]:
            self.outbox.append({"kind": "rejected", "round": number, "message": "no", "version": message["version"]})
            return
        at = self.fence.promise(number, message, lambda: self.step if self.stands else self.step + 1)
        self.outbox.append({"kind": "promised", "round": number, "fence": at})

    def come(self) -> None:
        """The task comes to its next checkpoint."""
        self.step += 1
        self.at_checkpoint = True
        self.look()

    def look(self) -> None:
        """The task, at a checkpoint, goes on if it may."""
        while self.at_checkpoint and self.alive:
            if self.fence.holds(self.step):
                self.waits_since = self.world.clock if self.waits_since is None else self.waits_since
                return
            self.waits_since = None
            arrived, self.mailbox = [*self.mailbox, *self.fence.take(self.step)], []
            for message in arrived:
                self._heed(message)
            if self.held:
                return
            if not self.fence.claims(self.step):
                self._go_on()

    def _heed(self, message: Mapping[str, Any]) -> None:
        if message["kind"] == "reload":
            self.reloads.append(message["version"])
        elif message["kind"] == "stop":
            self.stopping = True
        else:
            self.paused = message["kind"] == "pause"

    def _go_on(self) -> None:
        if self.stopping:
            self.left_at = self.step
            self.end()
            return
        if self.reloads:
            self.version = self.reloads[-1]
            self.reloads = []
            self.outbox.append({"kind": "applied", "version": self.version})
        self.ran[self.step] = self.version
        self.at_checkpoint = False

    def end(self) -> None:
        self.alive, self.world.lost = False, True
        self.outbox.append(None)


class World:
    """An engine, some ranks, and what is on its way between them."""

    def __init__(self, size: int, *, in_step: bool) -> None:
        self.clock = 0.0
        self.size = size
        self.in_step = in_step
        self.told: list[Mapping[str, Any]] = []
        self.rounds = Rounds(HOLD, reload(1), self.post, self.told.append, self.now)
        self.ranks: dict[int, Rank] = {}
        self.heard: set[int] = set()
        self.first: dict[int, Rank] = {}  # those of the first start: they count from the same checkpoint
        self.plain = False
        self.lost = False  # a rank has ended: who comes from then on counts from another checkpoint
        self.newest = 1

    def now(self) -> float:
        return self.clock

    def post(self, rank: int | None, message: Mapping[str, Any]) -> None:
        self.plain = self.plain or message["kind"] == "stop"
        for one in self.ranks.values():
            if rank is None or one.rank == rank:
                one.inbox.append(dict(message))

    def start(self, rank: int) -> None:
        found = Rank(
            rank, self, self.rounds.running, paused=self.rounds.paused, stopping=self.rounds.stopping is not None
        )
        self.ranks[rank] = found
        if not self.lost:
            self.first[rank] = found

    def hear(self, rank: Rank) -> None:
        """The engine reads what a rank has said."""
        message = rank.outbox.popleft()
        if message is None:
            self.agrees()
            if self.first.get(rank.rank) is rank and rank.left_at is None:
                del self.first[rank.rank]  # from here on the others go on without it
            self.heard.discard(rank.rank)
            del self.ranks[rank.rank]
            self.rounds.leave(rank.rank)
            return
        if rank.rank not in self.heard:
            self.heard.add(rank.rank)
            self.rounds.join(rank.rank, self.size)
        if message["kind"] == "promised":
            self.rounds.promised(rank.rank, message["round"], message["fence"])
        elif message["kind"] == "rejected":
            self.rounds.rejected(rank.rank, message["round"], message)
        else:
            self.rounds.applied(rank.rank, message["version"])

    def agrees(self) -> None:
        """All have the same at each step, and leave at the same."""
        seen: dict[int, int] = {}
        for rank in self.first.values():
            for step, version in rank.ran.items():
                assert seen.setdefault(step, version) == version, f"rank {rank.rank} had v{version} at step {step}"
        if not self.plain:
            assert len({rank.left_at for rank in self.first.values() if rank.left_at is not None}) <= 1

    def may_come(self, rank: Rank) -> bool:
        """Return whether a task can come to its next checkpoint: in step, only after all have left the last one."""
        if rank.at_checkpoint or not rank.alive:
            return False
        others = self.first.values() if self.in_step and rank is self.first.get(rank.rank) else ()
        return all(other.step - other.at_checkpoint >= rank.step for other in others if other.alive)

    def wait(self, seconds: float, *, asleep: bool = False) -> None:
        """Time passes; while the engine is asleep it does not look at its clock."""
        self.clock += seconds
        for rank in self.ranks.values():
            if rank.alive and rank.waits_since is not None and self.clock - rank.waits_since >= HOLD + GRACE:
                rank.end()
        if self.rounds.deadline is not None and self.clock >= self.rounds.deadline and not asleep:
            self.rounds.tick()

    def settle(self) -> None:
        """Let everything go on until nothing moves any more, nor would with time."""
        for _ in range(400):
            moved = False
            for rank in list(self.ranks.values()):
                while rank.alive and rank.inbox:
                    rank.receive()
                    moved = True
                while rank.outbox:
                    self.hear(rank)
                    moved = True
                if self.may_come(rank) and (rank.fence.is_set or rank.mailbox or rank.step < 3):
                    rank.come()
                    moved = True
            if not moved and self.rounds.deadline is not None:
                self.wait(max(self.rounds.deadline - self.clock, 0))
                moved = True
            slow = [rank for rank in self.ranks.values() if self.may_come(rank)]
            behind = any(rank.fence.is_set for rank in self.ranks.values())
            if not moved and behind and slow:
                min(slow, key=lambda rank: rank.step).come()
                moved = True
            if not moved:
                return
        raise AssertionError("it never comes to rest")


class History:
    """One history: saves, answers, steps, deaths, joins, silence, holds and a stop, in any order."""

    def __init__(self, size: int, *, in_step: bool, late: bool) -> None:
        self.world = World(size, in_step=in_step)
        self.good = 1
        self.stopped = False
        for rank in range(size - late):
            self.world.start(rank)

    def move(self, what: str, index: int) -> None:
        world = self.world
        rank = world.ranks.get(index % world.size)
        if what in ("save", "bad save"):
            self._save(frozenset([index]) if what == "bad save" else frozenset())
        elif what in ("pause", "resume"):
            world.rounds.pause(paused=what == "pause")
        elif what in LONG:
            world.wait(LONG[what], asleep=index == 0)
        elif what == "stop":
            self.stopped = True
            world.rounds.stop(15)
        elif rank is None:
            world.start(index % world.size)
        elif what == "kill" and rank.alive:
            rank.end()
        elif what == "deliver" and rank.alive and rank.inbox:
            rank.receive()
        elif what == "answer" and rank.outbox:
            world.hear(rank)
        elif what == "step" and world.may_come(rank):
            rank.come()

    def _save(self, bad: frozenset[int]) -> None:
        world = self.world
        if not self.stopped:
            world.newest += 1
            if not any(rank < world.size for rank in bad):
                self.good = world.newest
            world.rounds.offer(reload(world.newest, bad))

    def end(self) -> None:
        """Whatever has happened, what is wanted comes to be once nobody disturbs it."""
        world = self.world
        world.rounds.pause(paused=False)
        world.settle()
        world.agrees()
        if self.stopped:
            assert not world.ranks, "all have left"
            return
        for rank in range(world.size):
            if rank not in world.ranks:
                world.start(rank)
        world.settle()
        world.agrees()
        assert {rank.version for rank in world.ranks.values()} == {world.rounds.running["version"]}
        assert not any(rank.paused for rank in world.ranks.values())
        assert not world.rounds.standings
        if self.good == world.newest:
            assert world.rounds.running["version"] == self.good, "the newest is what runs in the end"


#: How long some moves take.
LONG = {"wait": 0.01, "wait long": 1.0, "silence": HOLD, "long silence": 7.0}

#: Moves of a history, the frequent ones more often: else no round would come to an end.
OFTEN = ("deliver", "answer", "step") * 8
SELDOM = ("save", "save", "wait", "save", "bad save", "pause", "resume", "kill", *LONG)
MOVES = st.tuples(st.sampled_from(OFTEN + SELDOM), st.integers(0, 3))
CALM = st.tuples(st.sampled_from((*OFTEN, "save", "save", "stop")), st.integers(0, 3))


#: Who is held alone goes on to where the others are.
HELD_ALONE = [("pause", 3), ("step", 2), *(("answer", rank) for rank in (3, 0, 1, 2))]


@example(4, True, False, HELD_ALONE, [])
@given(
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
    st.lists(MOVES, min_size=100, max_size=300),
    st.lists(CALM, max_size=60),
)
def test_whatever_happens_all_do_the_same_at_each_step(
    size: int, in_step: bool, late: bool, moves: list[tuple[str, int]], last: list[tuple[str, int]]
) -> None:
    history = History(size, in_step=in_step, late=late)
    for what, index in [*moves, *last]:
        history.move(what, index)
    history.end()


class Engine:
    """The rounds of some ranks that have come, whose answers are the test's."""

    def __init__(self, world: int, *, joined: int | None = None) -> None:
        self.clock = 0.0
        self.posted: list[tuple[int | None, str]] = []
        self.told: list[Mapping[str, Any]] = []
        self.rounds = Rounds(HOLD, reload(1), self.post, self.told.append, lambda: self.clock)
        self.number = 0
        for rank in range(world if joined is None else joined):
            self.rounds.join(rank, world)

    def post(self, rank: int | None, message: Mapping[str, Any]) -> None:
        self.number = message.get("round", self.number)
        words = f"go {message['step']}" if message["kind"] == "go" else str(message["kind"])
        self.posted.append((rank, words))

    def promise(self, *fences: int) -> list[str]:
        """Answer for the ranks from 0 on; return what the first is told then."""
        self.posted.clear()
        for rank, fence in enumerate(fences):
            self.rounds.promised(rank, self.number, fence)
        return [what for rank, what in self.posted if rank == 0]

    def pass_time(self) -> None:
        """Let it be as late as the rounds wait for."""
        assert self.rounds.deadline is not None
        self.clock = self.rounds.deadline
        self.posted.clear()
        self.rounds.tick()


def test_step_is_the_largest_fence() -> None:
    engine = Engine(3)
    engine.rounds.offer(reload(2))
    assert engine.posted == [(rank, "prepare") for rank in range(3)]
    assert engine.promise(7, 8, 7) == ["go 8"]
    assert [standing[:6] for standing in engine.rounds.standings] == [(2, 8, 3, 3, 0, (0, 1, 2))]
    for rank in range(3):
        engine.rounds.applied(rank, 2)
    assert engine.told == [{"kind": "landed", "version": 2, "ranks": {"total": 3, "applied": 3, "step": 8}}]
    assert engine.rounds.standings == []


def test_step_is_never_below_the_last_one() -> None:
    engine = Engine(2)
    engine.rounds.offer(reload(2))
    engine.promise(7, 9)
    engine.rounds.leave(1)  # which was ahead
    engine.rounds.join(1, 2)
    engine.rounds.offer(reload(3))
    engine.pass_time()  # the one before it has not been taken
    assert engine.promise(8, 1) == ["go 9"]


def test_promise_that_comes_too_late_is_none_though_nobody_has_looked_at_the_clock() -> None:
    engine = Engine(2)
    engine.rounds.offer(reload(2))
    engine.rounds.promised(0, engine.number, 4)
    engine.clock = HOLD
    assert engine.promise(4, 4) == ["abort"]


def test_who_does_not_answer_is_named_and_the_wait_doubles() -> None:
    engine = Engine(2)
    engine.rounds.offer(reload(2))
    waits = []
    for _ in range(8):
        engine.promise(3)
        engine.pass_time()
        assert engine.posted == [(0, "abort"), (1, "abort")]
        assert engine.rounds.standings[0].missing == (1,)
        assert "rank 1 has not answered within 5 s: nobody takes it" in engine.rounds.standings[0].why
        waits.append((engine.rounds.deadline or 0) - engine.clock)
        engine.pass_time()
        assert engine.posted == [(0, "prepare"), (1, "prepare")]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert engine.promise(3, 3) == ["go 3"]
    engine.rounds.offer(reload(3))
    engine.pass_time()
    engine.pass_time()
    assert engine.clock + 1 == engine.rounds.deadline, "it begins anew after one that was decided"


def test_who_does_not_come_to_the_step_that_was_decided_is_named() -> None:
    engine = Engine(12)
    engine.rounds.offer(reload(2))
    engine.promise(*[7] * 12)
    engine.clock += HOLD - 0.1
    assert engine.rounds.standings[0].why == "", "a step may take its time"
    engine.clock += 0.1
    assert engine.rounds.standings[0].why == "no rank has come to step 7 yet"
    engine.rounds.applied(0, 2)
    named = "ranks 1, 2, 3, 4, 5, 6, 7, 8 and 3 more have not come to step 7 yet"
    assert engine.rounds.standings[0].why == named
    for rank in range(2, 12):
        engine.rounds.applied(rank, 2)
    assert engine.rounds.standings[0].why == "rank 1 has not come to step 7 yet"
    engine.rounds.leave(0)
    assert [standing.version for standing in engine.rounds.standings] == [2], "it is told once"


def test_waits_until_all_have_come_that_the_launcher_names() -> None:
    engine = Engine(4, joined=1)
    assert engine.rounds.standings[0][:5] == (1, None, 1, 4, 1), "so far with what they begin with"
    engine.rounds.offer(reload(2))
    engine.rounds.offer(reload(3))
    (standing,) = engine.rounds.standings
    assert (standing.version, standing.joined, standing.total, standing.missing) == (3, 1, 4, (1, 2, 3))
    assert standing.why == "1 of 4 ranks calls tui.checkpoint"
    engine.rounds.join(1, 4)
    assert engine.rounds.standings[0].why == "2 of 4 ranks call tui.checkpoint"
    assert not engine.posted
    engine.rounds.join(2, 4)
    engine.rounds.join(3, 4)
    assert engine.posted == [(rank, "prepare") for rank in range(4)]


def test_one_refusal_is_that_of_all_and_the_next_has_its_turn() -> None:
    engine = Engine(2)
    engine.rounds.offer(reload(2))
    engine.rounds.offer(reload(3))
    engine.rounds.promised(0, engine.number, 5)
    engine.posted.clear()
    refusal = {"kind": "rejected", "version": 2, "message": "lr: no number", "errors": [(["lr"], "no number")]}
    engine.rounds.rejected(1, engine.number, refusal)
    said = {"message": "rank 1: lr: no number", "errors": [(["lr"], "rank 1: no number")]}
    assert engine.told == [{"kind": "rejected", "version": 2, **said}]
    assert [what for rank, what in engine.posted if rank == 0] == ["abort", "prepare"]
    engine.rounds.rejected(0, engine.number - 1, {"kind": "rejected", "version": 2, "message": "late"})
    assert engine.promise(6, 6) == ["go 6"]


def test_in_a_flood_of_saves_one_is_on_its_way_and_in_a_long_step_the_newest_follows() -> None:
    engine = Engine(2)
    for version in range(2, 30):
        engine.rounds.offer(reload(version))
    assert engine.promise(5, 5) == ["go 5"], "of the first; those after it wait in one slot"
    assert engine.rounds.deadline == PACE
    for rank in range(2):
        engine.rounds.applied(rank, 2)
    assert engine.promise(6, 6) == ["go 6"]
    engine.rounds.offer(reload(30))
    engine.pass_time()
    assert engine.promise(6, 6) == ["go 6"], "nobody has come to it yet: it is in time for the same step"
    for rank in range(2):
        engine.rounds.applied(rank, 30)
    assert [news["version"] for news in engine.told] == [2, 30]


def test_stop_comes_before_all_else_and_does_not_wait_for_who_is_silent() -> None:
    engine = Engine(2)
    engine.rounds.offer(reload(2))
    engine.posted.clear()
    engine.rounds.stop(15)
    assert [what for rank, what in engine.posted if rank == 0] == ["abort", "prepare"]
    assert engine.rounds.standings == [], "nothing else matters any more"
    engine.promise(4)
    engine.pass_time()
    assert engine.posted[-1] == (None, "stop"), "each for itself: it goes on by signals"
    assert engine.rounds.stopping == 15


def test_pause_that_nobody_wants_any_more_is_not_decided() -> None:
    engine = Engine(2)
    engine.rounds.pause(paused=True)
    engine.rounds.pause(paused=False)
    assert [what for rank, what in engine.posted if rank == 0] == ["prepare", "abort"]
    assert engine.rounds.deadline is None


def test_unequal_counts_of_checkpoints_are_said_once_they_show_twice() -> None:
    engine = Engine(2)
    for number in range(4):
        engine.rounds.offer(reload(2 + number))
        engine.promise(10 * number + 3, 5 * number + 1)
        for rank in range(2):
            engine.rounds.applied(rank, 2 + number)
    assert [news["fences"] for news in engine.told if news["kind"] == "uneven"] == [{0: 13, 1: 6}]
