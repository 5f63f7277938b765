"""What metrics cost: the job that reports them, the engine that keeps them, the chart that shows them, the memory.

Run as ``python tests/bench/metrics.py [--rounds 5] [--points 1000000] [MEASUREMENT...]``: worker, viewer, chart,
opening. A chart is measured in time of the processor. What five metrics cost a checkpoint is in ``checkpoint.py``.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from tests.bench.live import TASKS, cpu, spread, table, write_deck
from tests.bench.live import engine as live_engine
from tests.bench.terminal import Terminal
from tui.app.charts.plot import Chart, Curve, draw
from tui.app.charts.points import PlotPoint
from tui.app.charts.scale import Scale
from tui.cli import client
from tui.engine import paths
from tui.engine.history import database, job_history
from tui.engine.metrics.recorder import Recorder
from tui.engine.metrics.series import Block, Point, Range, Series
from tui.engine.metrics.store import Database, Saver, SeriesKey
from tui.protocol import messages

POINTS = 1_000_000
WIDTH, HEIGHT = 120, 40

Row = tuple[str, str, str]


def filled(names: int, points: int) -> Series:
    """Return a series of as many metrics, one point a step, with a spike of one step."""
    series = Series()
    for step in range(1, points + 1):
        value = 9.0 if step == points // 3 else math.sin(step / 9_000)
        series.append(Block(step, 1, float(step), {f"metric {n}": Point(1, value, value, value) for n in range(names)}))
    return series


def bytes_of(series: Series) -> int:
    """Return the memory of all figures."""
    columns = (figures for level in series.levels for column in level.columns.values() for figures in column.arrays)
    axes = (figures for level in series.levels for figures in level.axis)
    return sum(figures.itemsize * len(figures) for figures in (*columns, *axes))


def milliseconds(
    work: Callable[[], object], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Return how long some work takes."""
    found = []
    for _ in range(rounds):
        began = clock()
        work()
        found.append((clock() - began) * 1000)
    return found


def chart(rounds: int, points: int) -> Iterator[Row]:
    """Yield what it takes to choose the columns of a chart and to draw it, and what a point takes."""
    series = filled(1, points)

    def choose() -> list[PlotPoint]:
        found = series.columns("metric 0", Range(), 2 * WIDTH)
        assert max(found["max"]) == 9.0  # the spike
        return list(map(PlotPoint, found["x"], found["count"], found["min"], found["max"], found["mean"]))

    whole = Chart([("metric 0", "key")], [Curve(choose(), "good")], Scale(1, points))
    chosen = milliseconds(choose, rounds * 20, time.process_time)
    drawn = milliseconds(lambda: draw(whole, WIDTH, HEIGHT), rounds * 20, time.process_time)
    both = [sum(pair) for pair in zip(chosen, drawn, strict=True)]
    yield f"{points:,} points, columns for {WIDTH} cells", spread(chosen), "-"
    yield f"the same, drawn at {WIDTH}x{HEIGHT}", spread(drawn), "-"
    yield "both", spread(both), "10 ms"
    yield "memory a point", f"{bytes_of(series) / points:.1f} B", "16 B"


def opening(rounds: int, points: int) -> Iterator[Row]:
    """Yield how long the first chart takes of a run that is only on disk: ten metrics of so many points."""
    with tempfile.TemporaryDirectory() as name:
        config = Path(name, "c.yaml")
        config.write_text("lr: 1\n")
        folder = database.folder_of(config)
        key = SeriesKey(job_history.key(folder, config), "job", 1, "task")
        with closing(Database(folder)) as kept:
            kept.write(kept.add(key, {}), *Saver(key, filled(10, points)).fresh())
        size = sum(file.stat().st_size for file in folder.glob("metrics.db*"))
        ask = messages.Columns(0, "job", tuple(f"metric {n}" for n in range(4)), width=2 * WIDTH)

        async def first() -> None:
            recorder = Recorder("job", config, {}, lambda _: None)
            reply = await recorder.obey(messages.Measures(0, "job"))
            assert len(reply.data["names"]) == 10
            assert len((await recorder.obey(ask)).data["columns"]) == 4
            await recorder.close()

        yield (
            f"ten metrics of {points:,} points on disk: names and four charts",
            spread(milliseconds(lambda: asyncio.run(first()), rounds)),
            "1 s",
        )
        yield "on disk, a point", f"{size / points / 10:.2f} B", "-"


def worker(rounds: int, _: int) -> Iterator[Row]:
    """Yield what 100 metrics at 1,000 steps a second take of a core, in the worker and in the engine."""
    shares: dict[int, list[tuple[float, float, float]]] = {0: [], 100: []}
    for _ in range(rounds):
        for count, found in shares.items():
            found.append(_shares(count))
    (_, idle, _), (rate, busy, engine) = (map(statistics.median, zip(*found, strict=True)) for found in shares.values())
    yield "steps a second", f"{rate:.0f}", "1,000"
    yield "worker: 100 metrics, over none", f"{busy - idle:.1f} % of a core", "5 %"
    yield "engine", f"{engine:.1f} % of a core", "25 %"


def _shares(count: int, seconds: float = 5.0) -> tuple[float, float, float]:
    """Return steps a second, and the percent of a core that worker and engine take."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "c.yaml"
        config.write_text(f"metrics: {count}\n")
        deck = write_deck(folder, {"job": (f"{TASKS}:reporting", config)})
        with live_engine(deck) as client:
            pid = client.until(messages.State, lambda state: state.state == "running").pid
            assert pid is not None
            time.sleep(2)  # it has begun
            before = client.until(messages.Metrics)
            cpus = cpu(pid), cpu(client.engine)
            time.sleep(seconds)
            busy, engine = (
                100 * (cpu(one) - was) / seconds for one, was in zip((pid, client.engine), cpus, strict=True)
            )
            after = [item for item in client.read() if isinstance(item, messages.Metrics)][-1]
            return (after.step - before.step) / (after.time - before.time), busy, engine


def viewer(rounds: int, _: int) -> Iterator[Row]:
    """Yield what a viewer takes of a core that shows four charts of such a job."""
    share = statistics.median(_viewer_share() for _ in range(rounds))
    yield "viewer with four charts", f"{share:.1f} % of a core", "25 %"


def _viewer_share(seconds: float = 10.0) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "c.yaml"
        config.write_text("metrics: 100\n")
        deck = write_deck(folder, {"job": (f"{TASKS}:waving", config)})
        os.environ["XDG_STATE_HOME"] = name  # of the viewer: nothing was chosen yet
        screen = Terminal([sys.executable, "-m", "tui", "run", str(deck)], folder)
        try:
            screen.shows("job", "applied", "Help")
            screen.type("\x1b[19~")  # f8
            screen.shows(" more, ")
            screen.type("\x1b[21~")  # f10: all the room
            screen.shows("metric 3")
            screen.drain(3)
            before = cpu(screen.pid)
            screen.drain(seconds)
            return 100 * (cpu(screen.pid) - before) / seconds
        finally:
            screen.close()
            client.stop_deck(paths.socket_of(str(deck)))


MEASUREMENTS = {"worker": worker, "viewer": viewer, "chart": chart, "opening": opening}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], *MEASUREMENTS], default=[], help="all, if none is named")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--points", type=int, default=POINTS, help="of each metric")
    options = parser.parse_args()
    for what in options.what or MEASUREMENTS:
        table(what, list(MEASUREMENTS[what](options.rounds, options.points)))


if __name__ == "__main__":
    main()
