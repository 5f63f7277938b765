from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.runs.folder import TICKER, Folder, log, row, tunedeck

MARKER = "from pathlib import Path\nPath('imported').touch()\n"

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("nosuch.py:run", "there is no file nosuch.py"),
        ("nosuch.module:run", "there is no module nosuch"),
        ("job.py:trian", "job.py has no function 'trian'; it has train"),
        ("job.py:number", "job.py:number is a int, not a function"),
        ("job.py:main", "a task takes the config: write def main(config), not main()"),
        ("job.py:later", "a task takes the config: write def later(config), not later()"),
        ("job.py:greedy", "write def greedy(config), not greedy(config, model)"),
        ("broken.py:run", "SyntaxError"),
        ("imports.py:run", "ModuleNotFoundError: No module named 'nosuchthing'"),
        ("raises.py:run", "ZeroDivisionError"),
        ("exits.py:run", "SystemExit: 3"),
    ],
)
def test_a_task_that_cannot_be_loaded_crashes_with_its_reason(folder: Folder, what: str, reason: str) -> None:
    more = "def main(): pass\nasync def later(): yield\ndef greedy(config, model): pass\n"
    folder.task(f"{more}number = 1\ndef train(config): pass")
    folder.write("broken.py", "def run(config):\n  return (\n")
    folder.write("imports.py", "import nosuchthing\n")
    folder.write("raises.py", "def boom():\n    return 1 / 0\nboom()\n")
    folder.write("exits.py", "import sys\nsys.exit(3)\n")
    run = folder.run(what, "-c", "c.yaml")
    assert run.end() == 2
    assert run.states == ["starting", "crashed"]
    assert reason in run.events[-1]["reason"]
    assert run.rows()[1]["status"] == "failed"


def test_an_import_error_shows_the_traceback_of_the_task_alone(folder: Folder) -> None:
    run = folder.run_task("def boom():\n    return 1 / 0\nboom()\n", "run")
    assert run.end() == 2
    assert run.lines[0] == "Traceback (most recent call last):"
    assert [line for line in run.lines if line.startswith("  File")] == [
        f'  File "{name}", line {line}, in {function}'
        for name, line, function in (
            (folder.path / "job.py", 3, "<module>"),
            (folder.path / "job.py", 2, "boom"),
        )
    ] or "job.py" in run.lines[1]
    assert not [line for line in run.lines if "tui/worker" in line or "importlib" in line]
    assert run.lines[-1] == "ZeroDivisionError: division by zero"


def test_a_task_that_raises_crashes_with_its_traceback_in_the_log(folder: Folder) -> None:
    run = folder.run_task("def run(config):\n    yield\n    raise ValueError('no luck')", "run")
    assert run.end() == 1
    assert run.states == ["starting", "running", "crashed"]
    assert (run.events[-1]["reason"], run.events[-1]["exit_code"]) == ("ValueError: no luck", 1)
    assert run.lines[0] == "Traceback (most recent call last):"
    assert run.lines[-1] == "ValueError: no luck"
    assert not [line for line in run.lines if "tui/worker" in line]


@pytest.mark.parametrize(
    ("code", "exit_code", "reason"),
    [
        ("os._exit(7)", 7, "ended with exit code 7"),
        ("sys.exit(4)", 4, "ended with exit code 4"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -11, "killed by SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGRTMIN + 1)", -35, "killed by signal 35"),
    ],
)
def test_a_worker_that_ends_by_itself_says_how(folder: Folder, code: str, exit_code: int, reason: str) -> None:
    run = folder.run_task(f"import os, signal, sys\ndef run(config):\n    {code}", "run")
    assert run.end() == 1
    assert (run.events[-1]["reason"], run.events[-1]["exit_code"]) == (reason, exit_code)


def bad_config(path: Path, kind: str) -> None:
    texts = {
        "empty": b"",
        "comments only": b"# nothing\n",
        "a list": b"- 1\n",
        "a scalar": b"hello\n",
        "not UTF-8": b"lr: 1\nname: caf\xe9\n",
        "duplicate keys": b"lr: 1\nmomentum: 2\nlr: 3\n",
        "deeply nested": b"a: " + b"[" * 5_000 + b"]" * 5_000,
        "billion laughs": LAUGHS.encode(),
        "no YAML": b"lr: 1\nmomentum: 'x\n",
    }
    if kind in texts:
        path.write_bytes(texts[kind])
    elif kind == "a directory":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)


@pytest.mark.parametrize(
    ("kind", "place", "words"),
    [
        ("missing", "", "is missing"),
        ("a directory", "", "is a directory"),
        ("a pipe", "", "is not a regular file"),
        ("empty", ":1:1", "is empty"),
        ("comments only", ":1:1", "is empty"),
        ("a list", ":1:1", "is a list"),
        ("a scalar", ":1:1", "is a single value"),
        ("not UTF-8", ":2:10", "0xe9 is not UTF-8"),
        ("duplicate keys", ":3:1", "stands here twice, first on line 1"),
        ("deeply nested", ":1:", "levels deep"),
        ("billion laughs", ":", "aliases make this value larger"),
        ("no YAML", ":2:11", "quote is never closed"),
    ],
)
def test_a_bad_config_is_told_with_its_place_before_anything_is_started(
    folder: Folder, kind: str, place: str, words: str
) -> None:
    folder.write("job.py", MARKER + "def run(config): pass")
    bad_config(folder.path / "c.yaml", kind)
    done = tunedeck("run", "job.py:run", "-c", "c.yaml", "--headless", "--json", cwd=folder.path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{folder.path / 'c.yaml'}{place}")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder.path / "imported").exists()


@pytest.mark.parametrize(
    ("kind", "line", "words"),
    [
        ("empty", 1, "is empty"),
        ("a list", 1, "is a list"),
        ("a scalar", 1, "is a single value"),
        ("not UTF-8", 2, "0xe9 is not UTF-8"),
        ("duplicate keys", 3, "stands here twice, first on line 1"),
        ("deeply nested", 1, "levels deep"),
        ("billion laughs", None, "aliases make this value larger"),
        ("no YAML", 2, "quote is never closed"),
    ],
)
def test_a_config_that_becomes_bad_is_a_row_with_its_place_and_the_job_goes_on(
    folder: Folder, kind: str, line: int | None, words: str
) -> None:
    run = folder.run_task(TICKER, "tick")
    run.wait_for(row(1, "applied"))
    bad_config(folder.path / "bad.yaml", kind)
    (folder.path / "bad.yaml").replace(folder.path / "c.yaml")
    error = run.wait_for(row(2, "invalid"))["error"]
    assert words in error["message"]
    assert line in (None, error["line"])
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(3, "applied"))
    assert run.stop() == 143
    assert [text for text in run.lines if "config" in text] == ["config {'lr': 1}", "config {'lr': 2}"]
    assert run.states == ["starting", "running", "stopped"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [("missing", "is missing"), ("a directory", "is a directory"), ("a pipe", "is not a regular file")],
)
def test_a_config_that_goes_away_is_told_and_the_job_goes_on(folder: Folder, kind: str, words: str) -> None:
    run = folder.run_task(TICKER, "tick")
    run.wait_for(row(1, "applied"))
    config = folder.path / "c.yaml"
    config.unlink()
    bad_config(config, kind)
    run.wait_for(
        lambda event: event["event"] == "notice" and words in event["message"] and "goes on with v1" in event["message"]
    )
    if kind == "a directory":
        config.rmdir()
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    assert run.states == ["starting", "running"]


def test_all_bad_configs_of_a_deck_are_told_at_once(folder: Folder) -> None:
    folder.write("job.py", MARKER + "def run(config): pass")
    folder.write("a.yaml", "a: 1\na: 2\n")
    folder.write("b.yaml", "[]")
    folder.write("c.yaml", "fine: 1")
    folder.write(
        "deck.yaml", "jobs:\n" + "".join(f"  {name}: {{task: job.py:run, config: {name}.yaml}}\n" for name in "abc")
    )
    done = tunedeck("run", "deck.yaml", "--headless", cwd=folder.path)
    assert done.returncode == 2
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == [
        f"{folder.path}/a.yaml:2:1",
        f"{folder.path}/b.yaml:1:1",
    ]
    assert not (folder.path / "imported").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "job.py:run", "--headless"), "it needs its config: add -c CONFIG"),
        (("run", "deck.yaml", "-c", "c.yaml", "--headless"), "leave out --config"),
        (("run", "job.py", "-c", "c.yaml", "--headless"), "'job.py' names no task"),
        (("run", "nosuch.yaml", "--headless"), "nosuch.yaml is missing"),
        (("run", "bad.yaml", "--headless"), "bad.yaml:2:18: unknown key tusk: did you mean task?"),
        (("run", "later.yaml", "--headless"), "later.yaml:1:22: there is no program nowhere-at-all in PATH"),
        (("run", "--headless"), "name what to run"),
        (("run", "-c", "c.conf", "--headless", "--", "ls"), "needs --on-change restart, none or a signal name"),
        (("run", "-c", "c.yaml", "--on-change", "SIGHUB", "--headless", "--", "ls"), "did you mean SIGHUP?"),
        (("run", "--on-change", "restart", "--headless", "--", "ls"), "add -c CONFIG"),
        (("run", "-c", "c.yaml", "--on-change", "restart", "--headless", "--", "./no"), "there is no program"),
        (("run", "deck.yaml", "--once", "--headless"), "leave out --once"),
        (("run", "-c", "c.yaml", "--on-change", "restart", "--once", "--headless", "--", "ls"), "--once is for tasks"),
        (("run", "job.py:tick", "-c", "c.yaml", "--check", "true", "--headless"), "--check is for commands"),
        (("run", "job.py:tick", "-c", "c.yaml", "--on-change", "SIGHUP", "--headless"), "is reload or restart"),
        (("run", "job.py:run", "-c", "c.yaml", "--json"), "--json goes with --headless"),
        (("run", "job.py:run", "-c", "c.yaml"), "this is not a terminal: use --headless"),
        (("demo",), "this is not a terminal: use --headless"),
        (("attach", "nosuch"), "this is not a terminal"),
        (("stop", "nosuchdeck"), "is running"),
        (("history", "c.yaml"), "has no history"),
        (("nosuch",), "invalid choice"),
        ((), "required: COMMAND"),
    ],
)
def test_bad_usage_ends_with_2_and_says_what_to_do(folder: Folder, arguments: tuple[str, ...], words: str) -> None:
    folder.write("c.yaml", "lr: 1")
    folder.write("bad.yaml", "jobs:\n  a: {config: c, tusk: job.py:run}\n")
    folder.write("later.yaml", "jobs: {a: {command: [nowhere-at-all], config: c.yaml, on_change: restart}}")
    done = tunedeck(*arguments, cwd=folder.path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("python", "words"),
    [("./none/python", "there is no program"), ("./plain", "is not executable: chmod +x"), ("none-at-all", "in PATH")],
)
def test_an_interpreter_that_is_missing_is_told_before_anything_starts(folder: Folder, python: str, words: str) -> None:
    folder.task(TICKER)
    folder.write("plain", "")
    run = folder.run_deck(f"jobs:\n  a: {{task: job.py:tick, config: c.yaml, python: {python}}}\n")
    assert (run.end(), run.events) == (2, [])
    assert "deck.yaml:2:50: " in run.errors
    assert words in run.errors


def test_a_config_is_of_one_engine_at_a_time_under_whatever_name(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick")
    run.wait_for(row(1, "applied"))
    (folder.path / "link").symlink_to(folder.path)
    for name in ("c.yaml", "link/c.yaml"):
        second = tunedeck("run", "job.py:tick", "-c", name, "--headless", cwd=folder.path)
        assert (second.returncode, second.stdout) == (2, "")
        assert f"c.yaml is in use by the deck tick (process {run.pid})" in second.stderr
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(log("config {'lr': 2}"))


def test_a_deck_that_needs_more_open_files_than_there_may_be_does_not_start(folder: Folder) -> None:
    folder.task(TICKER)
    jobs = {f"job{number}": {"task": "job.py:tick", "config": "c.yaml"} for number in range(100)}
    folder.write("deck.yaml", json.dumps({"jobs": jobs}))
    run = folder.run("deck.yaml", prefix=("sh", "-c", 'ulimit -n 200; exec "$@"', "sh"))
    assert run.end() == 2
    assert run.events == []
    assert "100 worker processes need about" in run.errors
    assert "raise the hard limit (ulimit -Hn)" in run.errors


def test_an_engine_raises_its_limit_of_open_files_and_not_that_of_its_jobs(folder: Folder) -> None:
    show = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    folder.task(f"def tick(config):\n    {show}\n    yield\n")
    folder.write("c.txt", "")
    task = {"task": "job.py:tick", "config": "c.yaml"}
    shell = {"command": ["sh", "-c", "ulimit -Sn"], "config": "c.txt", "on_change": "restart"}
    folder.write("deck.yaml", json.dumps({"jobs": {**{f"job{number}": task for number in range(12)}, "shell": shell}}))
    run = folder.run("deck.yaml", prefix=("sh", "-c", 'ulimit -Sn 40; exec "$@"', "sh"))
    assert run.end() == 0
    assert run.lines == ["40"] * 13
