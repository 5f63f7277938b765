"""The commands that read the metrics of a config: all of them, and the version under which one was best."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NoReturn

from tui.cli.arguments import UsageError
from tui.engine import paths
from tui.engine.history import database, job_history
from tui.engine.history.job_history import History
from tui.engine.metrics import best as bests
from tui.engine.metrics.series import Series
from tui.engine.metrics.store import FILE, Database, MetricsError, SeriesKey
from tui.engine.reloads.secrets import Secrets
from tui.protocol import codec
from tui.streams import wanted
from tui.wording import figure

_COLUMNS = ("metric", "step", "time", "version", "value", "count", "min", "max")


class Kept:
    """The metrics of one job as they are on disk.

    Args:
        arguments: Of the command line: the config, and the metric that is asked for.
        found: The history of the job.

    Raises:
        UsageError: There are none, or they can't be read.
    """

    def __init__(self, arguments: Namespace, found: History) -> None:
        config = paths.absolute(str(arguments.config))
        self._where = str(arguments.config)
        folder = next((folder for folder in database.folders(config) if (folder / FILE).exists()), None)
        if folder is None:
            raise UsageError(f"{self._where} has no metrics: no job that reports some has run with it")
        self._key = SeriesKey(job_history.key(folder, config), found.job, 0, "task")
        self._rows = list(found.rows())
        self._metric: str | None = arguments.metric
        try:
            with closing(Database(folder, read_only=True)) as kept:
                names = self._key.config, self._key.job
                self.told = kept.told(*names)
                self.runs = {run: kept.load(self._key._replace(run=run)) for run in kept.runs(*names)}
        except (MetricsError, sqlite3.Error) as error:
            raise UsageError(f"the metrics of {self._where} can't be read: {error}") from error

    def series(self, run: int | None) -> tuple[int, list[Series]]:
        """Return a run and what its workers have reported; of the newest run, if none is named."""
        run = max(self.runs, default=0) if run is None else run
        if run not in self.runs:
            known = ", ".join(map(str, self.runs)) or "none"
            raise UsageError(f"{self._where} has no metrics of run {run}: there are those of {known}")
        return run, self.runs[run]

    def lines(self, run: int | None) -> Iterator[tuple[object, ...]]:
        """Yield the points of a run, oldest first, each in the columns."""
        number, series = self.series(run)
        known = [name for one in series for name in one.names]
        if self._metric is not None and self._metric not in known:
            self._miss(known)
        rows = [row for row in self._rows if row.run == number]
        for block, version in bests.versions(series, rows):
            for name, point in block.points.items():
                if point.number and self._metric in (None, name):
                    figures = point.mean, point.number, point.low, point.high
                    yield name, block.first, round(block.time, 3), version, *figures

    def best(self) -> tuple[str, str, bests.BestVersion | None]:
        """Return the metric that is asked for, or the main one; which way it is better; and where it was best."""
        names = list(dict.fromkeys(name for run in self.runs.values() for one in run for name in one.names))
        try:
            name, way = bests.asked(self._metric, names, self.told)
        except ValueError as error:
            raise UsageError(f"{self._where}: {error}") from None
        return name, way, bests.best(bests.by_version(self.runs, self._rows, name), way)

    def _miss(self, known: Sequence[str]) -> NoReturn:
        names = ", ".join(dict.fromkeys(known)) or "none"
        raise UsageError(f"{self._where} has no metric {self._metric!r}; it has {names}")


def show(arguments: Namespace, found: History) -> int:
    """Carry out ``tunedeck metrics``, and return its exit code."""
    lines = Kept(arguments, found).lines(arguments.run_number)
    if arguments.format == "jsonl":
        for line in wanted(lines):
            print(json.dumps(dict(zip(_COLUMNS, line, strict=True)), ensure_ascii=False))
        return 0
    print(_cells(_COLUMNS))
    for line in wanted(lines):
        print(_cells(line))
    return 0


def _cells(values: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()


def show_best(arguments: Namespace, found: History) -> int:
    """Carry out ``tunedeck best``, and return its exit code."""
    kept = Kept(arguments, found)
    name, way, best = kept.best()
    if best is None:
        print(f"tunedeck: {bests.missing(name)}", file=sys.stderr)
        return 1
    if arguments.json:
        text = found.text(best.version) or ""
        print(
            json.dumps(
                codec.jsonable(
                    {
                        "version": best.version,
                        "metric": name,
                        **_public(best),
                        "config": Secrets(found.secrets()).masked(_data(text)),
                    }
                )
            )
        )
        return 0
    guess = "" if name in kept.told else f" ({way} is better by its name alone)"
    slope = f"{'+' if best.slope > 0 else ''}{figure(best.slope)} per 100 steps"
    print(f"v{best.version}: {name} {figure(best.mean)} over its last {best.points} points, {slope}{guess}")
    print("later versions profit from earlier ones: the best is not always the cause")
    return 0


def _public(best: bests.BestVersion) -> dict[str, object]:
    return {"mean": best.mean, "slope": best.slope, "points": best.points}


def _data(text: str) -> object:
    """Return a config as data; as text, where it is no YAML."""
    from tui.config import document

    try:
        return document.parse(text).data
    except document.ConfigError:
        return text
