"""What the fields of a task's config say: what can't change live, and what the task gets beside what is written."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
from pathlib import Path
from typing import Annotated, Any, Optional, Union

import pydantic
import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel, SecretStr, field_validator

from tui.worker.config_types import describe
from tui.worker.differences import differences
from tui.worker.restart_fields import restart_keys

RESTART = {"restart": True}


class Kind(enum.Enum):
    A = "a"
    B = "b"


class Layer(BaseModel):
    size: int = Field(default=1, json_schema_extra={"restart": True})
    dropout: float = 0.0


class Network(BaseModel):
    model_config = ConfigDict(json_schema_extra={"restart": True})
    depth: int = 1


class Sizes(RootModel[list[Layer]]):
    pass


@dataclasses.dataclass
class Optimizer:
    name: str = dataclasses.field(default="sgd", metadata={"restart": True})
    lr: float = 0.1
    threads: Annotated[int, Field(json_schema_extra={"restart": True})] = 1


class Tree(BaseModel):
    value: int = Field(default=0, json_schema_extra={"restart": True})
    left: Optional[Tree] = None  # noqa: UP045


class Config(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    lr: float = 0.1
    hidden: int = Field(default=32, json_schema_extra={"restart": True})
    data_path: Path = Field(default=Path("x"), alias="data-path", json_schema_extra={"restart": True})
    word: str = Field(default="w", validation_alias=AliasChoices("wort", "mot"), json_schema_extra={"restart": True})
    network: Network = Network()
    layers: list[Layer] = []
    by_name: dict[str, Layer] = {}
    either: Union[Layer, int, None] = None  # noqa: UP007
    sizes: Sizes = Sizes([])
    opt: Optimizer = dataclasses.field(default_factory=Optimizer)
    tree: Tree = Tree()


def test_every_way_to_say_that_a_field_cannot_change_live() -> None:
    assert restart_keys(Config) == [
        "hidden",
        "data-path",
        "data_path",
        "wort",
        "mot",
        "word",
        "network",
        "layers[*].size",
        "by_name.*.size",
        "either.size",
        "sizes[*].size",
        "opt.name",
        "opt.threads",
        "tree.value",
    ]
    assert restart_keys(Optimizer) == ["name", "threads"]
    assert restart_keys(dict) == restart_keys(None) == []


def test_a_description_of_the_config_has_its_schema_where_there_is_one() -> None:
    class Odd(BaseModel):
        call: Any = None
        what: pydantic.SkipValidation[type] = Field(default=int, json_schema_extra={"restart": True})

    found = describe(Config)
    assert found["schema"]["properties"]["lr"]["type"] == "number"
    assert describe(Optimizer)["schema"]["properties"]["lr"]["type"] == "number"
    assert describe(Odd)["restart"] == ["what"]


class Values(BaseModel):
    a: int = 0
    f: float = 0.0
    flag: bool = False
    text: str = ""
    when: datetime.date | None = None
    exact: decimal.Decimal | None = None
    secret: SecretStr = SecretStr("")
    path: Path | None = None
    kind: Kind = Kind.A
    names: set[str] = set()
    pair: tuple[int, int] = (0, 0)
    layers: list[Layer] = []
    named: dict[str, Layer] = {}
    sizes: Sizes | None = None
    wait: datetime.timedelta | None = None


def of(**config: Any) -> list[Any]:
    """Return the differences of a config that says something, without the defaults of the rest."""
    made = Values.model_validate(config)
    return [item for item in differences(config, made) if item[0][0] in config]


@pytest.mark.parametrize(
    "config",
    [
        {"a": 3, "f": 1, "flag": True, "text": "x", "when": datetime.date(2026, 1, 2), "exact": 1.5},
        {"when": "2026-01-02", "secret": "s", "path": "/x", "kind": "b", "names": ["b", "a"], "pair": [1, 2]},
        {"layers": [{"size": 1, "dropout": 0}], "named": {"x": {"size": 2, "dropout": 1}}},
        {"sizes": [{"size": 1, "dropout": 0}], "f": float("nan")},
    ],
)
def test_what_means_the_same_is_no_difference(config: dict[str, Any]) -> None:
    assert of(**config) == []


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"a": "3"}, [[["a"], "3", 3]]),
        ({"flag": "yes"}, [[["flag"], "yes", True]]),
        ({"flag": 1}, [[["flag"], 1, True]]),
        ({"layers": [{"size": 2}]}, [[["layers", 0, "dropout"], None, 0.0]]),
        ({"named": {"x": {"dropout": 1, "size": "2"}}}, [[["named", "x", "size"], "2", 2]]),
        ({"unknown": {"a": datetime.date(2026, 1, 2)}}, [[["unknown"], {"a": "2026-01-02"}]]),
        ({"wait": 30}, [[["wait"], 30, "0:00:30"]]),
    ],
)
def test_what_the_task_gets_instead_is_told(config: dict[str, Any], wanted: list[Any]) -> None:
    assert of(**config) == wanted


def test_defaults_aliases_and_validators_that_make_fit() -> None:
    class Model(BaseModel):
        model_config = ConfigDict(extra="allow")
        lr: float = 0.1
        name: str = Field(default="x", alias="the-name")
        low: int = 0

        @field_validator("low")
        @classmethod
        def clip(cls, value: int) -> int:
            return max(value, 1)

    config = {"the-name": "y", "low": -3, "more": {"a": 1}}
    assert differences(config, Model.model_validate(config)) == [[["lr"], None, 0.1], [["low"], -3, 1]]
    assert differences({"lr": 1}, object()) == []
    assert differences({}, Optimizer()) == [
        [["name"], None, "sgd"],
        [["lr"], None, 0.1],
        [["threads"], None, 1],
    ]
