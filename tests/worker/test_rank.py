"""A rank's side of the rounds, in a real process whose engine is the test."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE
from tui.runners.member import pack
from tui.worker.rank import Fence, launched

SCRIPT = """
import sys, time
import tui
config, step = None, 0
while True:
    seen, step = config, step + 1
    config = tui.checkpoint(config)
    if config is not seen or step % 50 == 5:
        print(step, config, flush=True)
    time.sleep(0.002)
"""


class Script:
    """A script that has connected, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{folder}/it.join")
        self.listener.listen()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "TUNEDECK": f"{folder}/it.join#token", "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.connection = self.listener.accept()[0]
        self.connection.settimeout(PATIENCE)
        self.said = self.connection.makefile("rb")
        assert self.hear("join")["token"] == "token"

    def send(self, kind: str, **fields: Any) -> None:
        self.connection.sendall(pack({"kind": kind, **fields}))

    def set_up(self, hold: float = 5.0) -> None:
        state: dict[str, Any] = {
            "paused": False,
            "stopping": None,
            "rank": 1,
            "ranks": 2,
            "guards": {},
            "state_dir": "",
            "hold": hold,
        }
        self.send("setup", version=1, config={"lr": 1}, **state)
        self.hear("applied")

    def prepare(self, version: int = 2) -> int:
        """Begin a round about a change, and return the fence that is promised."""
        message = {"kind": "reload", "version": version, "config": {"lr": version}}
        self.send("prepare", round=1, message=message)
        fence: int = self.hear("promised")["fence"]
        return fence

    def hear(self, kind: str) -> dict[str, Any]:
        """Return the next message of a kind."""
        for line in self.said:
            message: dict[str, Any] = json.loads(line)
            if message["kind"] == kind:
                return message
        raise AssertionError(f"it ended without {kind}")

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def has(self, lr: int) -> int:
        """Return at which step it has a config."""
        while True:
            step, _, config = self.line().partition(" ")
            if config == f"{{'lr': {lr}}}\n":
                return int(step)

    def hang_up(self) -> None:
        self.said.close()
        self.connection.close()

    def close(self) -> None:
        self.hang_up()
        self.listener.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    started = Script(tmp_path)
    yield started
    started.close()


def test_rank_counts_from_its_first_checkpoint_however_late_the_deck_answers(script: Script) -> None:
    assert script.line() == "5 None\n"
    script.set_up()
    script.has(1)
    step = script.prepare() + 7
    script.send("go", round=1, step=step)
    assert script.has(2) == step
    assert script.hear("applied")["step"] == step


def test_round_that_comes_to_nothing_leaves_all_as_it_was(script: Script) -> None:
    script.set_up()
    script.prepare()
    script.send("abort", round=1)
    step = script.prepare(3) + 1
    script.send("go", round=1, step=step)
    applied = script.hear("applied")
    assert (applied["version"], applied["step"]) == (3, step)


@pytest.mark.parametrize("how", ["silent", "gone"])
def test_rank_that_is_left_alone_at_its_fence_ends(script: Script, how: str) -> None:
    script.set_up(hold=0.01)
    fence = script.prepare()
    if how == "gone":
        script.hang_up()
    assert script.process.wait(PATIENCE) == 1
    assert script.process.stderr is not None
    said = script.process.stderr.read()
    assert f"the deck has not said within 1.01 s at which step all ranks change: rank 1 ends at step {fence}" in said


def test_link_that_breaks_before_a_round_ends_nothing(script: Script) -> None:
    script.set_up(hold=0.01)
    before = script.has(1)
    script.hang_up()
    assert script.has(1) < script.has(1) < script.has(1)
    assert script.has(1) > before + 100


def test_who_was_left_alone_does_not_go_on_at_the_next_checkpoint_either() -> None:
    now = iter(range(0, 1000, 100))
    fence = Fence(5.0, lambda: next(now))
    assert fence.promise(1, {"kind": "pause"}, lambda: 4) == 4
    assert fence.wait(3)
    assert not fence.wait(4)
    assert not fence.wait(5)
    fence.forget(1)
    assert fence.wait(5), "the engine has come back"


def test_decision_of_another_round_is_none() -> None:
    fence = Fence(5.0)
    fence.promise(2, {"kind": "pause"}, lambda: 4)
    fence.decide(1, 4)
    fence.forget(1)
    assert fence.holds(4)
    fence.decide(2, 6)
    assert not fence.ends_pause
    assert fence.take(5) == []
    assert fence.is_set
    assert fence.take(6) == [{"kind": "pause"}]
    assert not fence.is_set


def test_launcher_says_which_rank_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("RANK", "WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert launched() == (None, None)
    monkeypatch.setenv("SLURM_PROCID", "3")
    monkeypatch.setenv("SLURM_NTASKS", "8")
    assert launched() == (3, 8)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert launched() == (0, 4)
