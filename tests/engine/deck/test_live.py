"""The deck file is edited at random: what runs is what it says, and what it leaves alone goes on."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import THOROUGHLY
from tui.config.disk.store import Content, StoreError
from tui.config.document import ConfigError
from tui.engine.deck import load
from tui.engine.deck.live import LiveDeck
from tui.engine.deck.plan import needs_worker, plan
from tui.engine.deck.spec import Deck, JobSpec
from tui.protocol.messages import DeckChange, Event, Notice, Problem

#: Edits of one deck file, and how many decks there are: a thousand edits in all.
EDITS, DECKS = 25, 400 if THOROUGHLY else 40

NAMES = "abcde"

#: A field that holds for the worker that runs, one that a worker is started with, and the config.
FIELDS: dict[str, list[Any]] = {
    "restart": ["never", "always"],
    "args": [(), ("a",), ("b",)],
    "config": ["/c.yaml", "/d.yaml"],
}
JOBS: list[dict[str, Any] | None] = [
    None,
    *(dict(zip(FIELDS, values, strict=True)) for values in itertools.product(*FIELDS.values())),
]

#: A deck as a number, for drawing dictionaries takes hypothesis ten times as long as all the rest.
DECK = st.integers(1, len(JOBS) ** len(NAMES) - 1)


def deck_of(number: int) -> dict[str, Any]:
    """Return which jobs there are, and how each is described."""
    found = {name: JOBS[number // len(JOBS) ** place % len(JOBS)] for place, name in enumerate(NAMES)}
    return {name: fields for name, fields in found.items() if fields is not None}


def spec(name: str, fields: dict[str, Any]) -> JobSpec:
    args = tuple(fields["args"])
    return JobSpec(name, "m:f", None, Path(fields["config"]), restart=fields["restart"], args=args)


def content(deck: dict[str, Any]) -> Content:
    raw = json.dumps(deck).encode()
    return Content(raw, raw.decode())


def read(path: Path, raw: bytes) -> Deck:
    """Stand in for the parser, which has tests of its own and takes most of the time."""
    if raw == b"broken":
        raise ConfigError(Problem("it is broken", 3, 5))
    jobs = tuple(spec(name, fields) for name, fields in json.loads(raw).items())
    return Deck("deck", path, jobs, raw.decode())


class FakeJobs:
    """Jobs whose workers are numbers, and whose ends take a turn of the loop."""

    def __init__(self) -> None:
        self.running: dict[str, tuple[JobSpec, int]] = {}
        self._pids = itertools.count(1)

    def specs(self) -> list[JobSpec]:
        return [found for found, _ in self.running.values()]

    async def add(self, spec: JobSpec) -> None:
        assert spec.name not in self.running
        self.running[spec.name] = spec, next(self._pids)
        await asyncio.sleep(0)

    async def remove(self, name: str) -> bool:
        await asyncio.sleep(0)
        del self.running[name]
        return True

    async def adopt(self, spec: JobSpec, *, restart: bool) -> None:
        _, pid = self.running[spec.name]
        self.running[spec.name] = spec, next(self._pids) if restart else pid
        await asyncio.sleep(0)

    @property
    def pids(self) -> dict[str, int]:
        return {name: pid for name, (_, pid) in self.running.items()}


class Play:
    """A deck file with its fake jobs; about the ends of workers named in `asks` somebody is asked."""

    def __init__(self) -> None:
        self.jobs = FakeJobs()
        self.told: list[Event] = []
        self.asks: set[str] = set()
        self.live = LiveDeck(Path("/deck.yaml"), self.jobs, self.told.append, self._at_stake)

    def _at_stake(self, names: Collection[str]) -> Collection[str]:
        return self.asks.intersection(names)


@pytest.fixture(autouse=True)
def _plain_decks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "read", read)


@settings(max_examples=DECKS, deadline=None)
@given(st.lists(st.one_of(DECK, st.sampled_from(["broken", "missing"])), min_size=EDITS, max_size=EDITS))
def test_what_runs_is_what_the_file_says(edits: list[Any]) -> None:
    asyncio.run(_edit([edit if isinstance(edit, str) else deck_of(edit) for edit in edits]))


async def _edit(edits: list[Any]) -> None:
    play = Play()
    for edit in edits:
        before, pids = {one.name: one for one in play.jobs.specs()}, play.jobs.pids
        if isinstance(edit, str):
            found = Content(b"broken", "broken") if edit == "broken" else StoreError("/deck.yaml is missing")
            await play.live.changed(found, True)
            assert (play.jobs.pids, bool(play.live.problem)) == (pids, True)
            assert isinstance(play.told[-1], Notice)
            continue
        await play.live.changed(content(edit), True)
        wanted = {name: spec(name, fields) for name, fields in edit.items()}
        assert {one.name: one for one in play.jobs.specs()} == wanted
        for name in before.keys() & wanted.keys():
            old, new = before[name], wanted[name]
            kept = old.config == new.config and not needs_worker(old, new)
            assert (play.jobs.pids[name] == pids[name]) == kept
        assert not play.live.problem


@settings(max_examples=DECKS, deadline=None)
@given(st.lists(DECK, min_size=EDITS, max_size=EDITS), st.integers().map(random.Random))
def test_what_somebody_is_asked_about_waits_for_the_answer(edits: list[int], dice: random.Random) -> None:
    answers = [({name for name in NAMES if dice.random() < 0.5}, dice.random() < 0.5) for _ in edits]
    asyncio.run(_ask([(deck_of(edit), *answer) for edit, answer in zip(edits, answers, strict=True)]))


async def _ask(edits: list[tuple[Any, set[str], bool]]) -> None:
    play = Play()
    for deck, asks, yes in edits:
        pids, before = play.jobs.pids, dict(play.jobs.running)
        play.asks = asks
        wanted = {name: spec(name, fields) for name, fields in deck.items()}
        disturbed = set(plan(play.jobs.specs(), wanted.values()).disturbed) & asks
        await play.live.changed(content(deck), True)
        waiting = play.live.waiting
        assert (waiting is not None) == bool(disturbed)
        assert all(play.jobs.running[name] == before[name] for name in disturbed)
        if waiting is None:
            continue
        assert {*waiting.removed, *waiting.replaced, *waiting.restarted} == disturbed
        assert (waiting.added, waiting.adopted) == ((), ())
        assert await play.live.confirm("another content")
        if yes:
            assert await play.live.confirm(waiting.digest) == ""
            assert {one.name: one for one in play.jobs.specs()} == wanted
            assert all(play.jobs.pids.get(name) != pids[name] for name in disturbed)
            assert play.live.waiting is None


async def test_a_file_that_says_again_what_runs_takes_the_question_back() -> None:
    play = Play()
    play.asks = {"a"}
    fields = {"restart": "never", "args": [], "config": "/c.yaml"}
    await play.live.changed(content({"a": fields, "b": fields}), True)
    await play.live.changed(content({"b": fields}), True)
    await play.live.changed(content({"a": fields, "b": fields}), True)
    last = [event for event in play.told if isinstance(event, DeckChange)][-2:]
    assert [(event.waits, event.removed) for event in last] == [(True, ("a",)), (False, ())]


async def test_of_what_comes_meanwhile_only_the_newest_counts() -> None:
    play = Play()
    fields = {"restart": "never", "args": [], "config": "/c.yaml"}
    saves = [content({name: fields}) for name in "abc"]
    await asyncio.gather(*(play.live.changed(one, True) for one in saves))
    assert [one.name for one in play.jobs.specs()] == ["c"]


async def test_half_a_file_is_not_told_before_it_had_time_to_settle() -> None:
    play = Play()
    await play.live.changed(Content(b"broken", "broken"), False)
    assert (play.told, play.live.problem) == ([], "")


def test_each_field_of_a_job_is_either_the_workers_or_holds_at_once() -> None:
    old = spec("a", {"restart": "never", "args": [], "config": "/c.yaml"})
    assert not plan([old], [old])
    assert plan([old], [replace(old, args=("x",), restart="always")]).restarted
    assert plan([old], [replace(old, settle=old.settle._replace(steps=3))]).adopted
