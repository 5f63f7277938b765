from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.app.knobs.draw import columns, row
from tui.app.knobs.rack import Rack

TEXT = "lr: 0.05\nbatch: 64\nopt: {name: adam, on: true}\nlayers: [64, 32]\n"
SCHEMA: dict[str, Any] = {
    "properties": {
        "lr": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.1, "x-scale": "log"},
        "batch": {"type": "integer", "minimum": 32, "maximum": 160, "multipleOf": 32},
        "opt": {"properties": {"name": {"enum": ["adam", "sgd"]}}},
    }
}


def rack(text: str = TEXT, schema: dict[str, Any] = SCHEMA, restarting: tuple[int, ...] = ()) -> Rack:
    found = Rack()
    found.load(text, schema, restarting, all_restart=False)
    return found


def test_a_knob_for_each_value() -> None:
    found = rack()
    assert list(found.knobs) == ["lr", "batch", "opt.name", "opt.on", "layers[0]", "layers[1]"]
    assert found.chosen == "lr"
    assert found.knobs["lr"].default == 0.1
    found.look_for("LAY 1")
    assert [knob.key for knob in found.shown] == ["layers[1]"]
    assert found.chosen == "layers[1]"


def test_turning_wants_and_turning_back_wants_nothing() -> None:
    found = rack()
    assert found.turn(1)
    assert found.due() == {"lr": "0.063"}
    found.turn(-1)
    assert found.due() == {}
    found.choose(1)
    assert found.turn(1, 10)
    assert found.wanted == {"batch": "160"}
    assert not found.turn(1)


def test_a_slider_has_the_scale_that_the_schema_or_the_value_says() -> None:
    found = rack()
    lr, batch = found.knobs["lr"], found.knobs["batch"]
    assert [batch.part(text) for text in ("32", "96", "160", "1000", "x", "true")] == [0, 0.5, 1, 1, None, None]
    assert lr.part("1.0") == 1
    assert lr.part("1e-3") == pytest.approx(0.5)
    assert lr.part("0.0") == 0
    plain = {"properties": {"p": {"minimum": 0, "maximum": 1}}}
    assert rack("p: 0.5", plain).knobs["p"].part("0.25") == 0.25
    assert rack("p: 1e-4", plain).knobs["p"].part("1e-3") == pytest.approx(0.5)
    wide = {"properties": {"p": {"minimum": 1, "maximum": 10000}}}
    assert rack("p: 5", wide).knobs["p"].part("100") == pytest.approx(0.5)


def test_what_costs_the_worker_waits_for_enter() -> None:
    found = rack(restarting=(2,))
    found.turn(1)
    found.choose(1)
    found.turn(1)
    assert found.wanted == {"lr": "0.063", "batch": "96"}
    assert found.due() == {"lr": "0.063"}
    found.live = False
    assert found.due() == {}


def test_what_somebody_else_changes_stays_beside_what_was_turned() -> None:
    found = rack()
    found.turn(1)
    found.load(TEXT.replace("64\nopt", "96\nopt"), SCHEMA, (), all_restart=False)
    assert (found.news, found.due()) == (set(), {"lr": "0.063"})
    found.load(TEXT.replace("0.05", "0.2"), SCHEMA, (), all_restart=False)
    assert (found.news, found.due(), found.wanted) == ({"lr"}, {}, {"lr": "0.063"})
    found.load(TEXT.replace("0.05", "0.063"), SCHEMA, (), all_restart=False)
    assert (found.news, found.wanted) == (set(), {})


def test_what_is_turned_on_while_it_is_sent_is_no_conflict() -> None:
    found = rack()
    found.turn(1)
    found.send(found.due())
    found.turn(1)
    found.load(TEXT.replace("0.05", "0.063"), SCHEMA, (), all_restart=False)
    found.take_values({"lr": "0.063"})
    assert (found.news, found.due()) == (set(), {"lr": "0.08"})


def test_a_refused_value_goes_and_says_why() -> None:
    found = rack()
    found.turn(1)
    found.send(found.due())
    found.refuse("lr must be small", ["lr"], conflict=False)
    assert (found.wanted, found.refused) == ({}, {"lr": "lr must be small"})
    found.turn(1)
    assert found.refused == {}
    found.send(found.due())
    found.refuse("somebody else", ["lr"], conflict=True)
    assert (found.wanted, found.due()) == ({"lr": "0.063"}, {})


def test_undo_takes_back_change_after_change_and_is_none_itself() -> None:
    found, text = rack(), TEXT

    def settle() -> None:
        nonlocal text
        due = found.due()
        found.send(due)
        for key, value in due.items():
            text = text.replace(found.knobs[key].text, value, 1)
        found.load(text, SCHEMA, (), all_restart=False)
        found.take_values(due)

    found.turn(1)
    settle()
    found.choose(2)
    found.turn(1)
    settle()
    assert text == TEXT.replace("0.05", "0.063").replace("adam", "sgd")
    found.turn(1)
    assert found.undo() is None
    for key in ("opt.name", "lr"):
        assert found.undo() == key
        settle()
    assert text == TEXT
    assert found.undo() is None


@given(
    width=st.integers(20, 120),
    values=st.lists(st.text(st.characters(exclude_categories=["C"]), max_size=30) | st.floats(0, 1), max_size=5),
)
def test_a_row_fits_its_width(width: int, values: list[str | float]) -> None:
    text = "".join(f"key_{'x' * n * 5}: {value!r}\n" for n, value in enumerate(values))
    found = rack(text, {})
    found.turn(1)
    for knob in found.knobs.values():
        parts = row(found, knob, columns(found.shown, width), width)
        assert cell_len("".join(part for part, _ in parts)) <= width
