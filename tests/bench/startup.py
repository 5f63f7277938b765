"""How long it takes to the first full screen, to the help and to the first event.

Run as ``python tests/bench/startup.py``. A screen is full once the end of the config, the log's first line, the row of
the start and the footer were all drawn. The app that it is compared with is `bare_app.py`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.live import TASKS, table, write_deck
from tests.bench.terminal import Terminal, environment
from tui.cli import client
from tui.engine import paths

RUNS = 10
COMMAND = [sys.executable, "-m", "tui"]
CONFIG = "".join(f"key{index}: {index}\n" for index in range(12)) + "# the-end\n"


def run(deck: Path) -> float:
    """Return the seconds to the viewer's first full screen."""
    terminal = Terminal([*COMMAND, "run", str(deck)], deck.parent)
    try:
        return terminal.shows("the-end", "started", "applied", "Help")
    finally:
        terminal.close()
        client.stop_deck(paths.socket_of(str(deck)))


def bare(config: Path) -> float:
    """Return the seconds to the first full screen of the app without anything behind it."""
    app = str(Path(__file__).with_name("bare_app.py"))
    terminal = Terminal([sys.executable, app, str(config)], config.parent)
    try:
        return terminal.shows("the-end", "started", "applied", "palette")
    finally:
        terminal.close()


def help_(folder: Path) -> float:
    """Return the seconds that the help takes."""
    began = time.perf_counter()
    subprocess.run([*COMMAND, "--help"], cwd=folder, env=environment(), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def headless(deck: Path) -> float:
    """Return the seconds to the first event without a viewer."""
    began = time.perf_counter()
    arguments = [*COMMAND, "run", str(deck), "--headless", "--json"]
    with subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        took = time.perf_counter() - began
        process.terminate()
        process.stdout.read()
    return took


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "quiet.yaml"
        config.write_text(CONFIG)
        deck = write_deck(Path(name), {"quiet": (f"{TASKS}:quiet", config)})
        measures: dict[str, Callable[[], float]] = {
            "bare": lambda: bare(config),
            "run": lambda: run(deck),
            "help": lambda: help_(config.parent),
            "headless": lambda: headless(deck),
        }
        taken: dict[str, list[float]] = {what: [] for what in measures}
        for measure in measures.values():
            measure()  # once for the caches
        for _ in range(RUNS):
            for what, measure in measures.items():
                taken[what].append(measure())
    median = {what: statistics.median(seconds) for what, seconds in taken.items()}
    rows = [
        ("bare app to first full paint", f"{median['bare']:.2f} s", "-"),
        ("tunedeck run to first full paint", f"{median['run']:.2f} s", f"{2 * median['bare']:.2f} s"),
        ("ratio", f"{median['run'] / median['bare']:.2f}", "2"),
        ("tunedeck --help", f"{median['help']:.2f} s", "0.2 s"),
        ("headless to first event", f"{median['headless']:.2f} s", "0.4 s"),
    ]
    table(f"medians of {RUNS}", rows)


if __name__ == "__main__":
    main()
