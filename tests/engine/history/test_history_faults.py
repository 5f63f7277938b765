"""A writer of the history is killed, or the system refuses it something: what was told to be kept is there.

Every step is tried by ``HYPOTHESIS_PROFILE=thorough pytest tests/engine/history/test_history_faults.py``,
some of them else.
"""

from __future__ import annotations

import collections
import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.conftest import THOROUGH
from tui.engine.history import database
from tui.engine.history.folders import HistoryFolders
from tui.engine.history.job_history import History
from tui.protocol.messages import Reload

#: What the writer does: it says on a descriptor what it was told to be kept.
WRITER = """
import os, sqlite3, sys
from pathlib import Path
from tui.engine.history.folders import HistoryFolders
from tui.protocol.messages import Reload

def write(config, say):
    homes = HistoryFolders("me")
    kept = homes.open(config, "job")
    first = kept.newest() + 1
    for version in range(first, first + 4):
        row = Reload("job", version, "sent", "disk", time=1.0)
        say(f"given {version}")
        for tell, status in ((lambda row: kept.add(row, f"text {version}"), "sent"), (kept.update, "applied")):
            try:
                tell(Reload("job", version, status, "disk", time=1.0))
            except sqlite3.Error:
                pass
            else:
                if config not in homes.problems and not kept.late:
                    say(f"{status} {version}")
    homes.close()
    say("closed")

if __name__ == "__main__":
    write(Path(sys.argv[1]), lambda words: print(words, flush=True))
"""


@pytest.fixture(autouse=True)
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def check(config: Path, said: list[str], before: int = 0) -> int:
    """See that all is there which was said to be kept, and that it is in order; return the newest version."""
    homes = HistoryFolders("me")
    newest = homes.open(config, "job").newest()
    homes.close()
    found = kept(config)
    given = [before, *(int(words.split()[1]) for words in said if words.startswith("given"))]
    assert newest in (max(given), max(given) - 1), said  # the last one may have been given in that moment
    for words in said:
        status, _, version = words.partition(" ")
        if status in ("sent", "applied"):
            row, text = found[int(version)]
            assert row.status in ("applied", *(["failed"] if status == "sent" else [])), said
            assert text == f"text {version}"
    assert all(row.status in ("applied", "failed") for row, _ in found.values())
    return newest


def kept(config: Path) -> dict[int, tuple[Reload, str | None]]:
    """Return what another process reads, wherever it is kept."""
    found = {}
    for folder in database.folders(config):
        if (folder / "history.db").exists():
            with contextlib.closing(database.open_database(folder, read_only=True)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                history = History(connection, folder, config, "job")
                found.update({row.version: (row, history.text(row.version)) for row in history.rows()})
    return found


def killed_at(config: Path, at: int) -> list[str]:
    """Write in a process that is killed at the `at`-th step of SQLite's machine; return what it has said."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        left = at
        real = sqlite3.connect

        def step() -> int:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return 0

        def connect(*arguments: object, **options: object) -> sqlite3.Connection:
            connection: sqlite3.Connection = real(*arguments, **options)  # type: ignore[call-overload]
            connection.set_progress_handler(step, 1)
            return connection

        try:
            sqlite3.connect = connect  # type: ignore[assignment]
            scope: dict[str, object] = {"__name__": "writer"}
            exec(WRITER, scope)
            scope["write"](config, lambda words: os.write(writer, f"{words}\n".encode()))  # type: ignore[operator]
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as stream:
        said = stream.read().splitlines()
    os.waitpid(child, 0)
    return said


def some(items: list[tuple[str, int]], most: int, begin: float) -> list[tuple[str, int]]:
    """Return all of them, or `most` that lie evenly among them, other ones for each `begin` from 0 to 1."""
    step = max(1, len(items) // most)
    return items if settings().max_examples >= THOROUGH else items[int(begin * step) :: step]


def test_a_kill_at_any_step_of_the_database_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    ends = []
    step = 1 if settings().max_examples >= THOROUGH else 60
    for at in range(0, 2_000, step):
        config = tmp_path / str(at) / "c.yaml"
        config.parent.mkdir()
        said = killed_at(config, at)
        newest = check(config, said)
        again = killed_at(config, 1_000_000)  # the next engine goes on after it
        assert f"given {newest + 1}" in again
        check(config, again, newest)
        ends.append(said[-1] if said else "")
        if ends[-1] == "closed":
            break
    assert ends[-1] == "closed"
    assert len(set(ends)) > 5


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    """Every system call on the history's files, as its name and how many of that name came before."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace here")
    folder = tmp_path_factory.mktemp("count")
    _, trace = traced(folder / "c.yaml")
    names = re.findall(r"^(?:\d+ +)?(\w+)\(.* = ", trace, re.MULTILINE)
    if not names:
        pytest.skip("strace can't trace here")
    count: collections.Counter[str] = collections.Counter()
    found = []
    for name in names:
        count[name] += 1
        found.append((name, count[name]))
    return found


def traced(config: Path, *inject: str) -> tuple[list[str], str]:
    """Write in a process whose calls on the history's files are traced; return what it said, and the trace."""
    folder = config.parent / ".tunedeck"
    names = ["history.db", "history.db-wal", "history.db-shm", ".gitignore"]
    paths = [word for path in (folder, *(folder / name for name in names)) for word in ("-P", str(path))]
    trace = config.with_name("trace")
    done = subprocess.run(
        ["strace", "-f", "-o", trace, *paths, "-e", "trace=all", *inject, sys.executable, "-c", WRITER, config],
        env={**os.environ, "PYTHONPATH": str(Path(database.__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stdout.splitlines(), trace.read_text()


def each(folder: Path, calls: list[tuple[str, int]], most: int, begin: float = 0) -> Iterator[tuple[str, int, Path]]:
    for name, at in some(calls, most, begin):
        config = folder / f"{name}-{at}" / "c.yaml"
        config.parent.mkdir()
        yield name, at, config


def test_a_kill_at_any_system_call_loses_nothing_that_was_kept(tmp_path: Path, calls: list[tuple[str, int]]) -> None:
    for name, at, config in each(tmp_path, calls, 8):
        said, _ = traced(config, "-e", f"inject={name}:signal=SIGKILL:when={at}")
        assert "closed" not in said
        check(config, said)


CODES = ["ENOSPC", "EACCES", "EIO"]


@pytest.mark.parametrize("code", CODES)
def test_a_failure_of_any_system_call_loses_nothing_that_was_kept(
    tmp_path: Path, calls: list[tuple[str, int]], code: str
) -> None:
    for name, at, config in each(tmp_path, calls, 5, CODES.index(code) / len(CODES)):
        if name in ("close", "mmap", "munmap"):
            continue  # what the injection leaves undone is not what a failure would
        said, _ = traced(config, "-e", f"inject={name}:error={code}:when={at}")
        check(config, said)


def test_a_full_disk_is_told_and_what_waits_is_not_said_to_be_kept(tmp_path: Path) -> None:
    homes = HistoryFolders("me")
    config = tmp_path / "c.yaml"
    history = homes.open(config, "job")
    rows = [Reload("job", version, "applied", "disk", time=1.0) for version in (1, 2)]
    history.add(rows[0], "one")
    with pytest.raises(sqlite3.OperationalError), limited(tmp_path):
        history.add(rows[1], "two" * 100_000)
    assert history.late
    assert kept(config) == {1: (rows[0], "one")}
    (news,) = homes.repair()
    assert "is complete again" in news.message
    assert kept(config)[2] == (rows[1], "two" * 100_000)
    homes.close()


@contextlib.contextmanager
def limited(folder: Path) -> Iterator[None]:
    """Let no file of this process grow any more."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
