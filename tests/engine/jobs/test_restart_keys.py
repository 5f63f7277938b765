"""What can't change live, some keys or any: the worker that runs judges a change, then a new one takes it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.plays import Play, turn
from tui.engine.jobs import worker_slot
from tui.protocol.messages import Document, Hints

FIRST = "lr: 1\nmodel:\n  hidden: 3\n"


def play() -> Play:
    return Play(FIRST, restart_keys=("model.*",))


def given(case: Play) -> list[tuple[Any, ...]]:
    """Return what the worker was told."""
    return [told[:2] for told in case.worker.told[1:]]


async def questions(case: Play) -> list[Any]:
    """Return the configs that the worker was asked about."""
    await turn()
    return [told[2] for told in case.worker.told if told[0] == "judge"]


async def answer(case: Play, number: int, message: str | None = None) -> None:
    """Let the worker answer a question: it has nothing against a config, or refuses it."""
    await turn()
    case.job.worker_said({"kind": "judged", "id": number, "message": message, "errors": []})
    await turn()


def statuses(case: Play) -> list[str]:
    return [row.status for row in case.rows().values()]


async def renewed(case: Play) -> None:
    """Let the worker end that a new one is to follow."""
    await turn()
    assert case.worker.told[-1][0] == "stop"
    case.exit(0)
    case.vanish()
    await turn()


async def test_a_live_key_is_taken_by_the_worker_that_runs() -> None:
    case = play()
    await case.run(rules=True)
    await case.save("lr: 2\nmodel:\n  hidden: 3\n")
    assert given(case) == [("reload", 2)]
    assert not await questions(case)
    case.apply(2)
    assert len(case.workers) == 1


async def test_an_accepted_change_starts_a_new_worker_with_it() -> None:
    case = play()
    await case.run(rules=True)
    await case.save("lr: 1\nmodel:\n  hidden: 4\n")
    assert len(await questions(case)) == 1
    await turn()
    assert len(case.worker.told) == 2  # it is not ended before it has judged
    await answer(case, 1)
    await renewed(case)
    assert case.worker.told == [("setup", 2, {"lr": 1, "model": {"hidden": 4}})]
    case.apply(2)
    await case.save("lr: 5\nmodel:\n  hidden: 4\n")
    assert given(case) == [("reload", 3)]
    assert not await questions(case)
    assert statuses(case) == ["applied", "applied", "sent"]


async def test_a_refused_change_leaves_the_worker_alone() -> None:
    case = play()
    await case.run(rules=True)
    await case.save("lr: 1\nmodel:\n  hidden: -4\n")
    await answer(case, 1, "hidden must be positive")
    await turn()
    assert len(case.workers) == 1
    assert case.job.state.state == "running"
    assert statuses(case) == ["applied", "rejected"]


async def test_a_live_change_on_top_of_one_that_waits_goes_with_it() -> None:
    case = play()
    await case.run(rules=True)
    await case.save("lr: 1\nmodel:\n  hidden: 4\n")
    await case.save("lr: 2\nmodel:\n  hidden: 4\n")
    assert len(await questions(case)) == 2
    await answer(case, 1)
    await turn()
    assert case.worker.told[-1][0] == "judge"  # there is a newer one, which nobody has judged yet
    await answer(case, 2)
    await renewed(case)
    assert case.worker.told[0][1] == 3
    case.apply(3)
    assert statuses(case) == ["applied", "superseded", "applied"]


async def test_where_the_newest_is_refused_the_one_before_it_counts() -> None:
    case = play()
    await case.run(rules=True)
    await case.save("lr: 1\nmodel:\n  hidden: 4\n")
    await case.save("lr: -2\nmodel:\n  hidden: 4\n")
    await answer(case, 1)
    await answer(case, 2, "no")
    await renewed(case)
    assert case.worker.told[0][1] == 2


async def test_a_change_that_is_taken_back_needs_no_new_worker() -> None:
    case = play()
    await case.run(rules=True)
    await case.save("lr: 1\nmodel:\n  hidden: 4\n")
    await case.save("lr: 2\nmodel:\n  hidden: 3\n")
    assert len(await questions(case)) == 1
    await answer(case, 1)
    case.apply(3)
    await turn()
    assert len(case.workers) == 1
    assert statuses(case) == ["applied", "superseded", "applied"]


async def test_a_paused_job_gets_its_new_worker_when_it_is_resumed() -> None:
    case = play()
    await case.run(rules=True)
    case.job.supervisor.pause()
    await case.save("lr: 1\nmodel:\n  hidden: 4\n")
    assert not await questions(case)
    case.job.supervisor.resume()
    assert len(await questions(case)) == 1
    case.job.supervisor.pause()
    await answer(case, 1)
    await turn()
    assert case.worker.told[-1][0] == "pause"
    case.job.supervisor.resume()
    await renewed(case)
    assert case.worker.told[0][1] == 2


async def test_a_new_worker_that_dies_of_it_gives_way_to_the_last_good_config() -> None:
    case = play()
    await case.run(rules=True)
    await case.save("lr: 1\nmodel:\n  hidden: 4\n")
    await answer(case, 1)
    await renewed(case)
    case.job.worker_said({"kind": "raised", "message": "ValueError: too large"})
    case.exit(1)
    case.vanish()
    await turn()
    assert statuses(case) == ["applied", "reverted", "sent"]
    assert case.worker.told == [("setup", 3, {"lr": 1, "model": {"hidden": 3}})]


async def test_the_task_may_name_such_keys_too_and_viewers_are_told() -> None:
    case = play()
    await case.run(rules=True)
    assert case.job.hints.restart == ("model.*",)
    assert case.job.document.restart_lines == (3,)
    schema = {"type": "object"}
    case.job.worker_said({"kind": "loaded", "rules": True, "schema": schema, "restart": ["lr", "model.*"]})
    (hints,) = case.of(Hints)
    assert (hints.schema, hints.restart) == (schema, ("model.*", "lr"))
    assert case.of(Document)[-1].restart_lines == (1, 3)
    await case.save("lr: 2\nmodel:\n  hidden: 3\n")
    assert len(await questions(case)) == 1


async def test_with_restart_too_the_worker_that_runs_judges_before_it_is_ended() -> None:
    case = Play(on_change="restart")
    await case.run(rules=True)
    await case.save("lr: -1\n")
    await answer(case, 1, "lr must be positive")
    await turn()
    assert (len(case.workers), case.job.state.state) == (1, "running")
    error = case.rows()[2].error
    assert error is not None
    assert error.message == "lr must be positive; v1 still runs"
    await case.save("lr: 3\n")
    assert len(await questions(case)) == 2
    await answer(case, 2)
    await renewed(case)
    assert case.worker.told == [("setup", 3, {"lr": 3})]


@pytest.mark.parametrize("said", [{"kind": "loaded", "rules": False}, None])
async def test_a_worker_with_nothing_to_judge_by_is_ended_at_once(said: dict[str, Any] | None) -> None:
    case = Play(on_change="restart")
    await case.start()
    case.job.worker_started(42)
    if said is not None:
        case.job.worker_said(said)
    await case.save("lr: 2\n")
    await renewed(case)
    assert case.worker.told == [("setup", 2, {"lr": 2})]


async def test_a_worker_that_does_not_judge_is_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_slot, "ANSWER_PATIENCE", 0.01)
    case = Play(on_change="restart")
    await case.run(rules=True)
    await case.save("lr: 2\n")
    await case.worker.asked.wait()
    reason = case.job.state.reason
    assert reason is not None
    assert reason.startswith("has not said within 0.01 s whether it takes v2")
    await renewed(case)
    assert case.worker.told == [("setup", 2, {"lr": 2})]
