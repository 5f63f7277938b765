"""The database of the histories in a folder: how it is made, opened, brought up to date, and left behind."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shlex
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from tui.engine.history.columns import COLUMNS, FIELDS, INSERT
from tui.engine.paths import make_folder, user

#: The format of the database. One of a newer format is left alone; an older one is brought up to date.
SCHEMA = max(field.since for field in FIELDS)

#: Milliseconds that a write waits for somebody else who writes: the job's output waits meanwhile.
_BUSY = 250

_FILE = "history.db"

_TABLE = f"""
CREATE TABLE reload (
    config TEXT NOT NULL, {", ".join(field.declaration for field in FIELDS)}, text TEXT NOT NULL,
    PRIMARY KEY (config, job, version)
) WITHOUT ROWID;
CREATE INDEX reload_open ON reload (config, job) WHERE status = 'sent'
"""

#: What format 1 did not say, but can be told from its rows.
_TOLD_BY_1 = {
    "base": "max(CASE WHEN status IN ('applied', 'reverted') THEN version END)"
    " OVER (PARTITION BY config, job ORDER BY version ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)",
    "run": "sum(source = 'start') OVER (PARTITION BY config, job ORDER BY version)",
}


def _rows_of(version: int) -> str:
    """Return the query for the rows of an older format as they are now, up to the table."""
    told = _TOLD_BY_1 if version == 1 else {}
    now = [
        field.column if field.since <= version else f"{told.get(field.column, field.default)} AS {field.column}"
        for field in FIELDS
    ]
    return f"SELECT config, {', '.join(now)}, text"


def _from(version: int) -> str:
    """Return the steps from an older format to this one."""
    return f"""
    ALTER TABLE reload RENAME TO reload_old;
    DROP INDEX IF EXISTS reload_open;
    {_TABLE};
    INSERT INTO reload ({COLUMNS}) {_rows_of(version)} FROM reload_old;
    DROP TABLE reload_old;
    """


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
    for folder in folders(config):
        problem = _obstacle(folder)
        if problem is None:
            return folder
        problems.append(problem)
    raise HistoryError("; ".join(problems))


def _obstacle(folder: Path) -> str | None:
    """Make a folder for histories, if it is missing; return why none can be kept in it."""
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_folder(folder)
    except OSError as error:
        return foreign(folder) or f"{folder}: {error.strerror}"
    writable = os.access(folder, os.W_OK | os.X_OK)
    if writable and (not exists(folder) or os.access(folder / _FILE, os.R_OK | os.W_OK)):
        return None
    return foreign(folder) or f"{folder} is not writable"


def foreign(folder: Path) -> str | None:
    """Return what is to be told of a folder or a history in it that belongs to somebody else; None where it is ours."""
    for path in (folder, folder / _FILE):
        with contextlib.suppress(OSError):
            owner = path.stat().st_uid
            if owner != os.geteuid():
                mine = f"sudo chown -R {user(os.geteuid())} {shlex.quote(str(folder))}"
                return f"{path} belongs to {user(owner)}, as after a run with sudo; {mine} makes it yours"
    return None


def folders(config: Path) -> Iterator[Path]:
    """Yield the folders that may keep the history of `config`, the better one first."""
    yield config.parent / ".tunedeck"
    for named in (os.environ.get("XDG_STATE_HOME", ""), os.path.expanduser("~/.local/state")):  # noqa: PTH111 - of nobody, too
        if Path(named).is_absolute():
            yield Path(named) / "tunedeck"
            return


def exists(folder: Path) -> bool:
    """Return whether there is a database in a folder."""
    return os.path.exists(folder / _FILE)  # noqa: PTH110 - Path.exists raises where a folder is somebody else's


def readable(folder: Path) -> bool:
    """Return whether the database in a folder may be read."""
    return os.access(folder / _FILE, os.R_OK)


def newest(folder: Path, config: str, job: str | None) -> int:
    """Return the newest version in a database that may be damaged or of a newer format, 0 if that can't be told.

    Without a `job` it is the newest of all jobs.
    """
    query = "SELECT max(version) FROM reload WHERE config = ?1 AND (?2 IS NULL OR job = ?2)"
    try:
        with contextlib.closing(_to_read(folder / _FILE, _BUSY / 1000)) as connection:
            return connection.execute(query, (config, job)).fetchone()[0] or 0
    except (OSError, sqlite3.Error):
        return 0


def _to_read(path: Path, timeout: float) -> sqlite3.Connection:
    """Connect to a database to read it only.

    Where nobody may write, SQLite can't make what it needs beside a write-ahead log. Without a log it needs nothing.
    """
    alone = not os.access(path.parent, os.W_OK) and not path.with_name(f"{_FILE}-wal").exists()
    uri = f"{path.as_uri()}?mode=ro" + ("&immutable=1" if alone else "")
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=timeout)


def open_database(folder: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the database in `folder`; for writing, it is made where it is missing (mode 0600).

    Raises:
        HistoryError: It is damaged, of a newer version, or can't be opened.
    """
    path = folder / _FILE
    try:
        with contextlib.nullcontext() if read_only else _alone(folder):
            if not read_only:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            connection = (
                _to_read(path, timeout=5)
                if read_only
                else sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=5)
            )
            try:
                _prepare(connection, path, read_only=read_only)
            except BaseException:
                connection.close()
                raise
    except (OSError, sqlite3.Error) as error:
        raise HistoryError(f"{path} can't be used as a history: {error}") from error
    connection.execute(f"PRAGMA busy_timeout = {_BUSY}")
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    """Make the database, or bring it up to date, each in one step; or take it as it is, to be read."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA:
        raise HistoryError(f"{path} was written by a newer tunedeck (format {version}); update tunedeck to use it")
    if read_only and version == 0:
        raise HistoryError(f"{path} holds no history")
    if read_only:
        if version < SCHEMA:
            connection.execute(f"CREATE TEMP VIEW reload AS {_rows_of(version)} FROM main.reload")
        return
    if version == 0:  # nothing could be lost yet, and to wait for the disk takes longer than all the rest
        connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = WAL")
    if version < SCHEMA:
        steps = _from(version) if version else _TABLE
        connection.executescript(f"BEGIN IMMEDIATE; {steps}; PRAGMA user_version = {SCHEMA}; COMMIT;")
    connection.execute("PRAGMA synchronous = NORMAL")


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
        cursor.executescript(_TABLE)
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
    with contextlib.closing(new.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        for row in old.execute(f"SELECT {COLUMNS} FROM reload"):
            # Another engine with a config in this folder may have been faster, and knows more of its own.
            verb = "REPLACE" if row[0] in own else "IGNORE"
            cursor.execute(INSERT.replace("INSERT", f"INSERT OR {verb}", 1), row)
        cursor.execute("COMMIT")


def inherit(connection: sqlite3.Connection, config: str, job: str, folder: Path, name: str) -> None:
    """Copy what is newer than our rows of a job from another folder, which was or is to be written in our place.

    Args:
        connection: Our database.
        config: The name of the job's config in it.
        job: The job's name.
        folder: The other one.
        name: The name of the config there.

    Raises:
        HistoryError: The other database can't be read.
        sqlite3.Error: Nothing was copied.
    """
    query = "SELECT max(version) FROM reload WHERE config = ? AND job = ?"
    known = connection.execute(query, (config, job)).fetchone()[0] or 0
    if newest(folder, name, job) <= known:
        return
    query = f"SELECT {COLUMNS} FROM reload WHERE config = ? AND job = ? AND version > ?"
    with contextlib.closing(open_database(folder, read_only=True)) as other, connection:
        connection.execute("BEGIN IMMEDIATE")
        for _, *row in other.execute(query, (name, job, known)):
            connection.execute(INSERT, (config, *row))


def abandon(connection: sqlite3.Connection) -> None:
    """Leave a connection to a deleted database open until the process ends.

    To close it would delete, by their names, the write-ahead log and the index of the database which has its place.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
