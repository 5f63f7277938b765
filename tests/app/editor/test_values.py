from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config.editing.test_edit_corpus import FILES, some
from tui.app.editor.nudge import nudged
from tui.app.editor.values import key_of, next_value, value_at, value_before, values
from tui.config import document, keys
from tui.config.diff import changes, same

TEXT = """\
# c: 1
lr: 0.05   # x: 2
a:
  - {x: 1, "y.z": [2, "drei", 0x10]}
  - 5
s: |
  a: 4
  5
b: &anchor 7
r: *anchor
t: !!str 8
1: ä b
"ö": 'ü'   # ü
long: one
  two
- 9
"""


def test_all_values_with_the_way_to_each() -> None:
    found = [(key_of(value.path), value.text, value.start) for value in values(TEXT.split("\n")[:12])]
    assert found == [
        ("lr", "0.05", (1, 4)),
        ("a[0].x", "1", (3, 8)),
        ('a[0]["y.z"][0]', "2", (3, 19)),
        ('a[0]["y.z"][1]', '"drei"', (3, 22)),
        ('a[0]["y.z"][2]', "0x10", (3, 30)),
        ("a[1]", "5", (4, 4)),
        ("b", "7", (8, 11)),
        ("[1]", "ä b", (11, 3)),
    ]


def test_from_value_to_value_and_back() -> None:
    lines = TEXT.split("\n")
    down, place = [], (0, 0)
    while (value := next_value(lines, place)) is not None:
        down.append(value)
        place = value.start
    assert down == list(values(lines))
    up, place = [], (len(lines), 0)
    place = (len(lines) - 1, 0)
    while (value := value_before(lines, place)) is not None:
        up.append(value)
        place = value.start
    assert up == down[::-1]


@pytest.mark.parametrize(
    ("place", "text"),
    [((1, 0), "0.05"), ((1, 6), "0.05"), ((1, 17), "0.05"), ((3, 18), "2"), ((3, 21), '"drei"'), ((12, 0), "'ü'"),
     ((0, 3), None), ((6, 5), None), ((9, 4), None), ((10, 10), None), ((13, 8), None)],
)  # fmt: skip
def test_the_value_at_a_place(place: tuple[int, int], text: str | None) -> None:
    value = value_at(TEXT.split("\n"), place)
    assert (value.text if value is not None else None) == text


@given(path=st.lists(st.text(max_size=5) | st.integers(0, 20), max_size=4))
def test_a_way_is_spelled_as_the_engine_does(path: list[str | int]) -> None:
    spelled = ""
    for step in path:
        spelled = keys.child(spelled, step)
    assert key_of(tuple(path)) == spelled or spelled.startswith(".")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_nudge_changes_one_scalar_and_nothing_else(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    before = document.parse(text)
    found = {key_of(value.path): value for value in values(lines)}
    for key, value in found.items():
        row, column = (number - 1 for number in before.marks[key].value)
        assert (row, lines[row][column:].startswith(("&", value.text))) == (value.start[0], True), key
    for _, key in some(list(found), path):
        value = found[key]
        new = nudged(value.text, {}, 1)
        if new is None:
            old = _at(before.data, key)
            assert not isinstance(old, int | float) or not math.isfinite(old) or "!!" in text, key
            continue
        (row, column), end = value.start, value.end[1]
        edited = lines[row][:column] + new.text + lines[row][end:]
        after = document.parse("\n".join([*lines[:row], edited, *lines[row + 1 :]]))
        shared = {change.key for change in changes(before.data, after.data)}
        assert key in shared
        assert not same(_at(before.data, key), _at(after.data, key))
        if "&" not in text:
            assert shared == {key}


def _at(data: object, key: str) -> object:
    for step in keys.steps(key):
        data = data[step]  # type: ignore[index]
    return data
