"""What terminals send, through a real one: the text is on disk as it was typed, and nothing else has happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.terminal.conftest import Terminal, wait_until

CTRL_Q, CTRL_S = "\x11", "\x13"
DELETE, MOTION = "\x1b[3~", "\x1b[<35;50;20M"

#: What is typed, and what the text is then; a number is a pause in seconds.
TYPED: list[tuple[list[str | float], str]] = [
    (["\x1ba", 0.06, DELETE], ""),  # alt+a selects all
    (["one:\r  two: 1\r\r  three: 2\r"], "one:\n  two: 1\n\n  three: 2\n"),
    (["\x1bu", 0.05, MOTION, "\x1bU\x1bk\x1bk", 0.05, MOTION], ""),
    (["\x1b[200~four: \x1b\x11l\x1b[106;5ufive: \x1b[20", 0.02, "1~"], "four: ␛␑l\nfive: "),
    (["5", 0.05, "\n", 0.05, "six: 6"], "5\nsix: 6"),
    (["\x1b[13;2u", "seven: 77\x1b[127;2u", "\x1b[27;2;13~"], "\nseven: 7\n"),
    (["eight: ö"], "eight: ö"),
]


def test_text_is_what_was_typed_or_pasted(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    config = tmp_path / "job.yaml"
    config.write_text("old: 1\n")
    screen = terminal("run", "-c", "job.yaml", "--name", "job", "--on-change", "restart", "--", "sleep", "1000")
    screen.wait("running")
    for steps, _ in TYPED:
        for step in steps:
            if isinstance(step, str):
                screen.type(step)
            else:
                time.sleep(step)  # it is a part of what is typed
    screen.wait("eight: ö")
    screen.type(CTRL_S)
    wanted = "".join(text for _, text in TYPED)
    wait_until(lambda: config.read_text() == wanted, lambda: f"{config.read_text()!r}\n{screen.text}")
    screen.type(CTRL_Q)
    screen.wait("stop the jobs")
    screen.type("s")
    assert screen.ended() == 0
