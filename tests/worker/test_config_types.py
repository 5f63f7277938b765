from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

import pydantic
import pytest

from tui.worker.config_types import converter as converter_of
from tui.worker.config_types import errors_of, wanted_by
from tui.worker.task_import import TaskError
from tui.worker.validation import Refused, Rules

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]


class Model(pydantic.BaseModel):
    lr: float
    layers: list[int] = [1]


@dataclasses.dataclass
class Plain:
    lr: float


class Old:
    parse_obj = None


def by_model(config: Model) -> None: ...
def by_dataclass(config: Plain) -> None: ...
def by_dict(config: dict[str, Any]) -> None: ...
def by_mapping(config: Mapping[str, Any]) -> None: ...
def by_optional(config: Optional[Model]) -> None: ...  # noqa: UP045
def by_nothing(config):  # type: ignore[no-untyped-def]
    ...
def by_nobody() -> None: ...
def with_unknown(config: Model, other: Unknown = None) -> Unknown: ...
def by_unknown(config: Unknown) -> None: ...
def by_old(config: Old) -> None: ...


by_model_itself = functools.partial(by_model)


def converter(task: Any) -> Any:
    return converter_of(wanted_by(task))


class Callable:
    def __call__(self, config: Model) -> None: ...

    def method(self, config: Model) -> None: ...


@pytest.mark.parametrize(
    "task",
    [
        by_model,
        by_model_itself,
        with_unknown,
        Callable(),
        Callable().method,
        functools.wraps(by_model)(lambda config: None),
    ],
)
def test_a_model_is_made_whatever_else_the_annotations_say(task: Any) -> None:
    convert = converter(task)
    assert convert({"lr": "0.5"}) == Model(lr=0.5, layers=[1])


def test_a_dataclass_is_made_and_validated() -> None:
    convert = converter(by_dataclass)
    assert convert is not None
    assert convert({"lr": "0.5"}) == Plain(0.5)
    with pytest.raises(ValueError, match="lr"):
        convert({"lr": "high"})


@pytest.mark.parametrize("task", [by_dict, by_mapping, by_optional, by_nothing, by_nobody, print])
def test_everything_else_gets_the_dict(task: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert converter(task) is None
    assert capsys.readouterr().err == ""


def test_an_annotation_that_means_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert converter(by_unknown) is None
    assert "the task gets a plain dict: its annotation Unknown means nothing here" in capsys.readouterr().err


def test_what_is_needed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskError, match="Old is a model of pydantic 1"):
        converter(by_old)
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(TaskError, match="dataclass Plain, which pydantic 2 has to validate"):
        converter(by_dataclass)


def test_all_errors_are_told_at_once() -> None:
    rules = Rules(convert=converter(by_model))
    with pytest.raises(Refused) as caught:
        rules.judge({"lr": "high", "layers": [1, "two"]})
    assert [steps for steps, _ in caught.value.errors] == [["lr"], ["layers", 1]]
    assert all("valid" in words for _, words in caught.value.errors)
    assert errors_of(ValueError("plain")) == []


def test_a_validator_sees_dicts_and_only_what_the_annotation_takes() -> None:
    seen: list[Any] = []
    rules = Rules("job.py:check", lambda old, new: seen.append((old, new)), converter(by_model))
    assert rules.judge({"lr": 1}) == Model(lr=1)
    with pytest.raises(Refused):
        rules.judge({"lr": "high"})
    assert rules.judge({"lr": 2}) == Model(lr=2)
    assert seen == [({"lr": 1}, {"lr": 1}), ({"lr": 1}, {"lr": 2})]
