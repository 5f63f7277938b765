"""What becomes of the history and the lock when somebody deletes them, or when they can't be written."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.killed import kill
from tui.engine import locks
from tui.engine.history import database, job_history
from tui.engine.history.folders import HistoryFolders, News
from tui.engine.history.job_history import History
from tui.engine.locks import Lock
from tui.engine.paths import PlaceError
from tui.protocol.messages import Reload


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "conf" / "c.yaml"


@pytest.fixture(autouse=True)
def made(config: Path) -> None:
    config.parent.mkdir()


def sent(version: int, job: str = "job") -> Reload:
    return Reload(job, version, "sent", "disk", time=float(version))


def applied(version: int) -> Reload:
    return Reload("job", version, "applied", "disk", step=7, time=float(version))


def rows(config: Path, job: str = "job") -> list[Reload]:
    """Return what another process reads."""
    connection = database.open_database(config.parent / ".tunedeck", read_only=True)
    try:
        return list(History(connection, config.parent / ".tunedeck", config, job).rows())
    finally:
        connection.close()


def block(kept: History, on: bool) -> None:
    """Have the database refuse every write, as on a full disk."""
    kept.connection.execute(f"PRAGMA query_only = {int(on)}")


def fail(write: Callable[[], None]) -> None:
    with pytest.raises(sqlite3.OperationalError):
        write()


def test_a_folder_that_was_deleted_is_made_anew_with_all_that_was_in_it(config: Path) -> None:
    homes = HistoryFolders("me")
    kept = homes.open(config, "job")
    kept.add(applied(1), "one")
    assert list(homes.repair()) == []
    shutil.rmtree(config.parent / ".tunedeck")
    kept.add(sent(2), "two")  # it is not noticed yet
    (news,) = homes.repair()
    assert (news.config, news.severity) == (config, "warning")
    assert "was deleted: it has been made anew" in news.message
    assert list(homes.repair()) == []
    kept.update(applied(2))
    assert rows(config) == [applied(1), applied(2)] == list(kept.rows())
    assert kept.text(2) == "two"
    assert sorted(item.name for item in (config.parent / ".tunedeck").iterdir() if item.suffix != ".lock") == [
        *(".gitignore", "history.db", "history.db-shm", "history.db-wal")
    ]
    homes.close()
    assert rows(config) == [applied(1), applied(2)]
    homes = HistoryFolders("me")
    assert homes.open(config, "job").newest() == 2
    homes.close()


def test_the_end_restores_too(config: Path) -> None:
    homes = HistoryFolders("me")
    homes.open(config, "job").add(applied(1), "one")
    shutil.rmtree(config.parent / ".tunedeck")
    homes.close()
    assert rows(config) == [applied(1)]


@pytest.mark.parametrize("look", [False, True], ids=["before", "after"])
def test_no_other_engine_can_take_a_config_whose_lock_was_deleted(config: Path, look: bool) -> None:
    homes = HistoryFolders("me")
    homes.open(config, "job")
    shutil.rmtree(config.parent / ".tunedeck")
    if look:
        assert list(homes.repair())
    with pytest.raises(PlaceError, match="in use by me;"):
        HistoryFolders("you").open(config, "job")
    if look:
        with pytest.raises(PlaceError, match="in use by me;"):
            Lock(config.parent / ".tunedeck", config, "you")
    homes.close()
    homes = HistoryFolders("you")
    homes.open(config, "job")
    homes.close()


def test_a_lock_alone_is_restored_without_a_word(config: Path) -> None:
    homes = HistoryFolders("me")
    homes.open(config, "job")
    for lock in (config.parent / ".tunedeck").glob("*.lock"):
        lock.unlink()
    assert list(homes.repair()) == []
    with pytest.raises(PlaceError):
        Lock(config.parent / ".tunedeck", config, "you")
    homes.close()


def test_a_folder_that_can_not_be_made_anew_is_told_once_and_made_when_it_can(config: Path) -> None:
    homes = HistoryFolders("me")
    kept = homes.open(config, "job")
    shutil.rmtree(config.parent)
    assert list(homes.repair()) == [
        News(config, f"the history of c.yaml is no longer kept: {config.parent} is gone", "error")
    ]
    assert list(homes.repair()) == []
    assert config in homes.problems
    kept.add(applied(1), "one")
    config.parent.mkdir()
    assert [news.severity for news in homes.repair()] == ["warning"]
    assert homes.problems == {}
    assert rows(config) == [applied(1)]
    homes.close()


def test_two_engines_that_share_a_folder_both_restore_what_is_theirs(config: Path) -> None:
    other = config.with_name("d.yaml")
    first, second = HistoryFolders("first"), HistoryFolders("second")
    one, two = first.open(config, "job"), second.open(other, "job")
    one.add(applied(1), "")
    two.add(sent(1), "")
    shutil.rmtree(config.parent / ".tunedeck")
    assert [news.config for news in first.repair()] == [config]
    two.update(applied(1))
    assert [news.config for news in second.repair()] == [other]
    two.add(applied(2), "")
    first.close()
    two.add(applied(3), "")
    assert rows(config) == [applied(1)]
    assert rows(other) == [applied(1), applied(2), applied(3)]
    second.close()
    assert rows(other) == [applied(1), applied(2), applied(3)]


def test_what_could_not_be_written_is_written_the_next_time(config: Path) -> None:
    homes = HistoryFolders("me")
    kept = homes.open(config, "job")
    kept.add(sent(1), "one")
    block(kept, True)
    fail(lambda: kept.update(applied(1)))
    fail(lambda: kept.add(sent(2), "two"))
    fail(lambda: kept.update(applied(2)))
    fail(lambda: kept.add(sent(3), "three"))
    assert list(kept.rows()) == [applied(1), applied(2), sent(3)]
    assert (kept.text(2), kept.ran_before(3), kept.ran_before(2), kept.ran_before(1)) == ("two", 2, 1, None)
    assert kept.newest() == 3
    assert list(homes.repair()) == []
    block(kept, False)
    assert list(homes.repair()) == [News(config, "the history of c.yaml is complete again", "information")]
    assert list(homes.repair()) == []
    assert rows(config) == [applied(1), applied(2), sent(3)]
    homes.close()
    assert list((config.parent / ".tunedeck").glob("*.lock")) == []


def test_a_version_that_was_never_written_is_not_given_again(config: Path) -> None:
    homes = HistoryFolders("me")
    kept, other = homes.open(config, "job"), homes.open(config, "other")
    for history_ in (kept, other):
        block(history_, True)
    for version in range(1, job_history.MOST_WAITING + 5):
        fail(lambda version=version: kept.add(sent(version), ""))  # type: ignore[misc]
    fail(lambda: other.add(sent(1, "other"), ""))
    newest = job_history.MOST_WAITING + 4
    assert kept.newest() == newest
    assert len(list(kept.rows())) == job_history.MOST_WAITING
    homes.close()
    for _ in range(2):
        homes = HistoryFolders("me")
        assert homes.open(config, "job").newest() == newest
        homes.close()


def test_a_row_that_can_never_be_written_does_not_hold_up_the_others(config: Path, memory: sqlite3.Connection) -> None:
    kept = History(memory, config.parent, config, "job")
    kept.add(applied(1), "one")
    with pytest.raises(sqlite3.IntegrityError):
        kept.add(applied(1), "again")
    kept.add(applied(2), "two")
    assert (kept.late, kept.text(1)) == (False, "one")


def test_open_rows_that_can_not_be_closed_at_the_start_are_closed_later(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = HistoryFolders("me")
    homes.open(config, "job").add(sent(1), "one")
    homes.close()
    real = database.open_database

    def open_blocked(folder: Path) -> sqlite3.Connection:
        connection = real(folder)
        connection.execute("PRAGMA query_only = 1")
        return connection

    monkeypatch.setattr(database, "open_database", open_blocked)
    homes = HistoryFolders("me")
    kept = homes.open(config, "job")
    assert (kept.newest(), homes.problems) == (1, {})
    monkeypatch.undo()
    block(kept, False)
    kept.add(sent(2), "two")
    assert [row.status for row in rows(config)] == ["failed", "sent"]
    homes.close()


def test_a_lock_keeps_a_number_for_the_next_holder(tmp_path: Path, config: Path) -> None:
    lock = Lock(tmp_path, config, "me " * 20)
    assert lock.left == 0
    size = next(tmp_path.glob("*.lock")).stat().st_size
    for number in (3, 12):
        lock.note(number)
    assert next(tmp_path.glob("*.lock")).stat().st_size == size
    with pytest.raises(PlaceError, match=r"in use by (me )+me;"):
        Lock(tmp_path, config, "you")
    lock.release()
    lock = Lock(tmp_path, config, "you")
    assert lock.left == 12
    lock.note(0)
    lock.release()
    assert Lock(tmp_path, config, "me").left == 12


def test_a_lock_that_is_being_swept_away_is_taken_all_the_same(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeper = Lock(tmp_path, config, "dead")
    monkeypatch.setattr(time, "sleep", lambda _: sweeper.release() if sweeper.intact else None)
    lock = Lock(tmp_path, config, "me")
    assert lock.intact
    lock.release()


def test_a_lock_that_its_holder_removes_in_that_moment_is_not_taken(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Lock(tmp_path, config, "first")
    real = os.open
    opened: list[int] = []

    def open_late(*arguments: Any) -> int:
        descriptor = real(*arguments)
        if not opened:
            first.release()
        opened.append(descriptor)
        return descriptor

    monkeypatch.setattr(os, "open", open_late)
    second = Lock(tmp_path, config, "second")
    monkeypatch.undo()
    assert len(opened) == 2
    assert second.intact
    second.release()


def damage(config: Path, where: slice) -> bytes:
    """Write noise over a part of the database, and return what it is then."""
    path = config.parent / ".tunedeck" / "history.db"
    raw = bytearray(path.read_bytes())
    raw[where] = b"\xa5" * len(raw[where])
    path.write_bytes(raw)
    return bytes(raw)


def with_rows(config: Path, count: int) -> None:
    homes = HistoryFolders("me")
    kept = homes.open(config, "job")
    for version in range(1, count + 1):
        kept.add(applied(version), "x" * 500)
    homes.close()


@pytest.mark.parametrize("where", [slice(0, 100), slice(100, 8192), slice(8192, None)], ids=["head", "begin", "rest"])
def test_a_damaged_history_is_told_and_left_alone_and_its_numbers_go_on(config: Path, where: slice) -> None:
    with_rows(config, 40)
    raw = damage(config, where)
    given = []
    for _ in range(3):
        homes = HistoryFolders("me")
        kept = homes.open(config, "job")
        assert config in homes.problems
        given.append(kept.newest() + 1)
        kept.add(sent(given[-1]), "new")
        assert list(homes.repair()) == []
        homes.close()
        assert (config.parent / ".tunedeck" / "history.db").read_bytes() == raw
    assert given == sorted(set(given))


def test_a_history_of_a_newer_format_is_told_and_left_alone_and_its_numbers_go_on(config: Path) -> None:
    with_rows(config, 3)
    path = config.parent / ".tunedeck" / "history.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    raw = path.read_bytes()
    for version in (4, 5):
        homes = HistoryFolders("me")
        kept = homes.open(config, "job")
        assert "was written by a newer tunedeck (format 99)" in homes.problems[config]
        assert kept.newest() == version - 1
        kept.add(sent(version), "new")
        homes.close()
        assert path.read_bytes() == raw


def test_the_numbers_of_an_engine_that_was_killed_survive_a_sweep(config: Path) -> None:
    with_rows(config, 1)
    damage(config, slice(0, 100))
    homes = HistoryFolders("me")
    homes.open(config, "job").add(sent(1), "new")
    for lock in (config.parent / ".tunedeck").glob("*.lock"):
        lock.unlink()
    kill(homes)
    locks.sweep()
    homes = HistoryFolders("you")
    assert homes.open(config, "job").newest() == 1
    homes.close()


def test_a_history_whose_folder_can_not_be_written_for_a_while_goes_on_elsewhere_and_comes_back(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with_rows(config, 3)
    real = os.access
    here = config.parent / ".tunedeck"
    with monkeypatch.context() as folder_is_read_only:
        folder_is_read_only.setattr(os, "access", lambda path, mode: path != here and real(path, mode))
        homes = HistoryFolders("me")
        kept = homes.open(config, "job")
        assert [row.version for row in kept.rows()] == [1, 2, 3]
        assert kept.newest() == 3
        kept.add(applied(4), "elsewhere")
        homes.close()
    assert [row.version for row in rows(config)] == [1, 2, 3]
    homes = HistoryFolders("me")
    kept = homes.open(config, "job")
    assert [row.version for row in kept.rows()] == [1, 2, 3, 4]
    assert kept.text(4) == "elsewhere"
    homes.close()
    assert [row.version for row in rows(config)] == [1, 2, 3, 4]


def test_another_folder_that_can_not_be_read_keeps_its_rows_and_nothing_stops(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    elsewhere = tmp_path / "state" / "tunedeck"
    elsewhere.mkdir(parents=True)
    connection = database.open_database(elsewhere)
    History(connection, elsewhere, config, "job").add(applied(7), "newer")
    connection.execute(f"PRAGMA user_version = {database.SCHEMA + 1}")
    connection.close()
    homes = HistoryFolders("me")
    kept = homes.open(config, "job")
    assert (list(kept.rows()), kept.newest()) == ([], 7)
    kept.add(applied(8), "here")
    homes.close()
    assert [row.version for row in rows(config)] == [8]


def test_a_number_that_one_lock_can_not_keep_is_kept_by_the_other(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = HistoryFolders("me")
    kept = homes.open(config, "job")
    (here,) = (home.locks[config] for home in homes.histories.values())
    real = os.pwrite

    def pwrite(descriptor: int, data: bytes, at: int) -> int:
        if descriptor == here.descriptor:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(descriptor, data, at)

    monkeypatch.setattr(os, "pwrite", pwrite)
    block(kept, True)
    fail(lambda: kept.add(sent(1), "one"))
    homes.close()
    monkeypatch.undo()
    homes = HistoryFolders("me")
    assert homes.open(config, "job").newest() == 1
    homes.close()


def test_a_folder_that_keeps_the_history_out_of_git_does_so_after_a_kill_too(config: Path) -> None:
    folder = database.folder_of(config)
    (folder / ".gitignore").write_text("")
    database.folder_of(config)
    assert (folder / ".gitignore").read_text() == "*\n"
