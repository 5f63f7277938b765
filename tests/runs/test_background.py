"""Engines in the background, as a viewer starts them, but without one."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from tests.patience import PATIENCE
from tests.runs.folder import ENVIRONMENT, TICKER, Folder, command, tunedeck
from tui.cli import launch
from tui.engine import locks, paths


def start(folder: Folder, task: str = "job.py:tick") -> tuple[subprocess.Popen[bytes], Path]:
    """Start an engine; return it, and its log."""
    folder.task(TICKER)
    config = str(folder.path / "c.yaml")
    log = paths.log_of(paths.socket_of(config))
    process, answer = launch.start({"what": task, "config": config}, log)
    with answer:
        assert json.loads(answer.readline())
    return process, log


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    process.send_signal(number)
    return process.wait(PATIENCE)


def test_an_engine_that_ends_in_order_leaves_nothing_in_the_folder_of_sockets(folder: Folder) -> None:
    process, log = start(folder)
    assert log.exists()
    assert end(process, signal.SIGTERM) == 143
    assert list(log.parent.glob(f"{log.stem}*")) == []


def test_an_engine_that_does_not_start_leaves_nothing_either(folder: Folder) -> None:
    process, log = start(folder, "job.py")
    assert process.wait(PATIENCE) == 2
    assert list(log.parent.glob(f"{log.stem}*")) == []


def test_what_went_wrong_is_kept_until_the_next_look(folder: Folder) -> None:
    process, log = start(folder)
    log.write_text("Traceback\n")
    assert end(process, signal.SIGTERM) == 143
    assert log.read_text() == "Traceback\n"
    process, log = start(folder)
    assert log.read_text() == ""
    assert end(process, signal.SIGTERM) == 143
    assert not log.exists()


def test_the_log_of_another_engine_is_not_taken_for_our_own(folder: Folder) -> None:
    process, log = start(folder)
    log.unlink()
    log.touch()
    assert end(process, signal.SIGTERM) == 143
    assert log.exists()
    log.unlink()


def test_what_a_killed_engine_has_left_goes_away_at_the_next_look(folder: Folder) -> None:
    process, log = start(folder)
    name = locks.lock_name(log.parent, folder.path / "c.yaml")
    assert tunedeck("ls", cwd=folder.path).returncode == 0
    assert (log.parent / name).exists()
    end(process, signal.SIGKILL)
    # Whoever looks, of all that run here, clears it away: this look is only the last that may.
    assert tunedeck("ls", cwd=folder.path).returncode == 0
    assert list(log.parent.glob(f"{log.stem}*")) == []
    assert not (log.parent / name).exists()


def test_of_several_that_open_a_deck_at_once_one_starts_it_and_all_have_it(folder: Folder) -> None:
    folder.task(TICKER)
    together = [
        subprocess.Popen(
            command("run", "job.py:tick", "-c", "c.yaml", "-d"),
            cwd=folder.path,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        said = [process.communicate(timeout=PATIENCE)[0] for process in together]
        assert [process.returncode for process in together] == [0, 0, 0], said
        assert len({*said}) == 1, said  # the same process
    finally:
        assert tunedeck("stop", cwd=folder.path).returncode == 0
    left = paths.socket_of(str(folder.path / "c.yaml"))
    assert list(left.parent.glob(f"{left.stem}*")) == []
