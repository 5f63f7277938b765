from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runs.folder import TICKER, Folder, Run, ask, log, row
from tests.statuses import FINAL
from tui.protocol.messages import Detail

GOOD = "lr: 2\n"


def in_place(path: Path) -> None:
    path.write_text(GOOD)


def atomic_rename(path: Path) -> None:
    new = path.with_name("new")
    new.write_text(GOOD)
    new.replace(path)


def as_vim_does(path: Path) -> None:
    path.rename(path.with_name("c.yaml~"))
    path.write_text(GOOD)
    path.with_name("c.yaml~").unlink()


def truncate_pause_write(path: Path) -> None:
    with path.open("w") as file:
        time.sleep(0.02)  # what this style is: a file that is empty for a while
        file.write(GOOD)


def removed_and_made_again(path: Path) -> None:
    path.unlink()
    path.write_text(GOOD)


def started(folder: Folder, config: str = "lr: 1\n") -> Run:
    run = folder.run_task(TICKER, "tick", config)
    run.wait_for(row(1, "applied"))
    return run


@pytest.mark.parametrize("save", [in_place, atomic_rename, as_vim_does, truncate_pause_write, removed_and_made_again])
def test_every_style_of_saving_reaches_the_task(folder: Folder, save: Callable[[Path], None]) -> None:
    run = started(folder)
    save(folder.path / "c.yaml")
    applied = run.wait_for(row(2, "applied"))
    assert applied["changes"] == [{"key": "lr", "old": 1, "new": 2}]
    assert applied["source"] == "disk"
    assert applied["step"] >= 1
    assert applied["latency_ms"] > 0
    assert run.wait_for(log("config {'lr': 2}"))["version"] in (1, 2)  # printed just before the receipt is read
    run.stop()
    assert sorted(run.rows()) == [1, 2]


def test_a_swapped_link_to_a_folder_reaches_the_task(folder: Folder) -> None:
    """As Kubernetes mounts a ConfigMap: ``c.yaml`` leads through ``..data``, which is replaced."""
    for name, text in (("one", "lr: 1\n"), ("two", GOOD)):
        (folder.path / name).mkdir()
        folder.write(f"{name}/c.yaml", text)
    (folder.path / "..data").symlink_to("one")
    (folder.path / "c.yaml").symlink_to("..data/c.yaml")
    folder.write("job.py", TICKER)
    run = folder.run("job.py:tick", "-c", "c.yaml")
    run.wait_for(row(1, "applied"))
    (folder.path / "..new").symlink_to("two")
    (folder.path / "..new").rename(folder.path / "..data")
    assert run.wait_for(row(2, "applied"))["changes"] == [{"key": "lr", "old": 1, "new": 2}]


def test_every_status_passed_is_told_and_the_row_keeps_its_time(folder: Folder) -> None:
    run = started(folder)
    folder.save("c.yaml", GOOD)
    run.wait_for(row(2, "applied"))
    told = [event for event in run.events if event["event"] == "reload" and event["version"] == 2]
    assert [event["status"] for event in told] == ["sent", "applied"]
    assert told[0]["time"] == told[1]["time"]


def test_a_save_that_changes_no_value_is_applied_without_a_change(folder: Folder) -> None:
    run = started(folder)
    folder.save("c.yaml", "# a comment\nlr:   1\n")
    applied = run.wait_for(row(2, "applied"))
    assert (applied["changes"], applied["latency_ms"]) == ([], 0.0)
    folder.save("c.yaml", GOOD)
    run.wait_for(row(3, "applied"))
    run.stop()
    assert [line for line in run.lines if "config" in line] == ["config {'lr': 1}", "config {'lr': 2}"]


def test_of_many_saves_back_to_back_the_newest_runs(folder: Folder) -> None:
    run = started(folder)
    for lr in range(2, 60):
        folder.save("c.yaml", f"lr: {lr}\n")
    run.wait_for(log("config {'lr': 59}"))
    run.stop()
    rows = run.rows()
    assert sorted(rows) == list(range(1, len(rows) + 1))
    assert {event["status"] for event in rows.values()} <= {"applied", "superseded"}
    assert rows[len(rows)]["status"] == "applied"
    assert rows[len(rows)]["changes"][0]["new"] == 59


def test_saves_during_one_long_step_are_superseded_by_the_newest(folder: Folder) -> None:
    run = folder.run_task(
        """
        import os, time
        def run(config):
            print("step with", config["lr"])
            while not os.path.exists("go"):
                time.sleep(0.001)
            config = yield
            print("then", config["lr"])
        """,
        "run",
    )
    run.wait_for(log("step with 1"))
    for version in (2, 3, 4):
        folder.save("c.yaml", f"lr: {version}\n")
        run.wait_for(row(version, "sent"))
    folder.write("go", "")
    assert run.end() == 0
    rows = run.rows()
    assert [(rows[version]["status"], rows[version]["by"]) for version in (2, 3, 4)] in (
        [("superseded", 4), ("superseded", 4), ("applied", None)],
        # The worker's receiving thread may still have to read the last ones when the step ends.
        [("superseded", 3), ("applied", None), ("failed", None)],
        [("applied", None), ("superseded", 4), ("failed", None)],
    )


def test_an_invalid_save_is_a_row_with_its_place_and_disturbs_nobody(folder: Folder) -> None:
    run = started(folder)
    folder.save("c.yaml", "lr: 1\nmomentum: 'x\n")
    error = run.wait_for(row(2, "invalid"))["error"]
    assert (error["line"], error["column"]) == (2, 11)
    assert "never closed" in error["message"]
    folder.save("c.yaml", GOOD)
    run.wait_for(row(3, "applied"))
    assert run.stop() == 143
    assert [line for line in run.lines if "config" in line] == ["config {'lr': 1}", "config {'lr': 2}"]
    assert run.states == ["starting", "running", "stopped"]


def test_what_is_no_utf8_is_kept_as_far_as_it_can_be_read(folder: Folder) -> None:
    run = started(folder)
    (folder.path / "new").write_bytes(b"lr: 1\nname: caf\xe9\n")
    (folder.path / "new").replace(folder.path / "c.yaml")
    error = run.wait_for(row(2, "invalid"))["error"]
    assert (error["line"], error["column"]) == (2, 10)
    detail = ask(folder.path / "c.yaml", Detail(1, "tick", 2))
    assert detail.data["text"] == "lr: 1\nname: caf\N{REPLACEMENT CHARACTER}\n"
    assert (detail.data["base"], detail.data["base_text"], detail.data["running"]) == (1, "lr: 1\n", 1)


def test_a_config_that_is_deleted_is_told_and_a_new_one_is_taken(folder: Folder) -> None:
    run = started(folder)
    (folder.path / "c.yaml").unlink()
    run.wait_for(lambda event: event["event"] == "notice" and "c.yaml is missing" in event["message"])
    folder.save("c.yaml", GOOD)
    run.wait_for(row(2, "applied"))
    assert run.states == ["starting", "running"]


def test_the_folder_of_the_config_may_be_replaced(folder: Folder) -> None:
    (folder.path / "conf").mkdir()
    folder.write("conf/c.yaml", "lr: 1\n")
    folder.write("job.py", TICKER)
    run = folder.run("job.py:tick", "-c", "conf/c.yaml")
    run.wait_for(row(1, "applied"))
    (folder.path / "conf").rename(folder.path / "old")
    (folder.path / "conf").mkdir()
    folder.write("conf/c.yaml", GOOD)
    run.wait_for(row(2, "applied"))


def test_a_reload_is_failed_when_the_worker_ends_before_it_answers(folder: Folder) -> None:
    run = folder.run_task(
        """
        import os, time
        def run(config):
            print("waits")
            while not os.path.exists("go"):
                time.sleep(0.001)
            os._exit(3)
        """,
        "run",
    )
    run.wait_for(log("waits"))
    folder.save("c.yaml", GOOD)
    run.wait_for(row(2, "sent"))
    folder.write("go", "")
    assert run.end() == 1
    last = run.rows()[2]
    assert last["status"] == "failed"
    assert "exit code 3" in last["error"]["message"]
    assert {event["status"] for event in run.rows().values()} <= FINAL


def test_the_types_of_the_config_arrive_as_they_were_parsed(folder: Folder) -> None:
    text = "a: 2020-01-02\nb: [1, 1.0, true, null, .nan]\nc: {1: x}\nd: !!binary aGk=\n"
    run = folder.run_task("def run(config):\n    yield print(config)", "run", text)
    assert run.end() == 0
    assert run.lines == ["{'a': datetime.date(2020, 1, 2), 'b': [1, 1.0, True, None, nan], 'c': {1: 'x'}, 'd': b'hi'}"]


def test_a_large_config_reaches_the_task_whole(folder: Folder) -> None:
    values = ", ".join(map(str, range(3_000)))
    run = folder.run_task(
        """
        def run(config):
            while len(config["values"]) < 2:
                config = yield
            print(sum(config["values"]), os.getpid() and len(config["pad"]))
        import os
        """,
        "run",
        "values: [0]\npad: ''\n",
    )
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", f"values: [{values}]\npad: {'x' * 1_000_000}\n")
    assert run.end() == 0
    assert run.lines == [f"{sum(range(3_000))} 1000000"]


def test_the_file_is_never_touched_by_us(folder: Folder) -> None:
    text = "# mine\r\nlr:    1   # keep\r\n"
    folder.write("job.py", TICKER)
    path = folder.path / "c.yaml"
    path.write_bytes(text.encode())
    before = path.stat()
    run = folder.run("job.py:tick", "-c", "c.yaml")
    run.wait_for(row(1, "applied"))
    run.stop()
    assert path.read_bytes() == text.encode()
    assert path.stat().st_mtime_ns == before.st_mtime_ns
