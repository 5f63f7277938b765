"""A progress bar is one line that changes, and stays as it was drawn last; two below each other are two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.terminal.conftest import Terminal

JOB = """\
import sys, time
def train(config):
    print("before", flush=True)
    for name in ("first", "second"):
        for percent in range(0, 101, 10):
            sys.stderr.write(f"\\r{name} {percent:3} %|{'#' * (percent // 10):10}|\\x1b[K")
            sys.stderr.flush()
            while percent == 50 and config["hold"]:
                config = yield
                time.sleep(0.01)
        sys.stderr.write("\\n")
        config = yield
        config = {"hold": False}
    print("after", flush=True)
    for outer in range(3):
        for inner in range(101):
            sys.stderr.write(f"\\n\\rinner {inner:3} %\\x1b[A\\router {outer}     ")
    sys.stderr.flush()
    while True:
        time.sleep(0.01)
        config = yield
"""


def bars(text: str) -> list[str]:
    """Return the rows of the log that show a bar, or what was printed before and after it."""
    inside = [line.split("│")[1].strip() for line in text.splitlines() if line.startswith("│")]
    return [row for row in inside if row.startswith(("first", "second", "before", "after", "outer", "inner"))]


def test_progress_bar_is_one_line_that_changes(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(JOB)
    config = tmp_path / "job.yaml"
    config.write_text("hold: true\n")
    screen = terminal("run", "job.py:train", "-c", "job.yaml")
    screen.wait(lambda text: bars(text) == ["before", "first  50 %|#####     |"])
    config.write_text("hold: false\n")
    done = ["before", "first 100 %|##########|", "second 100 %|##########|", "after", "outer 2", "inner 100 %"]
    screen.wait(lambda text: bars(text) == done)
