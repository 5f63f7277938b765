from __future__ import annotations

from pathlib import Path

import pytest

from tui.engine.jobs import log_file
from tui.engine.jobs.log_file import LogFile


async def written(log: LogFile, *parts: bytes) -> None:
    for part in parts:
        log.write(part)
        await log.close()


async def test_it_is_rotated_by_its_size_and_so_many_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "MOST", 5)
    log = LogFile(tmp_path / "logs/x.log", pytest.fail)
    await written(log, b"aaa\n", b"b", b"cccc", b"dddd", b"eeee", b"ffff")
    found = {path.name: path.read_bytes() for path in (tmp_path / "logs").iterdir()}
    assert found == {"x.log": b"ffff", "x.log.1": b"eeee", "x.log.2": b"dddd", "x.log.3": b"cccc"}


async def test_what_a_slow_disk_does_not_take_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "WAITING", 4)
    log = LogFile(tmp_path / "x.log", pytest.fail)
    log.write(b"abc\n")
    log.write(b"too much\n")
    await log.close()
    assert log.path.read_text() == "abc\ntunedeck: 9 bytes are left out here: the disk is too slow\n"


async def test_what_can_not_be_written_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("no folder")
    said: list[str] = []
    log = LogFile(tmp_path / "logs/x.log", said.append)
    await written(log, b"a", b"b")
    assert said == [f"the log {log.path} can't be written: File exists"]
