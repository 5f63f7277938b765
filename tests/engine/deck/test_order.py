from __future__ import annotations

from pathlib import Path

import pytest

from tui.config.document import ConfigError
from tui.engine.deck import order
from tui.engine.deck.load import load


@pytest.mark.parametrize(
    ("waits", "first", "way"),
    [
        ({"a": {"b": 1}, "b": {}}, "a", []),
        ({"a": {"a": 1}}, "a", ["a", "a"]),
        ({"a": {"b": 1}, "b": {"c": 1}, "c": {"a": 1}}, "b", ["b", "c", "a", "b"]),
        ({"a": {"b": 1}, "b": {"c": 1}, "c": {"b": 1}}, "a", []),
    ],
)
def test_a_circle_is_found_where_it_is(waits: dict[str, dict[str, int]], first: str, way: list[str]) -> None:
    assert order.circle(waits, first) == way


DECK = """\
jobs:
  a: {task: m:f, config: c.yaml, depends_on: {b: ready}}
  b: {task: m:f, config: c.yaml, depends_on: {a: finished}}
  c: {task: m:f, config: c.yaml, depends_on: {aa: ready}}
  d: {task: m:f, config: c.yaml, depends_on: {a: done}}
  e: {task: m:f, config: c.yaml, code: swap}
on_event: nothing-like-that
"""


def test_what_can_not_be_waited_for_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "deck.yaml"
    path.write_text(DECK)
    with pytest.raises(ConfigError) as caught:
        load(path)
    found = [(part.line, part.column, part.message) for part in caught.value.problem.all]
    assert found == [
        (2, 46, "none of these could ever start: a waits for b, b waits for a; one of them must not wait"),
        (3, 46, "none of these could ever start: b waits for a, a waits for b; one of them must not wait"),
        (4, 51, "there is no job aa: did you mean a?"),
        (5, 50, "a job can wait for another to be started or ready or finished"),
        (6, 40, "unknown code swap: it must be ask, restart, off"),
        (7, 11, "there is no program nothing-like-that in PATH"),
    ]
