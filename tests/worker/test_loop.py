from __future__ import annotations

import asyncio
import threading
import time
import warnings
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from typing import Any, ClassVar, cast

import pytest

import tui
from tests.worker.loops import STOP, FakeChannel, receipts, reload
from tui.worker import current
from tui.worker.channel import Channel, JobChannel
from tui.worker.loop import Loop
from tui.worker.main import feed
from tui.worker.run import TaskRun


@pytest.fixture
def channel() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
def loop(channel: FakeChannel) -> Loop:
    return Loop(cast(JobChannel, channel), 1, {"lr": 1})


@pytest.fixture
def deck(loop: Loop) -> Iterator[Loop]:
    """Make `loop` the one that `tui.checkpoint` and `tui.sleep` belong to."""
    current.loop = loop
    yield loop
    current.loop = None


def test_a_generator_gets_each_config_at_its_next_checkpoint(loop: Loop, channel: FakeChannel) -> None:
    seen = []

    def task(config: Any) -> Generator[None, Any, None]:
        for step in range(4):
            if step == 1:
                loop.put(reload(2, lr=2))
            seen.append(config["lr"])
            config = yield
        seen.append(config["lr"])

    loop.run(task, again=True)
    assert seen == [1, 1, 2, 2, 2]
    assert receipts(channel) == [(1, 0, []), (2, 2, [])]
    assert loop.step == 4


def test_of_several_reloads_the_newest_wins(loop: Loop, channel: FakeChannel) -> None:
    def task(config: Any) -> Generator[None, Any, None]:
        for version in (2, 3, 4):
            loop.put(reload(version, lr=version))
        config = yield
        assert config == {"lr": 4}

    loop.run(task, again=True)
    assert receipts(channel) == [(1, 0, []), (4, 1, [2, 3])]
    assert loop.version == 4


def test_the_config_is_the_same_object_until_the_next_reload(loop: Loop) -> None:
    def task(config: Any) -> Generator[None, Any, None]:
        first = config
        for _ in range(3):
            config = yield
            assert config is first
        new = reload(2, lr=1)
        loop.put(new)
        config = yield
        assert config is new["config"]

    loop.run(task, again=True)


def test_a_receipt_says_when_the_task_took_the_config(loop: Loop, channel: FakeChannel) -> None:
    before = time.monotonic()
    loop.run(lambda config: None, again=False)
    (receipt,) = channel.of("applied")
    assert before <= receipt["at"] <= time.monotonic()


def test_a_plain_function_is_called_again_and_again_until_it_is_done(loop: Loop, channel: FakeChannel) -> None:
    seen = []

    def task(config: Any) -> dict[str, int]:
        seen.append(config["lr"])
        if len(seen) == 2:
            loop.put(reload(2, lr=2))
        if len(seen) == 4:
            raise tui.Done
        return {"calls": len(seen)}

    loop.run(task, again=True)
    assert seen == [1, 1, 2, 2]
    assert receipts(channel) == [(1, 0, []), (2, 2, [])]
    assert channel.of("metrics")[-1] == {"kind": "metrics", "step": 3, "values": {"calls": 3}}


def test_without_loop_a_plain_function_is_called_once(loop: Loop, channel: FakeChannel) -> None:
    calls: list[Any] = []
    loop.run(calls.append, again=False)
    assert calls == [{"lr": 1}]
    assert loop.step == 0


@pytest.mark.parametrize("again", [None, True, False])
@pytest.mark.parametrize("inside", [0, 1, 3])
@pytest.mark.parametrize("threaded", [False, True])
def test_a_call_with_checkpoints_inside_is_a_whole_run(
    deck: Loop, capsys: pytest.CaptureFixture[str], again: bool | None, inside: int, threaded: bool
) -> None:
    calls = 0

    def work(config: Any) -> None:
        for _ in range(inside):
            tui.checkpoint(config, loss=1)

    def task(config: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise tui.Done
        if threaded:
            thread = threading.Thread(target=work, args=(config,))
            thread.start()
            thread.join()
        else:
            work(config)

    deck.run(task, again)
    whole = again is None and inside > 0
    assert calls == (1 if whole or again is False else 3)
    said = capsys.readouterr().err
    assert said.count("\n") == whole
    if whole:
        assert f"returned after {inside} checkpoint" in said
        assert "loop: true" in said


def test_only_the_call_with_a_checkpoint_inside_is_a_whole_run(deck: Loop) -> None:
    calls = 0

    def task(config: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            tui.checkpoint(config)

    deck.run(task, None)
    assert (calls, deck.step) == (4, 4)


def test_done_ends_a_generator_and_closes_it(loop: Loop) -> None:
    def task(config: Any) -> Generator[None, Any, None]:
        yield
        raise tui.Done

    loop.run(task, again=True)
    assert loop.step == 1


def test_an_error_of_the_task_is_not_ours(loop: Loop) -> None:
    def task(config: Any) -> Generator[None, Any, None]:
        yield
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop.run(task, again=True)


def test_stop_closes_the_generator_so_that_it_can_clean_up(loop: Loop, channel: FakeChannel) -> None:
    done = []
    kept = []  # whoever holds it, it is closed and not left to be collected

    def task(config: Any) -> Generator[None, Any, None]:
        kept.append(work(config))
        return kept[0]

    def work(config: Any) -> Generator[None, Any, None]:
        try:
            loop.put(reload(2, lr=2))
            loop.put(STOP)
            yield
            done.append("went on")
        finally:
            done.append("cleaned up")

    loop.run(task, again=True)
    assert done == ["cleaned up"]
    assert receipts(channel) == [(1, 0, [])]


def test_a_generator_that_will_not_end_is_an_error(loop: Loop) -> None:
    def task(config: Any) -> Generator[None, Any, None]:
        loop.put(STOP)
        try:
            yield
        except GeneratorExit:
            yield

    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        loop.run(task, again=True)


def test_stop_ends_a_plain_function_between_two_calls(loop: Loop) -> None:
    calls = []

    def task(config: Any) -> None:
        calls.append(config)
        loop.put(STOP)

    with pytest.raises(SystemExit) as ended:
        loop.run(task, again=True)
    assert ended.value.code == 0
    assert len(calls) == 1


def test_checkpoint_returns_the_newest_config(deck: Loop, channel: FakeChannel) -> None:
    def task(config: Any) -> None:
        assert tui.checkpoint(config, loss=0.5) is config
        new = reload(2, lr=2)
        deck.put(new)
        assert tui.checkpoint(config) is new["config"]
        assert tui.checkpoint(config) is new["config"]

    deck.run(task, again=False)
    assert receipts(channel) == [(1, 0, []), (2, 2, [])]
    assert channel.of("metrics")[0] == {"kind": "metrics", "step": 1, "values": {"loss": 0.5}}


def test_checkpoint_ends_the_task_when_it_is_to_stop(deck: Loop) -> None:
    deck.put(STOP)
    for _ in range(2):  # also when the task swallows the first one
        with pytest.raises(SystemExit):
            tui.checkpoint({})


def test_outside_a_deck_everything_does_its_plain_work(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    config = {"lr": 1}
    assert tui.checkpoint(config, loss=1) is config
    tui.sleep(3)
    assert slept == [3]


def test_sleep_returns_at_once_when_a_reload_waits(deck: Loop) -> None:
    deck.put(reload(2, lr=2))
    tui.sleep(1_000)


def test_sleep_is_ended_by_a_reload_that_comes(deck: Loop) -> None:
    threading.Timer(0.01, deck.put, [reload(2, lr=2)]).start()
    tui.sleep(1_000)
    assert deck.mailbox.event.is_set()


class Tensor:
    """A number that is dear to convert."""

    def __init__(self) -> None:
        self.conversions = 0

    def __float__(self) -> float:
        self.conversions += 1
        return 0.5


def test_metrics_are_converted_only_when_a_sample_is_due_or_a_block_has_ended(loop: Loop, channel: FakeChannel) -> None:
    loss = Tensor()

    def task(config: Any) -> Generator[Mapping[str, Any], Any, None]:
        for step in range(100):
            loop.sample_due = loop.due = step in (10, 20)
            yield {"loss": loss}
        loop.sample_due = False

    loop.run(task, again=True)
    assert [message["step"] for message in channel.of("metrics")] == [11, 21, 100]
    assert loss.conversions == 3 + len(channel.of("block"))
    assert channel.of("metrics")[0]["values"] == {"loss": 0.5}


def test_a_reload_between_two_samples_reports_no_metrics(loop: Loop, channel: FakeChannel) -> None:
    loss = Tensor()
    loop.sample_due = False
    loop.put(reload(2, lr=2))
    loop.checkpoint({"loss": loss})
    assert receipts(channel) == [(2, 1, [])]
    assert loss.conversions == 0


def test_the_receiving_thread_says_when_a_sample_is_due(channel: FakeChannel) -> None:
    run = TaskRun(cast(JobChannel, channel), {"version": 1, "config": {"lr": 1}})
    run.loop.sample_due = False
    channel.idle = True
    channel.incoming.put(reload(2, lr=2))
    channel.incoming.put(None)
    run.intake.open(hosted=False)
    feed(cast(Channel, channel), run)
    assert run.loop.sample_due
    assert [message["kind"] for message in run.loop.mailbox.take()] == ["reload", "leave"]


def test_what_came_last_is_reported_though_no_checkpoint_follows(loop: Loop, channel: FakeChannel) -> None:
    def task(config: Any) -> Generator[Mapping[str, Any], Any, None]:
        for _ in range(2):
            yield {"loss": 1}
            yield {"val": 2}
            loop.sample()  # of what came between two samples the latest counts
            loop.sample()
            loop.sample()

    loop.run(task, again=True)
    said = [(message["step"], message["values"]) for message in channel.of("metrics")]
    assert said == [(1, {"loss": 1}), (2, {"val": 2}), (3, {"loss": 1}), (4, {"val": 2})]


def test_a_mapping_that_the_task_changes_just_now_is_looked_at_the_next_time(loop: Loop, channel: FakeChannel) -> None:
    changing = iter([RuntimeError("dictionary changed size during iteration"), None])

    class Changing(dict[str, int]):
        def items(self) -> Any:
            error = next(changing)
            if error is not None:
                raise error
            return super().items()

    loop.sample_due = False
    loop.checkpoint(Changing(loss=1))
    for _ in range(4):
        loop.sample()
    assert [message["values"] for message in channel.of("metrics")] == [{"loss": 1}]


def test_numbers_keep_their_kind_and_what_is_none_is_left_out(
    loop: Loop, channel: FakeChannel, capsys: pytest.CaptureFixture[str]
) -> None:
    loop.checkpoint({"epoch": 3, "loss": 0.25, "good": True, "text": "high", 7: 1, "huge": 10**400})
    assert channel.of("metrics")[0]["values"] == {"epoch": 3, "loss": 0.25, "good": 1.0, "7": 1}
    said = capsys.readouterr().err
    assert said.count("metric text is left out") == 1
    assert said.count("metric huge is left out") == 1


def complain(loop: Loop, value: Any) -> None:
    for _ in range(3):
        loop.sample_due = True
        loop.checkpoint(value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"loss": "high"}, "metric loss is left out, it is no number"),
        ({"loss": None}, "metric loss is left out, it is no number"),
        (0.5, "a task reports a mapping of metrics or None, not float"),
    ],
)
def test_a_complaint_is_made_once(loop: Loop, value: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    complain(loop, value)
    assert capsys.readouterr().err.count(words) == 1


class Unspeakable:
    """Raises, and what it raises can't be told either."""

    class Error(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def __str__(self) -> str:
        raise self.Error

    __float__ = __str__


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({Unspeakable(): 1, "loss": 0.5}, "a metric is left out, its name, a Unspeakable, is no text: Error"),
        (
            {Unspeakable(): Unspeakable(), "loss": 0.5},
            "a metric is left out, its name, a Unspeakable, is no text: Error",
        ),
        ({"odd": Unspeakable(), "loss": 0.5}, "metric odd is left out, it is no number: Error"),
    ],
)
def test_a_metric_that_cannot_be_told_is_left_out_and_the_job_goes_on(
    loop: Loop, channel: FakeChannel, metrics: Any, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    loop.guard({"": {"finite": True}, "loss": {"max": 1}})
    for _ in range(3):
        loop.sample_due = True
        loop.checkpoint(metrics)
        loop.sample()
    assert {tuple(message["values"].items()) for message in channel.of("metrics")} == {(("loss", 0.5),)}
    assert all(message["values"] == {"loss": 0.5} for message in channel.of("block"))
    assert channel.of("breached") == []
    assert capsys.readouterr().err.count(words) == 1


def test_none_is_no_reason_to_complain(loop: Loop, capsys: pytest.CaptureFixture[str]) -> None:
    complain(loop, None)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("again", [False, True])
def test_the_last_metrics_are_always_reported(loop: Loop, channel: FakeChannel, again: bool) -> None:
    def task(config: Any) -> Generator[Mapping[str, Any], Any, None]:
        for step in range(5):
            yield {"step": step}

    function: Callable[[Any], Any] = task if again else lambda config: {"step": 4}
    loop.run(function, again=again)
    assert channel.of("metrics")[-1]["values"] == {"step": 4}


class Loss:
    """A loss as torch has it: to convert one that still has its graph is a warning."""

    alive: ClassVar[weakref.WeakSet[Loss]] = weakref.WeakSet()

    def __init__(self, *, graph: bool = True) -> None:
        self.graph = graph
        Loss.alive.add(self)

    def detach(self) -> Loss:
        return Loss(graph=False)

    def __float__(self) -> float:
        if self.graph:
            warnings.warn("Converting a tensor with requires_grad=True to a scalar", stacklevel=2)
        return 0.5


@pytest.mark.parametrize("kind", ["generator", "function", "checkpoint", "coroutine"])
def test_no_step_holds_the_graph_of_the_one_before(deck: Loop, channel: FakeChannel, kind: str) -> None:
    held: list[int] = []

    def note() -> None:
        held.append(sum(loss.graph for loss in Loss.alive))
        deck.sample()

    def steps(config: Any) -> Generator[Any, Any, None]:
        for _ in range(5):
            yield {"loss": Loss()}
            note()

    async def coroutine(config: Any) -> AsyncGenerator[Any, Any]:
        for _ in range(5):
            yield {"loss": Loss()}
            note()

    def function(config: Any) -> Any:
        note()
        if len(held) > 5:
            raise tui.Done
        return {"loss": Loss()}

    def checkpoints(config: Any) -> None:
        for _ in range(5):
            tui.checkpoint(config, loss=Loss())
            note()

    if kind == "coroutine":
        asyncio.run(deck.run_async(coroutine, again=True))
    else:
        deck.run({"generator": steps, "function": function, "checkpoint": checkpoints}[kind], again=None)
    assert not any(held)
    assert {message["values"]["loss"] for message in channel.of("metrics") if message["step"]} == {0.5}
