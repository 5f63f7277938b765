"""Metrics summed up over blocks of steps: against a plain sum, and with values of all kinds."""

from __future__ import annotations

import gc
import json
import math
import statistics
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.loops import FakeChannel
from tui.worker.blocks import RATE, Blocks
from tui.worker.channel import JobChannel


class Fixture:
    """Blocks whose clock goes on by `pace` seconds a step."""

    def __init__(self, pace: float = 1.0) -> None:
        self.channel = FakeChannel()
        self.told: list[str] = []
        self.now = 0.0
        self.pace = pace
        self.step = 0
        self.blocks = Blocks(cast("JobChannel", self.channel), self.told.append, lambda: self.now)

    def take(self, *steps: Any) -> None:
        for metrics in steps:
            self.now += self.pace
            self.step += 1
            self.blocks.add(self.step, metrics)

    def sent(self) -> Iterator[tuple[int, int, dict[str, Any]]]:
        self.blocks.send_ended()
        for message in self.channel.of("block"):
            json.dumps(message, allow_nan=False)
            yield message["first"], message["size"], message["values"]


def test_a_slow_task_is_told_step_by_step() -> None:
    task = Fixture()
    task.take({"loss": 0.5}, {"loss": 1}, None, {"loss": True, "b": 2.5})
    assert list(task.sent()) == [
        (1, 1, {"loss": 0.5}),
        (2, 1, {"loss": 1.0}),
        (3, 1, {}),
        (4, 1, {"loss": 1.0, "b": 2.5}),
    ]


@pytest.mark.parametrize("pace", [0.04, 0.013, 1e-3, 1e-5])
def test_no_more_blocks_a_second_than_the_rate(pace: float) -> None:
    task = Fixture(pace)
    task.take(*({"x": float(number)} for number in range(int(min(40_000, 60 / pace)))))
    found = list(task.sent())
    sizes = [size for _, size, _ in found]
    assert sizes == sorted(sizes)
    assert all(first % size == 0 or first == 1 == size for first, size, _ in found)
    assert [first for first, *_ in found[1:]] == [first + size for first, size, _ in found[:-1]]
    if 40_000 * pace >= 60:
        assert 1 / (sizes[-1] * pace) <= RATE
        assert sizes[-1] == 1 or 2 / (sizes[-1] * pace) > RATE  # and no larger than it must be


NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.integers(-(10**400), 10**400), st.booleans(), st.just(0.1)
)
STEPS = st.lists(
    st.one_of(
        st.none(),
        st.fixed_dictionaries({"a": NUMBERS}),
        st.fixed_dictionaries({"a": NUMBERS, "b": NUMBERS}),
        st.fixed_dictionaries({"b": st.just("word"), "a": st.just(0.25)}),
        st.just(5),
    ),
    max_size=60,
)


@given(STEPS, st.sampled_from([1, 1, 7]))
def test_a_block_is_the_sum_of_its_steps(steps: list[Any], again: int) -> None:
    task = Fixture(0.004)
    steps = [step for step in steps for _ in range(again)]
    task.take(*steps)
    task.blocks.finish()
    covered = 0
    for first, size, values in task.sent():
        inside = [step for step in steps[first - 1 : first - 1 + size] if isinstance(step, dict)]
        covered += len(inside)
        for name in {"a", "b"}:
            numbers = [as_float(step[name]) for step in inside if name in step and step[name] != "word"]
            check(values.get(name), numbers)
    assert covered == sum(isinstance(step, dict) for step in steps)
    assert len(set(task.told)) <= 1


def as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def check(told: Any, numbers: list[float]) -> None:
    finite = [number for number in numbers if math.isfinite(number)]
    if not numbers:
        assert told is None
    elif len(numbers) == 1 == len(finite):
        assert told == numbers[0]
    elif not finite:
        assert told == [0, None, None, None, None, len(numbers)]
    else:
        count, mean, low, high, last, bad = told
        assert (count, low, high, last) == (len(finite), min(finite), max(finite), finite[-1])
        assert bad == len(numbers) - len(finite)
        exact = sum(number / len(finite) for number in finite)
        assert mean == pytest.approx(exact, rel=1e-9, abs=1e-12 * max(map(abs, finite)))


def test_a_constant_is_told_as_what_it_is() -> None:
    task = Fixture(1e-4)
    task.take(*[{"lr": 0.1}] * 3000)
    assert {values["lr"][1] for _, size, values in task.sent() if size > 1} == {0.1}


class Tensor:
    """A tensor on a device: a conversion waits for it; a graph hangs on it."""

    alive: ClassVar[weakref.WeakSet[Tensor]] = weakref.WeakSet()
    converted = 0

    def __init__(self, value: float, graph: object = None) -> None:
        self.value = value
        self.graph = graph
        Tensor.alive.add(self)

    def detach(self) -> Tensor:
        return Tensor(self.value)

    def __float__(self) -> float:
        Tensor.converted += 1
        return self.value


def test_of_tensors_the_newest_is_kept_and_no_step_converts_one() -> None:
    Tensor.converted = 0
    task = Fixture(1e-3)
    for number in range(1000):
        task.take({"loss": Tensor(float(number), graph=object()), "lr": 0.5})
        gc.collect() if number % 500 == 0 else None
        assert sum(tensor.graph is not None for tensor in Tensor.alive) == 0
    assert len(Tensor.alive) <= 250  # one for each block that was not told yet
    assert Tensor.converted == 0
    found = list(task.sent())
    for first, size, values in found:
        assert values["loss"] == first + size - 2
        assert values["lr"] == 0.5 if size == 1 else values["lr"][0] == size
    assert Tensor.converted == len(found)


def test_numpy_scalars_count_at_every_step() -> None:
    numpy = pytest.importorskip("numpy")
    task = Fixture(1e-3)
    task.take(*({"a": numpy.float32(0.1), "b": numpy.int8(100)} for _ in range(2000)))
    *_, (_, size, values) = task.sent()
    assert size > 1
    assert values["a"][0] == values["b"][0] == size
    assert (values["a"][1], values["b"][1]) == (float(numpy.float32(0.1)), 100.0)


@pytest.mark.parametrize("value", ["word", None, [1], object(), 1j])
def test_what_is_no_number_is_told_once_and_the_rest_goes_on(value: Any) -> None:
    task = Fixture()
    task.take(*[{"loss": 0.5, "what": value}] * 5)
    assert [values for *_, values in task.sent()] == [{"loss": 0.5}] * 5
    assert len(set(task.told)) == 1
    assert "what" in task.told[0]


def test_an_engine_that_does_not_read_gets_the_newest_later() -> None:
    task = Fixture()
    offer: Callable[[dict[str, Any]], bool] = task.channel.offer
    task.channel.offer = lambda message: False  # type: ignore[method-assign]
    for _ in range(1000):
        task.take({"x": 1.0})
        task.blocks.send_ended()
    task.channel.offer = offer  # type: ignore[assignment]
    found = list(task.sent())
    assert found[-1][0] == 1000
    assert len(found) == 400


def test_a_step_whose_metrics_are_the_same_mapping_counts_as_it_was() -> None:
    task, metrics = Fixture(1e-3), {"x": 0.0}
    for number in range(2000):
        metrics["x"] = float(number)
        task.take(metrics)
    for first, size, values in task.sent():
        if size > 1:
            assert values["x"][1] == pytest.approx(statistics.fmean(range(first - 1, first - 1 + size)))


def test_no_block_is_told_twice_where_two_threads_tell() -> None:
    task = Fixture()
    task.take({"x": 1.0}, {"x": 2.0}, {"x": 3.0})
    others: list[threading.Thread] = []
    offer = task.channel.offer

    def offer_while_another_tells(message: dict[str, Any]) -> bool:
        if not others:
            others.append(threading.Thread(target=task.blocks.send_ended))
            others[0].start()
            others[0].join(0.1)  # it ends by then, or waits for this one
        return offer(message)

    task.channel.offer = offer_while_another_tells  # type: ignore[method-assign]
    found = [first for first, *_ in task.sent()]
    others[0].join()
    assert found == [1, 2, 3]
