from __future__ import annotations

import math
import os
import sqlite3
import stat
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tui.engine.history import database, job_history
from tui.engine.history.database import HistoryError
from tui.engine.history.folders import HistoryFolders
from tui.engine.history.job_history import History, jobs_of
from tui.engine.locks import Lock
from tui.engine.paths import PlaceError
from tui.protocol.messages import Change, Problem, Reload

APPLIED = Reload("job", 1, "applied", "start", step=0, latency_ms=4.25, time=1.5)
CHANGED = Reload(
    "job", 2, "superseded", "editor", (Change("lr", 1, 0.5), Change("new", None, [1, {"a": True}])), by=3, time=2.5
)
INVALID = Reload("job", 3, "invalid", "disk", error=Problem("no good", 3, 7, "lr"), time=3.5)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "c.yaml"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_rows_come_back_as_they_were_after_reopening(config: Path) -> None:
    folder = database.folder_of(config)
    with closing(database.open_database(folder)) as connection:
        for row in (APPLIED, CHANGED, INVALID):
            History(connection, folder, config, "job").add(row, f"text {row.version} ä")
    with closing(database.open_database(folder)) as connection:
        kept = History(connection, folder, config, "job")
        assert list(kept.rows()) == [APPLIED, CHANGED, INVALID]
        assert kept.newest() == 3
        assert kept.text(2) == "text 2 ä"
        assert kept.text(9) is None


def test_each_job_and_config_has_its_own_versions(config: Path) -> None:
    folder = database.folder_of(config)
    with closing(database.open_database(folder)) as connection:
        History(connection, folder, config, "job").add(APPLIED, "")
        assert History(connection, folder, config, "other").newest() == 0
        assert History(connection, folder, config.with_name("d.yaml"), "job").newest() == 0
        assert jobs_of(connection, folder, config) == ["job"]
        failed = replace(APPLIED, job="mistyped", status="failed", step=None)
        History(connection, folder, config, "mistyped").add(failed, "")
        assert jobs_of(connection, folder, config) == ["job"]
        History(connection, folder, config.with_name("e.yaml"), "mistyped").add(failed, "")
        assert jobs_of(connection, folder, config.with_name("e.yaml")) == ["mistyped"]


def test_a_config_whose_name_is_no_utf_8_has_a_history(tmp_path: Path) -> None:
    config = tmp_path / "c\udcff.yaml"
    folder = database.folder_of(config)
    with closing(database.open_database(folder)) as connection:
        History(connection, folder, config, "job").add(APPLIED, "text")
        assert job_history.folder_of(config) == folder
        assert job_history.taken(config, "job", 0) == APPLIED.version


def test_who_has_no_home_keeps_histories_beside_configs(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert [*database.folders(config)] == [config.parent / ".tunedeck"]


def test_a_version_is_written_once(config: Path, memory: sqlite3.Connection) -> None:
    kept = History(memory, config.parent, config, "job")
    kept.add(APPLIED, "one")
    with pytest.raises(sqlite3.IntegrityError):
        kept.add(APPLIED, "two")
    assert kept.text(1) == "one"


def test_an_update_changes_what_an_answer_changes(config: Path, memory: sqlite3.Connection) -> None:
    kept = History(memory, config.parent, config, "job")
    kept.add(Reload("job", 1, "sent", "start", time=1.5), "text")
    kept.add(CHANGED, "other")
    kept.update(APPLIED)
    assert list(kept.rows()) == [APPLIED, CHANGED]
    assert kept.text(1) == "text"


def test_values_that_json_does_not_know_are_kept_as_events_show_them(config: Path, memory: sqlite3.Connection) -> None:
    kept = History(memory, config.parent, config, "job")
    kept.add(Reload("job", 1, "applied", "disk", (Change("a", math.nan, -math.inf),)), "")
    (row,) = kept.rows()
    assert row.changes == (Change("a", "NaN", "-Infinity"),)


def test_what_ran_before_a_version_is_the_newest_that_was_applied(config: Path, memory: sqlite3.Connection) -> None:
    kept = History(memory, config.parent, config, "job")
    for version, status in enumerate(["applied", "failed", "reverted", "invalid", "superseded", "applied"], 1):
        kept.add(Reload("job", version, status, "disk"), "")
    assert [kept.ran_before(version) for version in range(1, 8)] == [None, 1, 1, 3, 3, 3, 6]


def test_rows_that_a_dead_engine_left_open_are_failed(config: Path, memory: sqlite3.Connection) -> None:
    kept = History(memory, config.parent, config, "job")
    kept.add(APPLIED, "")
    kept.add(Reload("job", 2, "sent", "disk", time=2.0), "")
    other = History(memory, config.parent, config, "other")
    other.add(Reload("other", 1, "sent", "disk"), "")
    kept.close_open_rows()
    first, second = kept.rows()
    assert first == APPLIED
    assert (second.status, second.error) == ("failed", Problem("the engine ended before the worker answered"))
    assert [row.status for row in other.rows()] == ["sent"]


def test_only_its_owner_can_read_the_history(config: Path) -> None:
    folder = database.folder_of(config)
    with closing(database.open_database(folder)) as connection:
        History(connection, folder, config, "job").add(APPLIED, "secret: 1")
        assert folder == config.parent / ".tunedeck"
        assert mode(folder) == 0o700
        assert {file.name: mode(file) for file in folder.glob("history.db*")} == dict.fromkeys(
            ["history.db", "history.db-wal", "history.db-shm"], 0o600
        )
    assert (folder / ".gitignore").read_text() == "*\n"


def test_where_the_folder_cannot_be_made_the_users_own_is_taken(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".tunedeck").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = database.folder_of(config)
    assert folder == tmp_path / "state/tunedeck"
    assert mode(folder) == 0o700
    with closing(database.open_database(folder)) as connection:
        History(connection, folder, config, "job").add(APPLIED, "mine")
        # The same name in another project is another config there.
        assert History(connection, folder, tmp_path / "elsewhere/c.yaml", "job").newest() == 0
    assert job_history.folder_of(config) == folder


def test_the_users_own_folder_has_its_usual_place(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".tunedeck").write_text("in the way")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert database.folder_of(config) == tmp_path / "home/.local/state/tunedeck"


def test_where_no_folder_can_be_made_both_are_named(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".tunedeck").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(config))
    config.write_text("no folder")
    with pytest.raises(HistoryError, match=r"\.tunedeck: .*; .*c\.yaml/tunedeck: "):
        database.folder_of(config)


def test_looking_for_a_history_makes_nothing(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert job_history.folder_of(config) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("read_only", [False, True])
def test_a_history_of_a_newer_version_is_left_alone(config: Path, read_only: bool) -> None:
    folder = database.folder_of(config)
    with closing(database.open_database(folder)) as connection:
        connection.execute(f"PRAGMA user_version = {database.SCHEMA + 1}")
    with pytest.raises(HistoryError, match="newer tunedeck"):
        database.open_database(folder, read_only=read_only)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_damaged_history_is_refused_and_left_alone(config: Path, read_only: bool) -> None:
    folder = database.folder_of(config)
    (folder / "history.db").write_bytes(b"no database " * 100)
    with pytest.raises(HistoryError, match=r"history\.db can't be used"):
        database.open_database(folder, read_only=read_only)
    assert (folder / "history.db").read_bytes() == b"no database " * 100


def test_reading_makes_and_changes_nothing(config: Path) -> None:
    folder = database.folder_of(config)
    with pytest.raises(HistoryError):
        database.open_database(folder, read_only=True)
    (folder / "history.db").touch()
    with pytest.raises(HistoryError, match="holds no history"):
        database.open_database(folder, read_only=True)
    database.open_database(folder).close()
    with (
        closing(database.open_database(folder, read_only=True)) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        History(connection, folder, config, "job").add(APPLIED, "")


def test_it_can_be_read_while_it_is_written(config: Path) -> None:
    folder = database.folder_of(config)
    with (
        closing(database.open_database(folder)) as writer,
        closing(database.open_database(folder, read_only=True)) as reader,
    ):
        History(writer, folder, config, "job").add(APPLIED, "")
        assert list(History(reader, folder, config, "job").rows()) == [APPLIED]


def test_several_engines_may_make_it_at_the_same_time(tmp_path: Path) -> None:
    failures: list[Exception] = []

    def work(folder: Path, barrier: threading.Barrier) -> None:
        barrier.wait()
        try:
            database.open_database(folder).close()
        except HistoryError as error:
            failures.append(error)

    for attempt in range(20):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        barrier = threading.Barrier(4)
        threads = [threading.Thread(target=work, args=(folder, barrier)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_homes_lock_a_config_against_other_engines(config: Path) -> None:
    first, second = HistoryFolders("the deck a (process 1)"), HistoryFolders("the deck b (process 2)")
    first.open(config, "job")
    first.open(config, "other")
    with pytest.raises(PlaceError, match=r"c\.yaml is in use by the deck a \(process 1\)"):
        second.open(config, "job")
    second.open(config.with_name("d.yaml"), "job")
    first.close()
    second.open(config, "job")
    second.close()


def test_the_lock_is_that_of_the_file_under_any_spelling_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    folder = database.folder_of(tmp_path / "real/c.yaml")
    lock = Lock(folder, tmp_path / "real/c.yaml", "me")
    with pytest.raises(PlaceError, match="in use by me;"):
        Lock(folder, tmp_path / "link/c.yaml", "you")
    lock.release()
    Lock(folder, tmp_path / "link/c.yaml", "you").release()


def test_homes_keep_histories_in_memory_where_there_is_no_place(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".tunedeck").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    homes = HistoryFolders("me")
    kept = homes.open(config, "job")
    kept.add(APPLIED, "")
    assert list(kept.rows()) == [APPLIED]
    assert ".tunedeck" in homes.problems[config]
    homes.close()


def test_homes_close_open_rows_and_go_on_with_the_versions(config: Path) -> None:
    for version in (1, 2):
        homes = HistoryFolders("me")
        kept = homes.open(config, "job")
        assert kept.newest() == version - 1
        assert "sent" not in [row.status for row in kept.rows()]
        kept.add(Reload("job", version, "sent", "start"), "")
        homes.close()
