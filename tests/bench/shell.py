"""How long the commands take that scripts and agents call, and a TAB, on the sample deck while it runs.

Run as ``python tests/bench/shell.py [--times 10]``. Each is a process from its start to its end; an interpreter that
does nothing is beside them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.live import spread, table
from tests.bench.terminal import environment

COMMANDS = (
    ["ls"],
    ["set", "anneal.yaml", "moves=200"],
    ["wait", "anneal.yaml", "--for", "applied"],
    ["pause", "anneal"],
    ["resume", "anneal"],
    ["logs", "anneal", "-n", "20"],
    ["note", "anneal.yaml", "1", "a note"],
)

TARGET = "150 ms"

SAMPLES = Path(__file__).parents[2] / "sample_configs"


def timed(arguments: list[str], folder: Path, more: dict[str, str] | None = None) -> float:
    """Return the milliseconds of a program that must end well."""
    began = time.perf_counter()
    done = subprocess.run(
        arguments, cwd=folder, env=environment() | (more or {}), stdin=subprocess.DEVNULL, capture_output=True
    )
    took = 1000 * (time.perf_counter() - began)
    if done.returncode:
        raise SystemExit(f"{arguments}: {done.stdout.decode()}{done.stderr.decode()}")
    return took


def tab(folder: Path) -> float:
    """Return the milliseconds of a TAB behind a key."""
    line = "tunedeck set anneal.yaml co"
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    words = {"_ARGCOMPLETE_STDOUT_FILENAME": str(folder / "words"), "_ARGCOMPLETE_SHELL": "bash"}
    took = timed([sys.executable, "-m", "tui"], folder, asked | words)
    if "cooling" not in (folder / "words").read_text():
        raise SystemExit(f"no word for {line!r}: {(folder / 'words').read_text()!r}")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    ours = [sys.executable, "-m", "tui"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "deck")
        shutil.copytree(SAMPLES, folder)
        os.environ["XDG_STATE_HOME"] = name
        timed([*ours, "run", "-d"], folder)
        try:
            calls = {words[0]: [timed([*ours, *words], folder) for _ in range(options.times)] for words in COMMANDS}
            calls["TAB"] = [tab(folder) for _ in range(options.times)]
        finally:
            timed([*ours, "stop"], folder)
        bare = [timed([sys.executable, "-c", ""], folder) for _ in range(options.times)]
    rows = [(what, spread(times), TARGET) for what, times in calls.items()]
    table("commands on the sample deck", [*rows, ("an interpreter that does nothing", spread(bare), "-")])


if __name__ == "__main__":
    main()
