from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tui import reading
from tui.config.disk import atomic, store, to_disk
from tui.config.disk.store import Conflict, Content, Irreplaceable, ReadOnly, StoreError, digest, read, write

OLD = b"lr: 0.1  # keep\n"
NEW = b"lr: 0.05  # keep\n" * 400


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_bytes(OLD)
    return path


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_read_returns_bytes_digest_and_fingerprint(config: Path) -> None:
    content = read(config)
    assert (content.raw, content.digest) == (OLD, digest(OLD))
    assert content.fingerprint == store.Fingerprint.of(config.stat())
    assert digest(OLD) != digest(NEW)


def test_a_file_that_changes_while_it_is_read_has_no_fingerprint(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.read

    def read_and_write(descriptor: int, size: int) -> bytes:
        raw = real(descriptor, size)
        if raw:
            config.write_bytes(NEW)
        return raw

    monkeypatch.setattr(os, "read", read_and_write)
    assert read(config).fingerprint is None


def test_read_refuses_what_is_no_config(tmp_path: Path) -> None:
    pipe, door, large, loop = (tmp_path / name for name in ("pipe", "door", "large", "loop"))
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(door))
    with large.open("wb") as file:
        file.truncate(reading.LIMIT + 1)
    loop.symlink_to(loop)
    for path, words in [
        (tmp_path / "none", "missing"),
        (tmp_path, "a directory"),
        (pipe, "not a regular file"),
        (door, "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (large, "larger than 16 MiB"),
        (loop, "can't be read"),
    ]:
        with pytest.raises(StoreError, match=words) as caught:
            read(path)
        assert str(path) in caught.value.problem.message


def test_a_file_that_grows_while_it_is_read_is_refused_too(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "read", lambda descriptor, size: bytes(size))
    with pytest.raises(StoreError, match="larger"):
        read(config)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_an_unreadable_file_is_reported(config: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(os, "open", failing(code))
    with pytest.raises(StoreError, match="can't be read"):
        read(config)


def failing(code: int) -> Any:
    def fail(*args: object, **options: object) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


def test_write_replaces_the_file_and_keeps_its_mode(config: Path, tmp_path: Path) -> None:
    config.chmod(0o640)
    before = config.stat()
    content = write(config, NEW, base=digest(OLD))
    assert content == Content(NEW, digest(NEW))
    assert config.read_bytes() == NEW
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert (config.stat().st_uid, config.stat().st_gid) == (before.st_uid, before.st_gid)
    assert config.stat().st_ino != before.st_ino
    assert names(tmp_path) == ["c.yaml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_write_keeps_the_owner(config: Path) -> None:
    os.chown(config, 12345, 23456)
    write(config, NEW, base=digest(OLD))
    assert (config.stat().st_uid, config.stat().st_gid) == (12345, 23456)


def test_a_group_that_cant_be_kept_is_not_replaced_silently(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fstat

    def other_group(descriptor: int) -> os.stat_result:
        fields = list(real(descriptor))
        fields[5] += 1
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fchown", failing(errno.EPERM))
    content = read(config)
    monkeypatch.setattr(os, "fstat", other_group)
    with pytest.raises(Irreplaceable, match="group"):
        write(config, NEW, base=content.digest)
    monkeypatch.undo()
    assert config.read_bytes() == OLD
    assert names(config.parent) == ["c.yaml"]


def test_write_keeps_a_link_and_replaces_its_target(config: Path, tmp_path: Path) -> None:
    link = tmp_path / "links" / "c.yaml"
    link.parent.mkdir()
    link.symlink_to("../c.yaml")
    write(link, NEW, base=digest(OLD))
    assert link.is_symlink()
    assert config.read_bytes() == NEW
    assert names(link.parent) == ["c.yaml"]


def test_write_makes_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    old = os.umask(0o027)
    try:
        write(path, NEW, base=None)
    finally:
        os.umask(old)
    assert path.read_bytes() == NEW
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_write_refuses_a_file_that_is_not_its_base(config: Path) -> None:
    for base in (None, digest(NEW)):
        with pytest.raises(Conflict) as caught:
            write(config, NEW, base=base)
        assert caught.value.current == read(config)
    assert config.read_bytes() == OLD
    config.unlink()
    with pytest.raises(Conflict) as caught:
        write(config, NEW, base=digest(OLD))
    assert caught.value.current is None
    assert names(config.parent) == []


def test_a_change_during_the_write_is_a_conflict(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def meddle(descriptor: int) -> None:
        config.write_bytes(b"theirs\n")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", meddle)
    with pytest.raises(Conflict) as caught:
        write(config, NEW, base=digest(OLD))
    assert caught.value.current is not None
    assert caught.value.current.raw == b"theirs\n"
    assert names(config.parent) == ["c.yaml"]


linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges names in one step")


def in_the_last_moment(monkeypatch: pytest.MonkeyPatch, *meddlings: Callable[[], object]) -> None:
    """Do something each time between the last look at a file and the exchange of its name."""
    real, left = atomic.exchange, list(meddlings)

    def exchange(one: Path, other: Path) -> bool:
        if left:
            left.pop(0)()
        return real(one, other)

    monkeypatch.setattr(atomic, "exchange", exchange)


def renamed_over(config: Path, raw: bytes) -> Callable[[], object]:
    def rename() -> None:
        new = config.with_name("theirs.tmp")
        new.write_bytes(raw)
        new.replace(config)

    return rename


@linux
@pytest.mark.parametrize("how", ["renamed over", "written in place"])
def test_a_change_between_the_last_look_and_the_rename_is_put_back(
    config: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def in_place() -> None:
        config.write_bytes(b"theirs\n")

    in_the_last_moment(monkeypatch, renamed_over(config, b"theirs\n") if how == "renamed over" else in_place)
    with pytest.raises(Conflict) as caught:
        write(config, NEW, base=digest(OLD))
    assert caught.value.current is not None
    assert caught.value.current.raw == config.read_bytes() == b"theirs\n"
    assert names(config.parent) == ["c.yaml"]


@linux
def test_the_newest_stays_where_a_third_one_writes_meanwhile(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_last_moment(monkeypatch, renamed_over(config, b"second\n"), renamed_over(config, b"third\n"))
    with pytest.raises(Conflict):
        write(config, NEW, base=digest(OLD))
    assert config.read_bytes() == b"third\n"
    assert names(config.parent) == ["c.yaml"]


@linux
def test_what_cant_be_put_back_is_kept(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_last_moment(monkeypatch, renamed_over(config, b"theirs\n"), failing(errno.EIO))
    with pytest.raises(StoreError, match="whose text is now in") as caught:
        write(config, NEW, base=digest(OLD))
    (kept,) = [item for item in config.parent.iterdir() if item != config]
    assert kept.read_bytes() == b"theirs\n"
    assert str(kept) in str(caught.value)


@linux
def test_a_removal_in_the_last_moment_stays_one(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_last_moment(monkeypatch, renamed_over(config, b"theirs\n"), config.unlink)
    with pytest.raises(Conflict) as caught:
        write(config, NEW, base=digest(OLD))
    assert caught.value.current is None
    assert names(config.parent) == []


@linux
def test_who_is_writing_the_file_is_waited_for(config: Path) -> None:
    with config.open("ab", buffering=0) as theirs, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write, config, NEW, base=digest(OLD))
        theirs.write(b"more: 1\n")
        theirs.close()
        with pytest.raises(Conflict):
            writing.result(60)
    assert config.read_bytes() == OLD + b"more: 1\n"


@linux
def test_who_never_ends_to_write_is_not_waited_for_for_ever(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "WRITER_PATIENCE", 0.05)
    with config.open("ab"):
        write(config, NEW, base=digest(OLD))
    assert config.read_bytes() == NEW


@pytest.mark.parametrize("base", [OLD, None])
def test_a_system_that_only_renames_will_do(config: Path, monkeypatch: pytest.MonkeyPatch, base: bytes | None) -> None:
    monkeypatch.setattr(atomic, "renameat2", lambda: None)
    if base is None:
        config.unlink()
    write(config, NEW, base=digest(base) if base else None)
    assert config.read_bytes() == NEW
    assert names(config.parent) == ["c.yaml"]


@linux
def test_a_file_that_comes_while_a_new_one_is_made_stays(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.unlink()
    real = atomic.claim

    def claim(temporary: Path, path: Path) -> None:
        path.write_bytes(b"theirs\n")
        real(temporary, path)

    monkeypatch.setattr(atomic, "claim", claim)
    with pytest.raises(Conflict):
        write(config, NEW, base=None)
    assert config.read_bytes() == b"theirs\n"
    assert names(config.parent) == ["c.yaml"]


def test_an_update_is_made_anew_where_somebody_else_was_faster(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def add(raw: bytes) -> bytes:
        if b"faster" not in raw:
            config.write_bytes(raw + b"faster: 1\n")
        return raw + b"mine: 1\n"

    assert store.update(config, add)
    assert config.read_bytes() == OLD + b"faster: 1\nmine: 1\n"
    assert not store.update(config, lambda raw: raw)


def test_an_update_gives_up_where_somebody_else_is_always_faster(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "ATTEMPTS", 3)

    def add(raw: bytes) -> bytes:
        config.write_bytes(raw + b"#\n")
        return b"mine: 1\n"

    with pytest.raises(Conflict):
        store.update(config, add)
    assert config.read_bytes() == OLD + b"#\n" * 3


@pytest.mark.parametrize("in_place", [False, True])
def test_a_read_only_file_is_refused_even_for_root(config: Path, in_place: bool) -> None:
    config.chmod(0o444)
    with pytest.raises(ReadOnly, match="read-only"):
        write(config, NEW, base=digest(OLD), in_place=in_place)
    assert config.read_bytes() == OLD
    assert names(config.parent) == ["c.yaml"]


def test_who_may_not_is_told_the_way_that_is_theirs(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.chmod(0o444)
    with pytest.raises(ReadOnly, match=r"give yourself the permission \(chmod u\+w\)"):
        write(config, NEW, base=digest(OLD))
    monkeypatch.setattr(os, "geteuid", lambda: config.stat().st_uid + 1)
    with pytest.raises(ReadOnly, match=r"it belongs to .+, who can give you the permission"):
        write(config, NEW, base=digest(OLD))
    assert reading.permission(config / "below", "r") == "a folder above it is closed to you"


def test_a_read_only_file_can_be_written_by_who_insists_and_stays_read_only(config: Path) -> None:
    config.chmod(0o444)
    write(config, NEW, base=digest(OLD), force=True)
    assert config.read_bytes() == NEW
    assert stat.S_IMODE(config.stat().st_mode) == 0o444
    assert names(config.parent) == ["c.yaml"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"folder of .* is missing"):
        write(tmp_path / "none" / "c.yaml", NEW, base=None)


def fail_once(monkeypatch: pytest.MonkeyPatch, name: str, code: int, *, at: int = 1) -> None:
    """Let the call number `at` of a function of `os` (or of `atomic`) fail, and only that."""
    holder: Any = atomic if name == "exchange" else os
    real = getattr(holder, name)
    calls = 0

    def call(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise OSError(code, os.strerror(code))
        return real(*args, **options)

    monkeypatch.setattr(holder, name, call)


# The calls of `os.open` in a write: the file, the temporary one, the file again (is anybody writing it, is it still
# the same), the one that was taken away (the same two), the folder.
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize(
    ("name", "at"), [("open", 1), ("open", 2), ("open", 4), ("write", 1), ("fchmod", 1), ("fsync", 1), ("exchange", 1)]
)
def test_a_failure_at_any_step_leaves_the_old_file(
    config: Path, monkeypatch: pytest.MonkeyPatch, name: str, at: int, code: int
) -> None:
    fail_once(monkeypatch, name, code, at=at)
    with pytest.raises(StoreError) as caught:
        write(config, NEW, base=digest(OLD))
    assert not isinstance(caught.value, Conflict)
    assert str(config) in str(caught.value)
    assert config.read_bytes() == OLD
    assert names(config.parent) == ["c.yaml"]


@pytest.mark.parametrize(("name", "at"), [("open", 7), ("fsync", 2)])
def test_a_failure_after_the_rename_says_that_the_file_is_written(
    config: Path, monkeypatch: pytest.MonkeyPatch, name: str, at: int
) -> None:
    fail_once(monkeypatch, name, errno.EIO, at=at)
    with pytest.raises(StoreError, match="is written, but"):
        write(config, NEW, base=digest(OLD))
    assert config.read_bytes() == NEW


def test_short_writes_are_continued(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, raw: real(descriptor, bytes(raw[:100])))
    write(config, NEW, base=digest(OLD))
    assert config.read_bytes() == NEW


def test_a_mount_point_is_written_in_place_and_its_old_text_kept_until_then(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inode = config.stat().st_ino
    monkeypatch.setattr(atomic, "exchange", failing(errno.EBUSY))
    write(config, NEW, base=digest(OLD))
    assert (config.read_bytes(), config.stat().st_ino, names(config.parent)) == (NEW, inode, ["c.yaml"])

    overwrite = to_disk.overwrite

    def killed(descriptor: int, raw: bytes) -> None:
        overwrite(descriptor, raw[:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(to_disk, "overwrite", killed)
    with pytest.raises(KeyboardInterrupt):
        write(config, OLD, base=digest(NEW))
    (kept,) = (path for path in config.parent.iterdir() if path != config)
    assert (config.read_bytes(), kept.read_bytes()) == (OLD[:3], NEW)
    monkeypatch.setattr(store, "STALE", 0)
    assert store.sweep(config.parent) == [kept]


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EACCES])
def test_what_cant_be_replaced_can_be_written_in_place(
    config: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    inode = config.stat().st_ino
    monkeypatch.setattr(atomic, "exchange", failing(code))
    with pytest.raises(Irreplaceable):
        write(config, NEW, base=digest(OLD))
    assert (config.read_bytes(), names(config.parent)) == (OLD, ["c.yaml"])
    write(config, NEW, base=digest(OLD), in_place=True)
    assert config.read_bytes() == NEW
    write(config, OLD, base=digest(NEW), in_place=True)
    assert config.read_bytes() == OLD
    assert config.stat().st_ino == inode


@pytest.mark.parametrize(("name", "at"), [("open", 2), ("write", 1), ("ftruncate", 1), ("fsync", 1)])
def test_a_failed_write_in_place_is_undone(config: Path, monkeypatch: pytest.MonkeyPatch, name: str, at: int) -> None:
    fail_once(monkeypatch, name, errno.ENOSPC, at=at)
    with pytest.raises(StoreError, match="stays as it was"):
        write(config, NEW, base=digest(OLD), in_place=True)
    assert config.read_bytes() == OLD


def test_a_write_in_place_that_cant_be_undone_says_so(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(StoreError, match="damaged"):
        write(config, NEW, base=digest(OLD), in_place=True)


KILLED = """
import os, signal, sys
from pathlib import Path
from tui.config.disk import store, atomic
path, name, at, moment = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
holder = {"exchange": atomic, "unlink": Path}.get(name, os)  # Python 3.10's Path keeps an os.unlink of its own
real, calls = getattr(holder, name), 0
def call(*args, **options):
    global calls
    calls += 1
    if calls == at and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    if calls == at and name == "write":
        args = (args[0], bytes(args[1][:50]))
    result = real(*args, **options)
    if calls == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(holder, name, call)
store.write(path, b"new" * 1000, base=store.digest(path.read_bytes()))
"""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("name", "at"),
    [("open", 2), ("write", 1), ("fchmod", 1), ("fsync", 1), ("exchange", 1), ("unlink", 1), ("open", 7), ("fsync", 2)],
)
def test_a_kill_at_any_step_leaves_one_whole_text(config: Path, name: str, at: int, moment: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(config), name, str(at), moment], check=False)
    assert done.returncode == -signal.SIGKILL
    replaced = (name, moment) == ("exchange", "after") or name == "unlink" or at == 7 or (name, at) == ("fsync", 2)
    assert config.read_bytes() == (b"new" * 1000 if replaced else OLD)
