"""The history: every version of every config, kept in SQLite beside the config file.

A row is written before the reload is sent, so versions never repeat, whatever ends the engine. What can't be written
waits for the next time; meanwhile the lock of the config keeps its number.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tui.events import Change, Problem, Reload, jsonable

SCHEMA = 1

#: So many rows wait to be written; of the oldest beyond them only the number is kept.
MOST_WAITING = 1_000

#: Milliseconds that a write waits for somebody else who writes: the job's output waits meanwhile.
_BUSY = 250

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
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_folder(folder)
            if os.access(folder, os.W_OK | os.X_OK):
                return folder
            problems.append(f"{folder} is not writable")
        except OSError as error:
            problems.append(f"{folder}: {error.strerror}")
    raise HistoryError("; ".join(problems))


def make_folder(folder: Path) -> None:
    """Make the folder of a history, if it is missing."""
    folder.mkdir(mode=0o700, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")


def existing_folder_of(config: Path) -> Path | None:
    """Return the folder that holds a history for `config`, or None; nothing is made."""
    return next((folder for folder in _folders(config) if (folder / _FILE).exists()), None)


def _folders(config: Path) -> Iterator[Path]:
    yield config.parent / ".tunedeck"
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    yield Path(state) / "tunedeck"


def key(folder: Path, config: Path) -> str:
    """Name the config within a folder: a project that is moved keeps its history."""
    return config.name if folder.parent == config.parent else str(config)


class History:
    """The rows of one job and config.

    Args:
        connection: From `open_database`.
        folder: Where the database lies.
        config: The config file as given, absolute.
        job: The job's name.
        taken: Versions up to this one were given, even if they are not here.
        note: Called when `unwritten` may have changed.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: Path,
        config: Path,
        job: str,
        taken: int = 0,
        note: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._where = (key(folder, config), job)
        self._taken = taken
        self._note = note
        # Rows that could not be written yet, and the text where the row is new.
        self._waiting: dict[int, tuple[Reload, str | None]] = {}
        self._given_up = 0
        self._stale = False

    @property
    def late(self) -> bool:
        """Something waits to be written."""
        return bool(self._waiting) or self._stale

    @property
    def unwritten(self) -> int:
        """The newest version that is not in the database, 0 if all are."""
        new = (version for version, (_, text) in self._waiting.items() if text is not None)
        return max(new, default=self._given_up)

    def newest(self) -> int:
        """Return the newest version, 0 where there is none."""
        query = "SELECT max(version) FROM reload WHERE config = ? AND job = ?"
        found: int | None = self._connection.execute(query, self._where).fetchone()[0]
        return max(found or 0, self._taken, self.unwritten)

    def rows(self) -> Iterator[Reload]:
        """Yield all reloads in their last status, oldest first."""
        waiting = {version: row for version, (row, _) in self._waiting.items()}
        for row in self._stored():
            yield waiting.pop(row.version, row)
        yield from (waiting[version] for version in sorted(waiting))

    def _stored(self) -> Iterator[Reload]:
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
        waits = self._waiting.get(version)
        if waits is not None and waits[1] is not None:
            return waits[1]
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
        ran = {row.version for row, _ in self._waiting.values() if row.status in ("applied", "reverted")}
        return max((other for other in {*ran, found} if other is not None and other < version), default=None)

    def add(self, row: Reload, text: str) -> None:
        """Write a new version.

        Raises:
            sqlite3.Error: It could not be written, and waits for the next time.
        """
        self._put(row, text)

    def update(self, row: Reload) -> None:
        """Write the new status of a version.

        Raises:
            sqlite3.Error: It could not be written, and waits for the next time.
        """
        waits = self._waiting.pop(row.version, None)
        self._put(row, waits[1] if waits is not None else None)

    def _put(self, row: Reload, text: str | None) -> None:
        self._waiting[row.version] = (row, text)
        if len(self._waiting) > MOST_WAITING:
            version = next(iter(self._waiting))
            del self._waiting[version]
            self._given_up = max(self._given_up, version)
        self.flush()

    def flush(self) -> None:
        """Write all that waits.

        Raises:
            sqlite3.Error: Some of it could not be written, and waits for the next time.
        """
        try:
            if self._stale:
                self.close_open_rows()
            for version in sorted(self._waiting):
                self._write(*self._waiting[version])
                del self._waiting[version]
        except sqlite3.IntegrityError:
            del self._waiting[version]  # it would be no better the next time
            raise
        finally:
            self._note()

    def _write(self, row: Reload, text: str | None) -> None:
        if text is not None:
            marks = ", ".join("?" * 12)
            self._connection.execute(
                f"INSERT INTO reload (config, {_COLUMNS}, text) VALUES ({marks})",
                (self._where[0], row.job, row.version, row.time, row.status, row.source, *_variable(row), text),
            )
            return
        self._connection.execute(
            "UPDATE reload SET changes = ?, step = ?, latency_ms = ?, error = ?, by_version = ?, status = ?"
            " WHERE config = ? AND job = ? AND version = ?",
            (*_variable(row), row.status, *self._where, row.version),
        )

    def close_open_rows(self) -> None:
        """Give a final status to what an engine that was killed has left as ``sent``.

        Raises:
            sqlite3.Error: It could not be written, and waits for the next time.
        """
        self._stale = True
        error = json.dumps(jsonable(Problem("the engine ended before the worker answered")))
        self._connection.execute(
            "UPDATE reload SET status = 'failed', error = ? WHERE status = 'sent' AND config = ? AND job = ?",
            (error, *self._where),
        )
        self._stale = False

    def move(self, connection: sqlite3.Connection) -> None:
        """Go on in another database, which holds the same rows."""
        self._connection = connection


def _variable(row: Reload) -> tuple[str, int | None, float | None, str | None, int | None]:
    error = json.dumps(jsonable(row.error)) if row.error else None
    return json.dumps(jsonable(row.changes)), row.step, row.latency_ms, error, row.by


def jobs_of(connection: sqlite3.Connection, folder: Path, config: Path) -> list[str]:
    """Return the names of the jobs that have a history with `config`."""
    query = "SELECT DISTINCT job FROM reload WHERE config = ? ORDER BY job"
    return [job for (job,) in connection.execute(query, (key(folder, config),))]


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
    connection.execute(f"PRAGMA busy_timeout = {_BUSY}")
    return connection


def identity(folder: Path) -> os.stat_result | None:
    """Return what tells the database in `folder` from another one that takes its place, None if there is none."""
    try:
        return (folder / _FILE).stat()
    except OSError:
        return None


def copy(old: sqlite3.Connection, new: sqlite3.Connection, own: Sequence[str]) -> None:
    """Copy all rows to another database; of those that it has already, only the ones of our `own` configs.

    Raises:
        sqlite3.Error: Nothing was copied.
    """
    marks = ", ".join("?" * 12)
    with contextlib.closing(new.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        for row in old.execute(f"SELECT config, {_COLUMNS}, text FROM reload"):
            # Another engine with a config in this folder may have been faster, and knows more of its own.
            verb = "REPLACE" if row[0] in own else "IGNORE"
            cursor.execute(f"INSERT OR {verb} INTO reload (config, {_COLUMNS}, text) VALUES ({marks})", row)
        cursor.execute("COMMIT")


def abandon(connection: sqlite3.Connection) -> None:
    """Leave a connection to a deleted database open until the process ends.

    To close it would delete, by their names, the write-ahead log and the index of the database which has its place.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


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
