from __future__ import annotations

from typing import Any

import pytest

from tui.config.key_patterns import Patterns, parse


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("lr", ("lr",)),
        ("model.*", ("model", "*")),
        ("layers[*].size", ("layers", "*", "size")),
        ('env["a.*b"].c', ("env", "a.[*]b", "c")),
        ("model.hid*", ("model", "hid*")),
        ("größe[3]", ("größe", "3")),
    ],
)
def test_how_a_pattern_is_spelled(text: str, steps: tuple[str, ...]) -> None:
    assert parse(text) == steps


@pytest.mark.parametrize("text", ["", ".", "a..b", "a b", "[", "a[", "a[x]", "a.", ".a", "a[1", "*?", 'a["b]'])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no pattern of keys"):
        parse(text)


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("model.*", "model.hidden", True),
        ("model.*", "model.opt.lr", True),
        ("model.*", "model", False),
        ("model", "model.opt[0]", True),
        ("model", "models", False),
        ("layers[*].size", "layers[2].size", True),
        ("layers[*].size", "layers[2].drop", False),
        ("*.lr", "opt.lr", True),
        ("by.1", "by[1]", True),
        ('env["a.b"]', 'env["a.b"]', True),
        ('env["*"]', "env.x", False),
    ],
)
def test_which_keys_a_pattern_names(pattern: str, path: str, covered: bool) -> None:
    assert Patterns([pattern]).covers(path) is covered


@pytest.mark.parametrize(
    ("old", "new", "touched"),
    [
        ({"lr": 1, "model": {"hidden": 3}}, {"lr": 2, "model": {"hidden": 3}}, False),
        ({"lr": 1, "model": {"hidden": 3}}, {"lr": 1, "model": {"hidden": 4}}, True),
        ({"lr": 1}, {"lr": 1, "model": {"hidden": 4, "name": "x"}}, True),
        ({"lr": 1}, {"lr": 1, "model": {"name": "x"}}, False),
        ({"model": {"hidden": 4}}, {"model": 3}, True),
        ({"model": {"name": 4}}, {"model": 3}, False),
        ({"model": {"hidden": 4}}, {"model": [1]}, True),
        ({"model": None}, {"model": {}}, False),
        ({"layers": [{"size": 1}]}, {"layers": [{"size": 1}, {"size": 2}]}, True),
        ({"layers": [{"drop": 1}]}, {"layers": [{"drop": 2}]}, False),
    ],
)
def test_which_changes_touch_a_pattern(old: Any, new: Any, touched: bool) -> None:
    patterns = Patterns(["model.hidden", "layers[*].size"])
    assert patterns.differ(old, new) is touched
    assert not Patterns().differ(old, new)
    assert not patterns.differ(None, new)
    assert not patterns.differ("a", "b")
