"""What the worker refuses: with real workers, over the channel and in whole runs."""

from __future__ import annotations

import pytest

from tests.runs.folder import TICKER, Folder, ask, log, row, state
from tests.runs.worker import VERSIONS, Worker, said
from tui.protocol import messages

TASK = """
    import tui

    def check(old, new):
        if new["lr"] == 3:
            raise ValueError("three is not allowed")
        if new["lr"] == 4:
            print(undefined)

    def run(config):
        seen = None
        while True:
            if config is not seen:
                print("config", config, flush=True)
                seen = config
            tui.sleep(0.01)
            config = yield
"""

DECK = """
    jobs:
      job:
        task: job.py:run
        config: c.yaml
        validate: job.py:check
"""


@pytest.mark.parametrize("worker", [None, *VERSIONS], indirect=True, ids=lambda version: version or "ours")
@pytest.mark.parametrize("runner", ["process", "thread"])
def test_a_refused_config_is_answered_and_not_taken(worker: Worker, runner: str) -> None:
    worker.write("job.py", TASK)
    if runner == "thread":
        worker.send("host")
    worker.setup("job.py:run", runner=runner, validate="job.py:check")
    for version in (2, 3, 4, 5):
        worker.reload(version)
    assert worker.wait_for(said("rejected", version=3))["message"] == "three is not allowed"
    assert worker.wait_for(said("rejected", version=4))["message"].startswith("check failed: NameError")
    worker.wait_for(said("applied", version=5))
    if runner == "thread":
        worker.wait_for(lambda message: message["kind"] == "wrote" and "NameError" in message["text"])
    text = worker.text() if runner == "thread" else worker.output
    assert "'lr': 3}" not in text
    assert "'lr': 4}" not in text
    assert text.count("Traceback") == 1


@pytest.mark.parametrize("runner", ["process", "thread", "asyncio"])
def test_a_run_with_a_bad_save_goes_on(folder: Folder, runner: str) -> None:
    folder.task(TASK.replace("def run", "async def run").replace("tui.sleep", "await tui.asleep"))
    run = folder.run_deck(DECK + f"        runner: {runner}\n")
    run.wait_for(log("config {'lr': 1}"))
    folder.save("c.yaml", "lr: 3\n")
    refused = run.wait_for(row(2, "rejected"))
    assert refused["error"]["message"] == "three is not allowed; v1 still runs"
    assert refused["changes"] == [{"key": "lr", "old": 1, "new": 3}]
    folder.save("c.yaml", "lr: 5\n")
    run.wait_for(row(3, "applied"))
    run.wait_for(log("config {'lr': 5}"))
    assert run.stop() == 143
    assert "config {'lr': 3}" not in run.lines
    assert [found["status"] for found in run.rows().values()] == ["applied", "rejected", "applied"]


@pytest.mark.parametrize("runner", ["process", "thread"])
def test_headless_a_refused_first_config_ends_the_start(folder: Folder, runner: str) -> None:
    folder.task(TASK, "lr: 3\n")
    run = folder.run_deck(DECK + f"        runner: {runner}\n")
    assert run.end() == 2
    assert run.rows()[1]["status"] == "rejected"
    assert run.rows()[1]["error"]["message"] == "three is not allowed"
    states = [event for event in run.events if event["event"] == "state" and event["job"] == "job"]
    assert {event["state"] for event in states} == {"starting", "stopped"}
    assert states[-1]["reason"] == "waiting for a valid config: three is not allowed"
    assert not [line for line in run.lines if line.startswith("config")]


@pytest.mark.parametrize("runner", ["process", "thread", "asyncio"])
def test_a_restart_that_would_be_refused_costs_the_job_nothing(folder: Folder, runner: str) -> None:
    folder.task(TASK.replace("def run", "async def run").replace("tui.sleep", "await tui.asleep"))
    run = folder.run_deck(DECK + f"        on_change: restart\n        runner: {runner}\n")
    run.wait_for(log("config {'lr': 1}"))
    folder.save("c.yaml", "lr: 3\n")
    refused = run.wait_for(row(2, "rejected"))
    assert refused["error"]["message"] == "three is not allowed; v1 still runs"
    folder.save("c.yaml", "lr: 5\n")
    run.wait_for(log("config {'lr': 5}"))
    assert [line for line in run.lines if line.startswith("config")] == ["config {'lr': 1}", "config {'lr': 5}"]


def test_a_restart_for_what_only_the_new_worker_refuses_gives_way_to_what_ran(folder: Folder) -> None:
    folder.task(TASK)
    run = folder.run_deck(DECK + "        on_change: restart\n")
    run.wait_for(log("config {'lr': 1}"))
    folder.write("job.py", TASK.replace('new["lr"] == 3', 'new["lr"] == 7'))
    folder.save("c.yaml", "lr: 7\n")
    run.wait_for(row(2, "rejected"))
    run.wait_for(lambda event: run.lines.count("config {'lr': 1}") == 2)
    folder.save("c.yaml", "lr: 5\n")
    run.wait_for(log("config {'lr': 5}"))
    assert "config {'lr': 7}" not in run.lines


@pytest.mark.parametrize(
    ("validate", "reason"),
    [
        ("job.py:chek", "job.py has no function 'chek'; it has check"),
        ("none.py:check", "there is no file none.py"),
        ("late.py:check", "late.py:check is async"),
        ("broken.py:check", "SyntaxError"),
    ],
)
def test_a_validator_that_cannot_be_loaded_ends_the_start(folder: Folder, validate: str, reason: str) -> None:
    folder.task(TASK)
    folder.write("late.py", "async def check(old, new): pass\n")
    folder.write("broken.py", "def check(\n")
    run = folder.run_deck(DECK.replace("job.py:check", validate))
    assert run.end() == 2
    assert reason in run.wait_for(state("crashed"))["reason"]


def test_a_validator_in_another_folder_leaves_the_task_its_own_neighbours(folder: Folder) -> None:
    (folder.path / "rules").mkdir()
    folder.write(
        "rules/rules.py", "import limits\ndef check(old, new):\n    if new['lr'] > limits.HIGH: raise ValueError(1)"
    )
    folder.write("rules/limits.py", "HIGH = 2\n")
    folder.write("rules/helper.py", "NAME = 'wrong'\n")
    folder.write("helper.py", "NAME = 'right'\n")
    folder.task("def run(config):\n    import helper\n    print(helper.NAME)\n    yield\n")
    run = folder.run_deck(DECK.replace("job.py:check", "rules/rules.py:check"))
    assert run.end() == 0
    assert run.lines == ["right"]


MODEL = """
    from __future__ import annotations
    import tui

    class Config:
        @classmethod
        def model_validate(cls, data):
            if data["lr"] == 3:
                raise ValueError("three is not allowed")
            made = cls()
            made.lr = data["lr"]
            return made

    def yielding(config: Config):
        while True:
            before = config
            print("lr", config.lr, flush=True)
            tui.sleep(0.001)
            config = yield {"same": int(config is before)}

    def calling(config: Config):
        while True:
            print("lr", config.lr, flush=True)
            tui.sleep(0.001)
            config = tui.checkpoint(config)
"""


@pytest.mark.parametrize("worker", [None, *VERSIONS], indirect=True, ids=lambda version: version or "ours")
@pytest.mark.parametrize("function", ["yielding", "calling"])
@pytest.mark.parametrize("runner", ["process", "thread"])
def test_a_task_gets_the_object_that_its_annotation_asks_for(worker: Worker, runner: str, function: str) -> None:
    worker.write("job.py", MODEL)
    if runner == "thread":
        worker.send("host")
    worker.setup(f"job.py:{function}", runner=runner)
    worker.wait_for(said("applied", version=1))
    for version in (2, 3, 4):
        worker.reload(version)
    assert worker.wait_for(said("rejected", version=3))["message"] == "three is not allowed"
    worker.wait_for(said("applied", version=4))
    worker.send("stop")
    worker.wait_for(said("ended")) if runner == "thread" else worker.exit_code()
    text = worker.text() if runner == "thread" else worker.output
    assert "lr 1" in text
    assert "lr 3" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("worker", ["3.8", "3.12"], indirect=True)
def test_a_dataclass_needs_pydantic_where_the_worker_runs(worker: Worker) -> None:
    # That interpreter may be the one of the tests, which has it.
    worker.write("pydantic.py", """raise ModuleNotFoundError("No module named 'pydantic'", name="pydantic")""")
    worker.write(
        "job.py",
        """
        from dataclasses import dataclass
        @dataclass
        class Config:
            lr: int
        def run(config: Config): pass
        """,
    )
    worker.setup("job.py:run")
    message = worker.wait_for(said("unloadable"))["message"]
    assert "the dataclass Config, which pydantic 2 has to validate" in message
    assert worker.exit_code() == 1
    assert "Traceback" not in worker.output


def test_every_error_of_a_model_is_told_with_its_key_and_the_place_of_the_first(folder: Folder) -> None:
    run = folder.run_task(
        """
        from __future__ import annotations
        import tui
        from pydantic import BaseModel, ConfigDict, Field

        class Opt(BaseModel):
            betas: list[float]

        class Config(BaseModel):
            model_config = ConfigDict(extra="forbid")
            lr: float = Field(gt=0)
            opt: Opt

        def run(config: Config):
            while True:
                print(type(config).__name__, config.lr, config.opt.betas, flush=True)
                tui.sleep(0.01)
                config = yield
        """,
        "run",
        "lr: 1\nopt: {betas: [1, 2]}\n",
    )
    run.wait_for(log("Config 1.0 [1.0, 2.0]"))
    folder.save("c.yaml", "lr: 2\nopt: {betas: [1, no]}\nlrr: 3\n")
    error = run.wait_for(row(2, "rejected"))["error"]
    assert (error["line"], error["column"], error["key"]) == (2, 18, "opt.betas[1]")
    betas, extra, runs = error["message"].splitlines()
    assert betas.startswith("opt.betas[1]: Input should be a valid number")
    assert extra.startswith("lrr: Extra inputs")
    assert runs == "v1 still runs"
    folder.save("c.yaml", "lr: 2\nopt: {betas: [3]}\n")
    run.wait_for(log("Config 2.0 [3.0]"))


@pytest.mark.parametrize("on_change", ["reload", "restart"])
@pytest.mark.parametrize("runner", ["process", "thread"])
def test_a_validator_that_changes_with_the_config_judges_after_a_restart_by_the_user(
    folder: Folder, runner: str, on_change: str
) -> None:
    code = (
        TICKER
        + "\n    def check(old, new):\n        if new['lr'] > LIMIT:\n            raise ValueError(f'over {LIMIT}')\n"
    )
    folder.task(code + "    LIMIT = 10\n")
    what = f"task: job.py:tick, config: c.yaml, validate: job.py:check, runner: {runner}, on_change: {on_change}"
    run = folder.run_deck(f"jobs:\n  a: {{{what}}}\n")
    run.wait_for(row(1, "applied"))
    folder.task(code + "    LIMIT = 100\n", "lr: 50\n")
    assert run.wait_for(row(2, "rejected"))["error"]["message"] == "over 10; v1 still runs"
    assert ask(folder.path / "deck.yaml", messages.Start(1, "a")).ok
    run.wait_for(row(3, "applied"))
    run.wait_for(log("config {'lr': 50}"))


@pytest.mark.parametrize("runner", ["process", "thread"])
def test_a_refusal_does_not_wait_for_the_end_of_a_step(folder: Folder, runner: str) -> None:
    """The step takes longer than any test may: who waits for it fails."""
    folder.task(TASK.replace("tui.sleep(0.01)", "time.sleep(600)").replace("import tui", "import time"))
    run = folder.run_deck(DECK + f"        runner: {runner}\n        stop: {{grace: 0.1}}\n")
    run.wait_for(log("config {'lr': 1}"))
    folder.save("c.yaml", "lr: 3\n")
    run.wait_for(row(2, "rejected"))
    folder.save("c.yaml", "lr: 5\n")
    run.wait_for(row(3, "sent"))
    folder.save("c.yaml", "lr: 3\nother: 1\n")
    run.wait_for(row(4, "rejected"))
    assert run.rows()[3]["status"] == "sent"
    assert run.lines == ["config {'lr': 1}"]
    run.stop()
