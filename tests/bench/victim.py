"""The job that `faults.py` gives to every tool: ``victim.py FOLDER MODE``. It needs nothing but Python.

It writes to the folder who is there: itself (`job`), its `child`, and a `daemon` in a session of its own whose parent
has ended.
"""

import json
import mmap
import os
import signal
import struct
import sys
import time
from pathlib import Path

LINE = b"x" * 109 + b"\n"
LINES = 590  # of one write
ENDLESS = 393_000_000


def sleeper(*, daemon: bool) -> int:
    """Start a process that only sleeps, and return its id."""
    ours, theirs = os.pipe()
    if os.fork() == 0:
        if daemon:
            os.setsid()
            if os.fork():
                os._exit(0)
        os.write(theirs, b"%d\n" % os.getpid())
        time.sleep(600)
        os._exit(0)
    if daemon:
        os.wait()
    return int(os.read(ours, 32))


def tell(folder: str, **pids: int) -> None:
    """Say who is there, all at once."""
    new = Path(folder, "pids.new")
    new.write_text(json.dumps({"job": os.getpid(), **pids}))
    new.replace(Path(folder, "pids"))


def flood(folder: str) -> None:
    """Write lines for ever, and count them where the benchmark looks."""
    block = LINE * LINES
    with Path(folder, "count").open("r+b") as file:
        count = mmap.mmap(file.fileno(), 8)
    number = 0
    while True:
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(1, rest) :]
        number += LINES
        struct.pack_into("q", count, 0, number)


def endless(folder: str) -> None:
    """Write a single line without an end."""
    left = ENDLESS
    block = b"x" * 65_536
    while left:
        left -= os.write(1, block[:left])
    Path(folder, "written").touch()
    time.sleep(600)


def main() -> None:
    folder, mode = sys.argv[1:]
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        tell(folder, child=sleeper(daemon=False))
    elif mode == "family":
        tell(folder, child=sleeper(daemon=False), daemon=sleeper(daemon=True))
    else:
        tell(folder)
        {"flood": flood, "endless": endless}[mode](folder)
    time.sleep(600)


if __name__ == "__main__":
    main()
