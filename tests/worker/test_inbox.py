from __future__ import annotations

import threading
from typing import Any, cast

import pydantic
import pytest

import tui
from tests.patience import PATIENCE
from tests.worker.loops import STOP, FakeChannel, reload
from tui.worker.channel import JobChannel
from tui.worker.inbox import Inbox
from tui.worker.loop import Loop
from tui.worker.validation import Rules, load_rules


class Case:
    """An intake whose validator a test writes."""

    def __init__(self, check: Any = None, *, hosted: bool = False, **config: Any) -> None:
        self.channel = FakeChannel()
        self.loop = Loop(cast(JobChannel, self.channel), 1, config or {"lr": 1})
        self.intake = Inbox(self.loop)
        self.admitted = self.intake.admit(Rules("job.py:check", check))
        self.hosted = hosted

    def open(self) -> None:
        self.intake.open(hosted=self.hosted)

    def waiting(self) -> list[Any]:
        """Return the versions, or the kinds, of what the task finds at its next checkpoint."""
        return [message.get("version", message["kind"]) for message in self.loop.mailbox.take()]

    def refusals(self) -> dict[int, str]:
        return {message["version"]: message["message"] for message in self.channel.of("rejected")}


def positive(old: Any, new: Any) -> None:
    if new["lr"] <= 0:
        raise ValueError("lr must be positive")


def test_what_is_refused_does_not_come_to_the_task_and_what_follows_does() -> None:
    case = Case(positive)
    case.open()
    for version, lr in ((2, 5), (3, -1), (4, 6)):
        case.intake.put(reload(version, lr=lr))
    assert case.admitted
    assert case.refusals() == {3: "lr must be positive"}
    assert case.waiting() == [2, 4]


def test_reloads_wait_for_the_task_to_be_loaded_and_nothing_else_does() -> None:
    case = Case(positive)
    for message in (reload(2, lr=2), STOP, reload(3, lr=-3), reload(4, lr=4)):
        case.intake.put(message)
    assert case.waiting() == ["stop"]
    case.open()
    assert case.waiting() == [2, 4]
    assert case.refusals() == {3: "lr must be positive"}


def test_a_validator_compares_with_the_config_accepted_last() -> None:
    seen: list[tuple[int, int]] = []

    def check(old: Any, new: Any) -> None:
        seen.append((old["lr"], new["lr"]))
        positive(old, new)

    case = Case(check)
    case.open()
    for version, lr in ((2, 2), (3, -3), (4, 4)):
        case.intake.put(reload(version, lr=lr))
    assert seen == [(1, 1), (1, 2), (2, -3), (2, 4)]


def test_a_validator_cannot_change_what_runs() -> None:
    def check(old: Any, new: Any) -> None:
        assert (old["list"], new["list"]) == ([1], [1])
        old["list"].append(2)
        new["list"].append(3)

    case = Case(check, list=[1])
    case.open()
    message = reload(2, list=[1])
    case.intake.put(message)
    case.intake.put(reload(3, list=[1]))
    assert case.refusals() == {}
    assert case.loop.config == {"list": [1]}
    assert case.loop.mailbox.take()[0]["config"] is message["config"]


def fail(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no"), "no"),
        (ValueError(), "refused by check, which gave no reason"),
        (KeyError("lr"), "check failed: KeyError: 'lr'"),
        (SystemExit(3), "check failed: SystemExit: 3"),
        (KeyboardInterrupt(), "check failed: KeyboardInterrupt"),
    ],
)
def test_every_exception_refuses(error: BaseException, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    case = Case(lambda old, new: fail(error) if new["lr"] == 2 else None)
    case.open()
    case.intake.put(reload(2, lr=2))
    case.intake.put(reload(3, lr=3))
    assert case.refusals() == {2: message}
    assert case.waiting() == [3]
    assert ("Traceback" in capsys.readouterr().err) == ("failed" in message)


def test_the_first_config_is_judged_too() -> None:
    case = Case(positive, lr=0)
    assert not case.admitted
    assert case.refusals() == {1: "lr must be positive"}


def test_in_a_host_a_slow_validator_holds_up_nobody_else() -> None:
    go_on, began = threading.Event(), threading.Event()

    def slow(old: Any, new: Any) -> None:
        if new["lr"] > 1:
            began.set()
            assert go_on.wait(PATIENCE)

    case = Case(slow, hosted=True)
    case.open()
    for message in (reload(2, lr=2), reload(3, lr=3), STOP):
        case.intake.put(message)
    assert began.wait(PATIENCE)
    assert case.waiting() == ["stop"]
    threads = [thread for thread in threading.enumerate() if thread.name == "tunedeck-validate"]
    case.intake.close()
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert case.waiting() == [2, 3]


@pytest.mark.parametrize("hosted", [False, True])
def test_without_rules_there_is_no_thread_and_no_copy(hosted: bool) -> None:
    case = Case(hosted=hosted)
    before = threading.active_count()
    case.open()
    message = reload(2, lr=2)
    case.intake.put(message)
    assert threading.active_count() == before
    assert case.loop.mailbox.take()[0]["config"] is message["config"]


def judge(number: int, **config: Any) -> Any:
    return {"kind": "judge", "id": number, "config": config}


def test_a_question_is_answered_and_nothing_is_taken() -> None:
    seen: list[tuple[int, int]] = []

    def check(old: Any, new: Any) -> None:
        seen.append((old["lr"], new["lr"]))
        positive(old, new)

    case = Case(check)
    case.intake.put(judge(1, lr=5))
    assert case.channel.of("judged") == []  # the task is not loaded yet
    case.open()
    case.intake.put(judge(2, lr=-5))
    case.intake.put(reload(2, lr=6))
    case.intake.put(judge(3, lr=7))
    assert [(found["id"], found["message"]) for found in case.channel.of("judged")] == [
        (1, None),
        (2, "lr must be positive"),
        (3, None),
    ]
    assert seen == [(1, 1), (1, 5), (1, -5), (1, 6), (6, 7)]
    assert case.waiting() == [2]
    assert case.refusals() == {}


def test_loaded_says_whether_there_is_anything_to_judge_by() -> None:
    for check, rules in ((None, False), (positive, True)):
        case = Case(check)
        case.open()
        assert case.channel.of("loaded") == [{"kind": "loaded", "rules": rules}]


class Model(pydantic.BaseModel):
    lr: float
    batch: int = 32


def test_the_receipt_says_what_the_task_has_beside_what_was_asked_for() -> None:
    def task(config: Model) -> None: ...

    case = Case(lr="1")
    case.intake.admit(load_rules(None, "job.py:task", None, task))
    case.open()
    assert case.channel.of("loaded")[0]["schema"]["required"] == ["lr"]
    case.intake.put(judge(1, lr=2, batch="3"))
    assert case.channel.of("judged")[0]["effective"] == [[["batch"], "3", 3]]
    case.intake.put(reload(2, lr=2, batch=3))
    configs: list[Any] = []

    def run(config: Any) -> None:
        configs.append(config)
        if len(configs) == 2:
            raise tui.Done

    case.loop.run(run, True)
    assert configs == [Model(lr=1, batch=32), Model(lr=2, batch=3)]
    assert [found["effective"] for found in case.channel.of("applied")] == [
        [[["lr"], "1", 1.0], [["batch"], None, 32]],
        [],
    ]
