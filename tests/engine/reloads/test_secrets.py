from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretBytes, SecretStr

from tui.config.diff import changes
from tui.engine.reloads.secrets import MASK, Secrets
from tui.protocol.messages import Problem, Reload


class Node(BaseModel):
    password: SecretStr | None = None
    below: list[Node] = []


class Config(BaseModel):
    lr: float = 1
    token: SecretStr = SecretStr("of old")
    raw: SecretBytes = b"of old"  # type: ignore[assignment]
    named: dict[str, SecretStr] = {}
    pair: tuple[int, SecretStr] = (1, SecretStr("x"))
    tree: Node = Node()
    marked: str = Field("", json_schema_extra={"writeOnly": True})


SECRETS = Secrets(Config.model_json_schema())

#: With each secret of it, as deep as it may lie.
FULL: dict[str, Any] = {
    "lr": 2,
    "token": "s3cret",
    "raw": "s3cret",
    "named": {"a": "s3cret", "1": "s3cret"},
    "pair": [2, "s3cret"],
    "tree": {"below": [{"below": [{"password": "s3cret"}]}], "password": "s3cret"},
    "marked": "s3cret",
    "unknown": "seen",
}


def test_a_config_is_told_without_its_secrets_however_deep_they_lie() -> None:
    told = SECRETS.masked(FULL)
    assert "s3cret" not in str(told)
    assert (told["lr"], told["pair"][0], told["unknown"]) == (2, 2, "seen")
    assert told["tree"]["below"][0]["below"][0]["password"] == MASK
    assert str(told).count(MASK) == 8


@pytest.mark.parametrize("old", [{}, FULL, {**FULL, "tree": {}, "named": {"a": "s3cret2"}}])
def test_changes_are_told_and_their_secrets_are_not(old: dict[str, Any]) -> None:
    new = {**FULL, "lr": 3, "token": "s3cret3", "tree": {"below": [], "password": None}}
    found = changes(old, new)
    told = SECRETS.changes(found)
    assert [change.key for change in told] == [change.key for change in found]
    assert "s3cret" not in str(told)
    assert next(change.new for change in told if change.key == "lr") == 3


def test_null_is_no_secret_and_what_has_none_is_as_it_was() -> None:
    assert SECRETS.masked({"tree": {"password": None}}) == {"tree": {"password": None}}
    plain = Secrets({"properties": {"lr": {"type": "number"}}})
    assert plain.masked(FULL) is FULL
    assert plain.schema is None


def test_what_a_schema_objects_to_is_not_told_with_a_secret() -> None:
    wrong = Problem("'s3cret' is too short", 2, 8, "token"), Problem("-1 is less than 0", 1, 5, "lr")
    error = Problem("token: 's3cret' is too short\nlr: -1 is less than 0", 2, 8, "token")
    row = Reload("job", 2, "invalid", "disk", error=error, errors=wrong)
    told = SECRETS.reload(row)
    assert "s3cret" not in str(told)
    assert told.error is not None
    assert "lr: -1 is less than 0" in told.error.message
    assert (told.error.line, told.errors[1]) == (2, wrong[1])
