"""When a command that is held gives its receipt: the tree of its processes is played, the clock runs fast."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tui.engine import paths
from tui.runners import command
from tui.runners.base import Payload
from tui.runners.command import CommandRunner, CommandSpec
from tui.runners.members import RankPolicy
from tui.runners.readiness import Readiness

SETTLE = 0.01


class FakeTree:
    """Takes the signals."""

    def __init__(self, watcher: CommandRunner, arguments: list[str], **options: Any) -> None:
        self.signals: list[int] = []

    def signal(self, number: int, *, alone: bool = False) -> None:
        self.signals.append(number)


class Case:
    """A runner, and what its owner was told."""

    def __init__(self, folder: Path, ready: Readiness | None) -> None:
        config = folder / "c.yaml"
        config.write_text("lr: 1\n")
        self.said: list[dict[str, Any]] = []
        self.answered = asyncio.Event()
        spec = CommandSpec("a", ("run", "{config}"), config, "SIGHUP", ready=ready)
        joins = paths.sockets_folder() / f"test-{os.getpid()}"
        self.runner = CommandRunner(self, spec, Payload(1, "lr: 1\n", "lr: 1\n"), {}, joins, RankPolicy())

    def worker_started(self, pid: int) -> None: ...

    def worker_wrote(self, data: bytes) -> None: ...

    def worker_exited(self, code: int | None) -> None: ...

    def worker_gone(self) -> None: ...

    def worker_said(self, message: Any) -> None:
        self.said.append(message)
        if message["kind"] == "applied":
            self.answered.set()

    @property
    def applied(self) -> list[int]:
        return [message["version"] for message in self.said if message["kind"] == "applied"]


@pytest.fixture(params=["settles", "says a line"])
async def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Case]:
    monkeypatch.setattr(command, "SETTLE", SETTLE)
    monkeypatch.setattr(command, "ProcessTree", FakeTree)
    case = Case(tmp_path, None if request.param == "settles" else Readiness(line="up"))
    yield case
    case.runner.worker_gone()


@pytest.mark.parametrize("when", ["before it exists", "before it is up"])
async def test_a_program_that_is_held_has_not_taken_its_first_config(case: Case, when: str) -> None:
    if when == "before it exists":
        case.runner.pause()
        case.runner.worker_started(42)
    else:
        case.runner.worker_started(42)
        case.runner.pause()
    case.runner.worker_wrote(b"up\n")  # what it wrote before the signal came to it
    await asyncio.sleep(10 * SETTLE)
    assert case.applied == []
    case.runner.resume()
    await case.answered.wait()
    assert case.applied == [1]


async def test_a_signal_for_a_program_that_is_held_then_is_answered_when_it_goes_on(case: Case) -> None:
    case.runner.worker_started(42)
    case.runner.worker_wrote(b"up\n")
    await case.answered.wait()
    case.answered.clear()
    assert case.runner.send(Payload(2, "lr: 2\n", "lr: 2\n"))
    case.runner.pause()
    await asyncio.sleep(10 * SETTLE)
    assert case.applied == [1]
    case.runner.resume()
    await case.answered.wait()
    assert case.applied == [1, 2]
    tree: Any = case.runner.tree
    assert tree.signals == [signal.SIGHUP, signal.SIGSTOP, signal.SIGCONT]


async def test_nobody_that_joins_is_told(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "JOINING", 0)
    monkeypatch.setattr(case.runner, "spec", dataclasses.replace(case.runner.spec, on_change="reload"))
    case.runner.worker_started(42)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert {"kind": "unjoined", "seconds": 0} in case.said
