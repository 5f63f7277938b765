from __future__ import annotations

from tests.runs.folder import TICKER, Folder, row, tunedeck

DECK = """
    jobs:
      a:
        task: job.py:tick
        config: a.yaml
      b:
        task: job.py:tick
        config: a.yaml
      c:
        command: [sleep, '{seconds}']
        config: c.yaml
        on_change: restart
"""


def test_a_good_config_or_deck_is_passed_in_silence(folder: Folder) -> None:
    folder.write("a.yaml", "lr: 1\n")
    folder.write("c.yaml", "seconds: 1\n")
    folder.write("deck.yaml", DECK)
    for name in ("a.yaml", "deck.yaml"):
        done = tunedeck("check", name, cwd=folder.path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_problems_are_told_with_their_places(folder: Folder) -> None:
    folder.write("a.yaml", "lr: 1\nlr: 2\n")
    folder.write("c.yaml", "second: 1\n")
    folder.write("deck.yaml", DECK)
    done = tunedeck("check", "a.yaml", cwd=folder.path)
    bad = "a.yaml:2:1: the key lr stands here twice, first on line 1: remove one\n"
    assert (done.returncode, done.stdout) == (2, bad)
    done = tunedeck("check", "deck.yaml", cwd=folder.path)
    assert done.returncode == 2
    assert done.stdout.startswith(bad + "c.yaml: ")
    assert done.stdout.count("\n") == 2
    assert "seconds" in done.stdout


def test_a_bad_deck_and_a_missing_file(folder: Folder) -> None:
    folder.write("deck.yaml", "jobs:\n  a: {task: x.py:f, confg: c.yaml}\n")
    done = tunedeck("check", "deck.yaml", cwd=folder.path)
    assert (done.returncode, done.stdout) == (2, "deck.yaml:2:21: unknown key confg: did you mean config?\n")
    done = tunedeck("check", "none.yaml", cwd=folder.path)
    assert (done.returncode, done.stdout) == (2, "none.yaml: is missing: create it, or name another file\n")


def test_a_workflow_of_a_build_server_is_a_config(folder: Folder) -> None:
    folder.write("ci.yaml", "on: push\njobs:\n  test: {runs-on: x, steps: []}\n")
    assert tunedeck("check", "ci.yaml", cwd=folder.path).returncode == 0


def test_what_a_validator_says_is_one_harmless_line(folder: Folder) -> None:
    task = """
        import time
        def check(old, new):
            if new["x"] != "ok":
                raise ValueError("bad x: " + new["x"] + "\\nsecond line")
        def run(config):
            while True:
                time.sleep(0.01)
                yield
    """
    folder.task(task, "x: ok\n")
    run = folder.run_deck("jobs: {a: {task: job.py:run, config: c.yaml, validate: job.py:check}}")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", 'x: "\\e[2J\\a"\n')
    run.wait_for(row(2, "rejected"))
    done = tunedeck("check", "c.yaml", cwd=folder.path)
    assert done.returncode == 2
    assert done.stdout.count("\n") == 1
    assert "\x1b" not in done.stdout
    assert done.stdout.startswith("c.yaml: bad x: ")
    run.stop()


def test_the_schema_of_a_running_job_counts_and_not_that_of_the_file(folder: Folder) -> None:
    folder.write("strict.json", '{"required": ["nowhere"]}')
    folder.write("own.json", "{}")
    folder.task(TICKER, "# yaml-language-server: $schema=strict.json\nlr: 1\n")
    run = folder.run_deck("jobs: {a: {task: job.py:tick, config: c.yaml, schema: own.json}}")
    run.wait_for(row(1, "applied"))
    done = tunedeck("check", "c.yaml", cwd=folder.path)
    assert (done.returncode, done.stdout) == (0, "a: nothing changes, v1 runs\n")
    run.stop()
    assert tunedeck("check", "c.yaml", cwd=folder.path).returncode == 2
