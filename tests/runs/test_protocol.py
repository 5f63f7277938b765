"""Writers, a worker that dies, stalls and refuses, an engine that is killed, on real processes: nothing is lost.

50 runs: ``HYPOTHESIS_PROFILE=thorough pytest tests/runs/test_protocol.py``; the suite does a few short ones.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import THOROUGHLY
from tests.runs.folder import TICKER, Folder, Run, ask, log, row, state, tunedeck
from tests.statuses import FINAL
from tui.config.disk.store import digest
from tui.engine.history import database
from tui.engine.history.job_history import History
from tui.protocol.messages import Reply, Rollback, Save, Set

RUNS = 50 if THOROUGHLY else 3
ROUNDS = 12 if THOROUGHLY else 5

#: A task that says which whole config it has, refuses what is negative, and is stuck in a long step with every fifth
#: config. A half-applied config would show.
TASK = """
    import time, tui
    def check(old, new):
        if new["a"] < 0:
            raise ValueError("a is negative")
    def tick(config):
        while True:
            assert config["a"] == config["again"], config
            if config["a"] % 5 == 3:
                time.sleep(0.3)
            tui.sleep(0.002)
            config = yield {"a": config["a"]}
"""

DECK = """
    jobs:
      job: {task: job.py:tick, config: c.yaml, validate: job.py:check, restart: always, settle: 0}
"""


def text_of(number: int, note: str) -> str:
    return f"a: {number}  # {note}\nagain: {number}\n"


class Writers:
    """Who writes the config, each in a thread of its own, and what they were told to be written."""

    def __init__(self, folder: Folder, seed: int) -> None:
        self.path = folder.path / "c.yaml"
        self.kept: set[str] = set()
        self._random = random.Random(seed)
        self._count = 0
        self._lock = threading.Lock()

    def text(self, who: str) -> str:
        with self._lock:
            self._count += 1
            number = -1 if self._random.random() < 0.2 else self._count
            return text_of(number, f"{who} {self._count}")

    def editor(self) -> None:
        """Save with the base that was looked at."""
        base = self.path.read_bytes()
        text = self.text("editor")
        reply = ask(self.path.with_name("deck.yaml"), Save(1, "job", text, digest(base)))
        if reply.ok:
            self.kept.add(reply.data.get("text", text))

    def disk(self) -> None:
        new = self.path.with_name("new")
        new.write_text(self.text("disk"))
        new.replace(self.path)

    def set(self) -> None:
        """Set both values, which must be taken together."""
        with self._lock:
            self._count += 1
            number = str(self._count)
        ask(self.path.with_name("deck.yaml"), Set(1, "job", {"a": number, "again": number}))

    def rollback(self) -> None:
        """Go back to any version, of which a row is known already."""
        with self._lock:
            version = self._random.randint(1, 1 + self._count)
        reply = ask(self.path.with_name("deck.yaml"), Rollback(1, "job", version))
        assert reply.ok or reply.message


def at_once(acts: list[Callable[[], None]]) -> None:
    """Do all of it at the same time; an engine that is killed meanwhile answers nobody."""

    def one(act: Callable[[], None]) -> None:
        with contextlib.suppress(OSError, StopIteration):
            act()

    threads = [threading.Thread(target=one, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def history(folder: Path) -> list[dict[str, Any]]:
    done = tunedeck("history", "c.yaml", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return list(map(json.loads, done.stdout.splitlines()))


def texts_of(folder: Path, newest: int) -> list[str | None]:
    home = folder / ".tunedeck"
    with contextlib.closing(database.open_database(home, read_only=True)) as connection:
        found = History(connection, home, folder / "c.yaml", "job")
        return [found.text(version) for version in range(1, newest + 1)]


def run_of(folder: Folder) -> Run:
    run = folder.run("deck.yaml")
    run.wait_for(state("running"))
    return run


def kill_worker(run: Run) -> Callable[[], None]:
    pids = [event["pid"] for event in run.events if event["event"] == "state" and event.get("pid")]
    return lambda: os.kill(pids[-1], signal.SIGKILL)


def test_who_changes_other_keys_at_the_same_time_loses_nothing(folder: Folder) -> None:
    folder.task(TICKER)
    keys = ("lr", "one", "two", "three")
    folder.save("c.yaml", "".join(f"{key}: 0  # of {key}\n" for key in keys))
    folder.write("deck.yaml", "jobs: {job: {task: job.py:tick, config: c.yaml}}")
    run = folder.run("deck.yaml")
    run.wait_for(row(1, "applied"))
    path, deck = folder.path / "c.yaml", folder.path / "deck.yaml"

    def edits(key: str) -> None:
        for number in range(1, 11):
            text = path.read_text()
            changed = re.sub(rf"^{key}: \d+", f"{key}: {number}", text, flags=re.MULTILINE)
            answers.append(ask(deck, Save(1, "job", changed, digest(text.encode()))))

    def sets(key: str) -> None:
        answers.extend(ask(deck, Set(1, "job", {key: str(number)})) for number in range(1, 11))

    answers: list[Reply] = []
    threads = [
        threading.Thread(target=sets if key in ("lr", "three") else edits, args=(key,), name=key) for key in keys
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answer.ok for answer in answers), answers
    assert len(answers) == 40
    assert path.read_text() == "".join(f"{key}: 10  # of {key}\n" for key in keys)
    run.wait_for(log(f"config {dict.fromkeys(keys, 10)}"))


@pytest.mark.parametrize("seed", range(RUNS))
def test_nothing_is_lost_between_real_processes(folder: Folder, seed: int) -> None:
    chance = random.Random(seed)
    folder.task(TASK, text_of(0, "first"))
    folder.write("deck.yaml", DECK)
    writers = Writers(folder, seed)
    run = run_of(folder)
    runs = [run]
    for _ in range(ROUNDS):
        who = [writers.editor, writers.disk, writers.set, writers.rollback]
        acts = [chance.choice(who) for _ in range(chance.randint(1, 4))]
        if chance.random() < 0.2:
            acts.append(kill_worker(run))
        killed = chance.random() < 0.2
        if killed:
            acts.append(lambda run=run: run.process.send_signal(signal.SIGKILL))  # type: ignore[misc]
        at_once(acts)
        if killed:
            run.end()
            writers.path.write_text(text_of(1_000, "between"))
            run = run_of(folder)
            runs.append(run)

    folder.save("c.yaml", text_of(5_000, "last"))
    run.wait_for(lambda event: event["event"] == "metrics" and event["values"] == {"a": 5_000})
    assert run.stop() == 143

    rows = history(folder.path)
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1)), "no row is missing"
    assert all(row["status"] in FINAL for row in rows)
    texts = texts_of(folder.path, len(rows))
    assert writers.kept <= set(texts), "no update is lost"
    for answer, text in zip(rows, texts, strict=True):
        assert text is not None
        assert answer["status"] != "applied" or "a: -1" not in text
        assert answer["status"] != "rejected" or "a: -1" in text
    first_told = [min(one.rows(), default=0) for one in runs]
    assert first_told == sorted(set(first_told)), "versions never repeat"
    assert not [line for one in runs for line in one.lines if "AssertionError" in line], "no config is half applied"
    assert writers.path.read_text() == text_of(5_000, "last") == texts[-1]
    assert not list(folder.path.glob(".tunedeck-*")) or len(runs) > 1
