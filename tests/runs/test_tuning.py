from __future__ import annotations

import json
import re
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.runs.folder import TICKER, Folder, ask, log, row, state, tunedeck
from tui.protocol import messages

STUCK = """
    import time
    def tick(config):
        yield
        time.sleep(600)
"""


def test_set_on_a_running_job_prints_the_receipt(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick", "lr: 0.1  # keep\nbetas: [1, 2]\n")
    run.wait_for(row(1, "applied"))
    done = tunedeck("set", "c.yaml", "lr=0.05", "betas[1]=3", cwd=folder.path)
    wanted = r"v2 applied at step \d+ in \d+\.\d ms: lr 0\.1 → 0\.05, betas\[1\] 2 → 3\n"
    assert done.returncode == 0, done
    assert re.fullmatch(wanted, done.stdout), done
    assert run.wait_for(row(2, "applied"))["source"] == "set"
    assert (folder.path / "c.yaml").read_text() == "lr: 0.05  # keep\nbetas: [1, 3]\n"
    done = tunedeck("set", "c.yaml", "lr=7", "lr.x=1", cwd=folder.path)
    assert done.returncode == 1
    done = tunedeck("set", "c.yaml", "betas[0]=7", "betas[5]=1", "--job", "tick", cwd=folder.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "refused: line 2:8: betas is a list of 2" in done.stderr
    assert (folder.path / "c.yaml").read_text() == "lr: 0.05  # keep\nbetas: [1, 3]\n"
    assert tunedeck("set", "c.yaml", "lr=0.05", cwd=folder.path).stdout == "the file says so already\n"
    run.stop()
    assert list(run.rows()) == [1, 2]


def test_what_a_config_says_does_nothing_to_the_terminal(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick", "lr: 0.1\n")
    run.wait_for(row(1, "applied"))
    done = tunedeck("set", "--add", "c.yaml", 'g="\\e[31mred\\a"', 'n="a\\nb"', cwd=folder.path)
    assert done.returncode == 0, done
    assert "\x1b" not in done.stdout
    assert done.stdout.count("\n") == 1
    assert "g – → \\u001b[31mred\\u0007" in done.stdout
    run.stop()


def test_a_config_may_be_named_by_what_its_link_leads_to(folder: Folder) -> None:
    (folder.path / "real.yaml").write_text("lr: 0.1\n")
    (folder.path / "c.yaml").symlink_to("real.yaml")
    folder.task(TICKER)
    run = folder.run("job.py:tick", "-c", "c.yaml")
    run.wait_for(row(1, "applied"))
    assert tunedeck("set", "real.yaml", "lr=0.5", cwd=folder.path).stdout.startswith("v2 applied")
    assert (folder.path / "c.yaml").is_symlink()
    run.stop()


def test_a_set_is_based_on_what_is_on_disk(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick", "lr: 1\n")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "lr: 1\nother: 2\n")
    assert tunedeck("set", "c.yaml", "lr=3", cwd=folder.path).returncode == 0
    assert (folder.path / "c.yaml").read_text() == "lr: 3\nother: 2\n"
    run.stop()


def test_a_set_of_a_job_without_a_checkpoint_is_on_its_way(folder: Folder) -> None:
    run = folder.run_task(STUCK, "tick")
    run.wait_for(row(1, "applied"))
    done = tunedeck("set", "c.yaml", "lr=3", "--timeout", "0.5", cwd=folder.path)
    assert (done.returncode, done.stdout) == (
        0,
        "v2 is in the file and on its way: the job has not taken it yet\n",
    )


def test_jobs_that_share_a_config_answer_each(folder: Folder) -> None:
    folder.task(TICKER)
    run = folder.run_deck("""
        jobs:
          a: {task: job.py:tick, config: c.yaml}
          b: {task: job.py:tick, config: c.yaml}
    """)
    for name in "ab":
        run.wait_for(lambda event, name=name: row(1, "applied")(event) and event["job"] == name)  # type: ignore[misc]
    done = tunedeck("set", "c.yaml", "lr=2", cwd=folder.path)
    assert re.fullmatch(r"a: v2 applied .*: lr 1 → 2\nb: v2 applied .*: lr 1 → 2\n2/2 applied\n", done.stdout), done
    done = tunedeck("set", "c.yaml", "lr=3", "--job", "b", cwd=folder.path)
    assert re.fullmatch(r"b: v3 applied .*\n", done.stdout), done
    assert tunedeck("set", "c.yaml", "lr=3", "--job", "x", cwd=folder.path).returncode == 2
    run.stop()


def test_without_a_job_the_file_is_edited(folder: Folder) -> None:
    path = folder.write("c.yaml", "lr: 1 # c\n")
    done = tunedeck("set", "c.yaml", "lr=2", 'env["a=b"].c=x y', "--add", cwd=folder.path)
    assert (done.returncode, done.stdout) == (0, "c.yaml is written: no job is running with it\n")
    # No schema of a deck was looked at, and that is said.
    assert "the schema of its deck objects to will be seen at its next start" in done.stderr
    assert path.read_text() == "lr: 2 # c\nenv:\n  a=b:\n    c: x y\n"
    done = tunedeck("set", "c.yaml", "lr=1", "lr2.x=1", "env.y.z=2", "lr.q=2", "--add", cwd=folder.path)
    assert done.returncode == 1
    assert path.read_text().startswith("lr: 2 # c\n")
    done = tunedeck("set", "c.yaml", "lr=1", "lrate=1", cwd=folder.path)
    refused = "tunedeck: refused: there is no lrate: did you mean lr? (--add makes a new key)\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", refused)
    done = tunedeck("set", "c.yaml", "lr=#1", "--json", cwd=folder.path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("c.yaml is written: no job is running with it\n")
    assert path.read_text().startswith('lr: "#1" # c\n')


def test_the_engine_reads_what_was_typed_as_the_command_line_does(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick", "lr: 0.1  # keep\nn: null\nnames: {0: a, 1: b}\n")
    run.wait_for(row(1, "applied"))
    path = folder.path / "c.yaml"
    done = tunedeck("set", "c.yaml", "lr=#random", "n='null'", "names.1=dog", cwd=folder.path)
    said = 'lr 0.1 → #random (number → text), n null → "null", names[1] b → dog\n'
    assert (done.returncode, done.stdout.partition(": ")[2]) == (0, said), done
    assert path.read_text() == 'lr: "#random"  # keep\nn: "null"\nnames: {0: a, 1: dog}\n'
    for values, words in (
        ({"n": "[] #x"}, "begins as a list"),
        ({"lrate": "1"}, "there is no lrate: did you mean lr?"),
        ({"names.2": "1"}, "there is no names.2: names has 0, 1"),
    ):
        reply = ask(path, messages.Set(1, "tick", values))
        assert (reply.ok, reply.code) == (False, "refused")
        assert words in reply.message
    done = tunedeck("set", "c.yaml", "lrate=1", cwd=folder.path)
    assert (done.returncode, done.stdout) == (1, "")
    done = tunedeck("set", "c.yaml", "lrate=1", "n=null", "--add", "--json", cwd=folder.path)
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, ""), done
    told = json.loads(done.stdout)
    assert told == run.wait_for(row(3, "applied"))
    assert told["changes"] == [
        {"key": "n", "old": "null", "new": None},
        {"key": "lrate", "old": None, "new": 1, "added": True},
    ]
    done = tunedeck("rollback", "c.yaml", "2", "--json", cwd=folder.path)
    assert json.loads(done.stdout)["changes"][1] == {"key": "lrate", "old": 1, "new": None, "removed": True}
    kept = json.loads(tunedeck("history", "c.yaml", "--json", cwd=folder.path).stdout.splitlines()[-1])
    # The verdict may have begun to be told meanwhile.
    assert {**json.loads(done.stdout), "effect": []} == {**kept, "effect": []}
    run.stop()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.yaml", "lr=1"), "none.yaml is missing"),
        (("c.yaml", "lr"), "sets nothing"),
        (("c.yaml", "lr=[1"), "begins as a list, but is no such value"),
        (("c.yaml", "lr=[] #x"), "only a part of it is the value"),
        (("c.yaml", "lr=\udcff"), "no text in UTF-8"),
        (("c.yaml", "lr=1", "lr=2"), "set twice"),
        (("c.yaml", "lr=1", "--job", "x"), "no job x is running"),
    ],
)
def test_bad_usage_exits_with_2(folder: Folder, arguments: tuple[str, ...], words: str) -> None:
    folder.write("c.yaml", "lr: 1\n")
    done = tunedeck("set", *arguments, cwd=folder.path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_rollback_on_a_running_job_and_without_one(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick", "lr: 1  # é\r\n")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    folder.save("c.yaml", "lr: [\n")
    run.wait_for(row(3, "invalid"))
    done = tunedeck("rollback", "c.yaml", "1", cwd=folder.path)
    assert done.returncode == 0, done
    assert re.fullmatch(r"v4 applied at step \d+ in .* ms: lr 2 → 1\n", done.stdout), done
    assert run.wait_for(row(4, "applied"))["source"] == "rollback"
    assert (folder.path / "c.yaml").read_bytes() == "lr: 1  # é\r\n".encode()
    done = tunedeck("rollback", "c.yaml", "3", cwd=folder.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert tunedeck("rollback", "c.yaml", "99", cwd=folder.path).returncode == 2
    run.stop()
    done = tunedeck("rollback", "c.yaml", "2", cwd=folder.path)
    assert (done.returncode, done.stdout) == (0, "c.yaml is written: no job is running with it\n")
    assert (folder.path / "c.yaml").read_text() == "lr: 2\n"
    assert tunedeck("rollback", "c.yaml", "3", cwd=folder.path).returncode == 2
    assert tunedeck("rollback", "c.yaml", "99", cwd=folder.path).returncode == 2
    assert (folder.path / "c.yaml").read_text() == "lr: 2\n"


def test_a_rollback_is_refused_when_the_file_is_another_one(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick")
    run.wait_for(row(1, "applied"))
    reply = ask(folder.path / "c.yaml", messages.Rollback(1, "tick", 1, "another"))
    assert (reply.ok, reply.code) == (False, "conflict")
    assert "changed by somebody else" in reply.message
    run.stop()


RULES = """
    from typing import Any
    import tui
    from pydantic import BaseModel, Field

    class Config(BaseModel):
        lr: float = Field(gt=0)
        batch: int = 32
        hidden: int = Field(default=8, json_schema_extra={"restart": True})

    def check(old, new):
        if new["lr"] == 3:
            raise ValueError("three is not allowed")
        if new["lr"] == 4:
            import time
            time.sleep(600)

    def run(config: Config):
        print("start", config.hidden, flush=True)
        while True:
            tui.sleep(600)  # a long step, which a reload ends
            config = yield {"lr": config.lr}
"""

RULES_DECK = """
    jobs:
      job: {task: job.py:run, config: c.yaml, validate: job.py:check}
"""


def test_what_the_worker_refuses_leaves_the_file_as_it_was(folder: Folder) -> None:
    text = "lr: 1  # keep\nbatch: '16'\n"
    folder.task(RULES, text)
    run = folder.run_deck(RULES_DECK)
    first = run.wait_for(row(1, "applied"))
    assert first["effective"] == {"lr": 1, "batch": 16, "hidden": 8}
    path = folder.path / "c.yaml"
    before = path.stat()
    done = tunedeck("set", "c.yaml", "lr=-1", "batch=x", cwd=folder.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert [line.partition(": Input")[0] for line in done.stderr.splitlines()] == [
        "tunedeck: refused: line 1:5: lr",
        "tunedeck: refused: line 2:8: batch",
    ]
    refused = run.wait_for(row(2, "rejected"))
    assert (refused["source"], [error["line"] for error in refused["errors"]]) == ("set", [1, 2])
    done = tunedeck("set", "c.yaml", "lr=3", cwd=folder.path)
    assert (done.returncode, done.stderr) == (1, "tunedeck: refused: three is not allowed\n")
    assert (path.read_text(), path.stat()) == (text, before)
    done = tunedeck("set", "c.yaml", "lr=2", "batch=4", cwd=folder.path)
    wanted = r'v4 applied at step \d+ in .* ms: lr 1 → 2, batch "16" → 4 \(text → number\)\n'
    assert re.fullmatch(wanted, done.stdout), done
    folder.save("c.yaml", "lr: 5\n")
    run.wait_for(row(5, "applied"))
    assert tunedeck("rollback", "c.yaml", "2", cwd=folder.path).returncode == 1
    assert path.read_text() == "lr: 5\n"
    assert run.wait_for(row(6, "rejected"))["source"] == "rollback"
    done = tunedeck("check", "c.yaml", cwd=folder.path)
    assert (done.returncode, done.stdout) == (0, "job: nothing changes, v5 runs\n")
    folder.write("other.yaml", "lr: 1\nhidden: 9\n")
    done = tunedeck("set", "c.yaml", "hidden=9", "--add", cwd=folder.path)
    assert re.fullmatch(r"v7 applied at step 0 in .* ms: hidden – → 9\n", done.stdout), done
    run.wait_for(log("start 9"))
    run.stop()


def test_a_validator_that_does_not_return_is_not_waited_for(folder: Folder) -> None:
    folder.task(RULES, "lr: 1\n")
    run = folder.run_deck(RULES_DECK)
    run.wait_for(row(1, "applied"))
    done = tunedeck("set", "c.yaml", "lr=4", cwd=folder.path)
    assert done.returncode == 1
    assert "job could not be asked, nothing was written: its worker has not answered within 5 s" in done.stderr
    assert (folder.path / "c.yaml").read_text() == "lr: 1\n"
    run.process.kill()


def test_of_jobs_that_share_a_config_all_must_accept_it(folder: Folder) -> None:
    folder.task(RULES, "lr: 1\n")
    run = folder.run_deck("""
        jobs:
          a: {task: job.py:run, config: c.yaml}
          b: {task: job.py:run, config: c.yaml, validate: job.py:check}
    """)
    for name in "ab":
        run.wait_for(lambda event, name=name: row(1, "applied")(event) and event["job"] == name)  # type: ignore[misc]
    done = tunedeck("set", "c.yaml", "lr=3", "--job", "a", cwd=folder.path)
    assert (done.returncode, done.stderr) == (1, "tunedeck: refused: three is not allowed\n")
    assert (folder.path / "c.yaml").read_text() == "lr: 1\n"
    assert run.wait_for(row(2, "rejected"))["job"] == "b"
    run.stop()


def test_a_rollback_brings_a_deleted_file_back(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick", "lr: 1  # keep\n")
    run.wait_for(row(1, "applied"))
    path = folder.path / "c.yaml"
    path.unlink()
    run.wait_for(lambda event: event["event"] == "notice" and "is missing" in event["message"])
    assert tunedeck("set", "c.yaml", "lr=2", cwd=folder.path).returncode == 2
    done = tunedeck("rollback", "c.yaml", "1", cwd=folder.path)
    assert (done.returncode, path.read_text()) == (0, "lr: 1  # keep\n"), done
    run.wait_for(lambda event: event["event"] == "reload" and event["source"] == "rollback")
    run.stop()
    path.unlink()
    done = tunedeck("rollback", "c.yaml", "1", cwd=folder.path)
    assert (done.returncode, path.read_text()) == (0, "lr: 1  # keep\n"), done


@pytest.mark.parametrize("word", ["nan", "-1", "inf", "soon"])
def test_a_timeout_is_a_number_of_seconds(folder: Folder, word: str) -> None:
    folder.write("c.yaml", "lr: 1\n")
    done = tunedeck("set", "c.yaml", "lr=2", f"--timeout={word}", cwd=folder.path)
    assert done.returncode == 2
    assert f"{word!r} is no number of seconds" in done.stderr
    assert (folder.path / "c.yaml").read_text() == "lr: 1\n"


@pytest.mark.parametrize("kind", ["set", "rollback"])
def test_what_a_check_refuses_that_sees_only_the_file_itself_is_taken_back(folder: Folder, kind: str) -> None:
    text = "lr: 1  # keep\n"
    folder.write("c.yaml", "lr: bad\n" if kind == "rollback" else text)
    folder.write("passes", "" if kind == "set" else "bad")
    script = "echo up; while :; do sleep 600; done"
    folder.write(
        "deck.yaml",
        f"""
        jobs:
          a: {{command: [sh, -c, '{script}'], config: c.yaml, on_change: restart, restart: never,
               check: 'grep -q bad passes || if grep bad c.yaml; then exit 1; fi'}}
        """,
    )
    run = folder.run("deck.yaml")
    run.wait_for(row(1, "applied"))
    newest = 1
    if kind == "rollback":
        folder.save("c.yaml", text)
        run.wait_for(row(2, "applied"))
        folder.write("passes", "")
        newest = 2
    done = tunedeck(*(("set", "c.yaml", "lr=bad") if kind == "set" else ("rollback", "c.yaml", "1")), cwd=folder.path)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr == "tunedeck: refused: lr: bad" + ("  # keep\n" if kind == "set" else "\n")
    assert (folder.path / "c.yaml").read_text() == text
    assert run.wait_for(row(newest + 1, "invalid"))["source"] == kind
    back = run.wait_for(lambda event: event["event"] == "reload" and event["version"] == newest + 2)
    assert (back["source"], back["changes"]) == (kind, [])
    done = tunedeck("set", "c.yaml", "lr=3", cwd=folder.path)
    assert (done.returncode, (folder.path / "c.yaml").read_text()) == (0, "lr: 3  # keep\n"), done
    run.stop()


def test_check_says_what_the_file_would_do_to_a_job_that_is_held(folder: Folder) -> None:
    folder.task(RULES, "lr: 1\n")
    run = folder.run_deck(RULES_DECK)
    run.wait_for(row(1, "applied"))
    deck = folder.path / "deck.yaml"
    assert ask(deck, messages.Pause(1, "job", paused=True)).ok
    run.wait_for(state("paused"))
    told: list[tuple[int, list[str]]] = []
    for text in ("lr: 2\n", "lr: 2\nhidden: 9\n", "lr: -1\nhidden: x\n"):
        folder.save("c.yaml", text)
        version = len(told) + 2
        run.wait_for(lambda event, version=version: event["event"] == "reload" and event["version"] == version)  # type: ignore[misc]
        done = tunedeck("check", "c.yaml", cwd=folder.path)
        told.append((done.returncode, [line.partition(": Input")[0] for line in done.stdout.splitlines()]))
    assert told == [
        (0, ["job: lr 1 → 2 would be taken live; the task would have batch 32, hidden 8"]),
        (0, ["job: lr 1 → 2, hidden – → 9 would restart it, for hidden; the task would have batch 32"]),
        (2, ["c.yaml:1:5: lr", "c.yaml:2:9: hidden"]),
    ]
    run.stop()


CHECKED = """
    jobs:
      a: {command: [sh, -c, 'exec sleep 600'], config: c.yaml, on_change: restart,
          check: 'sleep 0.2; if grep bad {config}; then exit 1; fi'}
"""


def test_who_sets_beside_another_gets_his_own_receipt_where_there_is_a_check(folder: Folder) -> None:
    folder.write("c.yaml", "a: 1\nb: 1\n")
    folder.write("deck.yaml", CHECKED)
    run = folder.run("deck.yaml")
    run.wait_for(row(1, "applied"))
    with ThreadPoolExecutor() as pool:
        bad = pool.submit(tunedeck, "set", "c.yaml", "b=bad", cwd=folder.path)
        good = pool.submit(tunedeck, "set", "c.yaml", "a=20", cwd=folder.path)
    assert bad.result().returncode == 1
    assert "bad" in bad.result().stderr
    assert good.result().returncode == 0, good.result()
    assert good.result().stdout.endswith(": a 1 → 20\n")
    assert (folder.path / "c.yaml").read_text() == "a: 20\nb: 1\n"
    run.stop()


SLOW = """
    import os, time
    def tick(config):
        while True:
            print("config", config, flush=True)
            while not os.path.exists("go"):
                time.sleep(0.01)
            config = yield
"""


def test_a_set_that_a_newer_one_has_overtaken_is_judged_by_that(folder: Folder) -> None:
    run = folder.run_task(SLOW, "tick", "a: 1\nb: 1\n")
    run.wait_for(row(1, "applied"))
    with ThreadPoolExecutor() as pool:
        one = pool.submit(tunedeck, "set", "c.yaml", "a=2", cwd=folder.path)
        run.wait_for(row(2, "sent"))
        other = pool.submit(tunedeck, "set", "c.yaml", "b=2", cwd=folder.path)
        run.wait_for(row(3, "sent"))
        folder.write("go", "")
    for done in (one.result(), other.result()):
        assert re.fullmatch(r"v3 applied at step \d+ in .* ms: a 1 → 2, b 1 → 2\n", done.stdout), done
        assert done.returncode == 0
    run.stop()


def test_what_the_file_says_already_and_the_job_has_refused_is_no_success(folder: Folder) -> None:
    folder.task(RULES, "lr: 1\n")
    run = folder.run_deck(RULES_DECK)
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "lr: -1\n")
    run.wait_for(row(2, "rejected"))
    for arguments in (("set", "c.yaml", "lr=-1"), ("rollback", "c.yaml", "2")):
        done = tunedeck(*arguments, cwd=folder.path)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert "the file says so already, but job runs v1" in done.stderr
    run.stop()


@pytest.mark.parametrize("before", ["missing", "empty"])
def test_a_rollback_that_a_blind_check_refuses_leaves_what_was_there(folder: Folder, before: str) -> None:
    path = folder.write("c.yaml", "bad\n")
    folder.write(
        "deck.yaml",
        CHECKED.replace("grep bad {config}", "[ -e strict ] \\\\&\\\\& grep bad c.yaml").replace("\\\\", ""),
    )
    run = folder.run("deck.yaml")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "good\n")
    run.wait_for(row(2, "applied"))
    folder.write("strict", "")
    if before == "missing":
        path.unlink()
        run.wait_for(lambda event: event["event"] == "notice" and "is missing" in event["message"])
    else:
        folder.save("c.yaml", "")
        run.wait_for(row(3, "applied"))
    assert tunedeck("rollback", "c.yaml", "1", cwd=folder.path).returncode == 1
    assert (path.read_text() if path.exists() else "missing") == ("" if before == "empty" else "missing")
    run.stop()


def test_a_deck_that_does_not_answer_is_not_taken_for_none(folder: Folder) -> None:
    folder.task(TICKER, "lr: 1\n")
    run = folder.run_deck("jobs: {job: {task: job.py:tick, config: c.yaml}}")
    run.wait_for(row(1, "applied"))
    run.process.send_signal(signal.SIGSTOP)
    try:
        asked = (("set", "c.yaml", "lr=-5"), ("check", "c.yaml"))
        with ThreadPoolExecutor() as pool:
            answers = list(pool.map(lambda arguments: tunedeck(*arguments, cwd=folder.path), asked))
        for done in answers:
            assert (done.returncode, done.stdout) == (2, ""), done
            assert "which does not answer" in done.stderr
        assert (folder.path / "c.yaml").read_text() == "lr: 1\n"
    finally:
        run.process.send_signal(signal.SIGCONT)
    run.stop()


def test_a_version_that_was_no_utf_8_is_not_rolled_back_to(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick", "lr: 1\n")
    run.wait_for(row(1, "applied"))
    (folder.path / "new").write_bytes(b"lr: 2 # caf\xe9\n")
    (folder.path / "new").replace(folder.path / "c.yaml")
    run.wait_for(row(2, "invalid"))
    folder.save("c.yaml", "lr: 3\n")
    run.wait_for(row(3, "applied"))
    done = tunedeck("rollback", "c.yaml", "2", cwd=folder.path)
    assert (done.returncode, (folder.path / "c.yaml").read_text()) == (1, "lr: 3\n"), done
    assert "was no text in UTF-8" in done.stderr
    run.stop()


def test_a_receipt_survives_keys_that_are_one_in_json(folder: Folder) -> None:
    folder.task(RULES, "lr: 1\n")
    run = folder.run_deck("jobs: {job: {task: job.py:run, config: c.yaml}}")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", 'lr: 2\n1: a\n"1": b\n')
    run.wait_for(row(2, "applied"))
    run.stop()


def test_set_of_several_files_by_a_pattern(folder: Folder) -> None:
    folder.task(TICKER)
    folder.write("strict.json", '{"properties": {"lr": {"maximum": 5}}}')
    for name in "abc":
        folder.write(f"sweep-{name}.yaml", "lr: 1\n")
    jobs = [f"{name}: {{task: job.py:tick, config: sweep-{name}.yaml}}" for name in "ab"]
    run = folder.run_deck(f"jobs: {{{jobs[0]}, {jobs[1][:-1]}, schema: strict.json}}}}")
    started = row(1, "applied")
    run.wait_for(lambda event: event["job"] == "a" and started(event))
    run.wait_for(lambda event: event["job"] == "b" and started(event))
    done = tunedeck("set", "sweep-*.yaml", "lr=7", "--together", cwd=folder.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "sweep-b.yaml: refused: line 1:5: lr: 7 is greater than" in done.stderr
    assert {(folder.path / f"sweep-{name}.yaml").read_text() for name in "abc"} == {"lr: 1\n"}
    done = tunedeck("set", "sweep-*.yaml", "lr=3", "--together", cwd=folder.path)
    a, b, c, count = done.stdout.splitlines()
    assert a.startswith("sweep-a.yaml: v2 applied at step")
    assert b.startswith("sweep-b.yaml: v2 applied at step"), "what was only looked at is no version"
    assert (c, count) == ("sweep-c.yaml is written: no job is running with it", "3/3 files")
    done = tunedeck("set", "sweep-*.yaml", "lr=7", cwd=folder.path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "2/3 files")
    assert tunedeck("set", "swep-*.yaml", "lr=7", cwd=folder.path).returncode == 2
    run.stop()
    versions = {(event["job"], event["version"]) for event in run.events if event["event"] == "reload"}
    assert versions == {(name, version) for name in "ab" for version in (1, 2, 3)}
