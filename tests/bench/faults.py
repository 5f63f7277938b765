"""What becomes of a job when its tool is killed or stopped, and of a tool when its job floods it, for every tool here.

Run as ``python tests/bench/faults.py [TOOL...]``. The tools and how to install them are in `peers.py`; what is not on
the PATH is left out. Every process that is started carries a mark of its own in its environment; what is left of it
in the end is killed by that.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import peers
from tests.bench.live import megabytes, table
from tests.bench.peers import TOOLS, Tool

VICTIM = str(Path(__file__).with_name("victim.py"))

#: Seconds that a stop, and a line of 393 MB, may take.
LONGEST = 20.0

_MARK = "TUNEDECK_FAULTS"


class Run:
    """One tool with one job.

    Args:
        kind: The tool.
        folder: Where it runs.
        mode: What the job does; see `victim.py`.
    """

    def __init__(self, kind: type[Tool], folder: Path, mode: str) -> None:
        self.folder = folder
        self._mark = secrets.token_hex(8)
        os.environ[_MARK] = self._mark
        (folder / "count").write_bytes(bytes(8))
        (folder / "go").touch()
        self.tool = kind(folder)
        try:
            self.tool.start([sys.executable, VICTIM, str(folder), mode])
        except BaseException:
            self.close()
            raise
        self.pids = self._wait()

    def _wait(self) -> dict[str, int]:
        deadline = time.monotonic() + LONGEST
        while not (self.folder / "pids").exists():
            if time.monotonic() > deadline:
                self.close()
                raise TimeoutError(f"{self.tool.name} has not started its job")
            time.sleep(0.01)
        time.sleep(0.5)
        pids: dict[str, int] = json.loads((self.folder / "pids").read_text())
        return pids

    def ours(self) -> set[int]:
        """Return all living processes of this run, the tool's and the job's."""
        wanted = f"{_MARK}={self._mark}".encode()
        found = set()
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if wanted in environ.read_bytes().split(b"\0"):
                    found.add(int(environ.parent.name))
        return found - {os.getpid()}

    def survivors(self) -> str:
        """Return who of the job's processes lives, after two seconds."""
        time.sleep(2)
        living = self.ours()
        return ", ".join(name for name, pid in self.pids.items() if pid in living) or "nobody"

    def memory(self) -> float:
        """Return the MB of the tool, all its processes together."""
        jobs = set(self.pids.values())
        total = 0.0
        for pid in self.ours() - jobs:
            with contextlib.suppress(OSError, StopIteration):
                total += megabytes(pid)
        return total

    def close(self) -> None:
        """Kill what is left."""
        while left := self.ours():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        self.tool.close()


@contextlib.contextmanager
def run(kind: type[Tool], mode: str) -> Iterator[Run]:
    """Run a tool with a job until the end of the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        started = Run(kind, Path(name), mode)
        try:
            yield started
        finally:
            started.close()


def killed(kind: type[Tool]) -> str:
    """Kill the tool."""
    with run(kind, "family") as one:
        os.kill(one.tool.pid, signal.SIGKILL)
        return one.survivors()


def stopped(kind: type[Tool], mode: str) -> str:
    """Ask the tool to end."""
    with run(kind, mode) as one:
        began = time.monotonic()
        one.tool.stop()
        while not one.tool.over and time.monotonic() < began + LONGEST:
            time.sleep(0.01)
        took = time.monotonic() - began
        ended = f"{took:.1f} s" if one.tool.over else f"still waiting after {LONGEST:.0f} s"
        return f"{ended}; left: {one.survivors()}"


def flooded(kind: type[Tool]) -> str:
    """Have the job write lines for five seconds."""
    with run(kind, "flood") as one, (one.folder / "count").open("r+b") as file:
        count = mmap.mmap(file.fileno(), 8)

        def lines() -> int:
            return int.from_bytes(count[:8], sys.byteorder)

        before, began, most = lines(), time.monotonic(), 0.0
        while time.monotonic() < began + 5:
            most = max(most, one.memory())
            time.sleep(0.2)
        rate = (lines() - before) / (time.monotonic() - began)
        return f"{rate / 1000:,.0f}k lines/s, {most:.0f} MB"


def endless(kind: type[Tool]) -> str:
    """Have the job write a line of 393 MB."""
    with run(kind, "endless") as one:
        began, most = time.monotonic(), 0.0
        while not (one.folder / "written").exists() and time.monotonic() < began + LONGEST:
            most = max(most, one.memory())
            time.sleep(0.05)
        took = time.monotonic() - began + 0.5
        time.sleep(1)
        most = max(most, one.memory())
        done = f"{took:.1f} s" if (one.folder / "written").exists() else f"not within {LONGEST:.0f} s"
        return f"{done}, {most:.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=f"{__doc__}\n{peers.__doc__}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tools", nargs="*", help="only these")
    options = parser.parse_args()
    here = [tool for tool in TOOLS if issubclass(tool, peers.Tunedeck) or shutil.which(tool.name)]
    missing = [tool.name for tool in TOOLS if tool not in here]
    print(f"not here: {', '.join(missing)}; --help says how to install them" if missing else "all tools are here")
    chosen = [tool for tool in here if not options.tools or tool.name in options.tools]
    faults = {
        "SIGKILL to the tool: alive after 2 s": killed,
        "a polite stop": lambda kind: stopped(kind, "family"),
        "a polite stop of what ignores SIGTERM": lambda kind: stopped(kind, "stubborn"),
        "a flood of 110-byte lines: the job's speed, the tool's memory": flooded,
        "393 MB without a newline: until all is written, the tool's memory": endless,
    }
    for title, fault in faults.items():
        rows = []
        for kind in chosen:
            if not kind.keeps and fault in (flooded, endless):
                rows.append((kind.name, "passes the output through", "-"))
                continue
            try:
                rows.append((kind.name, fault(kind), "-"))
            except (OSError, TimeoutError) as error:
                rows.append((kind.name, str(error), "-"))
        table(title, rows)


if __name__ == "__main__":
    main()
