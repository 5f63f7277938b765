from __future__ import annotations

from tests.engine.runs import TICKER, Folder, log, row, state


def test_a_generator_runs_to_its_end(folder: Folder) -> None:
    run = folder.run_task(
        """
        def train(config):
            for step in range(3):
                config = yield {"loss": step}
            print("trained with", config["lr"])
        """,
        "train",
    )
    assert run.end() == 0
    assert run.states == ["starting", "running", "finished"]
    assert run.lines == ["trained with 1"]
    assert [event["step"] for event in run.events if event["event"] == "metrics"][-1] == 3
    first = run.rows()[1]
    assert (first["status"], first["source"], first["step"], first["changes"]) == ("applied", "start", 0, [])
