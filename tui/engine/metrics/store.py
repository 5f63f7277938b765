"""The database of the metrics: each run's series, in the folder of the history but in a file of its own.

What goes wrong with it costs nobody a job or a reload. All that is kept of the newest run is in memory too, so a file
that was deleted, or could not be written for a while, is whole again with the next write.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tui.engine.metrics.series import Arrays, Level, MetricColumn, Series

#: The format of the database. One of another format is left alone.
FORMAT = 1

FILE = "metrics.db"

#: So many series of a job are kept, the newest: two for each worker of a run, its own and that of its processes.
MOST_SERIES = 40

#: Points that are written together.
CHUNK = 32

#: The metric whose chunks hold the axis.
_AXIS = ""

_TABLES = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY, config TEXT NOT NULL, job TEXT NOT NULL, run INTEGER NOT NULL, kind TEXT NOT NULL,
    told TEXT NOT NULL
);
CREATE INDEX series_of ON series (config, job, run);
CREATE TABLE chunk (
    series INTEGER NOT NULL, level INTEGER NOT NULL, metric TEXT NOT NULL, number INTEGER NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (series, metric, level, number)
) WITHOUT ROWID
"""

_COUNT = struct.Struct("<I")


class MetricsError(Exception):
    """The metrics can't be kept or read; the message says why."""


class Chunk(NamedTuple):
    """Some points of one metric as they are stored."""

    level: int
    metric: str
    number: int
    data: bytes


class SeriesKey(NamedTuple):
    """What a series is known by: the config as the history names it, the job, the run, and ``task`` or ``system``."""

    config: str
    job: str
    run: int
    kind: str


class Saver:
    """Knows what of a series is in the database.

    Args:
        key: What it is known by.
        series: It.

    Attributes:
        id: Its number in the database, None before it is there.
    """

    def __init__(self, key: SeriesKey, series: Series) -> None:
        self.key = key
        self.series = series
        self.id: int | None = None
        self._saved: dict[tuple[int, str], int] = {}  # the places up to which a level's metric is there
        self._dropped: dict[int, int] = {}  # the chunk of a level before which nothing is there

    def forget(self) -> None:
        """The database is another one: nothing of it is there."""
        self.id = None
        self._saved.clear()
        self._dropped.clear()

    def fresh(self) -> tuple[list[Chunk], list[Chunk]]:
        """Return the chunks that are to be written, and those before which everything is to be deleted."""
        new: list[Chunk] = []
        old: list[Chunk] = []
        for number, level in enumerate(self.series.levels):
            metrics = {_AXIS: level.axis, **{name: column.arrays for name, column in level.columns.items()}}
            for metric, arrays in metrics.items():
                new += _chunks(number, level, metric, arrays, self._from(number, metric, level))
            first = level.begin // CHUNK
            if first != self._dropped.get(number, 0):
                self._dropped[number] = first
                old += (Chunk(number, metric, first, b"") for metric in metrics)
        return new, old

    def _from(self, number: int, metric: str, level: Level) -> int:
        saved = self._saved.get((number, metric), 0)
        self._saved[number, metric] = level.end
        return saved if saved < level.end else level.end


def _chunks(number: int, level: Level, metric: str, arrays: Arrays, saved: int) -> Iterator[Chunk]:
    """Yield the chunks that have changed; what is forgotten of the first one is filled up by what is known."""
    if saved >= level.end:
        return
    for chunk in range(max(saved, level.begin) // CHUNK, -(-level.end // CHUNK)):
        first, last = chunk * CHUNK - level.begin, (chunk + 1) * CHUNK - level.begin
        skipped = max(-first, 0)
        parts = [figures[max(first, 0) : last].tobytes() for figures in arrays]
        yield Chunk(number, metric, chunk, _COUNT.pack(skipped) + b"".join(parts))


class Database:
    """An open database of metrics; used by one thread at a time.

    Args:
        folder: Where it lies.
        read_only: It must be there, and is only read.

    Raises:
        MetricsError: It is damaged, of another format, or can't be opened.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self._path = folder / FILE
        try:
            if not read_only:
                os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode={'ro' if read_only else 'rw'}",
                uri=True, isolation_level=None, timeout=5, check_same_thread=False,
            )  # fmt: skip
            self._prepare(read_only)
            self._identity = self._path.stat()
        except (OSError, sqlite3.Error) as error:
            raise MetricsError(f"{self._path} can't be used: {error}") from error

    def _prepare(self, read_only: bool) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > FORMAT:
            raise MetricsError(f"{self._path} was written by a newer tunedeck (format {version})")
        if read_only:
            return
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        if version < FORMAT:
            self._connection.executescript(f"BEGIN IMMEDIATE; {_TABLES}; PRAGMA user_version = {FORMAT}; COMMIT;")

    @property
    def intact(self) -> bool:
        """The file is still the one that lies there."""
        try:
            return os.path.samestat(self._identity, self._path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Close it."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def add(self, key: SeriesKey, told: Mapping[str, str]) -> int:
        """Make a place for a series and return its number; the oldest ones of the job make room.

        `told` is which way the job says that its metrics are better.

        Raises:
            sqlite3.Error: It could not be written.
        """
        with self._transaction():
            query = "INSERT INTO series (config, job, run, kind, told) VALUES (?, ?, ?, ?, ?) RETURNING id"
            (number,) = self._connection.execute(query, (*key, json.dumps(told))).fetchone()
            old = "SELECT id FROM series WHERE config = ? AND job = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
            for (found,) in self._connection.execute(old, (key.config, key.job, MOST_SERIES)).fetchall():
                self._connection.execute("DELETE FROM chunk WHERE series = ?", (found,))
                self._connection.execute("DELETE FROM series WHERE id = ?", (found,))
        return int(number)

    def write(self, series: int, new: Iterable[Chunk], old: Iterable[Chunk]) -> None:
        """Write what is new of a series, and delete what is older than the `old` chunks.

        Raises:
            sqlite3.Error: Nothing was written.
        """
        put = "INSERT OR REPLACE INTO chunk (series, level, metric, number, data) VALUES (?, ?, ?, ?, ?)"
        drop = "DELETE FROM chunk WHERE series = ? AND level = ? AND metric = ? AND number < ?"
        with self._transaction():
            self._connection.executemany(put, ((series, *chunk) for chunk in new))
            self._connection.executemany(drop, ((series, *chunk[:3]) for chunk in old))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:  # a full disk ends it by itself
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def runs(self, config: str, job: str) -> list[int]:
        """Return the runs of a job of which something is kept, oldest first.

        Raises:
            sqlite3.Error: It can't be read.
        """
        query = "SELECT DISTINCT run FROM series WHERE config = ? AND job = ? ORDER BY run"
        return [run for (run,) in self._connection.execute(query, (config, job))]

    def told(self, config: str, job: str) -> dict[str, str]:
        """Return which way the job has said that its metrics are better.

        Raises:
            sqlite3.Error: It can't be read.
        """
        query = "SELECT told FROM series WHERE config = ? AND job = ? ORDER BY id DESC LIMIT 1"
        found = self._connection.execute(query, (config, job)).fetchone()
        return dict(json.loads(found[0])) if found else {}

    def names(self, config: str, job: str) -> list[str]:
        """Return the metrics that the tasks of a job have reported, in the order of the runs.

        Raises:
            sqlite3.Error: It can't be read.
        """
        query = "SELECT id FROM series WHERE config = ? AND job = ? AND kind = 'task' ORDER BY id"
        found = self._connection.execute(query, (config, job)).fetchall()
        return list(dict.fromkeys(name for (number,) in found for name in self._names(number)))

    def load(self, key: SeriesKey, names: Sequence[str] | None = None) -> list[Series]:
        """Return the series of a run, the workers in their order; of the metrics those that are named, or all.

        Raises:
            sqlite3.Error: It can't be read.
        """
        query = "SELECT id FROM series WHERE config = ? AND job = ? AND run = ? AND kind = ? ORDER BY id"
        found = self._connection.execute(query, key).fetchall()
        return [self._series(number, names) for (number,) in found]

    def _series(self, number: int, names: Sequence[str] | None) -> Series:
        series = Series()
        metrics = [_AXIS, *(self._names(number) if names is None else names)]
        query = "SELECT level, number, data FROM chunk WHERE series = ? AND metric = ? ORDER BY level, number"
        for metric in metrics:
            for level, chunk, data in self._connection.execute(query, (number, metric)):
                while level >= len(series.levels):
                    series.levels.append(Level())
                _restore(series.levels[level], metric, chunk, data)
        return series

    def _names(self, series: int) -> list[str]:
        query = "SELECT DISTINCT metric FROM chunk WHERE series = ? AND metric != ''"
        return [metric for (metric,) in self._connection.execute(query, (series,))]


def _restore(level: Level, metric: str, number: int, data: bytes) -> None:
    """Put the points of a chunk behind those that are there."""
    (skipped,) = _COUNT.unpack_from(data)
    begin = number * CHUNK + skipped
    if metric == _AXIS and not level.axis[0]:
        level.begin = begin
    if metric == _AXIS:
        arrays = level.axis
    else:
        arrays = level.columns.setdefault(metric, MetricColumn()).arrays
        missing = begin - level.begin - len(arrays[0])
        if missing > 0:
            level.columns[metric].fill(missing)
    count = (len(data) - _COUNT.size) // sum(figures.itemsize for figures in arrays)
    at = _COUNT.size
    for figures in arrays:
        size = count * figures.itemsize
        figures.frombytes(data[at : at + size])
        at += size
