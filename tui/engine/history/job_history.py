"""The history: every version of every config, kept in SQLite beside the config file.

A row is written before the reload is sent, so versions never repeat, whatever ends the engine. What can't be written
waits for the next time; meanwhile the lock of the config keeps its number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from tui.engine.history import database
from tui.engine.history.columns import EFFECT, INSERT, READ, UPDATE, answer, json_line, reload_in, stored
from tui.engine.history.database import HistoryError, in_memory
from tui.engine.history.search import Condition
from tui.protocol.messages import Effect, Noted, Problem, Reload

Answer = TypeVar("Answer")

#: No version is newer.
ALL = 1 << 62

#: So many rows wait to be written; of the oldest beyond them only the number is kept.
MOST_WAITING = 1_000


def key(folder: Path, config: Path) -> str:
    """Name the config within a folder: a project that is moved keeps its history."""
    name = config.name if folder.parent == config.parent else str(config)
    return name.encode("utf-8", "backslashreplace").decode()  # SQLite's text is UTF-8; a file's name may be none


def folder_of(config: Path) -> Path | None:
    """Return the folder that holds the newest history of `config`, None where there is none; nothing is made."""
    found = [folder for folder in database.folders(config) if database.exists(folder)]

    def rank(folder: Path) -> tuple[int, bool]:
        return database.newest(folder, key(folder, config), None), database.readable(folder)

    return max(found, key=rank, default=None)


def taken(config: Path, job: str, left: int, besides: Path | None = None) -> int:
    """Return up to which version numbers are given: `left` is known, and old histories may hold newer ones.

    A history is in one of two folders, and may not be there any more where it was, be damaged, or of a newer format.
    """
    others = (folder for folder in database.folders(config) if folder != besides)
    return max([left, *(database.newest(folder, key(folder, config), job) for folder in others)])


Told = TypeVar("Told")


def _keep(known: dict[int, Told], version: int, told: Told) -> None:
    """Know something of a version, beside the database, as long as somebody may have its row from before."""
    known[version] = told
    if len(known) > MOST_WAITING:
        del known[next(iter(known))]


class History:
    """The rows of one job and config.

    Args:
        connection: From `open_database`.
        folder: Where the database lies.
        config: The config file as given, absolute.
        job: The job's name.
        taken: Versions up to this one were given, even if they are not here.
        note: Called when `unwritten` may have changed.
        reader: Opens another connection, to read only, in whatever thread; None where there can be none.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: Path,
        config: Path,
        job: str,
        taken: int = 0,
        note: Callable[[], None] = lambda: None,
        reader: Callable[[], sqlite3.Connection | None] = lambda: None,
    ) -> None:
        self.connection = connection
        self._where = (key(folder, config), job)
        self._taken = taken
        self._note = note
        self.reader = reader
        # Rows that could not be written yet, and the text where the row is new.
        self._waiting: dict[int, tuple[Reload, str | None]] = {}
        self._given_up = 0
        self._stale = False
        # What the user has said of versions whose rows may still change.
        self._said: dict[int, tuple[str, str]] = {}
        # What was found of the effect of versions of this run.
        self._found: dict[int, tuple[Effect, ...]] = {}
        # How many processes have which of them.
        self._counted: dict[int, Mapping[str, int]] = {}

    @property
    def job(self) -> str:
        """The name of the job."""
        return self._where[1]

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
        found: int | None = self.connection.execute(query, self._where).fetchone()[0]
        return max(found or 0, self._taken, self.unwritten)

    def oldest(self) -> int:
        """Return the oldest version that is kept, 1 where there is none."""
        query = "SELECT min(version) FROM reload WHERE config = ? AND job = ?"
        found: int | None = self.connection.execute(query, self._where).fetchone()[0]
        return min((version for version in (found, *self._waiting) if version is not None), default=1)

    def rows(self, first: int = 1, last: int = ALL) -> Iterator[Reload]:
        """Yield the reloads from version `first` to `last` in their last status, oldest first."""
        return self._with_waiting(self._stored(self.connection, first, last), first, last)

    async def page(self, first: int, last: int) -> list[Reload]:
        """Return what `rows` would, read beside what else goes on."""
        stored = await self._aside(lambda connection: list(self._stored(connection, first, last)))
        return list(self._with_waiting(stored, first, last))

    async def find(self, choice: Condition, first: int, last: int) -> list[int]:
        """Return the versions from `first` to `last` that are chosen, newest first; read as a `page` is."""
        found = await self._aside(lambda connection: self.passing(connection, choice, first, last))
        waiting = {version: row for version, (row, _) in self._waiting.items() if first <= version <= last}
        if waiting:
            # The same question to what is not in the database yet.
            with contextlib.closing(in_memory()) as connection:
                connection.executemany(INSERT, (self._values(row, "") for row in waiting.values()))
                passing = self.passing(connection, choice, first, last)
            found = sorted({*found, *passing} - (set(waiting) - set(passing)), reverse=True)
        return found

    async def effects(self) -> dict[int, tuple[Effect, ...]]:
        """Return what is known of the effect of each version; read as a `page` is."""
        query = "SELECT version, effect FROM reload WHERE config = ? AND job = ? AND effect != '[]'"
        found = await self._aside(lambda connection: connection.execute(query, self._where).fetchall())
        return {version: EFFECT.read(effect) for version, effect in found} | self._found

    async def _aside(self, read: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Read in a thread; where there can be no other connection, here and now."""

        def read_there() -> tuple[Answer] | None:
            try:
                connection = self.reader()
                if connection is None:
                    return None
                with contextlib.closing(connection):
                    return (read(connection),)
            except (HistoryError, sqlite3.Error):
                return None  # the folder has just been deleted, or the disk has a fault: it is asked once more, here

        found = await asyncio.to_thread(read_there)
        return found[0] if found is not None else read(self.connection)

    def _with_waiting(self, stored: Iterable[Reload], first: int, last: int) -> Iterator[Reload]:
        waiting = {version: row for version, (row, _) in self._waiting.items() if first <= version <= last}
        for row in stored:
            yield waiting.pop(row.version, row)
        yield from (waiting[version] for version in sorted(waiting))

    def _stored(self, connection: sqlite3.Connection, first: int, last: int) -> Iterator[Reload]:
        query = f"SELECT {READ} FROM reload WHERE config = ? AND job = ? AND version BETWEEN ? AND ? ORDER BY version"
        for row in connection.execute(query, (*self._where, first, last)):
            yield reload_in(row)

    def json_lines(self) -> Iterator[bytes]:
        """Yield what is in the database as `codec.encode` would, in a fifth of the time: it is JSON already."""
        query = f"SELECT {READ} FROM reload WHERE config = ? AND job = ? ORDER BY version"
        for row in self.connection.execute(query, self._where):
            yield json_line(row)

    def passing(self, connection: sqlite3.Connection, choice: Condition, first: int, last: int) -> list[int]:
        """Return the versions of a range that fit a condition, the newest first."""
        where = f"config = ? AND job = ? AND version BETWEEN ? AND ? AND ({choice.condition})"
        query = f"SELECT version FROM reload WHERE {where} ORDER BY version DESC"
        return [version for (version,) in connection.execute(query, (*self._where, first, last, *choice.values))]

    def run(self) -> int:
        """Return the number of the newest run, 0 where there is none."""
        query = "SELECT run FROM reload WHERE config = ? AND job = ? ORDER BY version DESC LIMIT 1"
        found = self.connection.execute(query, self._where).fetchone()
        return max([found[0] if found else 0, *(row.run for row, _ in self._waiting.values())])

    def text(self, version: int) -> str | None:
        """Return the whole text of a version, None where there is no such version."""
        waits = self._waiting.get(version)
        if waits is not None and waits[1] is not None:
            return waits[1]
        query = "SELECT text FROM reload WHERE config = ? AND job = ? AND version = ?"
        found = self.connection.execute(query, (*self._where, version)).fetchone()
        return found[0] if found else None

    def ran_before(self, version: int) -> int | None:
        """Return the newest version before `version` that was applied, None for the first."""
        query = (
            "SELECT max(version) FROM reload WHERE config = ? AND job = ? AND version < ?"
            " AND status IN ('applied', 'reverted')"
        )
        found: int | None = self.connection.execute(query, (*self._where, version)).fetchone()[0]
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

    def annotate(self, version: int, note: str | None = None, tag: str | None = None) -> Noted | None:
        """Put a note or a tag on a version; return both as they are then, or None where there is no such version.

        Raises:
            sqlite3.Error: It could not be written; all is as it was.
        """
        row = next(iter(self.rows(version, version)), None)
        if row is None:
            return None
        note, tag = row.note if note is None else note, row.tag if tag is None else tag
        waits = self._waiting.get(version)
        if waits is None or waits[1] is None:
            query = "UPDATE reload SET note = ?, tag = ? WHERE config = ? AND job = ? AND version = ?"
            self.connection.execute(query, (note, tag, *self._where, version))
        if waits is not None:
            self._waiting[version] = replace(row, note=note, tag=tag), waits[1]
        self._said[version] = note, tag
        return Noted(row.job, version, note, tag)

    def judge(self, version: int, effect: tuple[Effect, ...]) -> None:
        """Put on a version what it did.

        Raises:
            sqlite3.Error: It could not be written; it is in `noted` all the same.
        """
        _keep(self._found, version, effect)
        waits = self._waiting.get(version)
        if waits is not None:
            self._waiting[version] = replace(waits[0], effect=effect), waits[1]
        query = "UPDATE reload SET effect = ? WHERE config = ? AND job = ? AND version = ?"
        self.connection.execute(query, (EFFECT.stored(effect), *self._where, version))

    def count(self, version: int, ranks: Mapping[str, int]) -> None:
        """Have it in `noted` how many processes have a version."""
        _keep(self._counted, version, ranks)

    def noted(self, row: Reload) -> Reload:
        """Return `row` with what the user has said of it, and what was found of its effect and its ranks."""
        note, tag = self._said.get(row.version, (row.note, row.tag))
        effect = self._found.get(row.version, row.effect)
        ranks = self._counted.get(row.version, row.ranks)
        known = (row.note, row.tag, row.effect, row.ranks)
        if (note, tag, effect, ranks) == known:
            return row
        return replace(row, note=note, tag=tag, effect=effect, ranks=ranks)

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
            self.connection.execute(INSERT, self._values(row, text))
            return
        self.connection.execute(UPDATE, (*answer(row), *self._where, row.version))

    def _values(self, row: Reload, text: str) -> tuple[Any, ...]:
        return self._where[0], *stored(row), text

    def close_open_rows(self) -> None:
        """Give a final status to what an engine that was killed has left as ``sent``.

        Raises:
            sqlite3.Error: It could not be written, and waits for the next time.
        """
        self._stale = True
        problem = Problem("the engine ended before the worker answered")
        query = f"SELECT {READ} FROM reload WHERE status = 'sent' AND config = ? AND job = ?"
        for found in self.connection.execute(query, self._where).fetchall():
            row = reload_in(found)
            times = {**row.times, "failed": time.time()}
            self._write(replace(row, status="failed", error=problem, times=times), None)
        self._stale = False

    def secrets(self) -> Any:
        """Return the schema by which values of the config are secret, None where none is."""
        try:
            query = "SELECT schema FROM secret WHERE config = ? AND job = ?"
            found = self.connection.execute(query, self._where).fetchone()
        except sqlite3.OperationalError:  # no config here has had secrets yet, so there is no such table
            return None
        return json.loads(found[0]) if found is not None else None

    def keep_secrets(self, schema: Mapping[str, Any] | None) -> None:
        """Keep what `secrets` returns.

        Raises:
            sqlite3.Error: It could not be written.
        """
        # Beside the rows, not a column of them: older programs read those as ever.
        table = "config TEXT NOT NULL, job TEXT NOT NULL, schema TEXT NOT NULL, PRIMARY KEY (config, job)"
        self.connection.execute(f"CREATE TABLE IF NOT EXISTS secret ({table})")
        if schema is None:
            self.connection.execute("DELETE FROM secret WHERE config = ? AND job = ?", self._where)
        else:
            values = (*self._where, json.dumps(schema))
            self.connection.execute("INSERT OR REPLACE INTO secret VALUES (?, ?, ?)", values)

    def move(self, connection: sqlite3.Connection) -> None:
        """Go on in another database, which holds the same rows."""
        self.connection = connection


def jobs_of(connection: sqlite3.Connection, folder: Path, config: Path) -> list[str]:
    """Return the names of the jobs that have a history with `config`.

    One that never ran, such as that of a name which was mistyped, does not count where another one did.
    """
    jobs: list[str] = []
    # From one to the next, because DISTINCT would read every row.
    query = "SELECT min(job) FROM reload WHERE config = ? AND job > ?"
    while (job := connection.execute(query, (key(folder, config), jobs[-1] if jobs else "")).fetchone()[0]) is not None:
        jobs.append(job)
    ran = "SELECT 1 FROM reload WHERE config = ? AND job = ? AND status IN ('applied', 'reverted') LIMIT 1"
    return [job for job in jobs if connection.execute(ran, (key(folder, config), job)).fetchone()] or jobs


def when(row: Reload) -> str:
    """Return the clock time of a row, for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.time))
