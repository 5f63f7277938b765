"""A real pseudo-terminal with a terminal emulator, and the processes below it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pexpect
import pyte
import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]


class Terminal:
    """A tunedeck command in a terminal of its own.

    A thread reads all the time, as a terminal does, so that the program never waits for the test.
    """

    def __init__(
        self, arguments: list[str], cwd: Path, columns: int = 120, rows: int = 40, prefix: Sequence[str] = ()
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        self._text = ""
        self._changed = True
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        environment["XDG_STATE_HOME"] = str(cwd / ".state")
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            environment.pop(name, None)
        command = [*prefix, sys.executable, "-m", "tui", *arguments]
        self.process = pexpect.spawn(
            command[0],
            command[1:],
            cwd=str(cwd),
            env=environment,
            dimensions=(rows, columns),
            timeout=None,
        )
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = self.process.read_nonblocking(65536, timeout=None)
            except (pexpect.EOF, OSError, ValueError):
                return
            with self._lock:
                self.raw += data
                self._stream.feed(data)
                self._changed = True

    @property
    def text(self) -> str:
        """What is on the screen."""
        with self._lock:
            if self._changed:  # else whoever waits would have it put together fifty times a second
                self._text = "\n".join(self.screen.display)
                self._changed = False
            return self._text

    def wait(self, condition: str | Callable[[str], object]) -> str:
        """Wait until the screen shows a text or fulfils a condition, and return it."""
        return wait_until(lambda: self._found(condition), lambda: f"not on the screen: {condition}\n{self.text}")

    def _found(self, condition: str | Callable[[str], object]) -> str:
        text = self.text
        return text if (condition in text if isinstance(condition, str) else condition(text)) else ""

    def type(self, text: str) -> None:
        """Send keys."""
        self.process.send(text)

    def clear(self) -> None:
        """Have nothing on the screen any more, without a word to the program."""
        with self._lock:
            self.screen.erase_in_display(2)
            self._changed = True

    def resize(self, rows: int) -> None:
        """Become higher or lower."""
        columns = self.screen.columns
        with self._lock:
            self.screen.resize(rows, columns)
            self._changed = True
        self.process.setwinsize(rows, columns)

    def ended(self) -> int:
        """Wait for the end of the program and return its exit code, or minus the signal."""
        self._reader.join(PATIENCE)
        self.process.wait()
        status = self.process.exitstatus
        return int(-self.process.signalstatus if status is None else status)

    def close(self) -> None:
        """End the program if the test has left it."""
        if self.process.isalive():
            self.process.kill(signal.SIGKILL)
        self._reader.join(PATIENCE)
        self.process.close()


T = TypeVar("T")


def wait_until(condition: Callable[[], T], complaint: Callable[[], str]) -> T:
    """Return the first true result of a condition that is asked again and again."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.02)
    return result


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Start tunedeck in terminals; whatever runs in the test's folder at the end is stopped."""
    opened: list[Terminal] = []

    def start(*arguments: str, columns: int = 120, rows: int = 40, prefix: Sequence[str] = ()) -> Terminal:
        opened.append(Terminal(list(arguments), tmp_path, columns, rows, prefix))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
    for pid in below(tmp_path):
        with contextlib.suppress(ProcessLookupError):  # it was about to end by itself
            os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not below(tmp_path), lambda: f"still running: {below(tmp_path)}")


def below(folder: Path) -> list[int]:
    """Return the processes whose current folder or arguments lie in `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        try:
            cwd = str((entry / "cwd").readlink())
            arguments = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if pid != os.getpid() and (cwd.startswith(str(folder)) or str(folder) in arguments):
            found.append(pid)
    return found
