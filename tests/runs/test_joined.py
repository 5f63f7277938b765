"""Programs that join their job by their first checkpoint, as their users start them."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.runs.folder import Folder, Run, log, row, state, tunedeck
from tests.runs.worker import VERSIONS, interpreter
from tui.worker import lingering

#: Says which config it has whenever that is another one.
SCRIPT = """
    import argparse, os, sys, time
    import tui

    def work(name, config=None):
        seen = None
        while True:
            config = tui.checkpoint(config, loss=1.5)
            if config is not seen:
                seen = config
                os.write(1, f"{name} has {config}\\n".encode())  # at once: two processes share the pipe
            time.sleep(0.001)

    if __name__ == "__main__":
        parser = argparse.ArgumentParser()
        parser.add_argument("--config")
        parser.add_argument("--seed", type=int)
        arguments = parser.parse_args()
        print("seed", arguments.seed)
        work("it", open(arguments.config).read())
"""


def start(folder: Folder, script: str = SCRIPT, config: str = "c.yaml", text: str = "lr: 1\n") -> Run:
    """Run a script as its user does, with its own arguments."""
    folder.write("train.py", script)
    folder.write(config, text)
    program = [sys.executable, "train.py", "--config", config, "--seed", "3"]
    return folder.run("-c", config, "--name", "train", "--", *program)


def test_script_takes_a_change_at_its_next_checkpoint(folder: Folder) -> None:
    run = start(folder)
    run.wait_for(log("seed 3"))
    run.wait_for(log("it has {'lr': 1}"))
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "lr: 2\n")
    applied = run.wait_for(row(2, "applied"))
    assert applied["changes"] == [{"key": "lr", "old": 1, "new": 2}]
    assert applied["step"] > 0
    run.wait_for(log("it has {'lr': 2}"))
    run.wait_for(lambda event: event["event"] == "metrics" and event["values"] == {"loss": 1.5})
    assert run.states == ["starting", "running"], "it was not started anew"


def test_config_in_json_is_checked_before_it_is_sent(folder: Folder) -> None:
    run = start(folder, config="c.json", text='{"opt": {"lr": 1}}\n')
    run.wait_for(row(1, "applied"))
    folder.save("c.json", '{"opt": {"lr": 2}\n')
    assert run.wait_for(row(2, "invalid"))["error"]["line"] == 1
    folder.save("c.json", '{"opt": {"lr": 4}}\n')
    assert [change["key"] for change in run.wait_for(row(3, "applied"))["changes"]] == ["opt.lr"]
    run.wait_for(log("it has {'opt': {'lr': 4}}"))


@pytest.mark.parametrize("text", ["when: 2026-01-01\n", "lr: .nan\nbig: 123456789012345678901234567890\n"])
def test_config_keeps_its_types(folder: Folder, text: str) -> None:
    run = start(folder, text=text)
    run.wait_for(row(1, "applied"))
    run.wait_for(
        lambda event: (
            event["event"] == "log"
            and (
                "datetime.date(2026, 1, 1)" in event["line"]
                or "nan, 'big': 123456789012345678901234567890" in event["line"]
            )
        )
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_script_of_another_environment(folder: Folder, version: str) -> None:
    path = tunedeck("path", cwd=folder.path).stdout.strip()
    assert [item.name for item in Path(path).iterdir()] == ["tui"]
    folder.write("train.py", SCRIPT)
    folder.write("c.yaml", "lr: 1\nwhen: 2026-01-01\n")
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    program = [python, "-B", "train.py", "--config", "c.yaml"]
    run = folder.run("-c", "c.yaml", "--", "/usr/bin/env", f"PYTHONPATH={path}", *program)
    run.wait_for(log("it has {'lr': 1, 'when': datetime.date(2026, 1, 1)}"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    run.wait_for(log("it has {'lr': 2}"))


CHILDREN = {
    "fork": """
        if os.fork() == 0:
            train.work("child")
    """,
    "fork after joining": """
        tui.checkpoint(None)
        if os.fork() == 0:
            train.work("child")
    """,
    "spawn": """
        child = multiprocessing.get_context("spawn").Process(target=train.work, args=("child",), daemon=True)
        child.start()
    """,
    "subprocess": """
        subprocess.Popen([sys.executable, "-c", "import train; train.work('child')"])
    """,
}


@pytest.mark.parametrize("how", CHILDREN)
def test_children_join_each_for_itself(folder: Folder, how: str) -> None:
    folder.write("train.py", SCRIPT)
    folder.write("c.yaml", "lr: 1\n")
    head = "import multiprocessing, os, subprocess, sys\nimport train, tui\nif __name__ == '__main__':"
    body = CHILDREN[how].rstrip().replace("\n        ", "\n    ")
    (folder.path / "parent.py").write_text(f"{head}{body}\n    train.work('parent')\n")
    run = folder.run("-c", "c.yaml", "--", sys.executable, "parent.py")
    for name in ("parent", "child"):
        run.wait_for(log(f"{name} has {{'lr': 1}}"))
    folder.save("c.yaml", "lr: 2\n")
    for name in ("parent", "child"):
        run.wait_for(log(f"{name} has {{'lr': 2}}"))
    applied = run.wait_for(row(2, "applied"))
    counted = run.wait_for(lambda event: row(2, "applied")(event) and (event["ranks"] or {}).get("applied") == 2)
    assert counted["ranks"] == {"total": 2, "applied": 2, "step": applied["step"]}
    said = tunedeck("history", "c.yaml", "--json", cwd=folder.path).stdout.splitlines()
    assert [json.loads(line)["ranks"] for line in said][-1] == counted["ranks"]


TASK_WITH_CHILDREN = """
    import multiprocessing, os, subprocess, sys, time
    from dataclasses import dataclass
    import tui

    @dataclass
    class Config:
        lr: float

    def work(name, config):
        seen = None
        while not tui.stopping():
            config = tui.checkpoint(config, loss=2.5)
            if config is not seen:
                seen = config
                os.write(1, f"{name} has {config}\\n".encode())
            time.sleep(0.001)
        os.write(1, f"{name} ends in {os.path.basename(tui.state_dir())}\\n".encode())

    def train(config: Config):
        if os.fork() == 0:
            work("fork", config)
            os._exit(0)
        spawn = multiprocessing.get_context("spawn").Process(target=work, args=("spawn", config))
        spawn.start()
        subprocess.Popen([sys.executable, "-c", "import job; job.work('subprocess', None)"])
        work("task", config)

    def wait(config):
        subprocess.run([sys.executable, "-c", "import job; job.work('child', None)"])
"""


def test_children_of_a_task_join_too(folder: Folder) -> None:
    folder.task(TASK_WITH_CHILDREN)
    run = folder.run("job.py:train", "-c", "c.yaml", "--env", f"PYTHONPATH={folder.path}")
    config = dict.fromkeys(("fork", "spawn", "task"), "Config(lr={}.0)")  # as each has come with it
    config["subprocess"] = "{{'lr': {}}}"
    for name, words in config.items():
        run.wait_for(log(f"{name} has {words.format(1)}"))
    folder.save("c.yaml", "lr: fast\n")
    run.wait_for(row(2, "rejected"))
    folder.save("c.yaml", "lr: 3\n")
    for name, words in config.items():
        run.wait_for(log(f"{name} has {words.format(3)}"))
    run.wait_for(lambda event: row(3, "applied")(event) and (event["ranks"] or {}).get("applied") == 4)
    assert not [line for line in run.lines if "fast" in line]
    assert run.stop() == 128 + signal.SIGTERM
    assert len({line.partition(" ")[2] for line in run.lines if " ends in c.yaml-train-" in line}) == 1
    assert sum(" ends in " in line for line in run.lines) == 4


def test_child_answers_for_a_task_without_a_checkpoint(folder: Folder) -> None:
    folder.task(TASK_WITH_CHILDREN)
    run = folder.run("job.py:wait", "-c", "c.yaml", "--once", "--env", f"PYTHONPATH={folder.path}")
    run.wait_for(log("child has {'lr': 1}"))
    folder.save("c.yaml", "lr: 2\n")
    assert run.wait_for(row(2, "applied"))["step"] > 0
    run.wait_for(lambda event: event["event"] == "metrics" and event["values"] == {"loss": 2.5})
    assert run.stop() == 128 + signal.SIGTERM
    assert any(line.startswith("child ends in ") for line in run.lines)


def test_child_answers_where_its_parent_has_no_checkpoint(folder: Folder) -> None:
    folder.write("train.py", SCRIPT)
    folder.write("c.yaml", "lr: 1\n")
    folder.write(
        "parent.py", "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import train; train.work(1)'])\n"
    )
    run = folder.run("-c", "c.yaml", "--", sys.executable, "parent.py")
    run.wait_for(log("1 has {'lr': 1}"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))


def test_change_waits_for_the_first_that_joins(folder: Folder) -> None:
    run = start(
        folder,
        """
        import os, time, tui
        print("up", flush=True)
        while not os.path.exists("go"):
            time.sleep(0.005)
        print("has", tui.checkpoint(None), flush=True)
        time.sleep(600)
        """,
    )
    run.wait_for(log("up"))
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "sent"))
    (folder.path / "go").touch()
    run.wait_for(row(2, "applied"))
    run.wait_for(log("has {'lr': 2}"))


def test_config_of_another_kind_must_say_what_a_change_does(folder: Folder) -> None:
    folder.write("c.conf", "lr 1\n")
    run = folder.run("-c", "c.conf", "--", "cat", "c.conf")
    assert run.end() == 2
    assert "--on-change" in run.errors
    assert "restart, none or a signal name" in run.errors


def test_program_that_watches_its_config_itself(folder: Folder) -> None:
    folder.write("c.yaml", "lr: 1\n")
    run = folder.run("-c", "c.yaml", "--on-change", "none", "--", "sleep", "600")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "lr: 2\n")
    assert run.wait_for(row(2, "applied"))["changes"] == [{"key": "lr", "old": 1, "new": 2}]
    assert run.states == ["starting", "running"]


def test_another_command_tells_the_program(folder: Folder) -> None:
    folder.write("c.yaml", "lr: 1\n")
    run = folder.run_deck("""
        jobs:
          it:
            command: [sleep, "600"]
            config: c.yaml
            on_change: {command: "echo lr is {lr} >> told; grep -q 'lr: 2' {config} || { echo no such rate; exit 3; }"}
    """)
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    folder.save("c.yaml", "lr: 3\n")
    assert run.wait_for(row(3, "rejected"))["error"]["message"].startswith("no such rate")
    assert (folder.path / "told").read_text() == "lr is 2\nlr is 3\n"


def test_command_that_tells_the_program_is_spelled_the_same_on_the_command_line(folder: Folder) -> None:
    folder.write("c.conf", "1\n")
    tell = "{command: 'cat {config} >> told; exit 3'}"
    run = folder.run("-c", "c.conf", "--on-change", tell, "--", "sleep", "600")
    run.wait_for(row(1, "applied"))
    folder.save("c.conf", "2\n")
    assert "ended with exit code 3" in run.wait_for(row(2, "rejected"))["error"]["message"]
    assert (folder.path / "told").read_text() == "2\n"


@pytest.mark.parametrize("text", ["{command: }", "{command: [a]}", "{cmd: a}", "{command: a, b: 1}", "{command: a"])
def test_another_mapping_is_refused_on_the_command_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tui.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["tunedeck", "run", "-c", "c.conf", "--on-change", text, "--", "sleep", "1"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "--on-change: " in capsys.readouterr().err


def test_deck_refuses_a_mapping_without_a_command(folder: Folder) -> None:
    folder.write("c.yaml", "lr: 1\n")
    run = folder.run_deck("jobs: {it: {command: [sleep, '1'], config: c.yaml, on_change: {}}}\n")
    assert run.end() == 2
    assert "{command: CMD}" in run.errors


def test_stopped_script_ends_by_its_checkpoint(folder: Folder) -> None:
    run = start(folder)
    run.wait_for(log("it has {'lr': 1}"))
    assert run.stop() == 128 + signal.SIGTERM
    assert run.states[-1] == "stopped"
    assert not list(Path("/tmp").glob(f"tunedeck-*/engine-{run.pid}-*.join"))


def test_guard_takes_back_what_a_script_has_taken(folder: Folder) -> None:
    folder.write(
        "script.py",
        """
        import time, tui
        config = {"lr": 1}
        while True:
            config = tui.checkpoint(config, loss=config["lr"])
            time.sleep(0.001)
        """,
    )
    folder.write("c.yaml", "lr: 1\n")
    job = {"command": [sys.executable, "script.py"], "config": "c.yaml", "guards": {"loss": {"max": 10, "for": 5}}}
    run = folder.run_deck(json.dumps({"jobs": {"it": job}}))
    run.wait_for(lambda event: event["event"] == "metrics" and event["values"] == {"loss": 1})
    folder.save("c.yaml", "lr: 99\n")
    assert "loss" in run.wait_for(row(2, "reverted"))["error"]["message"]
    assert run.wait_for(row(3, "applied"))["source"] == "guard"
    assert run.states == ["starting", "running"]


def test_pause_holds_the_script(folder: Folder) -> None:
    from tests.runs.folder import ask
    from tui.protocol.messages import Pause

    run = start(folder)
    run.wait_for(log("it has {'lr': 1}"))
    config = folder.path / "c.yaml"
    assert ask(config, Pause(1, "train", paused=True)).ok
    run.wait_for(lambda event: state("paused")(event) and (event["reason"] or "").startswith("held at step"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "sent"))
    assert ask(config, Pause(2, "train", paused=False)).ok
    run.wait_for(row(2, "applied"))
    assert json.dumps(run.rows()[2]["changes"])


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("threading.Thread(target=wait).start()", "1 thread"),
        ("atexit.register(wait)", "what it does at its exit"),
    ],
)
def test_what_the_process_of_a_script_that_has_ended_waits_for_is_told(folder: Folder, way: str, words: str) -> None:
    script = f"""
        import atexit, os, threading, time
        import tui

        def wait():
            while not os.path.exists("go"):
                time.sleep(0.001)

        tui.checkpoint(None)
        {way}
    """
    run = start(folder, script)
    reason = f"the script has ended, its process waits for {words}"
    run.wait_for(lambda event: event["event"] == "state" and event["reason"] == reason)
    folder.save("c.yaml", "lr: 2\n")
    assert run.wait_for(row(2, "failed"))["error"]["message"] == reason
    folder.write("go", "")
    assert run.end() == 0


def test_script_whose_main_thread_has_ended_goes_on_in_another(folder: Folder) -> None:
    script = SCRIPT.replace(
        'work("it", open(arguments.config).read())', 'threading.Thread(target=work, args=("it",)).start()'
    )
    run = start(folder, script.replace("import argparse", "import threading, argparse"))
    run.wait_for(row(1, "applied"))
    ended = time.monotonic() + lingering.LINGER
    version = 1
    while time.monotonic() < ended + 0.5:  # beyond the moment at which it would count as over
        version += 1
        folder.save("c.yaml", f"lr: {version}\n")
        run.wait_for(row(version, "applied"))
    assert run.states == ["starting", "running"]
