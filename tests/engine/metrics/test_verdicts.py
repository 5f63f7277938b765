"""Verdicts on the changes of a job, by what its worker tells: series through the engine, and its rarer moments."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from typing import Any

import pytest

from tests.engine.plays import Play
from tests.series import NOISES, SERIES
from tui.engine.service import history_commands
from tui.protocol import messages
from tui.protocol.messages import Effect, Judged, Reload, Reply


class Job(Play):
    """A job whose worker tells a block a step, and which has changed its config some times."""

    def __init__(self, **policies: Any) -> None:
        super().__init__(**policies)
        self.step = 0
        self.version = 1

    async def report(self, *values: float, name: str = "loss", size: int = 1) -> None:
        for value in values:
            told = value if math.isfinite(value) else [0, None, None, None, None, size]
            first = self.step - self.step % size + (size if self.step else 0)
            message = {"kind": "block", "first": max(first, 1), "size": size, "at": float(self.step)}
            self.job.worker_said({**message, "values": {name: told}})
            self.step = max(first, 1) + size - 1
        await self.job.verdicts.judge_due()

    async def change(self, step: int | None = None) -> int:
        self.version += 1
        await self.save(f"lr: {self.version}\n")
        self.apply(self.version, self.step if step is None else step)
        return self.version

    def effect(self, version: int, metric: str = "loss") -> Effect:
        found = {effect.metric: effect for row in self.history.rows(version, version) for effect in row.effect}
        told = {event.metric: event for event in self.of(Judged) if event.version == version}
        if metric in told:  # what is told is what is kept
            assert repr({name: getattr(told[metric], name) for name in vars(found[metric])}) == repr(
                vars(found[metric])
            )
        return found[metric]


def noise(count: int, level: float = 1.0, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(level, 0.1) for _ in range(count)]


@pytest.fixture
async def job() -> Job:
    made = Job()
    await made.run()
    return made


async def judged(kind: str, deviations: float) -> list[str | None]:
    """Return the verdicts of the engine on twenty series, each a metric of one job, after 40 points."""
    made = {f"x{seed}": SERIES[kind](440, random.Random(seed)) for seed in range(20)}
    job = Job(metrics=dict.fromkeys(made, "max"))
    await job.run()
    version = 0
    for step in range(1, 441):
        later = step > 400
        values = {name: points[step - 1] + later * deviations * deviation for name, (points, deviation) in made.items()}
        job.job.worker_said({"kind": "block", "first": step, "size": 1, "at": float(step), "values": values})
        if step == 400:
            job.step = step
            version = await job.change()
        if step in (410, 420, 440):
            await job.job.verdicts.judge_due()
    return [job.effect(version, name).verdict for name in made]


@pytest.mark.parametrize("kind", SERIES)
async def test_what_moves_by_itself_is_seldom_called_clear(kind: str) -> None:
    verdicts = await judged(kind, 0.0)
    assert verdicts.count("none") >= 16  # fewer come by chance once in 400


@pytest.mark.parametrize(("kind", "deviations"), NOISES)
async def test_a_step_is_seen(kind: str, deviations: float) -> None:
    verdicts = await judged(kind, deviations)
    assert verdicts.count("better") >= 13
    assert verdicts.count("worse") <= 1


async def test_looks_come_when_their_points_do(job: Job) -> None:
    await job.report(*noise(300))
    version = await job.change()
    await job.report(*noise(6, 0.2))
    early = job.effect(version)
    assert (early.points, early.next, early.verdict, early.change) == (6, 10, None, None)
    await job.report(*noise(4, 0.2))
    first = job.effect(version)
    assert (first.points, first.next, first.verdict, first.guessed) == (10, 20, "better", True)
    assert first.low is not None
    assert first.high is not None
    assert first.low < -0.8 < first.high < 0
    await job.report(*noise(9, 0.2))
    assert job.effect(version) == first
    await job.report(*noise(21, 0.2))
    last = job.effect(version)
    assert (last.points, last.next) == (40, None)
    assert last.before == pytest.approx(1.0, abs=0.1)
    assert last.after == pytest.approx(0.2, abs=0.1)


async def test_who_looks_seldom_gets_the_same(job: Job) -> None:
    other = Job()
    await other.run()
    for one, parts in ((job, [1] * 40), (other, [40])):
        await one.report(*noise(300))
        version = await one.change()
        values = iter(noise(40, 1.15, seed=4))
        for part in parts:
            await one.report(*(next(values) for _ in range(part)))
    assert job.effect(version) == other.effect(version)


async def test_a_later_change_ends_the_judging(job: Job) -> None:
    await job.report(*noise(300))
    first = await job.change()
    await job.report(*noise(13))
    second = await job.change()
    await job.report(*noise(20))
    found = job.effect(first)
    assert (found.points, found.verdict, found.next, found.until) == (10, "none", None, second)
    assert (job.effect(second).points, job.effect(second).verdict) == (10, "none")


async def test_a_change_right_after_another_has_no_verdict(job: Job) -> None:
    await job.report(*noise(300))
    await job.change()
    await job.report(*noise(5))
    version = await job.change()
    await job.report(*noise(40))
    assert (job.effect(version).verdict, job.effect(version).next) == (None, None)


async def test_nan_after_a_change_is_worse_at_once(job: Job) -> None:
    await job.report(*noise(20), name="speed")
    version = await job.change()
    await job.report(1.0, math.nan, name="speed")
    found = job.effect(version, "speed")
    assert (found.verdict, found.next) == ("worse", None)
    assert found.change is not None
    assert math.isnan(found.change)


async def test_nan_as_before_says_nothing(job: Job) -> None:
    await job.report(*noise(100), math.nan, *noise(3))
    version = await job.change()
    await job.report(math.nan, *noise(10))
    assert job.effect(version).verdict == "none"


async def test_little_history_is_too_little(job: Job) -> None:
    await job.report(*noise(59))
    version = await job.change()
    await job.report(*noise(30))
    assert (job.effect(version).verdict, job.effect(version).next) == (None, None)


async def test_a_constant_is_not_judged(job: Job) -> None:
    await job.report(*[0.5] * 100)
    version = await job.change()
    await job.report(*[0.7] * 10)
    assert (job.effect(version).points, job.effect(version).verdict) == (10, None)


async def test_without_a_way_it_is_higher_or_lower(job: Job) -> None:
    await job.report(*noise(100), name="depth")
    version = await job.change()
    await job.report(*noise(10, 5.0), name="depth")
    assert (job.effect(version, "depth").verdict, job.effect(version, "depth").guessed) == ("higher", False)


async def test_blocks_that_grow_are_compared_in_the_larger_size(job: Job) -> None:
    await job.report(*noise(200))
    await job.report(*noise(100), size=4)
    version = await job.change(step=job.step + 2)  # within a block
    await job.report(*noise(10, 0.2), size=4)
    assert (job.effect(version).points, job.effect(version).verdict) == (9, None)
    await job.report(*noise(1, 0.2), size=4)
    assert job.effect(version).verdict == "better"


async def test_a_worker_that_was_started_anew_has_nothing_to_be_compared_with(job: Job) -> None:
    await job.report(*noise(100))
    job.version += 1
    await job.save("lr: 2\n")
    job.apply(2, 0)
    assert [effect for row in job.rows().values() for effect in row.effect] == []
    (told,) = job.of(Judged)
    assert (told.version, told.points, told.next, told.verdict) == (2, 0, None, None)


async def test_all_metrics_are_judged_the_main_one_first(job: Job) -> None:
    rng = random.Random(3)

    def tell(steps: Iterable[int]) -> None:
        for step in steps:
            values = {name: rng.gauss(0, 1) for name in ("rate", "accuracy", "depth")}
            job.job.worker_said({"kind": "block", "first": step, "size": 1, "at": float(step), "values": values})

    tell(range(1, 101))
    job.step = 100
    version = await job.change()
    tell(range(101, 111))
    await job.job.verdicts.judge_due()
    (row,) = job.history.rows(version, version)
    assert [effect.metric for effect in row.effect] == ["accuracy", "rate", "depth"]


async def test_what_was_found_stays_when_the_row_changes(job: Job) -> None:
    await job.report(*noise(100))
    version = await job.change()
    await job.report(*noise(10, 9.0))
    job.job.worker_said({"kind": "breached", "version": version, "step": job.step, "message": "loss is 9"})
    job.apply(version + 1, job.step)
    row: Reload = job.rows()[version]
    assert row.status == "reverted"
    assert row.effect[0].verdict == "worse"
    assert next(job.history.rows(version, version)).effect == row.effect


async def test_the_best_version_and_the_order_by_effect(job: Job) -> None:
    async def ask(kind: Any) -> Reply:
        return await history_commands.obey(job.job, kind(7, "job"))

    assert (await ask(messages.Best)).message == "no metric was reported yet"
    await job.report(*noise(4))
    assert (await ask(messages.Best)).message == "no version has 10 points of loss yet"
    assert (await ask(messages.Order)).data == {"versions": []}
    await job.report(*noise(296))
    levels = {await job.change(): 0.5}
    for level in (2.0, 2.0, 0.1):
        await job.report(*noise(300, list(levels.values())[-1]))
        levels[await job.change()] = level
    await job.report(*noise(60, 0.1))
    assert [job.effect(version).verdict for version in levels] == ["better", "worse", "none", "better"]
    assert (await ask(messages.Order)).data == {"versions": [5, 2, 4, 3]}
    best = (await ask(messages.Best)).data
    assert (best["version"], best["metric"], best["points"]) == (5, "loss", 50)
    assert best["mean"] == pytest.approx(0.1, abs=0.1)
