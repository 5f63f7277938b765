"""Every system call of a save fails, or is the last one that the process makes: the file is one of two whole texts.

The calls are counted in a first run; then there is one run for each of them and each way to fail.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tui.config.disk import atomic, store
from tui.config.disk.store import StoreError, digest

OLD = b"lr: 1  # first\n"
NEW = b"lr: 2  # second\n" * 500

CODES = [errno.ENOSPC, errno.EACCES, errno.EIO]

#: All that a save asks of the system. The calls of pathlib go through these too.
CALLS = [
    *((os, name) for name in ("open", "close", "read", "write", "fsync", "ftruncate", "lseek", "fchmod", "fchown")),
    *((os, name) for name in ("stat", "lstat", "fstat", "unlink", "rename", "replace", "access")),
    (fcntl, "fcntl"),
    (atomic, "_rename"),
]


class Steps:
    """Stands between a save and the system.

    Args:
        instead: Is called in place of the call number `at`, from 1, and may make it by calling its argument.
    """

    def __init__(self, at: int = 0, instead: Callable[[Callable[[], Any]], Any] = lambda call: call()) -> None:
        self.count = 0
        self.names: list[str] = []
        self._at = at
        self._instead = instead

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Count the calls until the end of the block."""
        with pytest.MonkeyPatch.context() as patch:
            for holder, name in CALLS:
                patch.setattr(holder, name, self._wrap(name, getattr(holder, name)))
            yield

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            self.names.append(name)
            if self.count == self._at:
                return self._instead(lambda: real(*arguments, **options))
            return real(*arguments, **options)

        return call


def failing(code: int) -> Callable[[Callable[[], Any]], Any]:
    def fail(call: Callable[[], Any]) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.fixture(params=["file", "link", "in place", "new"])
def way(request: pytest.FixtureRequest) -> str:
    name = request.param
    assert isinstance(name, str)
    return name


class Place:
    """A config in a folder of its own, and how it is saved."""

    def __init__(self, folder: Path, way: str) -> None:
        self.way = way
        self.folder = folder / "conf"
        self.folder.mkdir(parents=True)
        self.real = self.folder / "c.yaml"
        self.path = self.real
        if way == "link":
            self.path = folder / "link.yaml"
            self.path.symlink_to(self.real)
        self.before = None if way == "new" else OLD
        if self.before is not None:
            self.real.write_bytes(self.before)
            self.real.chmod(0o640)

    def save(self) -> None:
        base = digest(self.before) if self.before is not None else None
        store.write(self.path, NEW, base=base, in_place=self.way == "in place")

    @property
    def content(self) -> bytes | None:
        return self.real.read_bytes() if self.real.exists() else None

    def check(self) -> None:
        """See that nothing is half done, and that all which is left can be swept away."""
        assert self.content in (self.before, NEW)
        if self.way == "link":
            assert self.path.is_symlink()
        if self.before is not None:
            assert stat.S_IMODE(self.real.stat().st_mode) == 0o640
        assert store.sweep(self.folder) == []
        assert [item.name for item in self.folder.iterdir()] == (["c.yaml"] if self.content is not None else [])


def steps_of(folder: Path, way: str) -> list[str]:
    steps = Steps()
    with steps.taken():
        Place(folder / "count", way).save()
    return steps.names


@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.get)
def test_a_failure_of_any_call_is_told_and_leaves_a_whole_text(
    tmp_path: Path, way: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "STALE", -1.0)
    monkeypatch.setattr(store, "WRITER_PATIENCE", 0.0)
    names = steps_of(tmp_path, way)
    assert len(names) > 15
    for at, name in enumerate(names, 1):
        place = Place(tmp_path / str(at), way)
        told: StoreError | None = None
        with Steps(at, failing(code)).taken():
            try:
                place.save()
            except StoreError as error:
                told = error
        where = f"{at}: {name}: {told}"
        if told is None or "is written, but" in str(told):
            assert place.content == NEW, where
        else:
            assert place.content == place.before, where
        place.check()


def run(act: Callable[[], None], at: int, *, after: bool) -> bool:
    """Do something in a process that is killed before or after its call number `at`; return whether it came so far."""
    child = os.fork()
    if child == 0:

        def kill(call: Callable[[], Any]) -> Any:
            try:
                if after:
                    call()
            finally:
                os.kill(os.getpid(), 9)

        code = 1
        try:
            with Steps(at, kill).taken():
                act()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_between_any_two_calls_leaves_a_whole_text(
    tmp_path: Path, way: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "in place":
        pytest.skip("a file that can't be replaced can be cut off: who saves so is told and has insisted")
    monkeypatch.setattr(store, "STALE", -1.0)
    names = steps_of(tmp_path, way)
    found = set()
    for at in range(1, len(names) + 1):
        place = Place(tmp_path / str(at), way)
        assert run(place.save, at, after=after)
        found.add(place.content)
        place.check()
    assert found == {place.before, NEW}


def test_what_a_living_writer_has_made_is_not_swept_away(tmp_path: Path) -> None:
    place = Place(tmp_path, "file")
    (place.folder / ".tunedeck-0123.tmp").write_bytes(b"half")
    assert store.sweep(place.folder) == []
    assert len(list(place.folder.iterdir())) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges names in one step")
def test_a_text_that_a_killed_save_has_taken_away_from_somebody_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path, "file")

    def save() -> None:
        real = atomic.exchange

        def exchange(one: Path, other: Path) -> bool:
            other.write_bytes(b"theirs\n")
            real(one, other)
            os.kill(os.getpid(), 9)
            return True

        atomic.exchange = exchange  # in a process that is about to end
        place.save()

    assert run(save, 0, after=False)
    assert place.content == NEW
    assert store.sweep(place.folder) == []
    monkeypatch.setattr(time, "time", lambda: sys.maxsize)
    (kept,) = store.sweep(place.folder)
    assert kept.read_bytes() == b"theirs\n"
