from __future__ import annotations

from pathlib import Path

import pytest

from tui.config.document import ConfigError
from tui.engine.deck import Deck, JobSpec, load, single, unsupported

GOOD = """\
jobs:
  digits:
    task: train.py:train
    config: conf/digits.yaml
    loop: false
    restart: on-failure
    stop: {signal: SIGINT, grace: 3}
    python: ../venv/bin/python
  web:
    command: [nginx, -g, daemon off;]
    config: /etc/nginx.conf
    on_change: SIGHUP
    check: nginx -t -c {config}
"""


def deck(tmp_path: Path, text: str) -> Deck:
    path = tmp_path / "deck.yaml"
    path.write_text(text)
    return load(path)


def test_a_deck_is_read(tmp_path: Path) -> None:
    found = deck(tmp_path, GOOD)
    digits = JobSpec(
        "digits",
        "train.py:train",
        None,
        tmp_path / "conf/digits.yaml",
        loop=False,
        restart="on-failure",
        stop_signal="SIGINT",
        grace=3.0,
        python=str(tmp_path / "../venv/bin/python"),
        cwd=tmp_path,
    )
    web = JobSpec(
        "web",
        None,
        ("nginx", "-g", "daemon off;"),
        Path("/etc/nginx.conf"),
        on_change="SIGHUP",
        check="nginx -t -c {config}",
        cwd=tmp_path,
    )
    assert found == Deck("deck", tmp_path / "deck.yaml", (digits, web))


def test_a_relative_deck_keeps_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real/deck.yaml").write_text("jobs: {a: {task: m:f, config: c.yaml}}")
    monkeypatch.chdir(tmp_path)
    (job,) = load(Path("link/deck.yaml")).jobs
    assert job.config == tmp_path / "link/c.yaml"
    assert job.cwd == tmp_path / "link"


def job(**fields: str) -> str:
    fields = {"task": "m.py:f", "config": "c.yaml"} | fields
    lines = (f"    {key}: {value}\n" for key, value in fields.items() if value)
    return "jobs:\n  a:\n" + "".join(lines)


@pytest.mark.parametrize(
    ("text", "line", "column", "key", "words"),
    [
        ("jobs: {}", 1, 7, "jobs", "needs jobs"),
        ("jobs: [a]", 1, 7, "jobs", "needs jobs"),
        ("job: {a: 1}", 1, 1, "job", "did you mean jobs?"),
        ("jobs: {1: {task: m:f, config: c}}", 1, 8, "jobs[1]", "text"),
        ("jobs:\n  a: 3\n", 2, 6, "jobs.a", "mapping of task"),
        ("jobs:\n  a: {task: m:f, config: c}\n  a: {}\n", 3, 3, "jobs.a", "twice"),
        (job(onchange="reload"), 5, 5, "jobs.a.onchange", "did you mean on_change?"),
        (job(task=""), 2, 3, "jobs.a", "neither task nor command"),
        (job(command="[x]", on_change="restart"), 2, 3, "jobs.a", "both task and command"),
        (job(config=""), 2, 3, "jobs.a", "no config"),
        (job(config="[c]"), 4, 13, "jobs.a.config", "path of a file"),
        (job(config="''"), 4, 13, "jobs.a.config", "is empty"),
        (job(task="train.py"), 3, 11, "jobs.a.task", "FILE.py:FUNC"),
        (job(task="train.py:1x"), 3, 11, "jobs.a.task", "FILE.py:FUNC"),
        (job(task="a-b:f"), 3, 11, "jobs.a.task", "FILE.py:FUNC"),
        (job(runner="proces"), 5, 13, "jobs.a.runner", "did you mean process?"),
        (job(runner="x"), 5, 13, "jobs.a.runner", "must be process, thread, asyncio"),
        (job(loop="1"), 5, 11, "jobs.a.loop", "true or false"),
        (job(loop="yes"), 5, 11, "jobs.a.loop", "true or false"),
        (job(on_change="relod"), 5, 16, "jobs.a.on_change", "did you mean reload?"),
        (job(on_change="SIGHUP"), 5, 16, "jobs.a.on_change", "reload, restart"),
        (job(restart="sometimes"), 5, 14, "jobs.a.restart", "on-failure"),
        (job(check="x"), 5, 5, "jobs.a.check", "for commands"),
        (job(stop="{signal: SIGTREM}"), 5, 20, "jobs.a.stop.signal", "did you mean SIGTERM?"),
        (job(stop="{grace: true}"), 5, 19, "jobs.a.stop.grace", "number of seconds"),
        (job(stop="{grace: -1}"), 5, 19, "jobs.a.stop.grace", "0 or more"),
        (job(stop="{grace: .nan}"), 5, 19, "jobs.a.stop.grace", "0 or more"),
        (job(stop="{after: 1}"), 5, 12, "jobs.a.stop.after", "unknown key after"),
        (job(stop="SIGTERM"), 5, 11, "jobs.a.stop", "a mapping such as"),
        (job(task="", command="x -y"), 4, 14, "jobs.a.command", "a list"),
        (job(task="", command="[]", on_change="restart"), 4, 14, "jobs.a.command", "empty"),
        (job(task="", command="[nice, 5]"), 4, 21, "jobs.a.command[1]", "in quotes"),
        (job(task="", command="[x]"), 2, 3, "jobs.a", "needs on_change"),
        (job(task="", command="[x]", on_change="reload"), 5, 16, "jobs.a.on_change", "signal name"),
        (job(task="", command="[x]", on_change="SIGHUB"), 5, 16, "jobs.a.on_change", "did you mean SIGHUP?"),
        (job(task="", command="[x]", on_change="restart", loop="true"), 6, 5, "jobs.a.loop", "for tasks"),
    ],
)
def test_a_mistake_is_named_and_placed(tmp_path: Path, text: str, line: int, column: int, key: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        deck(tmp_path, text)
    problem = caught.value.problem
    assert words in problem.message
    assert (problem.line, problem.column, problem.key) == (line, column, key)


def test_a_missing_deck_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing"):
        load(tmp_path / "none.yaml")


def test_a_deck_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = single("src/train.py:train", Path("c.yaml"))
    assert found == Deck(
        "train", None, (JobSpec("train", "src/train.py:train", None, tmp_path / "c.yaml", cwd=tmp_path),)
    )
    assert single("pkg.mod:f", Path("c.yaml"), "mine").jobs[0].name == "mine"
    with pytest.raises(ConfigError, match=r"FILE\.py:FUNC"):
        single("train", Path("c.yaml"))


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({}, None),
        ({"stop": "{grace: 1}", "loop": "false", "python": "python3"}, None),
        ({"runner": "thread"}, "jobs.a.runner"),
        ({"on_change": "restart"}, "jobs.a.on_change"),
        ({"restart": "always"}, "jobs.a.restart"),
        ({"task": "", "command": "[x]", "on_change": "restart"}, "jobs.a.command"),
    ],
)
def test_what_this_version_cant_run_is_named(tmp_path: Path, fields: dict[str, str], key: str | None) -> None:
    problem = unsupported(deck(tmp_path, job(**fields)))
    assert (problem and problem.key) == key
