"""What a JSON Schema forbids never becomes a version that is sent."""

from __future__ import annotations

from tests.runs.folder import TICKER, Folder, log, row, tunedeck

SCHEMA = '{"properties": {"lr": {"type": "number", "maximum": 10}, "opt": {"type": "object"}}}'
DECK = """
    jobs:
      job:
        task: job.py:tick
        config: c.yaml
"""
MODELINE = "# yaml-language-server: $schema=s.json\n"


def test_what_the_schema_of_a_job_forbids_is_invalid(folder: Folder) -> None:
    folder.write("s.json", SCHEMA)
    folder.task(TICKER)
    run = folder.run_deck(DECK + "        schema: s.json\n")
    run.wait_for(log("config {'lr': 1}"))
    folder.save("c.yaml", "lr: 11\nopt: 3\n")
    error = run.wait_for(row(2, "invalid"))["error"]
    assert (error["line"], error["column"], error["key"]) == (1, 5, "lr")
    assert error["message"].splitlines() == [
        "lr: 11 is greater than the maximum of 10",
        "opt: 3 is not of type 'object'",
    ]
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(3, "applied"))
    assert "config {'lr': 11, 'opt': 3}" not in run.lines


def test_the_schema_that_a_config_names_counts_from_the_start(folder: Folder) -> None:
    folder.write("s.json", SCHEMA)
    folder.task(TICKER, MODELINE + "lr: high\n")
    done = tunedeck("run", "--headless", "job.py:tick", "-c", "c.yaml", cwd=folder.path)
    assert done.returncode == 2
    assert "c.yaml:2:5: lr: 'high' is not of type 'number'" in done.stderr


def test_a_config_whose_own_schema_is_missing_runs_and_says_so(folder: Folder) -> None:
    folder.task(TICKER, MODELINE + "lr: 1\n")
    run = folder.run("job.py:tick", "-c", "c.yaml")
    run.wait_for(log("config {'lr': 1}"))
    notice = run.wait_for(lambda event: event["event"] == "notice")
    assert "not checked: there is no schema file" in notice["message"]
    folder.write("s.json", SCHEMA)
    folder.save("c.yaml", MODELINE + "lr: 11\n")
    run.wait_for(row(2, "invalid"))


def test_a_deck_whose_schema_is_wrong_does_not_start(folder: Folder) -> None:
    folder.write("s.json", '{"type": 3}')
    folder.task(TICKER)
    folder.write("deck.yaml", DECK + "        schema: s.json\n")
    done = tunedeck("run", "--headless", "deck.yaml", cwd=folder.path)
    assert done.returncode == 2
    assert "deck.yaml:6:13: " in done.stderr
    assert "is no JSON Schema" in done.stderr


def test_a_schema_of_its_own_that_can_not_be_used_is_told_by_check_and_set(folder: Folder) -> None:
    folder.write("c.yaml", MODELINE + "lr: 1\n")
    done = tunedeck("check", "c.yaml", cwd=folder.path)
    words = f"not checked: there is no schema file {folder.path / 's.json'}"
    assert (done.returncode, done.stdout) == (2, f"c.yaml: {words}\n")
    folder.write("deck.yaml", DECK)
    assert tunedeck("check", "deck.yaml", cwd=folder.path).stdout == f"c.yaml: {words}\n"
    done = tunedeck("set", "c.yaml", "lr=2", cwd=folder.path)
    assert (done.returncode, done.stderr.splitlines()[0]) == (0, f"tunedeck: {words}")
    assert (folder.path / "c.yaml").read_text() == MODELINE + "lr: 2\n"
