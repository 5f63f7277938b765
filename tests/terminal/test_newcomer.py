"""A newcomer's way through the demo, in a real terminal: change a value, see what it did, and go back to the best."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.terminal.conftest import Terminal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

CTRL_O, CTRL_S, NEXT_VALUE = "\x0f", "\x13", "\x1bn"


def test_change_see_the_verdict_go_to_the_best_and_back(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    screen = terminal("demo")
    screen.wait("running  v1")
    config = tmp_path / "tunedeck-demo" / "digits.yaml"
    before = config.read_text()
    screen.wait(lambda text: re.search(r"up ([2-9]\d s|\d+m)", text))  # about what it takes to read the screen
    screen.type(f"{NEXT_VALUE}1{CTRL_S}")
    screen.wait(lambda text: re.search(r"v2\s+● applied .*lr 0\.01 → 1\b", text))
    # It rings, and the row has sign, word and numbers.
    screen.wait(lambda text: re.search(r"v2\s+● applied ✗ .*loss \S+ → \S+ ✗ worse", text))
    screen.wait("digits: v2 is worse")
    assert b"\x07" in screen.raw
    screen.type(f"{CTRL_O}tb")
    screen.wait("v1 is the best")
    screen.type("r")
    screen.wait(lambda text: re.search(r"v3\s+● applied .*rollback", text))
    screen.wait("v3  = v1  lr 1 → 0.01")
    assert config.read_text() == before
