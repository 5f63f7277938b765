"""What a job that writes a lot does to itself, to the screen and to the memory.

Run as ``python tests/bench/flood.py [--seconds 20] [--stop 60] [MEASUREMENT...]``. The job is `victim.py`, run by an
engine with a viewer on a terminal that is read all the time. Memory is that of engine, shim and viewer together; what
processes share is divided among them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import victim
from tests.bench.live import megabytes, spread, table
from tests.bench.terminal import Terminal
from tui.cli import client
from tui.engine import paths
from tui.worker import process_tree

VICTIM = str(Path(victim.__file__))

#: What is typed: each character once, and none of them is in the output.
KEYS = [chr(code) for code in range(0x400, 0x500)]

KEPT = r"([\d,]+) lines not kept"
NUMBER = r"#(\d{12}) "

Row = tuple[str, str, str]


class Scene:
    """A viewer, its engine and the victim."""

    def __init__(self, folder: Path, mode: str) -> None:
        (folder / "count").write_bytes(bytes(8))
        with (folder / "count").open("r+b") as file:
            self._count = mmap.mmap(file.fileno(), 8)
        (folder / "a.yaml").write_text("lr: 0.1\n")
        job = {"command": [sys.executable, VICTIM, str(folder), mode], "config": "a.yaml", "on_change": "restart"}
        (folder / "deck.yaml").write_text(json.dumps({"jobs": {"victim": job}}))
        self.folder = folder
        self.viewer = Terminal([sys.executable, "-m", "tui", "run", "deck.yaml"], folder)
        self._socket = paths.socket_of(str(folder / "deck.yaml"))
        self.most = 0.0
        self._keys = iter(KEYS)

    def open(self) -> None:
        """Wait until all is there."""
        self.viewer.shows("Help", "a.yaml", "running")
        self.viewer.drain(1)
        found = client.greet_deck(self._socket)
        assert isinstance(found, client.RunningEngine)
        engine = found.hello.pid
        self.pids = [engine, self.viewer.pid, *process_tree.children(engine)]
        (self.folder / "go").touch()

    @property
    def lines(self) -> int:
        """How many the victim has written."""
        return int.from_bytes(self._count[:8], sys.byteorder)

    def memory(self) -> float:
        """Return the MB of all but the victim."""
        now = sum(map(megabytes, self.pids))
        self.most = max(self.most, now)
        return now

    def key(self) -> float:
        """Type a character into the config, and return the milliseconds until it is drawn."""
        character = next(self._keys)
        return self.viewer.echo(character, character)

    def pass_by(self, seconds: float, *, typing: bool = True) -> tuple[float, list[float]]:
        """Let time pass; return the lines a second, and the milliseconds from each key to the screen."""
        keys = []
        before, began = self.lines, time.monotonic()
        while (left := began + seconds - time.monotonic()) > 0:
            self.memory()
            self.viewer.drain(min(0.25, left))
            if typing:
                keys.append(self.key())
        return (self.lines - before) / (time.monotonic() - began), keys

    def written(self, seconds: float) -> float | None:
        """Wait until the victim has written everything, and return how long that took."""
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            if (self.folder / "written").exists():
                return time.monotonic() - began
            self.memory()
            self.viewer.drain(0.1)
        return None

    def close(self) -> None:
        """End it all."""
        self.viewer.close()
        if client.stop_deck(self._socket) is not None:
            raise TimeoutError("the engine does not end")


@contextlib.contextmanager
def scene(mode: str) -> Iterator[Scene]:
    """Run the victim until the end of the block."""
    with tempfile.TemporaryDirectory() as name:
        opened = Scene(Path(name), mode)
        try:
            opened.open()
            yield opened
        finally:
            opened.close()


def blocks(options: argparse.Namespace) -> Iterator[Row]:
    """Lines of 110 bytes, 590 at a time."""
    with scene("flood") as one:
        first, keys = one.pass_by(options.seconds / 2)
        early = one.most
        second, more = one.pass_by(options.seconds / 2)
        yield "lines a second, first half", f"{first:,.0f}", "500,000"
        yield "lines a second, second half", f"{second:,.0f}", "500,000"
        yield "key to screen meanwhile", spread(keys + more), "p95 50 ms"
        yield "memory, first half and all", f"{early:.0f} MB, {one.most:.0f} MB", "200 MB"
        yield "lines not kept, as shown", one.viewer.last(KEPT) or "not shown", "shown"


def stopped(options: argparse.Namespace) -> Iterator[Row]:
    """The viewer stands still for a while."""
    with scene("flood") as one:
        before, _ = one.pass_by(options.seconds / 2, typing=False)
        os.kill(one.viewer.pid, signal.SIGSTOP)
        meanwhile, _ = one.pass_by(options.stop, typing=False)
        newest, began = one.lines, time.monotonic()
        one.viewer.forget()
        os.kill(one.viewer.pid, signal.SIGCONT)
        while int(one.viewer.last(NUMBER) or 0) < newest and time.monotonic() < began + 20:
            one.viewer.read(0.1)
        caught_up = time.monotonic() - began
        key = one.key()
        yield "lines a second before", f"{before:,.0f}", "-"
        yield f"lines a second in the {options.stop:.0f} s", f"{meanwhile:,.0f}", "unchanged"
        yield "memory at most", f"{one.most:.0f} MB", "200 MB"
        yield "until the newest lines are on the screen", f"{caught_up:.2f} s", "1 s"
        yield "the next key to screen", f"{key:.0f} ms", "-"


def printed(_: argparse.Namespace) -> Iterator[Row]:
    """A job that prints line by line, beside the same into `cat`."""
    with tempfile.TemporaryDirectory() as name:
        Path(name, "go").touch()
        command = f"exec timeout 60 {sys.executable} {VICTIM} {name} printed | cat > /dev/null"
        shell = subprocess.Popen(["/bin/sh", "-c", command], start_new_session=True)
        while not Path(name, "written").exists():
            time.sleep(0.05)
        os.killpg(shell.pid, signal.SIGTERM)
        shell.wait()
        cat = float(Path(name, "written").read_text())
    with scene("printed") as one:
        one.written(60)
        ours = float((one.folder / "written").read_text())
        yield "lines a second into cat", f"{cat:,.0f}", "-"
        yield "lines a second here", f"{ours:,.0f}, {ours / cat:.2f} of it", "0.8 of it"


def odd(mode: str) -> Callable[[argparse.Namespace], Iterator[Row]]:
    """Return the measurement of something that is no common output."""

    def measure(_: argparse.Namespace) -> Iterator[Row]:
        with scene(mode) as one:
            took = one.written(60)
            one.viewer.drain(1)
            one.memory()
            yield "until all is written", f"{took:.1f} s" if took is not None else "not within 60 s", "-"
            yield "memory at most", f"{one.most:.0f} MB", "200 MB"
            yield "a key to screen after it", f"{one.key():.0f} ms", "-"

    return measure


def search(_: argparse.Namespace) -> Iterator[Row]:
    """Search and filter over all lines that are kept."""
    with scene("flood") as one:
        one.pass_by(3, typing=False)
        one.viewer.type("\x14")  # ctrl+t
        one.viewer.shows("stop it")
        one.viewer.type("s")
        one.viewer.shows("stopped")
        one.viewer.drain(1)
        one.viewer.type("\x1b[17~\x1b[17~")  # f6 twice: to the log
        for key, shown in (("/", r"of [\d,]+"), ("&", "only")):
            one.viewer.drain(0.5)
            one.viewer.type(key)
            one.viewer.drain(0.5)
            one.viewer.forget()
            began = time.perf_counter()
            one.viewer.type("7")
            while one.viewer.last(f"({shown})") is None and time.perf_counter() < began + 5:
                one.viewer.read(0.1)
            first = 1000 * (time.perf_counter() - began)
            keys = [one.key() for _ in range(20)]
            name = "search" if key == "/" else "filter"
            yield f"{name}, first result", f"{first:.0f} ms", "100 ms"
            yield f"{name}, keys meanwhile", f"{spread(keys)}, longest {max(keys):.0f} ms", "50 ms"
            one.viewer.type("\x1b")
            one.viewer.drain(0.5)


MEASUREMENTS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "blocks": blocks,
    "stopped": stopped,
    "printed": printed,
    **{name: odd(name) for name in ("endless", "escapes", "broken", "long")},
    "search": search,
}

TITLES = {
    "endless": f"{victim.ENDLESS / 1e6:.0f} MB without a newline",
    "escapes": "a million lines of escape sequences",
    "broken": "a million lines of invalid UTF-8 and NUL",
    "long": "20 lines of 10 MB",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurements", nargs="*", metavar="MEASUREMENT", help=f"only these: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a flood")
    parser.add_argument("--stop", type=float, default=60.0, help="seconds that the viewer stands still")
    options = parser.parse_args()
    for name in options.measurements or MEASUREMENTS:
        measure = MEASUREMENTS[name]
        table(TITLES.get(name) or re.sub(r"\.$", "", measure.__doc__ or name), list(measure(options)))


if __name__ == "__main__":
    main()
