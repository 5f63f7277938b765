"""A program on a pseudo-terminal that is always read, so that it never waits for its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]

_CONTROL = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[^\[]")


def environment() -> dict[str, str]:
    """Return the environment of a program that imports `tui` from this checkout, on a common terminal."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLORTERM": "truecolor"}


class Terminal:
    """Runs a program on a terminal of 120 by 40.

    Attributes:
        pid: The program's process.
        began: When it was started.
    """

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            arguments,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env=environment(),
            start_new_session=True,
        )
        os.close(slave)
        self.pid = self._process.pid
        self._shown = b""

    def shows(self, *texts: str, seconds: float = 20) -> float:
        """Wait until all `texts` were drawn, and return the seconds since the start."""
        deadline = time.perf_counter() + seconds
        while not all(text.encode() in self._shown for text in texts):
            if time.perf_counter() > deadline:
                raise TimeoutError(f"not all of {texts} came on the screen: {self._shown[-2000:]!r}")
            self.read(0.5)
        return time.perf_counter() - self.began

    def echo(self, key: str, shown: str, seconds: float = 20) -> float:
        """Type, and return the milliseconds until what was not there before is drawn."""
        before = len(self._shown)
        began = time.perf_counter()
        self.type(key)
        while self._shown.find(shown.encode(), before) < 0:
            if time.perf_counter() > began + seconds:
                raise TimeoutError(f"{shown!r} did not come on the screen")
            self.read(0.5)
        return 1000 * (time.perf_counter() - began)

    def last(self, pattern: str) -> str | None:
        """Return what a group of the pattern stood for when it was drawn for the last time."""
        found = re.findall(pattern.encode(), self._shown)
        return found[-1].decode() if found else None

    def forget(self) -> None:
        """Take what is drawn from here on for all there is."""
        self._shown = b""

    def read(self, seconds: float) -> None:
        """Take what the program draws within some seconds, up to the first of it."""
        if select.select([self._master], [], [], seconds)[0]:
            self._shown += _CONTROL.sub(b"", os.read(self._master, 1 << 16))

    def drain(self, seconds: float) -> None:
        """Take all that the program draws in some seconds."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.read(left)

    @property
    def ended(self) -> bool:
        """The program has ended."""
        return self._process.poll() is not None

    def type(self, text: str) -> None:
        """Send what a user types."""
        os.write(self._master, text.encode())

    def close(self) -> None:
        """End the program."""
        self._process.send_signal(signal.SIGTERM)
        while self._process.poll() is None:
            try:
                self.read(0.05)
            except OSError:  # it has let go of the terminal
                self._process.wait()
        os.close(self._master)
