"""A newcomer's hour with the demo in a real terminal: three keys a step at most, and the screen names each of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.terminal.conftest import Terminal, below, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

CTRL_S, ESCAPE, UP, NEXT_VALUE = "\x13", "\x1b", "\x1b[A", "\x1bn"

#: The keys that one step may take, beside what is typed as a value or a word.
MOST = 3


class Key(NamedTuple):
    """A key, and what has to stand on the screen before it is pressed: a regular expression."""

    sign: str
    sent: str


KNOBS = Key(r"f7 Knobs", "\x1b[18~")
SAVE = Key(r"\^s Save", CTRL_S)
COMMANDS = Key(r"\^p Commands", "\x10")
JUMP = Key(r"\^o Jump", "\x0f")
RESTART = Key(r"\^r Restart", "\x12")
STOP = Key(r"\^t Stop", "\x14")
QUIT = Key(r"\^q Quit", "\x11")
#: Ends a line that is being typed, in which nobody has to be told of it.
ENTER = Key("", "\r")
#: No key: nobody types before there is a line to type into.
ASKED = Key("plain text, or re:", "")


class Newcomer:
    """Presses only keys that can be read at that moment.

    Args:
        screen: Where they are read.
    """

    def __init__(self, screen: Terminal) -> None:
        self.screen = screen

    def step(self, *parts: Key | str, sees: str) -> None:
        """Press keys, type words, and wait for what is to come of it."""
        assert sum(isinstance(part, Key) and bool(part.sent) for part in parts) <= MOST
        for part in parts:
            if isinstance(part, Key):
                self.sees(part.sign)
                self.screen.type(part.sent)
            else:
                self.screen.type(part)
        self.sees(sees)

    def command(self, words: str, name: str, *more: Key | str, sees: str) -> None:
        """Choose a command of the palette by some of its name."""
        self.step(COMMANDS, words, Key(name, "\r"), *more, sees=sees)

    def sees(self, what: str) -> None:
        """Wait until something can be read."""
        self.screen.wait(lambda text: re.search(what, text, re.MULTILINE))


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_an_hour(terminal: Callable[..., Terminal], tmp_path: Path, columns: int, rows: int) -> None:
    screen = terminal("demo", columns=columns, rows=rows)
    user = Newcomer(screen)
    user.sees(r"step (\d\d\d|[2-9]\d)")
    config = tmp_path / "tunedeck-demo" / "digits.yaml"
    before = config.read_text()

    # Change a value, nudge it, and roll that back.
    user.step(KNOBS, Key("⏎ Type", "\r"), "\x7f" * 4 + "0.02", ENTER, sees=r"v2 +● applied .*lr 0\.01 → 0\.02")
    user.step(Key("← Turn", "\x1b[C"), sees=r"v3 +● applied .*lr 0\.02 → 0\.025")
    assert config.read_text() == before.replace("lr: 0.01 ", "lr: 0.025 ", 1)
    user.step(KNOBS, JUMP, Key(" t timeline", "t"), sees="⏎ Diff")
    user.step(Key("⏎ Diff", "\r"), Key("p older", "p"), Key("r rollback", "r"), sees=r"v4 +● applied .*rollback")

    # Break the config, and mend it.
    user.step(JUMP, Key(" c digits.yaml", "c"), "[1, ", SAVE, sees=r"v5 +✗ invalid")
    user.step(Key(r"\^g Write back", "\x07"), sees=r"disk = v6(.|\n)*v6 +● applied .*rollback")
    assert config.read_text() == before.replace("lr: 0.01 ", "lr: 0.02 ", 1)

    # Compare the one that was gone to with the newest, and find the best.
    user.step(JUMP, Key(" t timeline", "t"), sees="⏎ Diff")
    user.command("compare", "Timeline: Compare", sees="compare with v4")
    user.step(Key("↑ ↓", UP), Key("↑ ↓", UP), Key("then m", "m"), sees=r"v4 and v6(.|\n)*no difference(.|\n)*esc close")
    user.step(Key("esc close", ESCAPE), sees=r"\A(?!(.|\n)*v4 and v6)(.|\n)*⏎ Diff")
    user.step(Key("b Best", "b"), sees=r"v\d is the best")

    # The log: find, hold still, copy, go on.
    user.command("log search", "Log: Search", ASKED, "epoch", ENTER, sees=r"log · .*\d of \d+.* · epoch")
    user.step(Key("␣ Freeze", " "), sees="frozen")
    user.step(Key("y Copy", "y"), sees="copied")
    assert b"\x1b]52;" in screen.raw
    user.step(Key("f Follow", "f"), sees="following")

    # The other job: stop it, start it again. Leave, come back, and end all.
    user.step(Key("f4 next", "\x1bOS"), sees="^ anneal +● running")
    user.step(STOP, Key("s +stop it", "s"), sees="^ anneal +■ stopped")
    user.step(RESTART, sees="^ anneal +● running")
    user.step(QUIT, Key("l +leave them running", "l"), sees="2 jobs go on: tunedeck attach")
    assert screen.ended() == 0
    user = Newcomer(terminal("attach", "tunedeck-demo", columns=columns, rows=rows))
    user.sees("● running")
    user.step(QUIT, Key("s +stop the jobs", "s"), sees="")
    assert user.screen.ended() == 0
    wait_until(lambda: not below(tmp_path), lambda: f"left running: {below(tmp_path)}")


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
    screen.type(f"{JUMP.sent}tb")
    screen.wait("v1 is the best")
    screen.type("r")
    screen.wait(lambda text: re.search(r"v3\s+● applied .*rollback", text))
    screen.wait("v3  = v1  lr 1 → 0.01")
    assert config.read_text() == before
