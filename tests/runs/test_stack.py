"""Where a task is that does not come to its checkpoint: asked of the worker, and of the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs.folder import Folder, ask, log, row
from tests.runs.worker import Worker, said
from tui.protocol import messages

TASKS = """
    import asyncio
    import time

    def step():
        time.sleep(3600)  # a long step

    def thread(config):
        yield
        step()

    async def inner():
        await asyncio.sleep(3600)

    async def steps(config):
        yield
        await inner()  # from a step

    async def calls(config):
        await asyncio.wait_for(inner(), None)

    async def blocks(config):
        step()
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    started = Worker(tmp_path)
    yield started
    started.close()


def stack_of(worker: Worker, wanted: str, job: str = "job") -> str:
    """Return the stack of a task once it is where it is wanted."""
    for number in range(10_000):
        worker.send("stack", job, id=number)
        text = str(worker.wait_for(said("stack", job, id=number))["text"])
        if wanted in text:
            assert "tui/worker" not in text
            return text
    raise AssertionError(text)


@pytest.mark.parametrize(
    ("function", "how", "frames"),
    [
        ("thread", "is in", ["in thread\n    step()", "in step\n    time.sleep(3600)  # a long step"]),
        (
            "steps",
            "waits, in",
            ["in steps\n    await inner()  # from a step", "in inner\n    await asyncio.sleep(3600)"],
        ),
        ("calls", "waits, in", ["in calls\n    await asyncio.wait_for", "in inner\n    await asyncio.sleep(3600)"]),
        ("blocks", "is in", ["in blocks\n    step()", "in step\n    time.sleep(3600)  # a long step"]),
    ],
)
@pytest.mark.parametrize("hosted", [False, True])
def test_stack_of_a_task(worker: Worker, function: str, how: str, frames: list[str], hosted: bool) -> None:
    worker.write("tasks.py", TASKS)
    if hosted:
        worker.send("host")
        runner = "thread" if function == "thread" else "asyncio"
        worker.setup(f"tasks.py:{function}", "one", runner)
    else:
        worker.setup(f"tasks.py:{function}", "one", "process")
    text = stack_of(worker, "sleep(3600)", "one")
    assert text.startswith(f"The task {how} (innermost last):\n")
    places = [text.find(frame) for frame in frames]
    assert -1 not in places, text
    assert places == sorted(places)


def test_stack_while_the_module_is_imported(worker: Worker) -> None:
    worker.write("slow.py", "import time\ntime.sleep(3600)\n")
    worker.setup("slow.py:task", runner="process")
    assert "line 2, in <module>\n    time.sleep(3600)" in stack_of(worker, "sleep(3600)")


def test_engine_asks_the_worker_while_a_reload_waits(folder: Folder) -> None:
    run = folder.run_task(
        """
        import time
        def slow(config):
            while True:
                config = yield
                print("begun", flush=True)
                while config["lr"] == 1:
                    time.sleep(0.01)
        """,
        "slow",
    )
    run.wait_for(log("begun"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "sent"))
    reply = ask(folder.path / "c.yaml", messages.Stack(1, "slow"))
    assert reply.ok
    assert "job.py" in reply.data["stack"]
    assert "in slow\n" in reply.data["stack"]
    run.stop()


def test_a_command_and_a_job_that_has_ended_have_none(folder: Folder) -> None:
    folder.write("c.yaml", "lr: 1\n")
    deck = {
        "program": {"command": ["sleep", "3600"], "config": "c.yaml", "on_change": "restart"},
        "ended": {"task": "job.py:ended", "config": "c.yaml"},
    }
    folder.write("job.py", "def ended(config):\n    yield\n")
    run = folder.run_deck(json.dumps({"jobs": deck}))
    run.wait_for(lambda event: event["event"] == "state" and (event["job"], event["state"]) == ("ended", "finished"))
    run.wait_for(lambda event: event["event"] == "state" and (event["job"], event["state"]) == ("program", "running"))
    said_ = ask(folder.path / "deck.yaml", messages.Stack(1, "program"))
    assert said_.data["stack"] == "no process of the command has called tui.checkpoint: it has no stack to show"
    refused = ask(folder.path / "deck.yaml", messages.Stack(2, "ended"))
    assert (refused.ok, refused.code, refused.message) == (False, "unanswered", "it has no worker: ctrl+r starts it")
    run.stop()
