from __future__ import annotations

import re

import pytest

from tui.app.editor import schema_hints
from tui.app.editor.schema_hints import ITEM, path_at


class Counting:
    """A pattern that counts what it is asked."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern
        self.asked = 0

    def match(self, line: str) -> re.Match[str] | None:
        self.asked += 1
        return self.pattern.match(line)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a:\n  b:\n    c: 1", ["a", "b", "c"]),
        ("a:\n  x: 1\n\n# a: comment\n  b: 2", ["a", "b"]),
        ("a:\n  - x: 1\n  - b: 2", ["a", ITEM, "b"]),
        ("a:\n- x: 1\n- y: 1\n  b: 2", ["a", ITEM, "b"]),
        ("a:\n  -  x: 1\n     b: 2", ["a", ITEM, "b"]),
        ("'a':\n    text: deeper\n  b: 2", ["a", "b"]),
        ("a:\n  - text", []),
    ],
)
def test_the_way_to_a_key(text: str, path: list[str | None]) -> None:
    lines = text.split("\n")
    assert path_at(lines, len(lines) - 1) == path


@pytest.mark.parametrize("line", ["  key: 1", "  - key: 1", "  - text", "  # a comment", "    deeper: 1"])
@pytest.mark.parametrize("last", ["  b: 2", "  - b: 2"])
def test_a_long_config_is_not_parsed_for_a_key_at_its_end(
    monkeypatch: pytest.MonkeyPatch, line: str, last: str
) -> None:
    if "-" in last and "-" not in line:
        line = f"  {line}"  # what stands beside a list's dashes is not YAML
    counting = Counting(schema_hints.KEY)
    monkeypatch.setattr(schema_hints, "KEY", counting)
    path = path_at(["a:", *[line] * 4_000, last], 4_001)
    assert (path[0], path[-1]) == ("a", "b")
    assert counting.asked == 2
