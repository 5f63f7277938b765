from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.config.diff import changes, same
from tui.config.document import parse
from tui.protocol.codec import jsonable
from tui.protocol.messages import Change

NAN = float("nan")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"lr": 0.1}, {"lr": 0.05}, [("lr", 0.1, 0.05)]),
        ({1: "a"}, {True: "a"}, [("[true]", None, "a", "+"), ("[1]", "a", None, "-")]),
        ({1: "a"}, {1.0: "a"}, [("[1.0]", None, "a", "+"), ("[1]", "a", None, "-")]),
        ({"opt": {"betas": [1, 2]}}, {"opt": {"betas": [1, 3]}}, [("opt.betas[1]", 2, 3)]),
        ({"env": {"a.b": 1}}, {"env": {"a.b": 2}}, [('env["a.b"]', 1, 2)]),
        (
            {},
            {"a b": 1, "": 2, 'q"': 3},
            [('["a b"]', None, 1, "+"), ('[""]', None, 2, "+"), ('["q\\""]', None, 3, "+")],
        ),
        ({1: 0, "1": 0}, {1: 1, "1": 2}, [("[1]", 0, 1), ("1", 0, 2)]),
        ({}, {True: 1, None: 2}, [("[true]", None, 1, "+"), ("[null]", None, 2, "+")]),
        ({"a": [1]}, {"a": [1, {"b": 2}]}, [("a[1]", None, {"b": 2}, "+")]),
        ({"a": [1, 2, 3]}, {"a": [1]}, [("a[1]", 2, None, "-"), ("a[2]", 3, None, "-")]),
        ({"a": {"b": 1}}, {"c": 1}, [("c", None, 1, "+"), ("a", {"b": 1}, None, "-")]),
        ({"a": {"b": 1}}, {"a": [1]}, [("a", {"b": 1}, [1])]),
        ({"a": 1}, {"a": 1.0}, [("a", 1, 1.0)]),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": NAN}, {"a": float("nan")}, []),
        ({"a": NAN}, {"a": 0.0}, [("a", NAN, 0.0)]),
        ({"a": None}, {}, [("a", None, None, "-")]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        (None, {"a": 1}, [("a", None, 1, "+")]),
    ],
)
def test_changes(old: Any, new: Any, expected: list[tuple[Any, ...]]) -> None:
    found = changes(old, new)
    wanted = (Change(key, old, new, sign == ["+"], sign == ["-"]) for key, old, new, *sign in expected)
    assert repr(found) == repr(tuple(wanted))
    assert same(old or {}, new) is not bool(expected)


def test_a_key_that_came_or_went_is_told_from_null() -> None:
    assert changes({"n": None}, {"n": "null"}) == (Change("n", None, "null"),)
    assert changes({"n": "null"}, {"n": None}) == (Change("n", "null", None),)
    assert jsonable(changes({}, {"n": None})[0]) == {"key": "n", "old": None, "new": None, "added": True}
    assert jsonable(changes({"n": None}, {})[0]) == {"key": "n", "old": None, "new": None, "removed": True}
    assert jsonable(changes({"n": 1}, {"n": None})[0]) == {"key": "n", "old": 1, "new": None}


# No null: a missing side of a change is None too, so nulls can't be told from what is not there.
LEAVES = st.one_of(st.integers(-2, 2), st.floats(), st.booleans(), st.text("ab.", max_size=2))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.1 \"'", max_size=2), inner, max_size=3),
    max_leaves=8,
)
CONFIGS = st.dictionaries(st.text("ab.1", max_size=2) | st.integers(0, 2), VALUES, max_size=3)


def steps(data: Any, path: str) -> list[Any]:
    """The keys on the way to `path`, read by somebody who knows the two forms only."""
    keys: list[Any] = []
    for plain, quoted, number in re.findall(r'\.?([\w-]+)|\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]', path):
        keys.append(plain or (int(number) if number else quoted.replace('\\"', '"').replace("\\\\", "\\")))
    return keys


def apply(data: Any, found: tuple[Change, ...]) -> Any:
    data = copy.deepcopy(data)
    # From the end, so that an element's index is still its own when it is removed.
    for change in sorted(found, key=lambda change: (change.new is None, change.key.count("[")), reverse=False):
        if change.new is not None:
            put(data, steps(data, change.key), change.new)
    for change in reversed(found):
        if change.new is None:
            *way, last = steps(data, change.key)
            del descend(data, way)[last]
    return data


def descend(data: Any, way: list[Any]) -> Any:
    for key in way:
        data = data[key]
    return data


def put(data: Any, keys: list[Any], value: Any) -> None:
    holder = descend(data, keys[:-1])
    if isinstance(holder, list) and keys[-1] == len(holder):
        holder.append(value)
    else:
        holder[keys[-1]] = value


@given(CONFIGS, CONFIGS)
def test_applying_the_changes_to_the_old_makes_the_new(old: dict[Any, Any], new: dict[Any, Any]) -> None:
    assert same(apply(old, changes(old, new)), new)


@given(CONFIGS, CONFIGS)
def test_two_configs_are_the_same_if_and_only_if_nothing_changed(old: dict[Any, Any], new: dict[Any, Any]) -> None:
    assert same(old, new) is (changes(old, new) == ())
    assert same(old, copy.deepcopy(old))


@pytest.mark.parametrize(
    ("old", "new", "line"), [("one\f\ntwo\nthree\n", "one\f\ntwo\nTHREE\n", 3), ("a\r\nb\u2028c", "a\r\nb", 2)]
)
def test_lines_are_counted_as_editors_do(old: str, new: str, line: int) -> None:
    assert [change.key for change in changes(old, new)] == [f"line {line}"]


def test_the_order_of_an_omap_is_a_change_and_that_of_a_mapping_is_none() -> None:
    old, new = (parse(f"s: !!omap {pairs}\n").data for pairs in ("[a: 1, b: 2]", "[b: 2, a: 1]"))
    (change,) = changes(old, new)
    assert (change.key, [*change.old], [*change.new]) == ("s", ["a", "b"], ["b", "a"])
    assert not same(old, new)
    assert same(parse("s: {a: 1, b: 2}").data, parse("s: {b: 2, a: 1}").data)
