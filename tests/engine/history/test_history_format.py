"""The format of the database: real ones of older formats are brought up to date, whole or not at all."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tui.engine.history import database
from tui.engine.history.database import HistoryError
from tui.engine.history.folders import HistoryFolders
from tui.engine.history.job_history import History, jobs_of
from tui.protocol.messages import Change, Problem, Reload

#: Written by engines of older formats; the last row was still open.
OLD = {number: Path(__file__).parent / f"data/history-{number}.db" for number in (1, 2, 3)}

ROWS = [
    Reload("job", 1, "applied", "start", step=0, latency_ms=41.5, run=1, time=1000.5),
    Reload(
        *("job", 2, "applied", "editor", (Change("lr", 0.1, 0.08), Change("new", None, [1, {"a": True}])), 1204, 4.2),
        base=1, run=1, time=1010.25,
    ),
    Reload("job", 3, "superseded", "disk", (Change("batch", 32, 48),), by=4, base=2, run=1, time=1020.0),
    Reload(
        *("job", 4, "reverted", "disk", (Change("batch", 32, 64),), 5310, 12.7, Problem("it died"), 5),
        base=2, run=1, time=1021.0,
    ),
    Reload("job", 5, "applied", "guard", step=0, latency_ms=88.0, base=4, run=1, time=1022.0),
    Reload(
        *("job", 6, "invalid", "editor"),
        error=Problem("a ': ' is missing", 3, 7, "lr"), base=5, run=1, time=1030.0,
    ),
    Reload("job", 7, "applied", "start", step=0, latency_ms=40.0, base=5, run=2, time=1040.0),
    Reload("job", 8, "sent", "set", (Change("lr", 0.08, "NaN"),), base=7, run=2, time=1050.0),
]  # fmt: skip


@pytest.fixture(params=OLD)
def old(request: pytest.FixtureRequest) -> int:
    """The number of an older format."""
    return int(request.param)


@pytest.fixture
def folder(tmp_path: Path, old: int) -> Path:
    """A folder with a history of an older format, as an engine has left it."""
    folder = tmp_path / ".tunedeck"
    folder.mkdir(mode=0o700)
    shutil.copy(OLD[old], folder / "history.db")
    return folder


def check(connection: sqlite3.Connection, folder: Path) -> None:
    """Find all rows and texts of the old database."""
    config = folder.parent / "c.yaml"
    kept = History(connection, folder, config, "job")
    assert list(kept.rows()) == ROWS
    assert [kept.text(row.version) for row in ROWS] == [
        f"lr: {row.version} # ä\n" + "x: y\n" * (300 * (row.version == 2)) for row in ROWS
    ]
    assert (kept.newest(), kept.run(), kept.ran_before(8)) == (8, 2, 7)
    assert jobs_of(connection, folder, config) == ["job", "other"]
    assert History(connection, folder, config, "other").text(1) == "lr: 1\n"
    assert History(connection, folder, config.with_name("d.yaml"), "job").text(1) == "lr: 2\n"


def test_an_old_database_is_brought_up_to_date(folder: Path, memory: sqlite3.Connection) -> None:
    with closing(database.open_database(folder)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (database.SCHEMA,)
        check(connection, folder)
        made = connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
        assert made == memory.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
    with closing(database.open_database(folder)) as connection:
        check(connection, folder)


def test_an_engine_goes_on_with_an_old_history(folder: Path) -> None:
    homes = HistoryFolders("me")
    kept = homes.open(folder.parent / "c.yaml", "job")
    *rows, last = kept.rows()
    assert rows == ROWS[:-1]
    assert (last.status, last.error) == ("failed", Problem("the engine ended before the worker answered"))
    assert list(last.times) == ["failed"]
    homes.close()


def test_an_old_database_is_read_as_it_is(folder: Path, old: int) -> None:
    with closing(database.open_database(folder, read_only=True)) as connection:
        check(connection, folder)
    assert (folder / "history.db").read_bytes() == OLD[old].read_bytes()


def test_an_engine_of_an_older_format_that_is_at_work_can_go_on(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "history.db", isolation_level=None)) as old:
        assert old.execute("SELECT count(*) FROM reload").fetchone() == (10,)
        with closing(database.open_database(folder)) as new:
            columns = "config, job, version, time, status, source, changes, step, latency_ms, error, by_version, text"
            row = ("d.yaml", "job", 2, 2000.0, "sent", "disk", "[]", None, None, None, None, "lr: 3\n")
            old.execute(f"INSERT INTO reload ({columns}) VALUES ({', '.join('?' * 12)})", row)
            old.execute("UPDATE reload SET status = 'applied' WHERE config = 'd.yaml' AND version = 2")
            found = list(History(new, folder, folder.parent / "d.yaml", "job").rows())
            assert found[1] == Reload("job", 2, "applied", "disk", time=2000.0)


def images(folder: Path, tmp_path: Path) -> Iterator[Path]:
    """Yield what a kill leaves behind at any moment of bringing `folder` up to date: its files as they are then.

    Before the commit that is every few instructions of SQLite; in the commit, after every part of a page that reaches
    the log; after it, after every page that goes from the log to the database.
    """
    number = 0

    def image(write: Callable[[Path], None]) -> Path:
        nonlocal number
        number += 1
        found = tmp_path / f"kill-{number}" / ".tunedeck"
        found.mkdir(parents=True)
        write(found)
        return found

    def take(into: Path) -> None:
        for name in ("history.db", "history.db-wal"):
            if (folder / name).exists():
                shutil.copy(folder / name, into / name)

    taken: list[Path] = []
    real = sqlite3.connect

    class Watched(sqlite3.Connection):
        def executescript(self, script: str, /) -> sqlite3.Cursor:
            self.set_progress_handler(lambda: taken.append(image(take)) or 0, 60)  # type: ignore[func-returns-value]
            try:
                return super().executescript(script)
            finally:
                self.set_progress_handler(None, 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **k, factory=Watched))
        connection = database.open_database(folder)
    yield from taken
    before, log = (folder / "history.db").read_bytes(), (folder / "history.db-wal").read_bytes()

    def put(database_: bytes, log_: bytes) -> Callable[[Path], None]:
        def write(into: Path) -> None:
            (into / "history.db").write_bytes(database_)
            (into / "history.db-wal").write_bytes(log_)

        return write

    yield from (image(put(before, log[:size])) for size in range(0, len(log) + 1, 1024))
    connection.close()
    after = (folder / "history.db").read_bytes()
    for size in range(0, len(after) + 1, 1024):
        yield image(put(after[:size] + before[size:], log))


def test_a_kill_at_any_moment_leaves_the_old_database_or_the_new_one(folder: Path, old: int, tmp_path: Path) -> None:
    formats: list[int] = []
    for image in images(folder, tmp_path):
        with closing(sqlite3.connect(image / "history.db")) as connection:
            formats += connection.execute("PRAGMA user_version").fetchone()
        with closing(database.open_database(image)) as connection:
            check(connection, image)
    assert formats == sorted(formats)
    assert set(formats) == {old, database.SCHEMA}
    assert formats.count(old) > 20
    assert formats.count(database.SCHEMA) > 20


def test_a_full_disk_leaves_the_old_database(folder: Path, old: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite3.connect

    def small(*arguments: str, **options: object) -> sqlite3.Connection:
        connection = real(*arguments, **options)  # type: ignore[call-overload]
        connection.execute("PRAGMA max_page_count = 4")
        return connection  # type: ignore[no-any-return]

    monkeypatch.setattr(sqlite3, "connect", small)
    with pytest.raises(HistoryError, match="disk is full"):
        database.open_database(folder)
    monkeypatch.undo()
    with closing(database.open_database(folder, read_only=True)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (old,)
        check(connection, folder)
