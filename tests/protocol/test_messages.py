from __future__ import annotations

import dataclasses
import datetime
import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui.protocol import codec
from tui.protocol.codec import decode, encode, jsonable
from tui.protocol.messages import Change, Effect, Log, Message, Metrics, Problem, Reload

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
PROBLEMS = st.builds(Problem, TEXT, st.none() | st.integers(1), st.none() | st.integers(1), st.none() | TEXT)
LINES = st.tuples(TEXT, st.none() | st.integers(1), st.floats(0, 2e9))

#: How to make a value for a field, by the field's annotation.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXT,
    "str | None": st.none() | TEXT,
    "int": st.integers(),
    "int | None": st.none() | st.integers(),
    "float": st.floats(0, 2e9),
    "float | None": st.none() | st.floats(0, 2e9),
    "bool": st.booleans(),
    "Mapping[str, Any]": st.dictionaries(TEXT, VALUES, max_size=3),
    "Mapping[str, Any] | None": st.none() | st.dictionaries(TEXT, VALUES, max_size=3),
    "Mapping[str, Mapping[str, Any]]": st.dictionaries(TEXT, st.dictionaries(TEXT, VALUES, max_size=2), max_size=2),
    "Mapping[str, int] | None": st.none() | st.dictionaries(TEXT, st.integers(), max_size=3),
    "Mapping[str, int]": st.dictionaries(TEXT, st.integers(), max_size=3),
    "Mapping[str, float]": st.dictionaries(TEXT, st.floats(0, 2e9), max_size=3),
    "Mapping[str, str]": st.dictionaries(TEXT, TEXT, max_size=3),
    "Problem | None": st.none() | PROBLEMS,
    "tuple[int, ...]": st.lists(st.integers(), max_size=2).map(tuple),
    "tuple[str, ...]": st.lists(TEXT, max_size=2).map(tuple),
    "tuple[Problem, ...]": st.lists(PROBLEMS, max_size=2).map(tuple),
    "tuple[Change, ...]": st.lists(st.builds(Change, TEXT, VALUES, VALUES), max_size=3).map(tuple),
    "tuple[Effect, ...]": st.lists(st.builds(Effect, TEXT, st.integers(), st.none() | st.floats(-1e9)), max_size=2).map(
        tuple
    ),
    "tuple[tuple[str, int | None, float], ...]": st.lists(LINES, max_size=3).map(tuple),
}

KINDS = sorted(codec.KINDS.values(), key=lambda kind: kind.KIND)
MESSAGES = st.one_of(
    *(st.builds(kind, **{item.name: FIELDS[str(item.type)] for item in dataclasses.fields(kind)}) for kind in KINDS)
)


def strict(line: bytes) -> Any:
    """Parse a line as a program that knows only strict JSON does."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(line, parse_constant=refuse)


@given(MESSAGES)
def test_what_is_encoded_is_decoded_to_the_same(message: Message) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == message
    assert strict(line)["event"] == message.KIND


@example(Reload("a", 1, "invalid", "disk", error=Problem("no")), {"x": 1})
@example(Reload("a", 1, "sent", "disk", (Change("a", 1, 2),)), {"x": 1})
@given(MESSAGES, st.dictionaries(st.text("xyz", min_size=1), VALUES, min_size=1))
def test_fields_that_a_reader_does_not_know_are_ignored(message: Message, more: dict[str, Any]) -> None:
    body = json.loads(encode(message))
    for part in (body, body.get("error"), *body.get("changes", ()), *body.get("errors", ())):
        if isinstance(part, dict):
            part.update(more)
    assert decode(json.dumps(body).encode()) == message


def test_kinds_that_a_reader_does_not_know_are_ignored() -> None:
    assert decode(b'{"event": "fireworks", "job": "a"}') is None
    assert decode(b'{"job": "a"}') is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"[]",
        b"3",
        b"\xff",
        b'{"event": "state"}',
        b'{"event": []}',
        b'{"event": "lines", "job": "a", "first": 0, "lines": 5}',
        b'{"event": "lines", "job": "a", "first": 0, "lines": [[1]]}',
        b'{"event": "reload", "job": "a", "version": 1, "status": "sent", "source": "disk", "changes": [5]}',
        b'{"event": "reload", "job": "a", "version": 1, "status": "sent", "source": "disk", "error": {}}',
    ],
)
def test_what_is_no_message_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json says it in words of its own
        decode(line)


def test_an_event_begins_with_what_it_is_when_and_of_whom() -> None:
    line = encode(Metrics("digits", 7, {"loss": 0.5}, time=12.5))
    assert line == b'{"event": "metrics", "time": 12.5, "job": "digits", "step": 7, "values": {"loss": 0.5}}\n'


def test_a_reload_has_every_field_of_the_contract() -> None:
    row = Reload("a", 2, "applied", "disk", (Change("opt.betas[1]", 0.9, None),), 3, 4.5, None, time=1.0)
    body = strict(encode(row))
    more = {
        name: body.pop(name)
        for name in ("who", "base", "run", "times", "note", "tag", "effective", "errors", "effect", "ranks", "files")
    }
    assert more == {
        "who": "",
        "base": None,
        "run": 0,
        "times": {},
        "note": "",
        "tag": "",
        "effective": None,
        "errors": [],
        "effect": [],
        "ranks": None,
        "files": [],
    }
    assert body == {
        "event": "reload",
        "time": 1.0,
        "job": "a",
        "version": 2,
        "status": "applied",
        "source": "disk",
        "changes": [{"key": "opt.betas[1]", "old": 0.9, "new": None}],
        "step": 3,
        "latency_ms": 4.5,
        "error": None,
        "by": None,
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        (datetime.datetime(2020, 1, 2, 3, 4, tzinfo=datetime.timezone.utc), "2020-01-02T03:04:00+00:00"),
        (datetime.time(3, 4), "03:04:00"),
        ({1: [math.nan, (True, None)], None: {2.5}}, {"1": ["NaN", [True, None]], "None": [2.5]}),
        (b"hi", "b'hi'"),
        (1 + 2j, "(1+2j)"),
        (Problem("no"), {"message": "no", "line": None, "column": None, "key": None}),
    ],
)
def test_what_json_has_no_word_for(value: Any, shown: Any) -> None:
    assert jsonable(value) == shown
    assert strict(encode(Metrics("a", 1, {"x": value})))["values"]["x"] == shown


def test_half_a_character_does_no_harm() -> None:
    assert json.loads(encode(Log("a", "x\ud800y")))["line"] == "x\ud800y"


def test_a_number_of_any_size_is_shown() -> None:
    huge = 10**5_000
    assert strict(encode(Metrics("a", 1, {"x": huge})))["values"]["x"] == hex(huge)
