"""What the engine is told of replicas, with scripted histories and no cluster."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.cluster.replicas import MOST_DEATHS, Replica, Replicas


class Scene:
    """Replicas, what the engine has heard, and what each attempt has been sent."""

    def __init__(self, total: int) -> None:
        self.heard: list[Mapping[str, Any]] = []
        self.sent: dict[str | None, list[dict[str, Any]]] = {}
        self.now = 100.0
        setup = {"kind": "setup", "version": 1, "config": {"lr": 1}}
        self.all = Replicas(total, setup, self.heard.append, self._post)
        for one in self.all.all:
            one.key = f"key-{one.rank}"

    def _post(self, one: Replica, item: Mapping[str, Any]) -> None:
        message = dict(item)
        if "message" in item:
            message = pickle.loads(item["message"][4:])  # after its length
        self.sent.setdefault(one.attempt, []).append(message)

    def start(self, rank: int, attempt: str, worker: str = "w1") -> list[dict[str, Any]]:
        self.all.started(rank, f"key-{rank}", attempt, worker, self.now)
        return self.sent.get(attempt, [])

    def say(self, rank: int, kind: str, **fields: Any) -> None:
        self.all.said(self.all.all[rank], {"kind": kind, **fields}, self.now)

    def apply(self, rank: int, version: int, step: int = 5) -> None:
        self.say(rank, "applied", version=version, step=step, at=1.0, superseded=[], effective=[])

    def reload(self, version: int) -> None:
        self.all.tell({"kind": "reload", "version": version, "config": {"lr": version}})

    def kinds(self) -> list[str]:
        return [message["kind"] for message in self.heard]

    def remarks(self) -> list[str]:
        return [message["message"] for message in self.heard if message["kind"] == "remark"]


def running(total: int) -> Scene:
    """Return a scene in which all replicas have their first config."""
    scene = Scene(total)
    for rank in range(total):
        scene.start(rank, f"a{rank}")
        scene.apply(rank, 1, 0)
    scene.heard.clear()
    return scene


def versions(messages: list[dict[str, Any]]) -> list[int]:
    return [message["version"] for message in messages if message.get("kind") in ("setup", "reload")]


def test_each_is_set_up_with_its_rank() -> None:
    scene = Scene(2)
    setup, speaks = scene.start(0, "a0")
    assert (setup["kind"], setup["rank"], setup["ranks"], setup["config"]) == ("setup", 0, 2, {"lr": 1})
    assert speaks == {"speaks": True}
    (setup,) = scene.start(1, "a1")
    assert (setup["rank"], setup["ranks"]) == (1, 2)


def test_the_lowest_speaks_and_the_others_are_counted() -> None:
    scene = running(3)
    scene.reload(2)
    scene.apply(1, 2)
    assert scene.heard == []
    scene.apply(0, 2, step=7)
    (receipt,) = scene.heard
    assert (receipt["version"], receipt["step"]) == (2, 7)
    assert receipt["ranks"] == {"total": 3, "applied": 2, "step": 7}
    scene.all.count()  # no news
    scene.apply(2, 2, step=9)
    scene.all.count()
    assert scene.heard[1:] == [{"kind": "ranks", "version": 2, "ranks": {"total": 3, "applied": 3, "step": 7}}]


def test_one_replica_has_no_count() -> None:
    scene = running(1)
    scene.reload(2)
    scene.apply(0, 2)
    assert scene.heard[0]["ranks"] is None


def test_one_whose_worker_dies_begins_anew_with_what_was_taken_and_then_with_what_waits() -> None:
    scene = running(2)
    scene.reload(2)
    scene.apply(1, 2)
    scene.reload(3)
    scene.all.lose([scene.all.all[0]], scene.now)
    (words,) = scene.remarks()
    assert words.startswith("replica 0 is lost with w1, and the state too: it begins anew")
    assert versions(scene.start(0, "b0", "w2")) == [2, 3]  # nobody has taken 3 yet, who knows if it will be taken


def test_the_row_says_that_state_was_lost() -> None:
    scene = running(2)
    scene.reload(2)
    for rank in (0, 1):
        scene.apply(rank, 2)
    scene.all.lose([scene.all.all[1]], scene.now)
    scene.all.count()
    assert scene.heard[-1]["ranks"] == {"total": 2, "applied": 1, "step": 5, "anew": 1}
    scene.start(1, "b1")
    scene.apply(1, 2, 0)
    scene.all.count()
    assert scene.heard[-1]["ranks"] == {"total": 2, "applied": 2, "step": 5, "anew": 1}
    scene.reload(3)
    for rank in (0, 1):
        scene.apply(rank, 3)
    assert "anew" not in scene.heard[-1]["ranks"]


def test_a_new_attempt_tells_of_the_old_one_where_nobody_has() -> None:
    scene = running(1)
    assert versions(scene.start(0, "b0", "w2")) == [1]
    assert len(scene.remarks()) == 1
    assert scene.all.all[0].attempt == "b0"


def test_the_task_of_a_former_connection_is_ended() -> None:
    scene = running(1)
    scene.all.started(0, "an old key", "ghost", "w9", scene.now)
    assert scene.sent["ghost"] == [{"end": True}]
    assert scene.all.all[0].attempt == "a0"


def test_all_rest_on_one_that_kills_its_workers_for_so_long() -> None:
    scene = running(2)
    for number in range(MOST_DEATHS):
        scene.start(1, f"b{number}")
        scene.all.lose([scene.all.all[1]], scene.now)
    assert [one.code for one in scene.all.all] == [None, 1]
    assert "it is given up" in next(message["message"] for message in scene.heard if message["kind"] == "raised")


def test_a_worker_that_dies_now_and_then_is_no_reason_to_give_up() -> None:
    scene = running(1)
    for number in range(2 * MOST_DEATHS):
        scene.start(0, f"b{number}")
        scene.now += 100
        scene.all.lose([scene.all.all[0]], scene.now)
    assert scene.all.all[0].code is None


def test_a_refusal_is_told_once_and_nobody_begins_with_it() -> None:
    scene = running(2)
    scene.reload(2)
    scene.say(1, "rejected", version=2, message="too high", errors=[])
    assert scene.heard == []
    scene.say(0, "rejected", version=2, message="too high", errors=[])
    assert scene.kinds() == ["rejected"]
    scene.say(1, "rejected", version=2, message="too high", errors=[])
    assert scene.kinds() == ["rejected"]
    scene.all.lose([scene.all.all[0]], scene.now)
    assert versions(scene.start(0, "b0")) == [1]


def test_a_replica_that_alone_refuses_is_named() -> None:
    scene = running(2)
    scene.reload(2)
    scene.say(1, "rejected", version=2, message="not here", errors=[])
    scene.apply(0, 2)
    assert scene.remarks() == ["replica 1 alone refuses v2, and goes on with what it has: not here"]


def test_what_the_next_speaker_had_answered_is_told_when_it_speaks() -> None:
    scene = running(3)
    scene.reload(2)
    scene.apply(1, 2)
    scene.reload(3)
    scene.say(1, "rejected", version=3, message="too high", errors=[])
    assert scene.heard == []
    scene.all.ended(scene.all.all[0], 0)
    assert [kind for kind in scene.kinds() if kind != "remark"] == ["applied", "rejected"]


Deed = Callable[["World", int], None]


class World(Scene):
    """A scene whose replicas do as their processes do: they judge what comes, and take the newest."""

    def __init__(self) -> None:
        super().__init__(3)
        self.bad: set[int] = set()
        self.newest = 1
        self.has: dict[int, int] = {}
        self._numbers = itertools.count(2)
        self._done: dict[str, int] = {}

    def save(self, _: int) -> None:
        self.newest = next(self._numbers)
        self.reload(self.newest)

    def save_badly(self, _: int) -> None:
        version = next(self._numbers)
        self.bad.add(version)
        self.reload(version)

    def begin(self, rank: int) -> None:
        self.start(rank, f"a{next(self._numbers)}")

    def die(self, rank: int) -> None:
        self.now += 100
        self.all.lose([self.all.all[rank]], self.now)

    def end(self, rank: int) -> None:
        if self.all.all[rank].attempt is not None and len(self.all.unended) > 1:
            self.all.ended(self.all.all[rank], 0)

    def work(self, rank: int) -> None:
        attempt = self.all.all[rank].attempt
        if attempt is None:
            return
        come = [message for message in self.sent[attempt] if "version" in message][self._done.get(attempt, 0) :]
        self._done[attempt] = self._done.get(attempt, 0) + len(come)
        for message in come:
            if message["version"] in self.bad:
                self.say(rank, "rejected", version=message["version"], message="bad", errors=[])
        taken = [message["version"] for message in come if message["version"] not in self.bad]
        if taken:
            self.has[rank] = taken[-1]
            self.apply(rank, taken[-1])

    def told(self, kind: str) -> list[int]:
        return [message["version"] for message in self.heard if message["kind"] == kind]


DEEDS = [World.save, World.save_badly, World.begin, World.die, World.end, World.work, World.work]


@given(st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 2)), max_size=60))
def test_whatever_happens_all_have_the_newest_config_in_the_end(deeds: list[tuple[Deed, int]]) -> None:
    world = World()
    for deed, rank in deeds:
        deed(world, rank)
    for one in world.all.unended:
        if one.attempt is None:
            world.begin(one.rank)
        world.work(one.rank)
    assert {world.has[one.rank] for one in world.all.unended} == {world.newest}
    assert world.told("applied") == sorted(set(world.told("applied")))
    assert world.told("applied")[-1] == world.newest
    assert len(world.told("rejected")) == len(set(world.told("rejected")))
    assert {version for version in world.bad if version > world.newest} <= set(world.told("rejected")) <= world.bad


def test_a_stop_ends_what_has_not_begun_and_begins_nothing() -> None:
    scene = Scene(3)
    scene.start(0, "a0")
    scene.all.tell({"kind": "stop", "signal": 15})
    assert [one.code for one in scene.all.all] == [None, 0, 0]
    assert scene.sent["a0"][-1]["kind"] == "stop"
    scene.start(1, "late")
    assert scene.sent["late"] == [{"end": True}]
    scene.all.lose([scene.all.all[0]], scene.now)
    assert scene.all.unended == []
    assert scene.remarks() == []


def test_one_that_takes_its_time_decides_how_the_job_ends() -> None:
    scene = running(2)
    scene.all.tell({"kind": "stop", "signal": 15})
    scene.say(0, "stopping", how="leaves", step=3)
    scene.say(1, "stopping", how="asks", step=3)
    assert [message["how"] for message in scene.heard] == ["leaves", "asks"]


def test_one_that_fails_is_named_and_the_job_has_its_code() -> None:
    scene = running(2)
    scene.say(1, "raised", message="ValueError: x", step=3)
    scene.all.ended(scene.all.all[1], 1)
    assert scene.heard[0]["message"] == "replica 1: ValueError: x"
    assert scene.remarks() == ["replica 1 has ended with 1; 1 of 2 go on"]
    scene.all.ended(scene.all.all[0], 0)
    assert (scene.all.unended, scene.all.code) == ([], 1)


def test_when_the_speaker_has_ended_the_next_one_speaks() -> None:
    scene = running(2)
    scene.all.ended(scene.all.all[0], 0)
    assert scene.sent["a1"][-1] == {"speaks": True}
    scene.reload(2)
    scene.apply(1, 2)
    assert scene.heard[-1]["version"] == 2


def test_who_begins_in_a_pause_is_held() -> None:
    scene = running(1)
    scene.all.tell({"kind": "pause"})
    kinds = [message.get("kind") for message in scene.start(0, "b0")]
    assert kinds[:2] == ["setup", "pause"]


def test_questions_go_to_the_one_that_speaks() -> None:
    scene = running(2)
    scene.all.tell({"kind": "judge", "id": 3, "config": {}})
    assert scene.sent["a0"][-1]["kind"] == "judge"
    assert scene.sent["a1"][-1]["kind"] == "setup"


def test_lines_are_whole_and_carry_their_rank() -> None:
    scene = running(2)
    one, other = scene.all.all
    assert scene.all.wrote(one, "a\nb") == "[0] a\n"
    assert scene.all.wrote(other, "x\n") == "[1] x\n"
    assert scene.all.wrote(one, "c\n\n") == "[0] bc\n[0] \n"


@pytest.mark.parametrize(("clock", "at"), [(1_000_000.0, 100.0), (-50.0, 100.0)])
def test_its_clock_is_told_by_the_message_that_was_fastest(clock: float, at: float) -> None:
    scene = running(1)
    scene.all.started(0, "key-0", "other machine", "w2", scene.now)
    scene.say(0, "block", at=clock, first=1)
    assert scene.heard[-1]["at"] == at
    scene.now += 10
    scene.say(0, "block", at=clock + 9, first=2)  # took a second longer
    assert scene.heard[-1]["at"] == at + 9
