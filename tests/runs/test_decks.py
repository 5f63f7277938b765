"""What other commands say of a run: ls, stop, history."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.patience import PATIENCE
from tests.runs.folder import TICKER, Folder, Run, row, tunedeck
from tests.statuses import FINAL
from tui.engine import paths


def started(folder: Folder, version: int = 1) -> Run:
    run = folder.run("job.py:tick", "-c", "c.yaml")
    run.wait_for(row(version, "applied"))
    return run


def test_ls_shows_a_deck_while_it_runs(folder: Folder) -> None:
    folder.task(TICKER)
    run = started(folder)
    shown = tunedeck("ls", cwd=folder.path)
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    place = lines.index(f"tick  -  process {run.pid}")
    assert lines[place + 1] == f"  tick  running  v1  {folder.path / 'c.yaml'}"
    run.stop()
    assert f"process {run.pid}" not in tunedeck("ls", cwd=folder.path).stdout


def test_ls_clears_away_what_a_killed_engine_has_left(folder: Folder) -> None:
    folder.task(TICKER)
    run = started(folder)
    run.process.kill()
    run.end()
    assert f"process {run.pid}" not in tunedeck("ls", cwd=folder.path).stdout
    again = started(folder, 2)
    assert f"process {again.pid}" in tunedeck("ls", cwd=folder.path).stdout


def test_an_engine_that_is_suspended_is_shown_and_told_about_but_not_waited_for(folder: Folder) -> None:
    folder.task(TICKER)
    run = started(folder)
    socket = paths.socket_of(str(folder.path / "c.yaml"))
    run.process.send_signal(signal.SIGSTOP)
    try:
        commands = ("ls",), ("stop", "c.yaml"), ("stop", str(folder.path / "c.yaml"))
        with ThreadPoolExecutor() as pool:  # each has its patience
            listed, *stops = pool.map(lambda arguments: tunedeck(*arguments, cwd=folder.path), commands)
        assert f"c  {socket}  process {run.pid}  hangs\n" in listed.stdout
        for done in stops:
            assert (done.returncode, done.stdout) == (2, "")
            assert f"c (process {run.pid}) does not answer: " in done.stderr
            assert f"kill -CONT {run.pid} wakes it up" in done.stderr
        assert socket.exists()
    finally:
        run.process.send_signal(signal.SIGCONT)
    assert f"tick  -  process {run.pid}" in tunedeck("ls", cwd=folder.path).stdout
    assert tunedeck("stop", "c.yaml", cwd=folder.path).stdout == "stopped tick\n"
    assert run.end() == 0


def test_stop_ends_the_deck_of_this_folder_in_order(folder: Folder) -> None:
    folder.task(TICKER)
    run = started(folder)
    done = tunedeck("stop", cwd=folder.path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped tick\n", "")
    assert run.end() == 0
    assert (run.lines[-1], run.states[-1]) == ("closed", "stopped")


def test_stop_takes_a_path(folder: Folder, tmp_path_factory: object) -> None:
    folder.task(TICKER)
    folder.write("deck.yaml", "jobs: {a: {task: job.py:tick, config: c.yaml}}")
    by_deck = folder.run("deck.yaml")
    by_deck.wait_for(row(1, "applied"))
    assert tunedeck("stop", str(folder.path / "deck.yaml"), cwd=Path("/")).stdout == "stopped deck\n"
    assert by_deck.end() == 0
    by_config = started(folder)
    assert tunedeck("stop", str(folder.path / "c.yaml"), cwd=Path("/")).stdout == "stopped tick\n"
    assert by_config.end() == 0


def test_the_history_is_the_timeline_with_each_last_status(folder: Folder) -> None:
    folder.task(TICKER)
    run = started(folder)
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    folder.save("c.yaml", "lr: [\n")
    run.wait_for(row(3, "invalid"))
    asked = tunedeck("history", "c.yaml", "--json", cwd=folder.path)
    assert asked.returncode == 0
    # Its verdicts go on after the last news of a row.
    kept = [{**json.loads(line), "effect": []} for line in asked.stdout.splitlines()]
    assert kept == [{**told, "effect": []} for told in run.rows().values()]
    run.stop()
    words = tunedeck("history", "c.yaml", cwd=folder.path).stdout.splitlines()
    assert len(words) == 3
    assert "v2 applied (disk)" in words[1]
    assert "lr 1 → 2" in words[1]
    assert "v3 invalid (disk)" in words[2]


def test_versions_go_on_across_restarts_of_the_tool_and_no_row_stays_open(folder: Folder) -> None:
    folder.task(TICKER)
    for version in (1, 2):
        assert started(folder, version).stop() == 143
    killed = started(folder, 3)
    killed.process.kill()
    assert killed.end() == -signal.SIGKILL
    run = folder.run("job.py:tick", "-c", "c.yaml", "--name", "other")
    run.wait_for(row(1, "applied"))
    run.stop()
    run = started(folder, 4)
    run.stop()
    rows = [
        json.loads(line)
        for line in tunedeck("history", "c.yaml", "--json", "--job", "tick", cwd=folder.path).stdout.splitlines()
    ]
    assert [event["version"] for event in rows] == [1, 2, 3, 4]
    assert {event["status"] for event in rows} <= FINAL
    both = tunedeck("history", "c.yaml", cwd=folder.path)
    assert (both.returncode, "serves several jobs: other, tick; choose one with --job" in both.stderr) == (2, True)


def test_a_row_that_a_killed_engine_left_as_sent_is_failed(folder: Folder) -> None:
    folder.task(
        "import time\nprint('importing')\nwhile not __import__('os').path.exists('go'): time.sleep(0.001)\n"
        + "def tick(config):\n    yield\n"
    )
    run = folder.run("job.py:tick", "-c", "c.yaml")
    run.wait_for(row(1, "sent"))
    run.process.kill()
    run.end()
    folder.write("go", "")
    assert folder.run("job.py:tick", "-c", "c.yaml").end() == 0
    first, second = map(json.loads, tunedeck("history", "c.yaml", "--json", cwd=folder.path).stdout.splitlines())
    assert (first["status"], second["status"]) == ("failed", "applied")
    assert "engine ended" in first["error"]["message"]


def test_without_json_the_run_is_a_log_for_people(folder: Folder) -> None:
    folder.task("def tick(config):\n    print('hello')\n    yield")
    done = tunedeck("run", "job.py:tick", "-c", "c.yaml", "--headless", cwd=folder.path)
    assert done.returncode == 0
    said = [line.split(" ", 2)[2] for line in done.stdout.splitlines()]
    assert "| hello" in said
    assert said[-1] == "* finished"
    assert any(line.startswith("* v1 applied (start) at step 0 in ") for line in said)


def test_a_history_that_is_deleted_under_a_running_engine_is_told_and_restored(folder: Folder) -> None:
    folder.task(TICKER)
    run = started(folder)
    shutil.rmtree(folder.path / ".tunedeck")
    second = tunedeck("run", "job.py:tick", "-c", "c.yaml", "--headless", cwd=folder.path)
    assert second.returncode == 2
    assert f"c.yaml is in use by the deck tick (process {run.pid})" in second.stderr
    notice = run.wait_for(lambda event: event["event"] == "notice")
    assert "was deleted: it has been made anew, with the lock and the whole history in it" in notice["message"]
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    assert run.stop() == 143
    assert [event for event in run.events if event["event"] == "notice"] == [notice]
    shown = tunedeck("history", "c.yaml", "--json", cwd=folder.path).stdout.splitlines()
    rows = [{**row, "effect": []} for row in run.rows().values()]  # a verdict may come after the last event of a row
    assert [{**json.loads(row), "effect": []} for row in shown] == rows
    assert started(folder, 3).stop() == 143


def test_a_damaged_history_is_told_and_the_job_runs_without_one(folder: Folder) -> None:
    folder.task("def tick(config):\n    yield")
    (folder.path / ".tunedeck").mkdir()
    folder.write(".tunedeck/history.db", "no database " * 100)
    run = folder.run("job.py:tick", "-c", "c.yaml")
    assert run.end() == 0
    assert run.rows()[1]["status"] == "applied"
    assert (folder.path / ".tunedeck/history.db").read_text() == "no database " * 100


def test_a_socket_that_was_deleted_is_made_again(folder: Folder) -> None:
    folder.task(TICKER)
    run = started(folder)
    socket = paths.socket_of(str(folder.path / "c.yaml"))
    former = socket.stat()
    socket.unlink()
    deadline = time.monotonic() + PATIENCE
    while not socket.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not os.path.samestat(socket.stat(), former)
    assert f"process {run.pid}" in tunedeck("ls", cwd=folder.path).stdout
    assert "v2 applied" in tunedeck("set", "c.yaml", "lr=2", cwd=folder.path).stdout
    assert tunedeck("stop", "c.yaml", cwd=folder.path).stdout == "stopped tick\n"
    assert run.end() == 0
    assert not socket.exists()


def test_an_engine_with_a_file_that_another_one_has_is_told_which(folder: Folder) -> None:
    """By whatever name: the owner is told in words, and a change by the other name comes to it."""
    folder.task(TICKER)
    run = started(folder)
    (folder.path / "sub").mkdir()
    (folder.path / "sub/d.yaml").hardlink_to(folder.path / "c.yaml")
    second = tunedeck("run", "--headless", "job.py:tick", "-c", "sub/d.yaml", cwd=folder.path)
    assert (second.returncode, second.stdout) == (2, "")
    owner = f"the deck tick (process {run.pid})"
    assert second.stderr == f"{folder.path / 'sub/d.yaml'} is in use by {owner}; `tunedeck ls` shows it\n"
    assert "applied" in tunedeck("set", "sub/d.yaml", "lr=3", cwd=folder.path).stdout
    run.stop()


def test_a_deck_file_that_was_given_other_configs_is_not_run_beside_itself(folder: Folder) -> None:
    folder.task(TICKER)
    run = folder.run_deck("jobs: {a: {task: job.py:tick, config: c.yaml}}")
    run.wait_for(row(1, "applied"))
    folder.write("d.yaml", "lr: 1\n")
    run.process.send_signal(signal.SIGSTOP)  # else it follows its deck file
    folder.write("deck.yaml", "jobs: {a: {task: job.py:tick, config: d.yaml}}")
    second = tunedeck("run", "--headless", "deck.yaml", cwd=folder.path)
    run.process.send_signal(signal.SIGCONT)
    assert second.returncode == 2
    assert "another engine listens at " in second.stderr
    assert f"process {run.pid}" in tunedeck("ls", cwd=folder.path).stdout
    run.stop()
