"""The history: every version of every config, kept in SQLite beside the config file.

A row is written before the reload is sent, so versions never repeat, whatever ends the engine. What can't be written
waits for the next time; meanwhile the lock of the config keeps its number.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tui.engine.database import COLUMNS, COUNT
from tui.events import Change, Problem, Reload, jsonable

#: So many rows wait to be written; of the oldest beyond them only the number is kept.
MOST_WAITING = 1_000

#: What an answer changes in a row; what the user says of it is not among that.
_ANSWER = "changes, step, latency_ms, error, by_version, status, base, times, effective, errors"

#: What is read of a row: everything but its config and its text.
_READ = COLUMNS.removeprefix("config, ").removesuffix(", text")


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
        query = f"SELECT {_READ} FROM reload WHERE config = ? AND job = ? ORDER BY version"
        for row in self._connection.execute(query, self._where):
            yield _reload(*row)

    def run(self) -> int:
        """Return the number of the newest run, 0 where there is none."""
        query = "SELECT run FROM reload WHERE config = ? AND job = ? ORDER BY version DESC LIMIT 1"
        found = self._connection.execute(query, self._where).fetchone()
        return max([found[0] if found else 0, *(row.run for row, _ in self._waiting.values())])

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
            marks = ", ".join("?" * COUNT)
            self._connection.execute(f"INSERT INTO reload ({COLUMNS}) VALUES ({marks})", self._values(row, text))
            return
        marks = ", ".join(f"{column} = ?" for column in _ANSWER.split(", "))
        self._connection.execute(
            f"UPDATE reload SET {marks} WHERE config = ? AND job = ? AND version = ?",
            (*_answer(row), *self._where, row.version),
        )

    def _values(self, row: Reload, text: str) -> tuple[Any, ...]:
        changes, step, latency, error, by, status, base, times, effective, errors = _answer(row)
        return (
            *(self._where[0], row.job, row.version, row.time, status, row.source, changes, step, latency, error, by),
            *(row.who, base, row.run, times, row.note, row.tag, effective, errors, text),
        )

    def close_open_rows(self) -> None:
        """Give a final status to what an engine that was killed has left as ``sent``.

        Raises:
            sqlite3.Error: It could not be written, and waits for the next time.
        """
        self._stale = True
        problem = Problem("the engine ended before the worker answered")
        query = f"SELECT {_READ} FROM reload WHERE status = 'sent' AND config = ? AND job = ?"
        for found in self._connection.execute(query, self._where).fetchall():
            row = _reload(*found)
            times = {**row.times, "failed": time.time()}
            self._write(replace(row, status="failed", error=problem, times=times), None)
        self._stale = False

    def move(self, connection: sqlite3.Connection) -> None:
        """Go on in another database, which holds the same rows."""
        self._connection = connection


def _answer(row: Reload) -> tuple[Any, ...]:
    return (
        json.dumps(jsonable(row.changes)),
        row.step,
        row.latency_ms,
        json.dumps(jsonable(row.error)) if row.error else None,
        row.by,
        row.status,
        row.base,
        json.dumps(row.times),
        json.dumps(jsonable(row.effective)) if row.effective is not None else None,
        json.dumps(jsonable(row.errors)) if row.errors else None,
    )


def _reload(
    job: str,
    version: int,
    at: float,
    status: str,
    source: str,
    changes: str,
    step: int | None,
    latency: float | None,
    error: str | None,
    by: int | None,
    who: str,
    base: int | None,
    run: int,
    times: str,
    note: str,
    tag: str,
    effective: str | None,
    errors: str | None,
) -> Reload:
    return Reload(
        job,
        version,
        status,
        source,
        tuple(Change(**change) for change in json.loads(changes)),
        step,
        latency,
        Problem(**json.loads(error)) if error else None,
        by,
        who,
        base,
        run,
        json.loads(times),
        note,
        tag,
        json.loads(effective) if effective else None,
        tuple(Problem(**problem) for problem in json.loads(errors)) if errors else (),
        time=at,
    )


def jobs_of(connection: sqlite3.Connection, folder: Path, config: Path) -> list[str]:
    """Return the names of the jobs that have a history with `config`."""
    jobs: list[str] = []
    # From one to the next, because DISTINCT would read every row.
    query = "SELECT min(job) FROM reload WHERE config = ? AND job > ?"
    while (job := connection.execute(query, (key(folder, config), jobs[-1] if jobs else "")).fetchone()[0]) is not None:
        jobs.append(job)
    return jobs


def when(row: Reload) -> str:
    """Return the clock time of a row, for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.time))
