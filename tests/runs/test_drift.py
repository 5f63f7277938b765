"""What a restart means: a new run starts from the file, and says how that differs from what ran last."""

from __future__ import annotations

from tests.runs.folder import TICKER, Folder, row


def test_a_new_run_tells_how_the_file_differs_from_what_ran_last(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick", "lr: 1\nsize: 3\n")
    assert run.wait_for(row(1, "applied"))["changes"] == []
    folder.save("c.yaml", "lr: 2\nsize: 3\n")
    run.wait_for(row(2, "applied"))
    folder.save("c.yaml", "lr: [\n")  # never ran
    run.wait_for(row(3, "invalid"))
    run.stop()
    folder.save("c.yaml", "lr: 5\nsize: 3\n")
    run = folder.run("job.py:tick", "-c", "c.yaml")
    started = run.wait_for(row(4, "applied"))
    assert (started["source"], started["base"]) == ("start", 2)
    assert started["changes"] == [{"key": "lr", "old": 2, "new": 5}]
    told = [event["message"] for event in run.events if event["event"] == "notice"]
    assert told == ["v4 starts from the file, which differs from v2 in lr"]
    run.stop()
    run = folder.run("job.py:tick", "-c", "c.yaml")
    started = run.wait_for(row(5, "applied"))
    assert (started["base"], started["changes"]) == (4, [])
    assert not [event for event in run.events if event["event"] == "notice"]
    run.stop()
