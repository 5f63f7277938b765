"""What a history of 100,000 reloads costs: opening the deck, scrolling through it, filtering it, and printing it.

Run as ``python tests/bench/history.py [ROWS]``. The viewer is in this process, its engine in another; a stall is the
longest time that nothing else got its turn in the viewer.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from textual.pilot import Pilot

from tests.bench.live import TASKS, engine, table, ten_keys, write_deck
from tests.bench.terminal import Terminal, environment
from tui.app.app import DeckApp
from tui.app.timeline.view import TimelineView
from tui.cli import client
from tui.engine import paths
from tui.engine.history import database
from tui.engine.history.job_history import History
from tui.protocol.messages import STATUSES, Change, Problem, Reload

ROWS = 100_000
RUNS = 7
PAGES = 150
CONFIG = ten_keys(lr=1) + "# the-end\n"
JOB = "quiet"


def write_history(config: Path, count: int) -> None:
    """Make a history of many reloads: every hundredth starts a run, every tenth was refused."""
    folder = database.folder_of(config)
    with contextlib.closing(database.open_database(folder)) as connection:
        history = History(connection, folder, config, JOB)
        connection.execute("BEGIN")
        for version in range(1, count + 1):
            history.add(_row(version), CONFIG.replace("lr: 1", f"lr: {version}", 1))
        connection.execute("COMMIT")


def _row(version: int) -> Reload:
    at = time.time() - 200_000 + version
    source = "start" if version % 100 == 1 else ("editor", "disk", "set")[version % 3]
    status = "applied" if version % 10 else STATUSES[2 + version // 10 % 5]
    problem = Problem(f"lr must be below {version}", 1, 5, "lr") if status in ("invalid", "rejected") else None
    return Reload(
        *(JOB, version, status, source, (Change("lr", version - 1, version),), version * 7, 4.5, problem),
        by=version + 1 if status in ("superseded", "reverted") else None,
        who="ada@lab",
        base=version - 1,
        run=1 + version // 100,
        times={"sent": at, status: at + 0.0045},
        time=at,
    )


def opening(deck: Path) -> float:
    """Return the seconds to the viewer's first full screen."""
    terminal = Terminal([sys.executable, "-m", "tui", "run", str(deck)], deck.parent)
    try:
        return terminal.shows("the-end", "applied", "start", "Help")
    finally:
        terminal.close()
        client.stop_deck(paths.socket_of(str(deck)))


class Lag:
    """Sees for how long at most nothing else has had its turn."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def watch(self) -> None:
        """Look on until cancelled."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            self.worst = max(self.worst, time.perf_counter() - began - 0.001)


async def scroll(deck: Path) -> dict[str, tuple[float, float]]:
    """Return, for each way through the history, the longest stall and the seconds until the rows were there."""
    gc.freeze()  # as `tui.app.main` does
    app = DeckApp(paths.socket_of(str(deck)))
    app.animation_level = "none"
    async with app.run_test(size=(120, 40)) as pilot:
        await _until(lambda: app.focused is not None)
        view = app.main.view(JOB)
        assert view is not None
        timeline = view.timeline
        timeline.focus()
        await pilot.pause(0.5)

        def settled() -> bool:
            top = timeline.scroll_offset.y
            return not view.job.timeline.missing(timeline.versions[top : top + timeline.size.height])

        found = {
            "end": await _measured(lambda: pilot.press("end"), settled),
            "home": await _measured(lambda: pilot.press("home"), settled),
            "pages": await _measured(lambda: pilot.press(*["pagedown"] * PAGES), settled),
            "drag": await _measured(lambda: _drag(pilot, timeline), settled),
        }

        def counted() -> bool:
            return timeline.chosen is not None and timeline.chosen.complete

        async def ask() -> None:
            view.timeline_pane.show_only("status:rejected")

        found["filter"] = await _measured(ask, counted)
        return found


async def _drag(pilot: Pilot[None], timeline: TimelineView) -> None:
    """Move the scrollbar over the whole height, in steps."""
    for step in range(100):
        timeline.scroll_to(y=timeline.max_scroll_y * step / 99, animate=False)
        await pilot.pause(0.01)


async def _measured(act: Callable[[], object], done: Callable[[], bool]) -> tuple[float, float]:
    lag = Lag()
    watching = asyncio.create_task(lag.watch())
    began = time.perf_counter()
    await act()  # type: ignore[misc]
    await _until(done)
    took = time.perf_counter() - began
    watching.cancel()
    return lag.worst * 1000, took


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the viewer did not come to it within a minute")
        await asyncio.sleep(0.002)


def printing(config: Path) -> float:
    """Return the seconds of ``tunedeck history CONFIG --json | tail -1``."""
    began = time.perf_counter()
    command = f"{sys.executable} -m tui history {config} --json | tail -1"
    done = subprocess.run(command, shell=True, env=environment(), capture_output=True, check=True)
    assert b'"event": "reload"' in done.stdout
    return time.perf_counter() - began


@contextlib.contextmanager
def a_deck(rows: int) -> Iterator[Path]:
    """Write a deck of one job, with so many reloads in its history."""
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "quiet.yaml"
        config.write_text(CONFIG)
        if rows:
            write_history(config, rows)
        yield write_deck(Path(name), {JOB: (f"{TASKS}:quiet", config)})


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with a_deck(0) as empty, a_deck(rows) as full:
        took: dict[Path, list[float]] = {empty: [], full: []}
        for deck in took:
            opening(deck)  # once for the caches
        for _ in range(RUNS):
            for deck, seconds in took.items():
                seconds.append(opening(deck))
        printed = statistics.median(printing(full.with_name("quiet.yaml")) for _ in range(RUNS))
        with engine(full):
            found = asyncio.run(scroll(full))
    before, after = (statistics.median(seconds) for seconds in took.values())
    said = {
        "end": "`end`: to the oldest row",
        "home": "`home`",
        "pages": f"{PAGES} pages down",
        "drag": "scrollbar from top to bottom",
        "filter": "filter by `status:rejected`, all counted",
    }
    table(
        f"a history of {rows:,} reloads; medians of {RUNS}",
        [
            ("deck open, empty history", f"{before:.2f} s", "-"),
            ("deck open, this history", f"{after:.2f} s", f"{before + 0.2:.2f} s"),
            *(
                (said[way], f"{seconds:.2f} s, longest stall {stall:.0f} ms", "50 ms")
                for way, (stall, seconds) in found.items()
            ),
            ("history --json | tail -1", f"{printed:.2f} s", "2 s"),
        ],
    )


if __name__ == "__main__":
    main()
