"""Closes the terminal of viewers at random moments of their lives, and looks what is left."""

from __future__ import annotations

import fcntl
import json
import os
import random
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import NamedTuple

from tests.patience import PATIENCE
from tests.terminal.conftest import ROOT, wait_until
from tui.cli import client, launch
from tui.engine import paths

_CONTROL = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[^\[]")

CTRL_P, CTRL_Q = "\x10", "\x11"


class Moment(NamedTuple):
    """When a terminal is closed.

    Attributes:
        steps: Words that come on the screen, and what is typed then.
        wait: The seconds after the last of it, from and to.
        own: It is the terminal of the viewer's session, which gets SIGHUP.
        stops: The jobs were told to stop, or are about to be.
    """

    steps: tuple[tuple[str, str], ...]
    wait: tuple[float, float]
    own: bool = True
    stops: bool = False


_LEAVE = (("running", CTRL_Q), ("leave them", "l"))
_STOP = (("running", CTRL_Q), ("leave them", "s"))

#: Most lie where the viewer is about to end.
MOMENTS = [
    *(Moment(_LEAVE, (0.03, 0.15), own) for own in (True, False, True, False)),
    Moment(_LEAVE, (0.0, 0.5), own=False),
    Moment(_STOP, (0.0, 0.5), stops=True),
    Moment((), (0.0, 1.5)),
    Moment((("running", "x" * 40),), (0.0, 0.3), own=False),
    Moment((("running", CTRL_P + "th"),), (0.0, 0.3)),
    Moment((("running", CTRL_Q),), (0.0, 0.3), own=False),
]


class Viewer:
    """A viewer in a terminal that is read until it is closed."""

    def __init__(self, deck: Path, *, own: bool) -> None:
        self._terminal, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        command = [sys.executable, "-m", "tui", "attach", str(deck)]
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command] if own else command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=deck.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "XDG_STATE_HOME": str(deck.parent)},
            start_new_session=not own,
        )
        os.close(theirs)
        self._shown = b""

    def at(self, word: str, keys: str) -> None:
        """Type when a word is on the screen."""
        deadline = time.monotonic() + PATIENCE
        while word.encode() not in self._shown:
            assert time.monotonic() < deadline, f"no {word}: {self._shown[-2000:]!r}"
            self.live(0.05)
        self._shown = b""
        os.write(self._terminal, keys.encode())

    def live(self, seconds: float) -> None:
        """Draw for so long, or to the end."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and select.select([self._terminal], [], [], left)[0]:
            try:
                self._shown += _CONTROL.sub(b"", os.read(self._terminal, 1 << 16))
            except OSError:  # it has ended
                return

    def close(self) -> float:
        """Close the terminal, and return the seconds that the viewer is still there."""
        began = time.monotonic()
        os.close(self._terminal)
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
        return time.monotonic() - began


class Closing:
    """A deck in the background, and viewers of it one after the other.

    Args:
        folder: Where all of it is.
    """

    def __init__(self, folder: Path) -> None:
        self._deck = folder / "deck.yaml"
        (folder / "a.yaml").write_text("a: 1\n")
        jobs = {name: {"command": ["sleep", "1000"], "config": "a.yaml", "on_change": "restart"} for name in "ab"}
        self._deck.write_text(json.dumps({"jobs": jobs}))
        self._start()

    def _start(self) -> None:
        self._engine, answer = launch.start({"deck": str(self._deck)}, self._deck.with_suffix(".log"))
        with answer:
            answer.readline()
        wait_until(lambda: len(self.running()) == 2, lambda: f"not running: {self.running()}")

    def running(self) -> dict[str, int | None]:
        """Return the jobs that run, and their processes."""
        found = client.greet_deck(paths.socket_of(str(self._deck)))
        assert isinstance(found, client.RunningEngine)
        return {name: state.pid for name, state in found.states.items() if state.state == "running"}

    def close_at(self, moment: Moment, chance: random.Random) -> float:
        """Open a viewer, close its terminal, and return the seconds that it was there; its jobs are what they were."""
        jobs = self.running()
        viewer = Viewer(self._deck, own=moment.own)
        try:
            for word, keys in moment.steps:
                viewer.at(word, keys)
            viewer.live(chance.uniform(*moment.wait))
        finally:
            took = viewer.close()
        if moment.stops:
            self.end()  # the terminal may have been closed before that was read
            self._start()
        else:
            assert self.running() == jobs
        return took

    def end(self) -> None:
        """End the deck."""
        self._engine.terminate()
        self._engine.wait()
