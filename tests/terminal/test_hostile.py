"""Whatever a job prints, the terminal is left as it would be without it, and the frame stays straight meanwhile."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyte
import pyte.screens
from rich.cells import cell_len

from tests.terminal import hostile
from tests.terminal.conftest import Terminal, wait_until

COLUMNS, ROWS = 120, 420
STATES = ("◌", "starting"), ("●", "running"), ("■", "stopped")
F10, CTRL_O, CTRL_Q = "\x1b[21~", "\x0f", "\x11"

_SEQUENCE = re.compile(
    rb"\x1b(?:\][^\x07\x1b]*|[P_^X][^\x1b]*|\[[0-?]*[ -/]*[@-~]|[ -/]*[0-~])|[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f]"
)

Start = Callable[..., Terminal]


def show(terminal: Start, folder: Path, *arguments: str) -> Terminal:
    """Run the job until it has printed all, with the log as large as the screen, which then becomes high enough."""
    (folder / "job.yaml").write_text("a: 1\n")
    command = [sys.executable, str(Path(hostile.__file__)), *arguments]
    screen = terminal("run", "-c", "job.yaml", "--name", "job", "--on-change", "restart", "--", *command)
    drawn(screen, "job.yaml", "disk = v")
    screen.type(CTRL_O)
    drawn(screen, "escape")
    screen.type("l")
    drawn(screen, "Follow")
    screen.type(F10)
    drawn(screen, "All panes", hostile.END)
    before = len(screen.raw)
    screen.resize(ROWS)
    whole = re.compile(f"000 .*{hostile.END}.*╰".encode(), re.DOTALL)
    wait_until(lambda: whole.search(screen.raw, before), lambda: screen.text)
    return screen


def drawn(screen: Terminal, *texts: str) -> None:
    """Wait until texts were drawn; to look at so large a screen itself takes long."""
    wait_until(lambda: all(text.encode() in screen.raw for text in texts), lambda: f"{texts}\n{screen.raw[-3000:]!r}")


def leave(screen: Terminal) -> None:
    screen.resize(40)
    screen.type(CTRL_Q)
    drawn(screen, "stop the jobs")
    screen.type("s")
    assert screen.ended() == 0


def state(screen: pyte.Screen) -> dict[str, Any]:
    """Return what a terminal keeps besides the text on it."""
    names = ("mode", "margins", "charset", "g0_charset", "g1_charset", "tabstops", "saved_columns", "savepoints")
    cursor = screen.cursor
    return {name: getattr(screen, name) for name in names} | {"cursor": (cursor.hidden, cursor.attrs)}


def kinds(raw: bytes) -> set[bytes]:
    """Return the sequences that a terminal got, without their numbers, and without colours and titles' texts."""
    found = {re.sub(rb"[0-9;]+", b"", sequence) if sequence.startswith(b"\x1b[") and b"?" not in sequence else sequence
             for sequence in _SEQUENCE.findall(raw)}  # fmt: skip
    return {re.sub(rb"(\];).*", rb"\1", sequence) for sequence in found if not sequence.startswith(b"\x1b]2;")}


def titles(raw: bytes) -> set[str]:
    return {title.decode() for title in re.findall(rb"\x1b\]2;([^\x07]*)\x07", raw)}


def frame(raw: bytes, width: Callable[[str], int]) -> list[tuple[str, str]]:
    """Return the left and the right edge of each row of the log, on a terminal that has its own idea of widths."""
    screen = pyte.Screen(COLUMNS, ROWS)
    with patch.object(pyte.screens, "wcwidth", width):
        pyte.ByteStream(screen).feed(raw)
    shown = screen.buffer
    top = next(y for y in range(ROWS) if shown[y][0].data == "╭")
    bottom = next(y for y in range(ROWS) if shown[y][0].data == "╰")
    return [(shown[y][0].data, shown[y][COLUMNS - 1].data) for y in range(top + 1, bottom)]


def narrow(character: str) -> int:
    """An old terminal: a cell for each code point, but none for what is put on the one before."""
    return min(cell_len(character), 1)


def test_hostile_output_leaves_no_trace_in_the_terminal(terminal: Start, tmp_path: Path) -> None:
    plain = show(terminal, tmp_path, "plain")
    leave(plain)
    worst = show(terminal, tmp_path)
    for width in (cell_len, narrow):
        edges = frame(worst.raw, width)
        assert len(edges) >= len(hostile.CASES)
        assert set(edges) == {("│", "│")}
    before = len(worst.raw)
    worst.type("w")
    wait_until(lambda: hostile.END.encode() in worst.raw[before:], lambda: worst.text)
    assert set(frame(worst.raw, narrow)) == {("│", "│")}
    shown = worst.text
    for text in ("[red]markup[/red] [/] [@click=app.quit]quit[/] \\[x]", "flags DEFRU skin 👍 keycap 1", "100 % x"):
        assert text in shown
    leave(worst)
    assert state(worst.screen) == state(plain.screen)
    assert kinds(worst.raw) <= kinds(plain.raw)
    assert titles(worst.raw) <= {f"{sign} job {state} · tunedeck job" for sign, state in STATES}
