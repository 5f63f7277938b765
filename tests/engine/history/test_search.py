"""Choosing reloads by words, and reading them a page at a time."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from tui.engine.history import database
from tui.engine.history.folders import HistoryFolders
from tui.engine.history.job_history import History
from tui.engine.history.search import condition_of
from tui.protocol.messages import Change, Problem, Reload

ROWS = [
    Reload("job", 1, "applied", "start", step=0, who="ada@lab", run=1),
    Reload("job", 2, "applied", "editor", (Change("opt.lr", 0.1, 0.08),), who="ada@lab", run=1, tag="best"),
    Reload("job", 3, "invalid", "disk", error=Problem("a ': ' is missing", 3, 7, "opt.lr"), who="bob@lab", run=1),
    Reload("job", 4, "rejected", "set", (Change("batch_size", 32, [48, "Ärger"]),), error=Problem("100% no"), run=1),
    Reload("job", 5, "applied", "start", (Change("name", "new", "old value"),), run=2, note="try it again"),
    Reload("job", 12, "sent", "knob", (Change("batchXsize", None, True),), run=2),
]


def find(words: str, rows: list[Reload] = ROWS) -> list[int]:
    with contextlib.closing(database.in_memory()) as connection:
        kept = History(connection, Path("/c/.tunedeck"), Path("/c/c.yaml"), "job")
        for row in rows:
            kept.add(row, "text")
        return kept.passing(connection, condition_of(words), 1, 100)


@pytest.mark.parametrize(
    ("words", "versions"),
    [
        ("", [12, 5, 4, 3, 2, 1]),
        ("applied", [5, 2, 1]),
        ("APPLIED start", [5, 1]),
        ("lr", [3, 2]),
        ("key:lr", [3, 2]),
        ("key:new", []),
        ("new", [5]),
        ("old", [5]),
        ("message", []),
        ("0.08", [2]),
        ("batch_size", [4]),
        ("100%", [4]),
        ("Ärger", [4]),
        ("48", [4]),
        ("missing", [3]),
        ('": " is', [3]),
        ("\"': ' is\"", [3]),
        ('"old value"', [5]),
        ('"value old"', []),
        ("error:no", [4]),
        ("status:app", [5, 2, 1]),
        ("status:applied !start", [2]),
        ("!status:applied", [12, 4, 3]),
        ("source:start", [5, 1]),
        ("!key:lr", [12, 5, 4, 1]),
        ("note:again", [5]),
        ("tag:best", [2]),
        ("who:bob", [3]),
        ("run:2", [12, 5]),
        ("v12", [12]),
        ("v1", [12, 1]),
        ("key:", [12, 5, 4, 3, 2, 1]),
        ("!", [12, 5, 4, 3, 2, 1]),
        ("12:30", []),
        ("'; DROP TABLE reload; --", []),
        ('"', [12, 5, 4, 3, 2, 1]),
        ("\\", []),
    ],
)
def test_words_choose_reloads(words: str, versions: list[int]) -> None:
    assert find(words) == versions


@pytest.mark.parametrize(
    ("words", "reason"), [("run:x", "'x' is no run"), ("status:gone", "no status 'gone': sent applied")]
)
def test_words_that_can_not_be_understood_are_refused(words: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        condition_of(words)


async def test_pages_and_finds_are_read_from_another_connection_or_from_ours(tmp_path: Path) -> None:
    homes = HistoryFolders("me")
    kept = homes.open(tmp_path / "c.yaml", "job")
    assert await kept.page(1, 9) == []
    for row in ROWS:
        kept.add(row, "text")

    async def look() -> None:
        assert await kept.page(2, 4) == ROWS[1:4]
        assert await kept.page(6, 11) == []
        assert await kept.page(5, 99) == ROWS[4:]
        assert await kept.find(condition_of("applied"), 1, 99) == [5, 2, 1]
        assert await kept.find(condition_of("applied"), 2, 4) == [2]

    threads: list[sqlite3.Connection] = []
    real = kept.reader

    def reader() -> sqlite3.Connection | None:
        connection = real()
        if connection is not None:
            threads.append(connection)
        return connection

    kept.reader = reader
    await look()
    assert len(threads) == 5
    shutil.rmtree(tmp_path / ".tunedeck")
    await look()
    other = database.open_database(database.folder_of(tmp_path / "c.yaml"))  # somebody has been faster
    await look()
    assert len(threads) == 5
    other.close()
    assert [news.severity for news in homes.repair()] == ["warning"]
    await look()
    assert len(threads) == 10
    homes.close()


async def test_what_is_not_written_yet_is_in_pages_and_is_found(tmp_path: Path) -> None:
    homes = HistoryFolders("me")
    kept = homes.open(tmp_path / "c.yaml", "job")
    for row in ROWS[:4]:
        kept.add(row, "text")
    kept.connection.execute("PRAGMA query_only = 1")
    late = [Reload("job", 4, "failed", "set"), *ROWS[4:]]
    with pytest.raises(sqlite3.Error):
        kept.update(late[0])
    for row in late[1:]:
        with pytest.raises(sqlite3.Error):
            kept.add(row, "late")
    assert await kept.page(3, 5) == [ROWS[2], *late[:2]]
    assert await kept.find(condition_of("applied"), 1, 99) == [5, 2, 1]
    assert await kept.find(condition_of("batch"), 1, 99) == [12]
    assert await kept.find(condition_of("failed"), 1, 99) == [4]
    kept.connection.execute("PRAGMA query_only = 0")
    homes.close()
