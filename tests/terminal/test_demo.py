"""The main job end to end, in a real terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.namespaces import Mounts
from tests.terminal.conftest import ROOT, Terminal, below, wait_until
from tui.cli import client
from tui.engine import paths
from tui.worker import process_tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

CTRL_Q, CTRL_R, CTRL_S, CTRL_Z = "\x11", "\x12", "\x13", "\x1a"
DOWN, HOME, RIGHT, DELETE = "\x1b[B", "\x1b[H", "\x1b[C", "\x1b[3~"
ALTERNATE_SCREEN, LEAVE_ALTERNATE_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"

Start = Callable[..., Terminal]


def tunedeck(folder: Path, *arguments: str) -> str:
    run = [sys.executable, "-m", "tui", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(run, cwd=folder, env=env, stdout=subprocess.PIPE, check=True, text=True).stdout


def open_demo(terminal: Start, **size: int) -> Terminal:
    screen = terminal("demo", **size)
    screen.wait("running  v1")
    return screen


def test_a_change_in_the_editor_and_one_on_disk_reach_the_job(terminal: Start, tmp_path: Path) -> None:
    screen = open_demo(terminal)
    config = tmp_path / "tunedeck-demo" / "digits.yaml"
    assert {"three_ways.yaml", "case100.yaml"} < {item.name for item in config.parent.iterdir()}
    before = config.read_text()
    line = next(number for number, text in enumerate(before.splitlines()) if text.startswith("lr: 0.01"))
    screen.type(DOWN * line + HOME + RIGHT * 4 + DELETE * 4 + "0.02")
    screen.wait("unsaved")
    screen.type(CTRL_S)
    screen.wait(lambda text: re.search(r"v2\s+● applied .* editor .* lr 0\.01 → 0\.02", text))
    screen.wait(lambda text: re.search(r"epoch .* lr 0\.02", text))
    screen.wait("disk = v2")
    assert config.read_text() == before.replace("lr: 0.01 ", "lr: 0.02 ", 1)

    temporary = config.with_suffix(".new")
    temporary.write_text(before.replace("lr: 0.01 ", "lr: 0.03 ", 1))
    temporary.replace(config)
    screen.wait(lambda text: re.search(r"v3\s+● applied .* disk .* lr 0\.02 → 0\.03", text))
    screen.wait("lr: 0.03")

    screen.type(CTRL_Q)
    screen.wait("stop the jobs")
    screen.type("s")
    assert screen.ended() == 0
    assert LEAVE_ALTERNATE_SCREEN in screen.raw
    wait_until(lambda: not below(tmp_path), lambda: f"left running: {below(tmp_path)}")
    rows = tunedeck(tmp_path, "history", "tunedeck-demo/digits.yaml").splitlines()
    assert [row.split()[2:4] for row in rows] == [[f"v{n}", "applied"] for n in (1, 2, 3)]


def test_what_is_typed_before_the_first_frame_and_in_one_go_is_not_lost(terminal: Start) -> None:
    screen = terminal("demo")
    screen.type("early ")
    screen.wait(lambda text: re.search(r"1 +▎?early # ", text))
    screen.type("\x0fl/epoch\r")  # jump to the log and search it
    screen.wait(lambda text: re.search(r"─ log · .* · epoch", text))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_job_outlives_its_viewer(terminal: Start, tmp_path: Path, number: signal.Signals) -> None:
    screen = open_demo(terminal)
    screen.process.kill(number)
    code = screen.ended()
    if number == signal.SIGKILL:
        assert code == -number
    else:
        assert code == 128 + number
        assert LEAVE_ALTERNATE_SCREEN in screen.raw
    assert "digits  running  v1" in tunedeck(tmp_path, "ls")
    again = terminal("attach", str(tmp_path / "tunedeck-demo" / "deck.yaml"))
    again.wait("running  v1")
    again.type(CTRL_Q)
    again.wait("stop the jobs")
    again.type("s")
    assert again.ended() == 0
    wait_until(lambda: not below(tmp_path), lambda: f"left running: {below(tmp_path)}")


def test_a_killed_viewer_leaves_an_engine_that_owns_the_worker(terminal: Start, tmp_path: Path) -> None:
    screen = open_demo(terminal)
    found = client.greet_deck(paths.socket_of(str(tmp_path / "tunedeck-demo" / "deck.yaml")))
    assert isinstance(found, client.RunningEngine)
    engine = found.hello.pid
    wait_until(lambda: len(process_tree.descendants(engine)) == 4, lambda: "not up: two workers, each below its shim")
    owned = process_tree.descendants(engine)
    screen.process.kill(signal.SIGKILL)
    assert screen.ended() == -signal.SIGKILL
    assert process_tree.descendants(engine) == owned
    tunedeck(tmp_path, "stop")
    wait_until(lambda: not below(tmp_path), lambda: f"left running: {below(tmp_path)}")
    assert not [pid for pid, _ in owned if Path(f"/proc/{pid}").exists()]


def test_the_users_own_editor_has_the_terminal_and_its_interrupts_and_may_be_missing(
    terminal: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "own-editor"
    script.write_text("#!/bin/sh\ntrap '' INT\nkill -INT 0\nsed -i 's/lr: 0.01 /lr: 0.07 /' \"$1\"\n")
    script.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(script))
    screen = open_demo(terminal)
    screen.type("\x05")
    screen.wait(lambda text: re.search(r"v2\s+● applied .* disk .* lr 0\.01 → 0\.07", text))
    screen.wait("lr: 0.07")
    script.unlink()
    screen.type("\x05")
    screen.wait(lambda text: "VISUAL" in text and "─ digits.yaml" in text)
    screen.type(CTRL_Q)
    screen.wait("stop the jobs")
    screen.type("s")
    assert screen.ended() == 0


def test_a_viewer_in_a_session_without_a_terminal_notices_that_its_own_is_gone(terminal: Start, tmp_path: Path) -> None:
    started = terminal("demo", prefix=("setsid", "--wait"))  # such a viewer gets no SIGHUP
    started.wait("running  v1")
    started.process.close()
    wait_until(lambda: not viewers(tmp_path), lambda: f"still there: {viewers(tmp_path)}")
    assert "digits  running  v1" in tunedeck(tmp_path, "ls")
    tunedeck(tmp_path, "stop")


def viewers(folder: Path) -> list[int]:
    return [pid for pid in below(folder) if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"\0tui\0demo\0")]


def test_a_viewer_that_was_stopped_goes_on_and_leaves_the_terminal_as_it_was(terminal: Start, tmp_path: Path) -> None:
    screen = open_demo(terminal)
    assert not lflag(screen) & termios.ICANON
    for times in (2, 3, 4):
        screen.process.kill(signal.SIGSTOP)
        screen.process.kill(signal.SIGCONT)
        wait_until(partial(resumed, screen, times), lambda: "not resumed")
        screen.type(DOWN * 3)  # two readers of keys would tear these apart
        screen.type("x")
        screen.wait("unsaved")
        screen.type(CTRL_Z)
        screen.wait(lambda text: "unsaved" not in text)
    screen.type(CTRL_Q)
    screen.wait("leave them running")
    screen.type("l")
    assert screen.ended() == 0
    assert screen.raw.count(ALTERNATE_SCREEN) == screen.raw.count(LEAVE_ALTERNATE_SCREEN) == 4
    assert lflag(screen) & termios.ICANON
    assert lflag(screen) & termios.ECHO


def resumed(screen: Terminal, times: int) -> bool:
    return screen.raw.count(ALTERNATE_SCREEN) == times


def lflag(screen: Terminal) -> int:
    return int(termios.tcgetattr(screen.process.child_fd)[3])


def test_a_deck_whose_engine_hangs_is_not_started_twice(terminal: Start, tmp_path: Path) -> None:
    screen = open_demo(terminal)
    screen.type(CTRL_Q)
    screen.wait("leave them running")
    screen.type("l")
    assert screen.ended() == 0
    deck = tmp_path / "tunedeck-demo" / "deck.yaml"
    found = client.greet_deck(paths.socket_of(str(deck)))
    assert isinstance(found, client.RunningEngine)
    before = set(below(tmp_path))
    os.kill(found.hello.pid, signal.SIGSTOP)
    try:
        for again in [terminal(command, str(deck)) for command in ("run", "attach")]:
            again.wait(f"deck (process {found.hello.pid}) does not answer")
            assert again.ended() == 2
        assert set(below(tmp_path)) == before
    finally:
        os.kill(found.hello.pid, signal.SIGCONT)
    assert "digits  running" in tunedeck(tmp_path, "ls")


def test_leave_running_then_stop(terminal: Start, tmp_path: Path) -> None:
    screen = open_demo(terminal)
    screen.type(CTRL_Q)
    screen.wait("leave them running")
    screen.type("l")
    assert screen.ended() == 0
    assert "digits  running" in tunedeck(tmp_path, "ls")
    tunedeck(tmp_path, "stop", str(tmp_path / "tunedeck-demo" / "deck.yaml"))
    wait_until(lambda: not below(tmp_path), lambda: f"left running: {below(tmp_path)}")


def test_a_crash_is_shown_and_the_job_starts_again(terminal: Start, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("def run(config):\n    if config['bad']:\n        raise RuntimeError('too bad')\n")
    (tmp_path / "job.yaml").write_text("bad: true\n")
    screen = terminal("run", "job.py:run", "-c", "job.yaml")
    screen.wait("RuntimeError: too bad")
    screen.wait("✗ crashed")
    (tmp_path / "job.yaml").write_text("bad: false\n")
    screen.wait("bad: false")
    screen.type(CTRL_R)
    screen.wait("● running  v3")


def test_a_bad_config_at_the_start_waits_for_a_good_save(terminal: Start, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("def run(config):\n    return {'a': config['a']}\n")
    (tmp_path / "job.yaml").write_text("a: [1\n")
    screen = terminal("run", "job.py:run", "-c", "job.yaml")
    screen.wait("✗ invalid")
    screen.type(HOME + RIGHT * 3 + DELETE + CTRL_S)
    screen.wait("● running  v2")


def test_a_missing_config_is_written_in_the_editor(terminal: Start, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("def run(config):\n    return {'a': config['a']}\n")
    screen = terminal("run", "job.py:run", "-c", "job.yaml")
    screen.wait(lambda text: re.search("─ job.yaml .*no file on disk", text))
    screen.type("a: 1" + CTRL_S)
    screen.wait("● running  v")
    assert (tmp_path / "job.yaml").read_text() == "a: 1"


def test_a_mounted_file_is_written_in_place(terminal: Start, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("def run(config):\n    return {'a': config['a']}\n")
    config = tmp_path / "job.yaml"
    config.write_text("a: 1\n")
    mounts = Mounts(tmp_path, "mount --bind job.yaml job.yaml")
    try:
        screen = terminal("run", "job.py:run", "-c", "job.yaml", prefix=mounts.inside)
        screen.wait("● running  v1")
        screen.wait("─ job.yaml")
        screen.type(HOME + "b: 2\r" + CTRL_S)
        screen.wait("disk = v2")
        assert config.read_text() == "b: 2\na: 1\n"
        screen.type(CTRL_Q)
        screen.wait("stop the jobs")
        screen.type("s")
        assert screen.ended() == 0
    finally:
        mounts.close()


def test_a_config_of_another_engine_is_not_opened_and_its_holder_named(terminal: Start, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("def run(config):\n    return {'a': config['a']}\n")
    (tmp_path / "job.yaml").write_text("a: 1\n")
    (tmp_path / "deck.yaml").write_text("jobs: {a: {task: job.py:run, config: job.yaml}}")
    first = terminal("run", "job.py:run", "-c", "job.yaml")
    first.wait("● running  v1")
    second = terminal("run", "deck.yaml", columns=200)
    second.wait("job.yaml is in use by the deck run (process")
    assert second.ended() == 2
    assert LEAVE_ALTERNATE_SCREEN not in second.raw
    first.wait("● running  v1")


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (200, 60), (20, 5)])
def test_every_size_can_be_used(terminal: Start, columns: int, rows: int) -> None:
    screen = terminal("demo", columns=columns, rows=rows)
    screen.wait("small for the deck" if rows == 5 else "running")
    screen.type(CTRL_Q)
    # Nothing is asked before the jobs are known, which in the smallest one can't be seen.
    screen.wait(lambda text: ("stop" if rows == 5 else "stop the jobs") in text or not screen.process.isalive())
    if screen.process.isalive():
        screen.type("s")
    assert screen.ended() == 0


def test_a_suspended_viewer_gives_the_terminal_back_and_catches_up(terminal: Start, tmp_path: Path) -> None:
    shell = (
        "bash",
        "--norc",
        "--noprofile",
        "-ic",
        '"$@"; echo SUSPENDED; read -r line; fg >/dev/null; echo ENDED',
        "-",
    )
    screen = terminal("demo", prefix=shell)
    screen.wait("running  v1")
    screen.wait("─ digits.yaml")
    # Not the emulator's title: it takes the shape of the pointer (OSC 22) for one too.
    wait_until(lambda: "running · tunedeck".encode() in screen.raw, lambda: f"no title in {screen.raw[:3000]!r}")
    screen.type("\x1bz")
    screen.wait("SUSPENDED")
    assert LEAVE_ALTERNATE_SCREEN in screen.raw
    assert screen.raw.count(b"\x1b[22;0t") == screen.raw.count(b"\x1b[23;0t") == 1
    assert lflag(screen) & termios.ICANON
    # The job goes on, and takes a config that the viewer has never seen.
    config = "tunedeck-demo/digits.yaml"
    tunedeck(tmp_path, "set", config, "lr=0.02")
    screen.clear()  # as a terminal's other screen is
    screen.type("\r")
    screen.wait(lambda text: all(part in text for part in ("─ digits.yaml", "─ timeline", "momentum: 0.9", "Quit")))
    screen.wait(lambda text: re.search(r"v2\s+● applied .* set .* lr 0\.01 → 0\.02", text))
    screen.wait(lambda text: re.search(r"epoch .* lr 0\.02", text))
    screen.type("x")
    screen.wait("unsaved")
    screen.type(CTRL_Q)
    screen.wait("leave them running")
    screen.type("s")
    screen.wait("ENDED")
    assert screen.raw.count(b"\x1b[22;0t") == screen.raw.count(b"\x1b[23;0t") == 2
