"""The sample tasks, driven as a worker drives them, on the configs that users get."""

from __future__ import annotations

import copy
import importlib
import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tui.samples import anneal, case100, digits

CONFIGS = Path(__file__).parents[1] / "sample_configs"
# The optimal tour that TSPLIB gives in berlin52.opt.tour, places counted from 1.
OPTIMAL_TOUR = (
    "1 49 32 45 19 41 8 9 10 43 33 51 11 52 14 13 47 26 27 28 12 25 4 6 15 5 24 48 38 37 40 39 36 35 34 44 46 16 29 50"
    " 20 23 30 2 7 42 21 17 3 18 31 22"
)

IMAGES = digits.load()

Task = Generator[dict[str, float], dict[str, Any], None]


@pytest.fixture(autouse=True)
def parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "load", lambda: list(IMAGES))


@pytest.fixture
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits has a tenth of its images, for what does not depend on what it learns."""
    monkeypatch.setattr(digits, "HELD_OUT", 36)
    monkeypatch.setattr(digits, "load", lambda: IMAGES[::10])


def read(name: str) -> Any:
    return YAML(typ="safe", pure=True).load(CONFIGS / name)


def shipped(name: str) -> dict[str, Any]:
    """Return the config as users get it, but for the pause."""
    config: dict[str, Any] = read(f"{name}.yaml")
    assert config["pause"] > 0
    return {**config, "pause": 0}


def run(task: Task, config: dict[str, Any], steps: int) -> list[dict[str, float]]:
    """Let a started task take `steps` steps with `config`."""
    return [task.send(config) for _ in range(steps)]


def run_digits(task: Task, config: dict[str, Any], steps: int) -> list[dict[str, float]]:
    """Let digits take some steps; the loss is that of the last ten on average, the accuracy the last that was told."""
    found: list[dict[str, float]] = []
    accuracy, losses = 0.0, []
    for metrics in run(task, config, steps):
        accuracy = metrics.get("accuracy", accuracy)
        losses.append(metrics["loss"])
        found.append({"loss": sum(losses[-10:]) / len(losses[-10:]), "accuracy": accuracy})
    return found


def start_digits(**values: Any) -> tuple[Task, dict[str, Any]]:
    config = {**shipped("digits"), **values}
    task = digits.train(config)
    next(task)
    return task, config


def start_anneal(**values: Any) -> tuple[Task, dict[str, Any]]:
    config = {**shipped("anneal"), **values}
    task = anneal.anneal(config)
    next(task)
    return task, config


def test_the_deck_names_tasks_and_configs_that_exist() -> None:
    jobs = read("deck.yaml")["jobs"]
    assert set(jobs) == {"digits", "anneal"}
    for job in jobs.values():
        module, function = job["task"].split(":")
        task = getattr(importlib.import_module(module), function)
        config = {**read(job["config"]), "pause": 0}
        assert all(math.isfinite(value) for value in next(task(config)).values())


def test_the_data_are_whole() -> None:
    images = digits.load()
    assert [sum(digit == wanted for _, digit in images) for wanted in range(10)] == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip
    assert all(len(image) == 65 and min(image) >= 0 and max(image) == 1 for image, _ in images)
    assert len(anneal.load()) == 52


def test_digits_learns_and_explodes_with_a_high_learning_rate_and_recovers(capsys: pytest.CaptureFixture[str]) -> None:
    task, config = start_digits()
    learned = run_digits(task, config, 400)[-1]
    assert learned["accuracy"] > 0.85
    assert learned["loss"] < 0.3
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 401 // config["report_every"]
    assert lines[-1].startswith("epoch   5  loss  0.")
    assert lines[-1].endswith("%  lr 0.01")
    exploded = run_digits(task, {**config, "lr": 5}, 50)[-1]
    assert exploded["loss"] > 10 * learned["loss"]
    assert exploded["accuracy"] < 0.5
    recovered = run_digits(task, config, 200)[-1]
    assert recovered["loss"] < 1
    assert recovered["accuracy"] > 0.7


def test_digits_keeps_what_it_learned_through_any_change() -> None:
    task, config = start_digits()
    before = run_digits(task, config, 150)[-1]
    changed = copy.deepcopy(config) | {"lr": 0.005, "batch_size": 7, "augment": {"shift": 0.5, "noise": 0.1}}
    after = run_digits(task, changed, config["report_every"])[-1]
    assert after["accuracy"] == pytest.approx(before["accuracy"], abs=0.1)
    assert after["loss"] < 1
    assert run_digits(task, changed, 50)[-1]["accuracy"] > 0.8


@pytest.mark.parametrize("lr", [100, 1e308, math.inf, math.nan])
def test_digits_learns_again_after_an_absurd_learning_rate(lr: float) -> None:
    task, config = start_digits()
    run_digits(task, {**config, "lr": lr}, 20)
    metrics = run_digits(task, config, 120)[-100:]
    assert all(math.isfinite(step["loss"]) for step in metrics)
    assert metrics[-1]["loss"] < 1.8
    assert metrics[-1]["accuracy"] > 0.5


@pytest.mark.parametrize("key", ["lr", "momentum", "batch_size", "weight_decay", "max_norm", "report_every"])
@pytest.mark.parametrize("value", [0, -3, 10**6])
@pytest.mark.usefixtures("few_images")
def test_digits_survives_any_number(key: str, value: int) -> None:
    task, config = start_digits()
    run(task, {**config, key: value}, 10)
    assert math.isfinite(run(task, config, 5)[-1]["loss"])


@pytest.mark.parametrize("key", ["temperature", "cooling", "freeze", "moves", "report_every"])
@pytest.mark.parametrize("value", [0, -3, 1e-300, 10**4])
def test_anneal_survives_any_number(key: str, value: float) -> None:
    task, config = start_anneal()
    value = int(value) if isinstance(config[key], int) else value
    for step in [*run(task, {**config, key: value}, 10), *run(task, config, 5)]:
        assert step["length"] >= step["best"] >= anneal.OPTIMUM


def test_digits_takes_augmentation_and_batch_size_at_the_next_step() -> None:
    same, config = start_digits()
    shifted, _ = start_digits()
    larger, _ = start_digits()
    plain = run(same, config, 1)
    assert run(shifted, {**config, "augment": {"shift": 1.0, "noise": 0.0}}, 1) != plain
    assert run(larger, {**config, "batch_size": 64}, 1) != plain


@pytest.mark.usefixtures("few_images")
def test_digits_finishes_when_its_epochs_are_done() -> None:
    task, config = start_digits(batch_size=40)
    run(task, config, 9)  # ten steps with the first: two epochs and a part of the third
    fewer = {**config, "epochs": 1}
    run(task, fewer, 2)
    with pytest.raises(StopIteration):
        task.send(fewer)


def test_augmentation_moves_the_image_and_keeps_the_digit() -> None:
    image = [float(pixel == 27) for pixel in range(64)]
    assert digits.shifted(image, 0, 0) == image
    assert digits.shifted(image, 1, 0).index(1.0) == 26
    assert digits.shifted(image, 0, -1).index(1.0) == 35
    corner = [float(pixel == 0) for pixel in range(64)]
    assert sum(digits.shifted(corner, 1, 0)) == 0


def test_the_known_optimal_tour_measures_7542() -> None:
    tour = [int(place) - 1 for place in OPTIMAL_TOUR.split()]
    assert sorted(tour) == list(range(52))
    assert anneal.measure(tour, anneal.load()) == anneal.OPTIMUM == 7542


def test_anneal_finds_the_optimum(capsys: pytest.CaptureFixture[str]) -> None:
    task, config = start_anneal()
    metrics = run(task, config, 6000)
    best = [step["best"] for step in metrics]
    assert best == sorted(best, reverse=True)
    assert all(step["length"] >= step["best"] >= anneal.OPTIMUM for step in metrics)
    assert best[-1] == anneal.OPTIMUM
    assert "best   7542,  0.00% above the optimum" in capsys.readouterr().out


def test_anneal_heats_up_when_the_temperature_is_changed_and_keeps_the_best() -> None:
    task, config = start_anneal()
    before = run(task, config, 1500)[-1]
    hot = run(task, {**config, "temperature": 1000}, 100)
    assert before["temperature"] < 15
    assert hot[0]["temperature"] == 1000
    assert hot[-1]["temperature"] == pytest.approx(1000 * config["cooling"] ** 99)
    assert hot[-1]["length"] > 1.5 * before["length"]
    assert hot[-1]["best"] == before["best"]


def test_anneal_takes_another_cooling_without_heating_up() -> None:
    task, config = start_anneal()
    before = run(task, config, 100)[-1]["temperature"]
    after = [step["temperature"] for step in run(task, {**config, "cooling": 0.9}, 3)]
    assert after == pytest.approx([before * 0.9, before * 0.81, before * 0.729])


def test_anneal_heats_up_again_when_frozen() -> None:
    task, config = start_anneal(cooling=0.5, freeze=100)
    assert [step["temperature"] for step in run(task, config, 4)] == [100, 200, 100, 200]


def test_anneal_at_zero_takes_improvements_only() -> None:
    task, config = start_anneal(temperature=0, moves=20)
    lengths = [step["length"] for step in run(task, config, 300)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < lengths[0]


def test_anneal_ends_with_a_tour_as_long_as_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    task, config = start_anneal(steps=200)
    *_, last = run(task, config, 199)
    with pytest.raises(StopIteration):
        task.send(config)
    tour = [int(place) - 1 for place in capsys.readouterr().out.splitlines()[-1].removeprefix("best tour: ").split()]
    assert sorted(tour) == list(range(52))
    assert anneal.measure(tour, anneal.load()) == last["best"]


@pytest.mark.parametrize("start", [start_digits, start_anneal])
@pytest.mark.usefixtures("few_images")
def test_the_same_seed_gives_the_same_run(start: Any) -> None:
    runs = [start() for _ in range(2)]
    other, config = start(seed=7)
    first, second = ([run(task, config, 20), run(task, {**config, "report_every": 5}, 10)] for task, config in runs)
    assert first == second
    assert run(other, config, 20) != first[0]


def start_case100(**values: Any) -> tuple[Task, dict[str, Any]]:
    config = {**shipped("case100"), **values}
    task = case100.serve(config)
    next(task)
    return task, config


async def run_async(config: dict[str, Any], changed: dict[str, Any], steps: int) -> list[dict[str, float]]:
    task = case100.serve_async(config)
    try:
        return [await anext(task), *[await task.asend(changed) for _ in range(steps)]]
    finally:
        await task.aclose()


async def test_case100_is_the_same_in_all_three_ways() -> None:
    jobs = read("three_ways.yaml")["jobs"]
    assert {(job["config"], job.get("runner", "process"), job.get("on_change", "reload")) for job in jobs.values()} == {
        ("case100.yaml", "process", "restart"),
        ("case100.yaml", "process", "reload"),
        ("case100.yaml", "thread", "reload"),
        ("case100.yaml", "asyncio", "reload"),
    }
    config = shipped("case100")
    changed = {**config, "batch": 32}
    task = case100.serve(config)
    assert [next(task), *run(task, changed, 100)] == await run_async(config, changed, 100)


def test_case100_keeps_what_it_has_counted_and_shows_what_a_change_does(capsys: pytest.CaptureFixture[str]) -> None:
    task, config = start_case100()
    calm = run(task, config, 300)[-1]
    busy = run(task, {**config, "rate": 500}, 300)[-1]
    better = run(task, {**config, "rate": 500, "batch": 32}, 300)[-1]
    assert calm["lost"] == 0
    assert 0 < calm["latency_ms"] < 100 < busy["latency_ms"]
    assert busy["waiting"] > 100
    assert 0 < busy["lost"] <= better["lost"]
    assert better["waiting"] < 30
    assert calm["handled"] < busy["handled"] < better["handled"]
    assert capsys.readouterr().out.splitlines()[0].startswith("handled ")


def test_case100_finishes_after_its_requests() -> None:
    task, config = start_case100(requests=50)
    with pytest.raises(StopIteration):
        run(task, config, 100)


@pytest.mark.parametrize(
    "key", ["rate", "queue", "timeout", "workers", "batch", "overhead", "cost", "report_every", "requests"]
)
@pytest.mark.parametrize("value", [0, -3, 10**9])
def test_case100_survives_any_number(key: str, value: float) -> None:
    task, config = start_case100()
    changed = {**config, key: value}
    try:
        metrics = run(task, changed, 20)
    except StopIteration:
        assert key == "requests"
        return
    assert all(math.isfinite(number) and number >= 0 for step in metrics for number in step.values())
