"""The job that `faults.py` and `flood.py` give to a tool: ``victim.py FOLDER MODE``. It needs nothing but Python.

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
from collections.abc import Callable
from pathlib import Path

LINE = b"x" * 109 + b"\n"
LINES = 590  # of one write
ENDLESS = 393_000_000
PRINTED = 2_000_000

#: What no terminal should be told, in a line of its own.
ESCAPES = b"\x1b[31mred\x1b[0m \x1b[2J\x1b[H\x1b]0;title\x07 \x1b[?1049l\x1bP+q544e\x1b\\ \x1b[1;32;48;5;9mgreen\n"
BROKEN = b"\xff\xfe \xc3( \xe2\x82 \x00\x00 \xf0\x9f \x80 broken\n"


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
    """Write lines for ever, each tenth with its number, and count them where the benchmark looks."""
    rest = LINE * 9
    with Path(folder, "count").open("r+b") as file:
        count = mmap.mmap(file.fileno(), 8)
    number = 0
    while True:
        tens = range(number, number + LINES, 10)
        write(b"".join([b"#%012d %b%b" % (ten, LINE[14:], rest) for ten in tens]))
        number += LINES
        struct.pack_into("q", count, 0, number)


def write(data: bytes) -> None:
    """Write all of it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]


def repeat(folder: str, line: bytes, times: int) -> None:
    """Write a line again and again."""
    at_once = max(65_536 // len(line), 1)
    for _ in range(times // at_once):
        write(line * at_once)
    Path(folder, "written").touch()


def printed(folder: str) -> None:
    """Write line by line, and say how many a second."""
    line = LINE.decode()
    began = time.monotonic()
    for _ in range(PRINTED):
        sys.stdout.write(line)
        sys.stdout.flush()
    new = Path(folder, "written.new")
    new.write_text(str(PRINTED / (time.monotonic() - began)))
    new.rename(Path(folder, "written"))


def endless(folder: str) -> None:
    """Write a single line without an end."""
    repeat(folder, b"x" * 65_536, ENDLESS // 65_536)


MODES: dict[str, Callable[[str], None]] = {
    "flood": flood,
    "endless": endless,
    "printed": printed,
    "escapes": lambda folder: repeat(folder, ESCAPES, 1_000_000),
    "broken": lambda folder: repeat(folder, BROKEN, 1_000_000),
    "long": lambda folder: repeat(folder, b"x" * 10_000_000 + b"\n", 20),
}


def main() -> None:
    folder, mode = sys.argv[1:]
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        tell(folder, child=sleeper(daemon=False))
    elif mode == "family":
        tell(folder, child=sleeper(daemon=False), daemon=sleeper(daemon=True))
    else:
        tell(folder)
        while not Path(folder, "go").exists():
            time.sleep(0.05)
        MODES[mode](folder)
    time.sleep(600)


if __name__ == "__main__":
    main()
