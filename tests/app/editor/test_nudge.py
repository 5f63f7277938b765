from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.app.editor.nudge import LADDER, Nudged, meaning, nudged, spelled
from tui.config import document

UP, DOWN = 1, -1


def read(text: str) -> Any:
    return document.parse(f"v: {text}\n").data["v"]


def step(text: str, direction: int = UP, at: int | None = None, **words: Any) -> str | None:
    found = nudged(text, {name.replace("__", ""): word for name, word in words.items()}, direction, at)
    return found.text if found is not None else None


def walk(text: str, direction: int, times: int, **words: Any) -> list[str]:
    found = [text]
    for _ in range(times):
        found.append(step(found[-1], direction, **words) or "end")
    return found[1:]


def test_a_positive_float_goes_up_and_down_a_ladder() -> None:
    rungs = ["1.25", "1.6", "2.0", "2.5", "3.15", "4.0", "5.0", "6.3", "8.0", "10.0", "12.5"]
    assert walk("1.0", UP, 11) == rungs
    assert walk("12.5", DOWN, 11) == [*reversed(rungs[:-1]), "1.0"]
    assert walk("0.05", UP, 3) == ["0.063", "0.08", "0.1"]
    assert step("0.07") == "0.08"
    assert walk("-0.1", UP, 2) == ["-0.08", "-0.063"]


@pytest.mark.parametrize(
    ("text", "up", "down"),
    [
        ("64", "65", "63"), ("0", "1", "-1"), ("-1", "0", "-2"), ("+9", "+10", "+8"), ("007", "008", "006"),
        ("1e-3", "1.25e-3", "8e-4"), ("1E-03", "1.25E-03", "8E-04"), ("8e-4", "1e-3", "6.3e-4"),
        ("1.0e+3", "1.25e+3", "8.0e+2"), ("10e-3", "12.5e-3", "8e-3"), ("8e-1", "1e0", "6.3e-1"),
        (".5", ".63", ".4"), ("5.", "6.3", "4."), ("+.8", "+1.0", "+.63"), (".5e+1", ".63e+1", ".4e+1"),
        ("0x0f", "0x10", "0x0e"), ("0xFF", "0x100", "0xFE"), ("0o17", "0o20", "0o16"), ("0b11", "0b100", "0b10"),
        ("1_000", "1_001", "999"), ("999_999", "1_000_000", "999_998"), ("0xff_ff", "0x1_00_00", "0xff_fe"),
        ("0.0", "0.1", "-0.1"), ("0.000", "0.001", "-0.001"),
        ("true", "false", "false"), ("False", "True", "True"),
    ],
)  # fmt: skip
def test_the_spelling_stays(text: str, up: str, down: str) -> None:
    assert (step(text), step(text, DOWN)) == (up, down)


@pytest.mark.parametrize(
    ("text", "at", "up", "down"),
    [
        ("0.05", 3, ("0.06", 3), ("0.04", 3)), ("0.09", 3, ("0.10", 3), ("0.08", 3)),
        ("0.50", 2, ("0.60", 2), ("0.40", 2)), ("9.5", 0, ("10.5", 1), ("8.5", 0)),
        ("10.5", 1, ("11.5", 1), ("9.5", 0)), ("64", 0, ("74", 0), ("54", 0)), ("0", 0, ("1", 0), ("-1", 1)),
        ("1e-3", 3, ("1e-2", 3), ("1e-4", 3)), ("1e-1", 3, ("1e0", 2), ("1e-2", 3)),
        ("2.5e-9", 5, ("2.5e-8", 5), ("2.5e-10", 6)), ("2.5e-9", 2, ("2.6e-9", 2), ("2.4e-9", 2)),
        ("9e-4", 0, ("10e-4", 1), ("8e-4", 0)), ("1_999", 4, ("2_000", 4), ("1_998", 4)),
        ("0x0f", 2, ("0x1f", 2), None), ("0xff", 3, ("0x100", 4), ("0xfe", 3)),
        ("1.5", 1, ("1.6", None), ("1.25", None)), ("-5", 0, ("-4", None), ("-6", None)),
    ],
)  # fmt: skip
def test_a_digit_under_the_cursor_is_turned(
    text: str, at: int, up: tuple[str, int | None], down: tuple[str, int | None] | None
) -> None:
    assert nudged(text, {}, UP, at) == Nudged(*up)
    if down is not None:
        assert nudged(text, {}, DOWN, at) == Nudged(*down)


def test_the_limits_of_a_schema_are_kept() -> None:
    assert step("64", multipleOf=32) == "96"
    assert step("60", DOWN, multipleOf=32) == "32"
    assert step("64", at=1, multipleOf=8) == "72"
    assert step("0.9", maximum=1) == "1.0"
    assert step("1.0", maximum=1) is None
    assert step("0.95", at=3, maximum=0.99) == "0.96"
    assert step("0.95", at=2, maximum=0.99) == "0.99"
    assert step("1", DOWN, exclusiveMinimum=0, type="integer") is None
    assert step("0.01", DOWN, at=2, exclusiveMinimum=0) is None
    assert step("50", DOWN, maximum=10) == "10"
    assert step("50", UP, maximum=10) is None
    assert walk("0.0", UP, 2, minimum=0, maximum=1) == ["0.01", "0.0125"]
    assert step("0.1", multipleOf=0.05) == "0.15"


def test_a_choice_goes_to_the_next() -> None:
    names = ["adam", "sgd", "no"]
    assert walk("adam", UP, 3, enum=names) == ["sgd", '"no"', '"adam"']
    assert walk('"adam"', DOWN, 1, enum=names) == ['"no"']
    assert walk("'adam'", UP, 1, enum=names) == ["'sgd'"]
    assert step("other", enum=names) == "adam"
    assert walk("64", UP, 2, enum=[32, 64, 128.5, None]) == ["128.5", "null"]
    assert step("true", enum=[True]) is None


@pytest.mark.parametrize(
    "text",
    ["text", '"5"', ".inf", ".nan", "2020-01-01", "1:20", "null", "", ".5e1", "e5", "1e", "9" * 100, "1e400", "0b2"],
)
def test_what_has_no_steps_stays(text: str) -> None:
    assert step(text) is None


ints = st.from_regex(r"[-+]?[0-9][0-9_]{0,8}", fullmatch=True)
based = st.from_regex(r"[-+]?0(x[0-9a-fA-F][0-9a-fA-F_]{0,6}|o[0-7][0-7_]{0,6}|b[01][01_]{0,6})", fullmatch=True)
floats = st.from_regex(
    r"[-+]?(([0-9][0-9_]{0,4}\.[0-9]{0,6}|[0-9]{1,3}(?=e|E))([eE][-+]?[0-9]{1,2})?|\.[0-9]{1,6}([eE][-+][0-9]{1,2})?)",
    fullmatch=True,
)
numbers = ints | based | floats
bounds = st.integers(-10, 1000) | st.floats(-1, 1000, allow_nan=False).map(lambda bound: round(bound, 3))
schemas = st.fixed_dictionaries(
    {},
    optional={
        "minimum": bounds,
        "exclusiveMinimum": bounds,
        "maximum": bounds,
        "exclusiveMaximum": bounds,
        "multipleOf": st.sampled_from([1, 2, 8, 32]),
    },
)


def style(text: str) -> tuple[object, ...]:
    """Return what of a spelling stays: prefix, kind of exponent, point and plus."""
    prefix = re.match(r"[-+]?(0[xob]?)", text)
    based = prefix[1] if prefix is not None and len(prefix[1]) > 1 else ""
    exponent = "" if based else "e" * ("e" in text) + "E" * ("E" in text)
    return based, exponent, type(read(text))


@given(text=numbers, direction=st.sampled_from([UP, DOWN]), at=st.none() | st.integers(0, 15), words=schemas)
def test_a_step_goes_the_right_way_and_keeps_spelling_and_limits(
    text: str, direction: int, at: int | None, words: dict[str, Any]
) -> None:
    found = nudged(text, words, direction, at)
    if found is None:
        return
    old, new = read(text), read(found.text)
    assert (new - old) * direction > 0
    assert style(found.text) == style(text)
    assert meaning(found.text) == new
    if found.at is not None:
        assert found.text[found.at].isalnum()
    assert new >= words.get("minimum", -math.inf) or new == old
    assert new <= words.get("maximum", math.inf)
    assert new > words.get("exclusiveMinimum", -math.inf)
    assert new < words.get("exclusiveMaximum", math.inf)
    if "multipleOf" in words and not {"minimum", "maximum"} & set(words):
        assert math.isclose(math.remainder(new, words["multipleOf"]), 0, abs_tol=1e-9 * max(abs(new), 1))


@given(text=floats)
def test_of_a_positive_float_a_step_back_is_a_step(text: str) -> None:
    value = read(text)
    if value <= 0 or (up := nudged(text, {}, UP)) is None:
        return
    down = nudged(up.text, {}, DOWN)
    assert down is not None
    assert read(down.text) <= value * (1 + 1e-12)
    mantissa = float(f"{read(up.text):.12e}".split("e")[0])
    assert any(math.isclose(mantissa, float(rung), rel_tol=1e-9) for rung in LADDER)


@given(text=numbers, direction=st.sampled_from([UP, DOWN]), at=st.integers(0, 15))
def test_without_limits_every_number_can_be_turned(text: str, direction: int, at: int) -> None:
    found = nudged(text, {}, direction, at)
    if found is None:
        assert abs(read(text)) > 1e290 or (read(text) != 0 and abs(read(text)) < 1e-290)


values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(
    st.characters(exclude_categories=["C"]), max_size=12
)  # fmt: skip


@given(choices=st.lists(values, min_size=1, max_size=4), like=st.sampled_from(["x", "'x'", '"x"', "1"]), data=st.data())
def test_a_choice_means_what_the_schema_has(choices: list[Any], like: str, data: st.DataObject) -> None:
    found = nudged(like, {"enum": choices}, data.draw(st.sampled_from([UP, DOWN])))
    if found is not None:
        assert read(found.text) in choices
        assert meaning(found.text) in choices


@given(value=values, like=st.sampled_from(["x", "'x'", '"x"']))
def test_a_value_is_spelled_so_that_it_means_the_same(value: Any, like: str) -> None:
    assert read(spelled(value, like)) == value
    assert type(read(spelled(value, like))) is type(value)
    assert document.parse(f"v: [{spelled(value, like)}]").data["v"] == [value]
