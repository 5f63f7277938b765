from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tui.config.document import ConfigError
from tui.engine.deck.load import load
from tui.engine.deck.spec import Deck, JobSpec, single
from tui.engine.deck.vocabulary import KINDS
from tui.runners.command import CommandSpec
from tui.runners.dask import DaskSpec
from tui.runners.readiness import Readiness

GOOD = """\
jobs:
  digits:
    task: train.py:train
    config: conf/digits.yaml
    loop: false
    restart: on-failure
    validate: check.py:check
    stop: {signal: SIGINT, grace: 3}
    python: bin/python
  web:
    command: [sh, -c, daemon off;]
    config: /etc/nginx.conf
    on_change: SIGHUP
    check: nginx -t -c {config}
    env: {PORT: '{server.port}', DEBUG: true, RATE: 1.10}
    tty: true
    ready: {port: 8080}
"""


def deck(tmp_path: Path, text: str) -> Deck:
    path = tmp_path / "deck.yaml"
    path.write_text(text)
    return load(path)


def program(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_deck_is_read(tmp_path: Path) -> None:
    program(tmp_path / "bin/python")
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
        validate="check.py:check",
        python=str(tmp_path / "bin/python"),
        cwd=tmp_path,
    )
    web = JobSpec(
        "web",
        None,
        CommandSpec(
            "web",
            ("sh", "-c", "daemon off;"),
            Path("/etc/nginx.conf"),
            "SIGHUP",
            env={"PORT": "{server.port}", "DEBUG": "true", "RATE": "1.10"},
            ready=Readiness(port=8080),
            tty=True,
            cwd=tmp_path,
        ),
        Path("/etc/nginx.conf"),
        on_change="SIGHUP",
        check="nginx -t -c {config}",
        cwd=tmp_path,
        env={"PORT": "{server.port}", "DEBUG": "true", "RATE": "1.10"},
        tty=True,
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
        (job(runner="THREAD"), 5, 13, "jobs.a.runner", "did you mean thread?"),
        (job(RUNNER="thread"), 5, 5, "jobs.a.RUNNER", "did you mean runner?"),
        (job(stop="{signal: term}"), 5, 20, "jobs.a.stop.signal", "did you mean SIGTERM?"),
        (job(task="", command="[x]", on_change="hup"), 5, 16, "jobs.a.on_change", "did you mean SIGHUP?"),
        (job(task="", command="[x]", on_change="SIGKILL"), 5, 16, "jobs.a.on_change", "can catch SIGKILL"),
        (job(task="", command="[x]", on_change="SIGSTOP"), 5, 16, "jobs.a.on_change", "can catch SIGSTOP"),
        (job(task="", command="[x]", on_change="often"), 5, 16, "jobs.a.on_change", "restart, none or a signal name"),
        (job(task="", command='[sh, "a\\0b"]', on_change="restart"), 4, 19, "jobs.a.command[1]", "a NUL"),
        (job(task="", command="[sh]", on_change="restart", env="{A=B: x}"), 6, 11, 'jobs.a.env["A=B"]', "without ="),
        (job(task="", command="[sh]", on_change="restart", env='{A: "\\0"}'), 6, 11, "jobs.a.env.A", "no NUL"),
        (job(runner="x"), 5, 13, "jobs.a.runner", "must be process, thread, asyncio"),
        (job(loop="1"), 5, 11, "jobs.a.loop", "true or false"),
        (job(loop="yes"), 5, 11, "jobs.a.loop", "true or false"),
        (job(on_change="relod"), 5, 16, "jobs.a.on_change", "did you mean reload?"),
        (job(on_change="SIGHUP"), 5, 16, "jobs.a.on_change", "reload, restart"),
        (job(restart="sometimes"), 5, 14, "jobs.a.restart", "on-failure"),
        (job(check="x"), 5, 5, "jobs.a.check", "for commands"),
        (job(validate="check.py"), 5, 15, "jobs.a.validate", "names no validator: write FILE.py:FUNC"),
        (job(validate="[c]"), 5, 15, "jobs.a.validate", "train.py:check"),
        (job(task="", command="[sh]", on_change="restart", validate="c.py:c"), 6, 5, "jobs.a.validate", "for tasks"),
        (job(schema="none.json"), 5, 13, "jobs.a.schema", "there is no schema file"),
        (job(schema="[c]"), 5, 13, "jobs.a.schema", "path of a JSON Schema"),
        (job(schema="plain"), 5, 13, "jobs.a.schema", "the config is empty"),
        (job(schema="wrong.json"), 5, 13, "jobs.a.schema", "is no JSON Schema: 'numbr' is not valid"),
        (
            job(task="", config="c.ini", command="[sh]", on_change="restart", schema="s.json"),
            6,
            5,
            "jobs.a.schema",
            "not parsed",
        ),
        (job(task="", command="[sh]", on_change="restart", schema="s.json"), 6, 13, "jobs.a.schema", "s.json"),
        (job(task="", command="[sh]", on_change="{}"), 5, 16, "jobs.a.on_change", "{command: CMD}"),
        (job(task="", command="[sh]", on_change="{signal: 1}"), 5, 17, "jobs.a.on_change.signal", "unknown key"),
        (job(stop="{signal: SIGTREM}"), 5, 20, "jobs.a.stop.signal", "did you mean SIGTERM?"),
        (job(stop="{grace: true}"), 5, 19, "jobs.a.stop.grace", "number of seconds"),
        (job(ranks="all"), 5, 12, "jobs.a.ranks", "unknown ranks all: it must be together, each"),
        (job(hold="0"), 5, 11, "jobs.a.hold", "hold must be a number of seconds, more than 0"),
        (job(hold=".inf"), 5, 11, "jobs.a.hold", "more than 0"),
        (job(stop="{grace: -1}"), 5, 19, "jobs.a.stop.grace", "0 or more"),
        (job(stop="{grace: .nan}"), 5, 19, "jobs.a.stop.grace", "0 or more"),
        (job(stop="{after: 1}"), 5, 12, "jobs.a.stop.after", "unknown key after"),
        (job(stop="SIGTERM"), 5, 11, "jobs.a.stop", "a mapping such as"),
        (job(task="", command="x -y"), 4, 14, "jobs.a.command", "a list"),
        (job(task="", command="[]", on_change="restart"), 4, 14, "jobs.a.command", "empty"),
        (job(task="", command="[nice, 5]", on_change="restart"), 4, 21, "jobs.a.command[1]", "in quotes"),
        (job(task="", command="[x]", config="c.conf"), 2, 3, "jobs.a", "needs on_change"),
        (job(task="", command="[x]", config="c.conf", on_change="reload"), 5, 16, "jobs.a.on_change", "signal name"),
        (job(task="", command="[x]", on_change="SIGHUB"), 5, 16, "jobs.a.on_change", "did you mean SIGHUP?"),
        (job(task="", command="[x]", on_change="restart", loop="true"), 6, 5, "jobs.a.loop", "for tasks"),
        (job(settle="soon"), 5, 13, "jobs.a.settle", "a number of seconds, or a mapping such as"),
        (job(settle="true"), 5, 13, "jobs.a.settle", "a number of seconds"),
        (job(settle="-1"), 5, 13, "jobs.a.settle", "seconds must be a number, 0 or more"),
        (job(settle="{steps: 1.5}"), 5, 21, "jobs.a.settle.steps", "number of checkpoints"),
        (job(settle="{seconds: .inf}"), 5, 23, "jobs.a.settle.seconds", "0 or more"),
        (job(settle="{second: 1}"), 5, 14, "jobs.a.settle.second", "did you mean seconds?"),
        (job(guards="[loss]"), 5, 13, "jobs.a.guards", "a mapping such as"),
        (job(guards="{loss: 10}"), 5, 20, "jobs.a.guards.loss", "mapping of max, min, finite, for"),
        (job(guards="{loss: {maxx: 1}}"), 5, 21, "jobs.a.guards.loss.maxx", "did you mean max?"),
        (job(guards="{loss: {max: ten}}"), 5, 26, "jobs.a.guards.loss.max", "a number"),
        (job(guards="{loss: {for: 3}}"), 5, 20, "jobs.a.guards.loss", "needs bounds"),
        (job(guards="{loss: {max: 1, for: 0}}"), 5, 34, "jobs.a.guards.loss.for", "1 or more"),
        (job(guards="{loss: {max: 1, min: 2}}"), 5, 20, "jobs.a.guards.loss", "between these bounds"),
        (job(guards="{1: {max: 1}}"), 5, 14, "jobs.a.guards[1]", "in quotes"),
        (job(task="", command="[sh]", on_change="restart", loop="true"), 6, 5, "jobs.a.loop", "for tasks"),
        (job(python="none/python"), 5, 13, "jobs.a.python", "there is no program"),
        (job(runner="thread", tty="true"), 6, 5, "jobs.a.tty", "process of its own"),
        (job(runner="asyncio", args="[a]"), 6, 5, "jobs.a.args", "process of its own"),
        (job(scheduler="tcp://a:1"), 5, 5, "jobs.a.scheduler", "scheduler is for runner: dask"),
        (job(runner="thread", replicas="2"), 6, 5, "jobs.a.replicas", "replicas is for runner: dask"),
        (job(runner="dask", replicas="0"), 6, 15, "jobs.a.replicas", "a number from 1 to 10,000"),
        (job(runner="dask", replicas="many"), 6, 15, "jobs.a.replicas", "a number, 1 or more"),
        (job(runner="dask", scheduler="head"), 6, 16, "jobs.a.scheduler", "such as tcp://head:8786"),
        (job(runner="dask", scheduler="8786"), 6, 16, "jobs.a.scheduler", "such as tcp://head:8786"),
        (job(runner="dask", python="python3"), 6, 5, "jobs.a.python", "an interpreter of their own: remove python"),
        (job(runner="dask", tty="true"), 6, 5, "jobs.a.tty", "has no terminal: remove tty"),
        (job(task="", command="[sh]", replicas="2"), 5, 5, "jobs.a.replicas", "for tasks"),
        (job(args="[1]"), 5, 12, "jobs.a.args[0]", "in quotes"),
        (job(cwd="nowhere"), 5, 10, "jobs.a.cwd", "there is no folder"),
        (job(task="", command="[sh]", args="[a]"), 5, 5, "jobs.a.args", "for tasks"),
        (job(task="", command="[nowhere-at-all]", on_change="restart"), 4, 15, "jobs.a.command[0]", "in PATH"),
        (job(task="", command="[./plain]", on_change="restart"), 4, 15, "jobs.a.command[0]", "chmod +x"),
        (job(task="", command="[sh]", on_change="restart", env="{A: [1]}"), 6, 14, "jobs.a.env.A", "text"),
        (job(task="", command="[sh]", on_change="restart", ready="{prot: 1}"), 6, 13, "jobs.a.ready.prot", "port?"),
        (job(task="", command="[sh]", on_change="restart", ready="70000"), 6, 12, "jobs.a.ready", "65535"),
        (job(task="", command="[sh]", on_change="restart", ready="'['"), 6, 12, "jobs.a.ready", "expression"),
        (job(task="", command="[sh]", on_change="restart", ready="{}"), 6, 12, "jobs.a.ready", "one of"),
    ],
)
def test_a_mistake_is_named_and_placed(tmp_path: Path, text: str, line: int, column: int, key: str, words: str) -> None:
    (tmp_path / "plain").touch()
    (tmp_path / "wrong.json").write_text('{"type": "numbr"}')
    with pytest.raises(ConfigError) as caught:
        deck(tmp_path, text)
    problem = next(part for part in caught.value.problem.all if words in part.message)
    assert (problem.line, problem.column, problem.key) == (line, column, key)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = """\
jbos: {}
jobs:
  a: {task: nothing, config: c.yaml, onchange: x, settle: -1, restart: often, guards: {loss: {}}}
  b: {command: [none], on_change: restart, config: c.yaml, loop: true, runner: thread, stop: {grace: -1, signal: x}}
  c: 3
  d: {config: c.yaml}
  e: {task: m:f, config: c.yaml}
"""
    with pytest.raises(ConfigError) as caught:
        deck(tmp_path, text)
    problem = caught.value.problem
    named = [(part.line, part.key) for part in problem.all]
    assert named == [
        (1, "jbos"),
        *((3, f"jobs.a.{key}") for key in ("task", "onchange", "settle", "restart", "guards.loss")),
        *((4, f"jobs.b.{key}") for key in ("command[0]", "loop", "runner", "stop.grace", "stop.signal")),
        (5, "jobs.c"),
        (6, "jobs.d"),
    ]
    assert (problem.line, problem.message.count("\n")) == (1, len(named) - 1)


def test_without_dask_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install 'tunedeck\[dask\]'") as caught:
        deck(tmp_path, job(runner="dask"))
    problem = caught.value.problem
    assert (problem.line, problem.column, problem.key) == (5, 13, "jobs.a.runner")


def test_a_job_on_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", sys.modules["json"])  # as if Dask were installed
    there = deck(tmp_path, job(runner="dask", scheduler="tcp://head:8786", replicas="8")).jobs[0]
    assert there.dask == DaskSpec("tcp://head:8786", 8)
    assert deck(tmp_path, job(runner="dask")).jobs[0].dask == DaskSpec(None, 1)
    assert deck(tmp_path, job()).jobs[0].dask is None


def test_a_missing_deck_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing"):
        load(tmp_path / "none.yaml")


def test_a_task_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = single("src/train.py:train", "c.yaml")
    assert found == Deck(
        "train", None, (JobSpec("train", "src/train.py:train", None, tmp_path / "c.yaml", cwd=tmp_path),)
    )
    other = single("pkg.mod:f", "c.yaml", "mine", runner="thread", on_change="restart", loop=False).jobs[0]
    assert (other.name, other.runner, other.on_change, other.loop) == ("mine", "thread", "restart", False)
    with pytest.raises(ConfigError, match=r"FILE\.py:FUNC"):
        single("train", "c.yaml")


def test_a_command_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program(tmp_path / "serve")
    (found,) = single(("./serve", "-c", "{config}"), "c.conf", on_change="SIGHUP", check="true").jobs
    command = CommandSpec("serve", ("./serve", "-c", "{config}"), tmp_path / "c.conf", "SIGHUP", cwd=tmp_path)
    assert (found.name, found.command, found.on_change, found.check) == ("serve", command, "SIGHUP", "true")
    assert (found.what, found.as_text, found.hosted) == ("./serve -c {config}", True, False)
    with pytest.raises(ConfigError, match="there is no program"):
        single(("./none",), "c.conf", on_change="restart")


@pytest.mark.parametrize(
    ("value", "settle"),
    [("30", (30, 10)), ("0", (0, 0)), ("{steps: 5}", (10.0, 5)), ("{seconds: 0.5, steps: 0}", (0.5, 0))],
)
def test_how_long_a_reload_is_on_trial(tmp_path: Path, value: str, settle: tuple[float, int]) -> None:
    assert deck(tmp_path, job(settle=value)).jobs[0].settle == settle
    assert deck(tmp_path, job()).jobs[0].settle == (10.0, 10)


def test_guards_of_a_metric_and_of_all(tmp_path: Path) -> None:
    (found,) = deck(tmp_path, job(guards="{loss: {max: 10, for: 20}, finite: true}")).jobs
    assert found.guards == {"loss": {"max": 10, "for": 20}, "": {"finite": True}}


@pytest.mark.parametrize(("value", "ready"), [("8080", Readiness(port=8080)), ("'up$'", Readiness(line="up$"))])
def test_ready_in_short(tmp_path: Path, value: str, ready: Readiness) -> None:
    (found,) = deck(tmp_path, job(task="", command="[sh]", on_change="restart", ready=value)).jobs
    assert found.command is not None
    assert found.command.ready == ready


def test_the_deck_in_the_reference_is_one_and_shows_every_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = (Path(__file__).parents[3] / "docs/reference.md").read_text()
    text = reference.partition("## The deck file\n\n```yaml\n")[2].partition("```")[0]
    program(tmp_path / "bin/nginx")
    program(tmp_path / "bin/cat")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setitem(sys.modules, "distributed", sys.modules["json"])  # as if Dask were installed
    (tmp_path / "venv").mkdir()
    program(tmp_path / "venv/bin/python")
    (tmp_path / "deck/runs").mkdir(parents=True)
    (tmp_path / "deck/digits.schema.json").write_text("{}")
    assert [job.name for job in deck(tmp_path / "deck", text).jobs] == ["digits", "sweep", "web"]
    data = YAML(typ="safe", pure=True).load(text)
    assert {key for job in data["jobs"].values() for key in job} == set(KINDS)


def test_the_deck_in_the_readme_is_one_of_ten_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    text = readme.partition("## A deck, in ten lines\n\n```yaml\njobs:\n")[2].partition("```")[0]
    program(tmp_path / "bin/nginx")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert [job.name for job in deck(tmp_path, f"jobs:\n{text}").jobs] == ["train", "web"]
    assert len(text.splitlines()) == 10
