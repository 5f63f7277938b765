"""The code of a task changes while it runs."""

from __future__ import annotations

from tests.runs.folder import Event, Folder, Run, row, tunedeck
from tests.runs.test_live_deck import pid

MAIN = """\
import time
import helper

def tick(config):
    print("runs", helper.SAYS, flush=True)
    while True:
        time.sleep(0.001)
        config = yield
"""

#: It ends when there is a file `end`.
SLOW = """\
import pathlib, time
import helper

def tick(config):
    print("runs", helper.SAYS, flush=True)
    try:
        while True:
            time.sleep(0.001)
            config = yield
    finally:
        while not pathlib.Path("end").exists():
            time.sleep(0.01)
"""


def begun(folder: Folder, code: str, config: str = "lr: 1\n") -> Run:
    folder.task(MAIN, config)
    folder.write("helper.py", "SAYS = 1\n")
    run = folder.run_deck(f"jobs: {{a: {{task: job.py:tick, config: c.yaml, code: {code}}}}}")
    run.wait_for(row(1, "applied"))
    run.wait_for(said("runs 1"))
    return run


def said(line: str):  # type: ignore[no-untyped-def]
    return lambda event: event["event"] == "log" and event["line"] == line


def code_row(run: Run, status: str, version: int) -> Event:
    found = run.wait_for(row(version, status))
    assert (found["source"], found["changes"]) == ("code", [])
    return found


def test_ask_says_what_has_changed_and_the_next_start_has_it(folder: Folder) -> None:
    run = begun(folder, "ask")
    before = pid(run, "a")
    folder.save("helper.py", "SAYS = 2\n")
    told = run.wait_for(lambda event: event["event"] == "notice")
    assert told["message"] == "code changed: helper.py, ctrl+r restarts with it"
    run.wait_for(lambda event: event["event"] == "state" and event["reason"] == told["message"])
    folder.save("helper.py", "SAYS = 1\n")  # and back
    run.wait_for(lambda _: [event for event in run.events if event["event"] == "state"][-1]["reason"] is None)
    assert pid(run, "a") == before
    folder.save("helper.py", "SAYS = 3\n")
    run.wait_for(lambda event: event["event"] == "notice" and event is not told)
    assert tunedeck("restart", "a", cwd=folder.path).returncode == 0
    run.wait_for(said("runs 3"))
    started = run.wait_for(row(2, "applied"))
    assert (started["source"], started["files"]) == ("start", ["helper.py"])
    run.stop()


def test_restart_takes_what_can_be_imported_and_refuses_the_rest(folder: Folder) -> None:
    run = begun(folder, "restart")
    folder.save("helper.py", "SAYS = 2\n")
    assert code_row(run, "applied", 2)["files"] == ["helper.py"]
    run.wait_for(said("runs 2"))
    good = pid(run, "a")
    folder.save("helper.py", "SAYS = \n")
    broken = code_row(run, "invalid", 3)
    assert broken["error"]["message"] == "helper.py:1: SyntaxError: invalid syntax"
    (folder.path / "helper.py").unlink()
    gone = code_row(run, "invalid", 4)
    assert gone["error"]["message"] == "job.py:2: ModuleNotFoundError: No module named 'helper'"
    assert pid(run, "a") == good
    folder.save("helper.py", "SAYS = 5\n")
    code_row(run, "applied", 5)
    run.wait_for(said("runs 5"))
    refused = tunedeck("rollback", "c.yaml", "5", cwd=folder.path)
    assert (refused.returncode, "no rollback touches" in refused.stderr) == (1, True)
    run.stop()
    refused = tunedeck("rollback", "c.yaml", "5", cwd=folder.path)
    assert (refused.returncode, "no rollback touches" in refused.stderr) == (2, True)


def test_a_worker_starts_with_what_was_found_to_be_good_whatever_is_in_the_files_by_then(folder: Folder) -> None:
    run = begun(folder, "restart")
    folder.save("job.py", SLOW)
    code_row(run, "applied", 2)
    folder.save("helper.py", "SAYS = 3\n")
    code_row(run, "sent", 3)
    (folder.path / "helper.py").unlink()
    folder.save("job.py", "broken(\n")
    folder.write("end", "")
    code_row(run, "applied", 3)
    run.wait_for(said("runs 3"))
    broken = code_row(run, "invalid", 4)
    assert (broken["files"], broken["error"]["line"]) == (["helper.py", "job.py"], None)
    run.stop()


def test_off_looks_at_nothing_and_the_deck_can_say_otherwise(folder: Folder) -> None:
    run = begun(folder, "off")
    folder.save("helper.py", "SAYS = 2\n")
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    folder.save("deck.yaml", "jobs: {a: {task: job.py:tick, config: c.yaml, code: restart}}")
    code_row(run, "applied", 3)
    run.wait_for(said("runs 2"))
    run.stop()


def test_what_is_imported_later_and_a_validator_elsewhere_are_looked_at_too(folder: Folder) -> None:
    (folder.path / "rules").mkdir()
    folder.write("rules/check.py", "def check(old, new): pass\n")
    folder.write("late.py", "SAYS = 1\n")
    folder.task(MAIN.replace("import helper\n", "").replace("helper.SAYS", "__import__('late').SAYS"))
    deck = "jobs: {a: {task: job.py:tick, config: c.yaml, code: restart, validate: rules/check.py:check}}"
    run = folder.run_deck(deck)
    run.wait_for(said("runs 1"))
    folder.write("rules/check.py", "def check(old, new): return None\n")
    assert code_row(run, "applied", 2)["files"] == ["rules/check.py"]
    run.wait_for(lambda event: said("runs 1")(event) and run.lines.count("runs 1") == 2)
    folder.save("late.py", "SAYS = 2\n")
    run.wait_for(said("runs 2"))
    assert run.rows()[3]["files"] == ["late.py"]
    run.stop()


def test_a_schema_holds_from_the_next_save_on(folder: Folder) -> None:
    folder.write("s.json", "{}")
    folder.task(MAIN)
    folder.write("helper.py", "SAYS = 1\n")
    run = folder.run_deck("jobs: {a: {task: job.py:tick, config: c.yaml, schema: s.json}}")
    run.wait_for(row(1, "applied"))
    before = pid(run, "a")
    folder.save("s.json", '{"properties": {"lr": {"maximum": 5}}}')
    run.wait_for(lambda event: event["event"] == "notice" and event["message"].startswith("schema changed: s.json"))
    folder.save("c.yaml", "lr: 6\n")
    run.wait_for(row(2, "invalid"))
    assert pid(run, "a") == before
    run.stop()
