"""How the jobs are, in short: what the engine answers a viewer that shows all of them."""

from __future__ import annotations

from typing import Any

from tests.engine.plays import Play
from tui.engine.service import summary
from tui.protocol import codec, messages


def told(play: Play, width: int = 12) -> dict[str, Any]:
    job = play.job
    found = summary.of({"a": job}, messages.Summary(0, ("a", "nobody"), width))
    assert list(found) == ["a"]
    reply = codec.decode(codec.encode(messages.Reply(0, True, data=found)))
    assert isinstance(reply, messages.Reply)
    return dict(reply.data["a"])


async def test_a_job_that_has_told_nothing() -> None:
    play = Play()
    assert told(play) == {"cpu": None, "memory": None, "restarts": 0, "metric": None, "course": []}


async def test_the_course_is_that_of_the_main_metric_in_so_many_columns() -> None:
    play = Play(metrics={"loss": "min"})
    await play.run()
    for step in range(1, 101):
        values = {"accuracy": 0.5, "loss": 100.0 - step if step != 50 else [0, 0.0, 0.0, 0.0, 0.0, 1]}
        play.job.worker_said({"kind": "block", "first": step, "size": 1, "at": float(step), "values": values})
    found = told(play, 4)
    assert found["metric"] == "loss"
    assert [round(value, -1) for value in found["course"]] == [90, 60, 40, 10]
    assert len(told(play, 10_000)["course"]) == summary.WIDEST


async def test_what_its_processes_use_is_told_while_there_are_some() -> None:
    play = Play()
    await play.run()
    play.job.recorder.usage = {"system.cpu_percent": 98.5, "system.memory_mb": 312.0}
    assert (told(play)["cpu"], told(play)["memory"]) == (98.5, 312.0)
    play.exit(0)
    assert (told(play)["cpu"], told(play)["memory"]) == (None, None)


async def test_restarts_count_from_the_users_start() -> None:
    play = Play(restart="always")
    await play.run()
    play.apply(1)
    play.exit(1)
    assert told(play)["restarts"] == 1
    play.vanish()
    await play.start()
    assert told(play)["restarts"] == 0
