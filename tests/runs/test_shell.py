"""Everything from the shell, without a terminal: a deck in the background, and what looks at and changes it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.runs.folder import ENVIRONMENT, Folder, command, tunedeck

DECK = """
    jobs:
      a: {task: "job.py:count", config: a.yaml}
      b: {task: "job.py:count", config: b.yaml}
"""

#: Says each config that it gets, and ends when it is told to.
COUNT = """
    import tui
    def count(config):
        for line in range(5):
            print("line", line)
        while not config.get("end"):
            print("lr", config["lr"], flush=True)
            old = config
            while config is old:
                tui.sleep(0.02)
                config = yield {"loss": config["lr"]}
"""


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of a deck that runs in the background."""
    folder = Folder(tmp_path_factory.mktemp("shell"))
    folder.write("job.py", COUNT)
    folder.write("a.yaml", "lr: 1\nfast: false\n")
    folder.write("b.yaml", "lr: 1\n")
    folder.write("tunedeck.yaml", DECK)
    done = tunedeck("run", "-d", cwd=folder.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"tunedeck  {folder.path / 'tunedeck.yaml'}  process ")
    assert tunedeck("run", ".", "-d", cwd=folder.path).stdout == done.stdout  # it runs already
    assert tunedeck("start", "a", "b", cwd=folder.path).returncode == 0
    assert tunedeck("wait", "a.yaml", "--for", "applied", cwd=folder.path).returncode == 0
    yield folder.path
    done = tunedeck("stop", str(folder.path), cwd=Path("/"))
    assert (done.returncode, done.stdout) == (0, "stopped tunedeck\n")


def jobs(deck: Path) -> dict[str, dict[str, object]]:
    lines = tunedeck("ls", "--json", cwd=deck).stdout.splitlines()
    return {item["job"]: item for item in map(json.loads, lines) if item.get("path") == str(deck / "tunedeck.yaml")}


def tab(line: str, cwd: Path) -> set[str]:
    """Return what a shell would offer after a line."""
    asking = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": line, "COMP_POINT": str(len(line))}
    found = cwd / "offered"
    done = subprocess.run(
        command(),
        cwd=cwd,
        env={**ENVIRONMENT, **asking, "_ARGCOMPLETE_SHELL": "fish", "_ARGCOMPLETE_STDOUT_FILENAME": str(found)},
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
        check=True,
    )
    assert done.returncode == 0
    return {word.strip() for word in found.read_text().split("\n")}


def test_jobs_are_paused_resumed_restarted_and_stopped(deck: Path) -> None:
    before = jobs(deck)
    assert {name: (item["state"], item["deck"]) for name, item in before.items()} == {
        "a": ("running", "tunedeck"),
        "b": ("running", "tunedeck"),
    }
    done = tunedeck("pause", "b", cwd=deck)
    assert (done.returncode, done.stdout[:9], jobs(deck)["b"]["state"]) == (0, "b  paused", "paused")
    assert tunedeck("resume", "b", "--deck", ".", cwd=deck).stdout.startswith("b  running  process ")
    assert tunedeck("restart", "b", cwd=deck).returncode == 0
    after = jobs(deck)
    assert after["b"]["pid"] != before["b"]["pid"]
    assert after["a"]["pid"] == before["a"]["pid"]
    done = tunedeck("stop", "--job", "b", cwd=deck)
    assert (done.returncode, done.stdout) == (0, "b  stopped\n")
    done = tunedeck("pause", "b", cwd=deck)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("tunedeck: b: ")
    assert tunedeck("check", ".", cwd=deck).returncode == 0
    assert tunedeck("start", "a", "b", cwd=deck).returncode == 0
    assert {name: item["state"] for name, item in jobs(deck).items()} == {"a": "running", "b": "running"}
    assert jobs(deck)["a"]["pid"] == before["a"]["pid"]  # it ran already


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("restart", "c"), "tunedeck has no job c, but a, b"),
        (("logs", "c"), "tunedeck has no job c, but a, b"),
        (("stop", "--job", "c"), "tunedeck has no job c, but a, b"),
        (("pause", "a", "--deck", "none"), "no deck none is running"),
        (("note", "a.yaml", "99", "x"), "no version 99"),
        (("show", "a.yaml", "nowhere"), "no version with the tag nowhere"),
        (("run", "-d", "--headless"), "choose one"),
        (("run", "/"), "/ has no deck.yaml and no tunedeck.yaml"),
    ],
)
def test_what_is_not_there_is_named(deck: Path, arguments: tuple[str, ...], words: str) -> None:
    done = tunedeck(*arguments, cwd=deck)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_logs_are_read_and_followed_to_the_end_of_the_job(deck: Path) -> None:
    lines = tunedeck("logs", "a", cwd=deck).stdout.splitlines()
    assert lines[:5] == [f"line {number}" for number in range(5)]
    assert tunedeck("logs", "a", "-n", "2", cwd=deck).stdout.splitlines() == lines[-2:]
    assert tunedeck("logs", "a", "-n", "0", cwd=deck).stdout == ""
    events = [json.loads(line) for line in tunedeck("logs", "a", "--json", cwd=deck).stdout.splitlines()]
    assert [event["line"] for event in events[:5]] == lines[:5]
    assert {event["event"] for event in events} == {"log"}
    follow = subprocess.Popen(
        command("logs", "b", "-f", "-n", "1"), cwd=deck, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    assert follow.stdout is not None
    assert follow.stdout.readline().startswith("lr ")
    assert tunedeck("set", "b.yaml", "lr=3", cwd=deck).returncode == 0
    assert follow.stdout.readline() == "lr 3\n"
    assert tunedeck("set", "--add", "b.yaml", "end=true", cwd=deck).returncode == 0
    with follow.stdout:
        assert follow.stdout.read() == ""
    assert follow.wait(PATIENCE) == 0


def test_who_changes_is_in_the_history_by_the_name_that_he_gives(deck: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "TUNEDECK_WHO", "sweep")
    assert tunedeck("set", "a.yaml", "lr=5", cwd=deck).returncode == 0
    monkeypatch.delitem(ENVIRONMENT, "TUNEDECK_WHO")
    assert tunedeck("set", "a.yaml", "lr=6", cwd=deck).returncode == 0
    rows = [json.loads(line) for line in tunedeck("history", "a.yaml", "--json", cwd=deck).stdout.splitlines()]
    assert rows[-2]["who"] == "sweep"
    assert rows[-1]["who"].endswith(f"@{os.uname().nodename}")


def test_a_version_is_named_by_its_tag(deck: Path) -> None:
    done = tunedeck("tag", "a.yaml", "1", "first", cwd=deck)
    assert (done.returncode, done.stdout) == (0, "v1 has the tag first\n")
    assert tunedeck("note", "a.yaml", "first", "as it was", cwd=deck).returncode == 0
    assert tunedeck("show", "a.yaml", "first", cwd=deck).stdout == "lr: 1\nfast: false\n"
    assert tunedeck("set", "a.yaml", "lr=7", cwd=deck).returncode == 0
    assert "+lr: 7\n" in tunedeck("diff", "a.yaml", "first", cwd=deck).stdout
    assert "lr 7 → 1" in tunedeck("rollback", "a.yaml", "first", cwd=deck).stdout
    assert '#first "as it was"' in tunedeck("history", "a.yaml", cwd=deck).stdout
    done = tunedeck("tag", "a.yaml", "1", "v12", cwd=deck)
    assert (done.returncode, done.stdout) == (1, "")
    assert "a tag is no number" in done.stderr
    assert tunedeck("tag", "a.yaml", "2", "first", cwd=deck).returncode == 0
    done = tunedeck("rollback", "a.yaml", "first", cwd=deck)
    assert (done.returncode, done.stderr) == (
        2,
        "tunedeck: first is the tag of several versions: 1, 2; name one of them\n",
    )
    assert tunedeck("tag", "a.yaml", "2", "", cwd=deck).stdout == "v2 has no tag\n"


def test_a_note_is_kept_where_nothing_runs(folder: Folder) -> None:
    folder.run_task("def once(config):\n    yield\n", "once").end()
    assert tunedeck("note", "c.yaml", "1", "late", cwd=folder.path).stdout == "v1 has the note late\n"
    assert '"late"' in tunedeck("history", "c.yaml", cwd=folder.path).stdout
    assert tunedeck("note", "c.yaml", "2", "late", cwd=folder.path).returncode == 2


def test_a_config_that_is_wrong_is_told_and_waited_for(folder: Folder) -> None:
    folder.task(COUNT, "lr: [\n")
    done = tunedeck("run", "job.py:count", "-c", "c.yaml", "-d", cwd=folder.path)
    try:
        assert done.returncode == 0
        assert f"tunedeck: count waits for a valid config: {folder.path / 'c.yaml'}:2:1: " in done.stderr
        assert tunedeck("start", "count", cwd=folder.path).returncode == 1
    finally:
        assert tunedeck("stop", cwd=folder.path).returncode == 0


def test_a_shell_completes_keys_values_versions_and_jobs(deck: Path) -> None:
    assert tab("tunedeck set a.yaml ", deck) == {"lr=", "fast="}
    assert tab("tunedeck set a.yaml f", deck) == {"fast="}
    assert tab("tunedeck set a.yaml fast=", deck) == {"fast=false", "fast=true"}
    assert {"lr=1"} <= tab("tunedeck set a.yaml lr=", deck)
    assert {"1"} <= tab("tunedeck show a.yaml ", deck)
    assert tab("tunedeck logs ", deck) == {"a", "b"}
    assert tab("tunedeck set a.yaml --job ", deck) == {"a"}
    assert {"start", "stop"} <= tab("tunedeck st", deck)
    for shell in ("bash", "zsh", "fish"):
        assert "tunedeck" in tunedeck("completion", shell, cwd=deck).stdout
