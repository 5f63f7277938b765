from __future__ import annotations

import itertools
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.engine.plays import Play
from tui.engine.service import at_stake, save_commands, write_commands
from tui.protocol import messages
from tui.protocol.messages import Command, Reply

BEFORE, LIVE, RESTARTS, INVALID = "lr: 1\nhidden: 8\n", "lr: 2\nhidden: 8\n", "lr: 1\nhidden: 9\n", "lr: [\n"


async def obey(play: Play, command: Command) -> Reply:
    jobs = [play.job]
    if isinstance(command, messages.Save):
        return await save_commands.save(play.job, jobs, command)
    if isinstance(command, messages.Set):
        return await write_commands.set_values(play.job, jobs, command)
    assert isinstance(command, messages.Rollback)
    return await write_commands.roll_back(play.job, jobs, command)


def command(kind: str, play: Play, text: str, *, restart: bool) -> Command:
    if kind == "save":
        return messages.Save(1, "job", text, play.file.digest, restart=restart)
    if kind == "set":
        values = {"lr": "2"} if text == LIVE else {"hidden": "9"}
        return messages.Set(1, "job", values, restart=restart)
    return messages.Rollback(1, "job", 2 if text == LIVE else 3, restart=restart)


async def played(tmp_path: Path, on_change: str) -> Play:
    path = tmp_path / "c.yaml"
    path.write_text(BEFORE, encoding="utf-8")
    play = Play(BEFORE, config=path, restart_keys=("hidden",), on_change=on_change)
    await play.run()
    for version, text in ((2, LIVE), (3, RESTARTS)):  # what a rollback goes back to
        play.history.add(messages.Reload("job", version, "applied", "set", time=1.0), text)
    play.job.worker_said({"kind": "metrics", "step": 12_300, "values": {"loss": 1.0}})
    return play


@pytest.mark.parametrize("kind", ["save", "set", "rollback"])
async def test_a_change_that_costs_an_old_worker_its_state_waits_for_a_word(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every way to write, age, change and policy: only one of each costs something that nobody has allowed."""
    for age, text, on_change, allowed in itertools.product(
        (30, 7_400), (LIVE, RESTARTS), ("reload", "restart"), (False, True)
    ):
        play = await played(tmp_path, on_change)
        later = time.time() + age
        monkeypatch.setattr(at_stake, "time", SimpleNamespace(time=lambda later=later: later))
        reply = await obey(play, command(kind, play, text, restart=allowed))
        costs = age > at_stake.WORTH and text == RESTARTS and on_change == "reload" and not allowed
        assert (reply.code, reply.ok) == (("costs", False) if costs else ("", True)), (age, text, on_change, allowed)
        assert play.file.path.read_text(encoding="utf-8") == (BEFORE if costs else text)
        if costs:
            assert reply.message == "hidden can't change live: job would start anew and lose 12,300 steps, 2h 03m"
            (loss,) = reply.data["losses"]
            assert (loss["job"], loss["step"], loss["keys"]) == ("job", 12_300, ["hidden"])
        for worker in play.workers:
            worker.gone.set()


async def test_what_is_refused_anyway_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_stake, "WORTH", 0.0)
    play = await played(tmp_path, "reload")
    reply = await obey(play, messages.Save(1, "job", INVALID, play.file.digest))
    assert reply.ok
    assert play.rows()[max(play.rows())].status == "invalid"
