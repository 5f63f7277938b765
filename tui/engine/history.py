"""The history: every version of every config, kept in SQLite beside the config file.

A row is written before the reload is sent, so versions never repeat, whatever ends the engine.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from tui.events import Change, Problem, Reload, jsonable

SCHEMA = 1
_FILE = "history.db"

_TABLE = """
CREATE TABLE reload (
    config TEXT NOT NULL, job TEXT NOT NULL, version INTEGER NOT NULL,
    time REAL NOT NULL, status TEXT NOT NULL, source TEXT NOT NULL, changes TEXT NOT NULL,
    step INTEGER, latency_ms REAL, error TEXT, by_version INTEGER, text TEXT NOT NULL,
    PRIMARY KEY (config, job, version)
) WITHOUT ROWID
"""
_COLUMNS = "job, version, time, status, source, changes, step, latency_ms, error, by_version"


class HistoryError(Exception):
    """The history can't be opened or written; the message says why and what follows."""


def folder_of(config: Path) -> Path:
    """Return the folder that keeps the history and the lock of `config`, made if it is missing.

    It is ``.tunedeck`` beside the file as given; where that can't be written, tunedeck's folder among the user's
    states.

    Raises:
        HistoryError: Neither can be written.
    """
    problems = []
    for folder in _folders(config):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            ignore = folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
            if os.access(folder, os.W_OK | os.X_OK):
                return folder
            problems.append(f"{folder} is not writable")
        except OSError as error:
            problems.append(f"{folder}: {error.strerror}")
    raise HistoryError("; ".join(problems))


def existing_folder_of(config: Path) -> Path | None:
    """Return the folder that holds a history for `config`, or None; nothing is made."""
    return next((folder for folder in _folders(config) if (folder / _FILE).exists()), None)


def _folders(config: Path) -> Iterator[Path]:
    yield config.parent / ".tunedeck"
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    yield Path(state) / "tunedeck"


def _key(folder: Path, config: Path) -> str:
    """Name the config within a folder: a project that is moved keeps its history."""
    return config.name if folder.parent == config.parent else str(config)


class History:
    """The rows of one job and config.

    Args:
        connection: From `open_database`.
        folder: Where the database lies.
        config: The config file as given, absolute.
        job: The job's name.
    """

    def __init__(self, connection: sqlite3.Connection, folder: Path, config: Path, job: str) -> None:
        self._connection = connection
        self._where = (_key(folder, config), job)

    def newest(self) -> int:
        """Return the newest version, 0 where there is none."""
        query = "SELECT max(version) FROM reload WHERE config = ? AND job = ?"
        found: int | None = self._connection.execute(query, self._where).fetchone()[0]
        return found or 0

    def rows(self) -> Iterator[Reload]:
        """Yield all reloads in their last status, oldest first."""
        query = f"SELECT {_COLUMNS} FROM reload WHERE config = ? AND job = ? ORDER BY version"
        for job, version, at, status, source, changes, step, latency, error, by in self._connection.execute(
            query, self._where
        ):
            yield Reload(
                job,
                version,
                status,
                source,
                changes=tuple(Change(**change) for change in json.loads(changes)),
                step=step,
                latency_ms=latency,
                error=Problem(**json.loads(error)) if error else None,
                by=by,
                time=at,
            )

    def text(self, version: int) -> str | None:
        """Return the whole text of a version, None where there is no such version."""
        query = "SELECT text FROM reload WHERE config = ? AND job = ? AND version = ?"
        found = self._connection.execute(query, (*self._where, version)).fetchone()
        return found[0] if found else None

    def ran_before(self, version: int) -> int | None:
        """Return the newest version before `version` that was applied, None for the first."""
        query = (
            "SELECT max(version) FROM reload WHERE config = ? AND job = ? AND version < ?"
            " AND status IN ('applied', 'reverted')"
        )
        found: int | None = self._connection.execute(query, (*self._where, version)).fetchone()[0]
        return found

    def add(self, row: Reload, text: str) -> None:
        """Write a new version.

        Raises:
            sqlite3.Error: It could not be written.
        """
        marks = ", ".join("?" * 12)
        self._connection.execute(
            f"INSERT INTO reload (config, {_COLUMNS}, text) VALUES ({marks})",
            (self._where[0], row.job, row.version, row.time, row.status, row.source, *_variable(row), text),
        )

    def update(self, row: Reload) -> None:
        """Write the new status of a version.

        Raises:
            sqlite3.Error: It could not be written.
        """
        self._connection.execute(
            "UPDATE reload SET changes = ?, step = ?, latency_ms = ?, error = ?, by_version = ?, status = ?"
            " WHERE config = ? AND job = ? AND version = ?",
            (*_variable(row), row.status, *self._where, row.version),
        )

    def close_open_rows(self) -> None:
        """Give a final status to what an engine that was killed has left as ``sent``."""
        error = json.dumps(jsonable(Problem("the engine ended before the worker answered")))
        self._connection.execute(
            "UPDATE reload SET status = 'failed', error = ? WHERE status = 'sent' AND config = ? AND job = ?",
            (error, *self._where),
        )


def _variable(row: Reload) -> tuple[str, int | None, float | None, str | None, int | None]:
    error = json.dumps(jsonable(row.error)) if row.error else None
    return json.dumps(jsonable(row.changes)), row.step, row.latency_ms, error, row.by


def jobs_of(connection: sqlite3.Connection, folder: Path, config: Path) -> list[str]:
    """Return the names of the jobs that have a history with `config`."""
    query = "SELECT DISTINCT job FROM reload WHERE config = ? ORDER BY job"
    return [job for (job,) in connection.execute(query, (_key(folder, config),))]


def open_database(folder: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the database in `folder`; for writing, it is made where it is missing (mode 0600).

    Raises:
        HistoryError: It is damaged, of a newer version, or can't be opened.
    """
    path = folder / _FILE
    mode = "ro" if read_only else "rw"
    try:
        with contextlib.nullcontext() if read_only else _alone(folder):
            if not read_only:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=5)
            try:
                _prepare(connection, path, read_only=read_only)
            except BaseException:
                connection.close()
                raise
    except (OSError, sqlite3.Error) as error:
        raise HistoryError(f"{path} can't be used as a history: {error}") from error
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA:
        raise HistoryError(f"{path} was written by a newer tunedeck (format {version}); update tunedeck to use it")
    if version == 0:
        if read_only:
            raise HistoryError(f"{path} holds no history")
        connection.executescript(f"BEGIN; {_TABLE}; PRAGMA user_version = {SCHEMA}; COMMIT;")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other engines waiting that are about to make the same database: SQLite would refuse one of them."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def in_memory() -> sqlite3.Connection:
    """Return an empty database that is not kept, for when there is no place to keep one."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(_TABLE)
    return connection


def when(row: Reload) -> str:
    """Return the clock time of a row, for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.time))
