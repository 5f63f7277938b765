"""The metrics of one job as they come: series in memory, written to disk now and then, and read for viewers."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tui import better
from tui.engine.history import database, job_history
from tui.engine.metrics import best as bests
from tui.engine.metrics.best import BestVersion
from tui.engine.metrics.series import Block, Point, Range, Series, block_of
from tui.engine.metrics.store import MOST_SERIES, Database, MetricsError, Saver, SeriesKey
from tui.engine.metrics.usage import Meter
from tui.protocol import messages

#: The series of a task, and of its processes.
TASK = "task"
SYSTEM = "system"

COMMANDS = (messages.Measures, messages.Columns)

#: What goes wrong with a database or its disk.
_FAULTS = (MetricsError, database.HistoryError, OSError, sqlite3.Error)

Found = TypeVar("Found")

#: The widest chart that is drawn.
_WIDEST = 10_000


class Recorder:
    """Keeps what is measured of one job.

    Args:
        job: Its name.
        config: Its config file, beside which they are kept.
        told: Which way its metrics are better, as far as the deck says so.
        emit: Takes what viewers are told.

    Attributes:
        run: The run whose series are in memory.
        problem: Why they are not kept on disk, empty where they are.
        usage: What its processes used when they were measured last, by the names of the series.
    """

    def __init__(self, job: str, config: Path, told: Mapping[str, str], emit: Callable[[messages.Event], None]) -> None:
        self.job = job
        self.run = 0
        self.problem = ""
        self.usage: Mapping[str, float] = {}
        self.told = told
        self._config = config
        self._emit = emit
        self._offset = time.time() - time.monotonic()  # once: the clock may be set, and series don't go back in time
        self._savers: dict[str, list[Saver]] = {TASK: [], SYSTEM: []}
        self._meter = Meter()
        self._database: Database | None = None
        self._name = ""
        self._lock = asyncio.Lock()  # one thread at a time has the database

    @property
    def series(self) -> Series | None:
        """What the worker that runs has reported, None where that is nothing yet."""
        savers = self._savers[TASK]
        return savers[-1].series if savers else None

    def take_block(self, message: Mapping[str, Any], run: int) -> Block:
        """Take a block that a worker tells."""
        block = block_of(message, self._offset)
        self.add(TASK, block, run)
        return block

    def add(self, kind: str, block: Block, run: int) -> None:
        """Add a block to the series of a kind; where its steps have begun anew, to another one."""
        if run != self.run:
            self.run = run
            self._savers = {TASK: [], SYSTEM: []}
        savers = self._savers[kind]
        if not savers or block.first <= savers[-1].series.step - (kind == SYSTEM):
            savers.append(Saver(SeriesKey("", self.job, run, kind), Series()))
            del savers[:-MOST_SERIES]
        savers[-1].series.append(block)
        self._emit(messages.Measured(self.job, self.run, savers[-1].series.step, self.problem))

    async def measure(self, root: int, step: int | None, run: int) -> None:
        """Measure what the processes below `root` use, at a step of the task."""
        self.usage = found = await asyncio.to_thread(self._meter.measure, root, step)
        points = {name: Point(1, value, value, value) for name, value in found.items()}
        if points and run:
            self.add(SYSTEM, Block(max(step or 0, 1), 1, time.monotonic() + self._offset, points), run)

    async def save(self) -> None:
        """Write what is new; where that fails the user is told once, and it is tried again the next time."""
        async with self._lock:
            try:
                await self._save()
                problem = ""
            except _FAULTS as error:
                problem = str(error)
                self._forget()
        if problem and not self.problem:
            text = f"the metrics of {self.job} are not kept on disk, all else goes on: {problem}"
            self._emit(messages.Notice(self.job, text, "warning"))
        elif self.problem and not problem:
            self._emit(messages.Notice(self.job, f"the metrics of {self.job} are kept again", "information"))
        self.problem = problem

    async def _save(self) -> None:
        for saver in [saver for savers in self._savers.values() for saver in savers]:
            number = await asyncio.to_thread(self._place, saver)
            new, old = saver.fresh()  # here, where nothing is added meanwhile
            if new and self._database is not None:
                await asyncio.to_thread(self._database.write, number, new, old)

    def _place(self, saver: Saver) -> int:
        """Return the number of a series in the database."""
        kept = self._open()
        if saver.id is None:
            saver.id = kept.add(saver.key._replace(config=self._name), self.told)
        return saver.id

    def _open(self) -> Database:
        if self._database is not None and not self._database.intact:
            self._forget()
        if self._database is None:
            folder = database.folder_of(self._config)
            self._name = job_history.key(folder, self._config)
            self._database = Database(folder)
        return self._database

    def _forget(self) -> None:
        """What was written may be lost: all that is in memory is written again."""
        if self._database is not None:
            self._database.close()
        self._database = None
        for savers in self._savers.values():
            for saver in savers:
                saver.forget()

    async def close(self) -> None:
        """Write what is left."""
        await self.save()
        if self._database is not None:
            self._database.close()

    # What viewers ask for

    async def best(self, rows: Sequence[messages.Reload]) -> tuple[str, BestVersion]:
        """Return the main metric, and under which version of all that are kept it was best.

        Raises:
            ValueError: There is none; the message says why.
        """
        names = [*await self._read(lambda kept: kept.names(self._name, self.job)), *self._names()]
        name, way = bests.asked(None, list(dict.fromkeys(names)), self.told)
        runs = {run: await self._loaded(run, TASK, [name]) for run in await self._runs()}
        if self.run in runs:
            runs[self.run] = [series.only(name) for series in runs[self.run]]
        found = await asyncio.to_thread(lambda: bests.best(bests.by_version(runs, rows, name), way))
        if found is None:
            raise ValueError(bests.missing(name))
        return name, found

    def course(self, width: int) -> tuple[str | None, list[float | None]]:
        """Return the main metric of the worker that runs, None for none, and its means in at most `width` columns."""
        series = self.series
        name = better.main(series.names, self.told) if series is not None else None
        if series is None or name is None:
            return None, []
        return name, series.columns(name, Range(), width)["mean"]

    def _names(self) -> list[str]:
        """Return what the workers of this run have reported."""
        return [name for saver in self._savers[TASK] for name in saver.series.names]

    async def obey(self, command: messages.Measures | messages.Columns) -> messages.Reply:
        """Answer one of `COMMANDS`."""
        asked = self._columns(command) if isinstance(command, messages.Columns) else self._measures(command)
        return messages.Reply(command.id, ok=True, data=await asked)

    async def _measures(self, command: messages.Measures) -> dict[str, Any]:
        """Return the answer to the question which metrics there are."""
        runs = await self._runs()
        run = command.run if command.run is not None else self.run or max(runs, default=0)
        task, system = await self._loaded(run, TASK, None), await self._loaded(run, SYSTEM, None)
        names = better.ordered(dict.fromkeys(name for series in task for name in series.names), self.told)
        ways = {name: way for name in names if (way := better.way(name, self.told))}
        newest = (task or system)[-1:]
        return {
            "run": run,
            "runs": runs,
            "names": [*names, *dict.fromkeys(name for series in system for name in series.names)],
            "better": ways,
            "guessed": [name for name in ways if name not in self.told],
            "step": newest[0].limits("step") if newest else None,
            "time": _joined([series.limits("time") for series in (*task, *system)]),
            "kept": self.problem,
        }

    async def _columns(self, command: messages.Columns) -> dict[str, Any]:
        """Return the answer to the question for columns."""
        runs = await self._runs() if command.run is None and not self.run else []
        run = command.run if command.run is not None else self.run or max(runs, default=0)
        width = min(max(command.width, 1), _WIDEST)
        names = [[name for name in command.names if name.startswith(f"{SYSTEM}.") is own] for own in (False, True)]
        found: dict[str, list[Series]] = {}
        limits = []
        for kind, wanted in zip((TASK, SYSTEM), names, strict=True):
            series = await self._loaded(run, kind, wanted) if wanted else []
            series = series[-1:] if command.by == "step" else series
            limits += [one.limits(command.by) for one in series]
            found |= dict.fromkeys(wanted, series)
        known = _joined(limits)
        first = command.first if command.first is not None else known[0] if known else None
        last = command.last if command.last is not None else known[1] if known else None
        area = Range(command.by, first, last)
        columns = {
            name: _in_a_row([one.columns(name, area, width) for one in series]) for name, series in found.items()
        }
        return {"run": run, "first": first, "last": last, "columns": columns}

    async def _runs(self) -> list[int]:
        found = await self._read(lambda kept: kept.runs(self._name, self.job))
        return sorted({*found, *([self.run] if self.run else [])})

    async def _loaded(self, run: int, kind: str, names: Sequence[str] | None) -> list[Series]:
        if run == self.run:
            return [saver.series for saver in self._savers[kind]]
        return await self._read(lambda kept: kept.load(SeriesKey(self._name, self.job, run, kind), names))

    async def _read(self, read: Callable[[Database], list[Found]]) -> list[Found]:
        """Read in a thread; return nothing where that fails: why is told when it is to be written."""
        async with self._lock:
            try:
                return await asyncio.to_thread(lambda: read(self._open()))
            except _FAULTS:
                return []


def _joined(limits: Sequence[tuple[float, float] | None]) -> tuple[float, float] | None:
    known = [pair for pair in limits if pair is not None]
    return (min(first for first, _ in known), max(last for _, last in known)) if known else None


def _in_a_row(parts: Sequence[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    """Return the columns of several workers, one after the other."""
    joined: dict[str, list[Any]] = {key: [] for key in ("x", "count", "min", "max", "mean", "bad")}
    for part in parts:
        for key, values in part.items():
            joined[key] += values
    return joined
