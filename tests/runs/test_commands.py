"""Commands as jobs: any program, reloaded by a restart or by a signal."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.patience import PATIENCE
from tests.runs.folder import ENVIRONMENT, Event, Folder, Run, Wanted, Watch, ask, command, log, row, state
from tui.protocol.messages import Pause, Resize, Start
from tui.worker import process_tree

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs process descriptors and /proc")

#: Says what it was started with, and runs until it is ended.
SHOW = 'echo "up $(cat "$0")"; exec sleep 600'

#: The same, and reads its config again on SIGHUP. It ends with 3 where that says bad, and at its start, where the
#: file `down` is there.
SERVE = """\
take() {
    echo "$1 $(cat "$config")"
    if grep -q bad "$config"; then exit 3; fi
}
config=$0
trap 'take took' HUP
if [ -e down ]; then exit 4; fi
take up
while :; do sleep 600 & wait $!; done
"""

#: Screams if another one of it runs, and takes its time to end: until the file `release` is there.
ONLY_ONE = """\
import fcntl, os, signal, sys, time
lock = open("lock", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("SECOND WORKER", flush=True)

def end(*_):
    print("ending", flush=True)
    while not os.path.exists("release"):
        time.sleep(0.001)
    os._exit(7)

signal.signal(signal.SIGTERM, end)
print("up", open(sys.argv[1]).read().strip(), flush=True)
while True:
    time.sleep(600)
"""


def start(folder: Folder, config: str, command: list[str], on_change: str = "restart", **keys: Any) -> Run:
    """Start a deck with one command."""
    (folder.path / "c.yaml").write_text(config)
    job = {"command": command, "config": "c.yaml", "on_change": on_change, **keys}
    return folder.run_deck(json.dumps({"jobs": {"a": job}}))


def shell(script: str, *arguments: str) -> list[str]:
    return ["sh", "-c", script, *(arguments or ("{config}",))]


def index(run: Run, wanted: Wanted) -> int:
    return run.events.index(run.wait_for(wanted))


def begins(text: str) -> Wanted:
    return lambda event: event["event"] == "log" and event["line"].startswith(text)


def pids(run: Run) -> set[int]:
    """Return the processes that have been the job's."""
    return {event["pid"] for event in run.events if event["event"] == "state" and event["pid"] is not None}


def nth(wanted: Wanted, number: int) -> Wanted:
    """Match the event that is the `number`-th to be wanted."""
    seen: list[Event] = []

    def is_it(event: Event) -> bool:
        if wanted(event) and not any(event is before for before in seen):
            seen.append(event)
        return len(seen) >= number and event is seen[number - 1]

    return is_it


def test_a_restart_is_answered_when_the_new_program_has_lived_for_a_second(folder: Folder) -> None:
    run = start(folder, "one: 1\n", shell(SHOW))
    first = run.wait_for(row(1, "applied"))
    assert first["latency_ms"] >= 1_000
    old = run.worker()
    folder.save("c.yaml", "one: 2\n")
    second = run.wait_for(row(2, "applied"))
    assert second["latency_ms"] >= 1_000
    assert second["changes"] == [{"key": "one", "old": 1, "new": 2}]
    assert run.lines == ["up one: 1", "up one: 2"]
    assert run.states == ["starting", "running", "starting", "running"]
    assert len(pids(run)) == 2
    with pytest.raises(ProcessLookupError):
        os.kill(old, 0)
    assert run.stop() == 143
    assert run.states[-1] == "stopped"


def test_the_command_line_runs_a_command(folder: Folder) -> None:
    folder.write("c.yaml", "[not: yaml\n")
    run = folder.run("-c", "c.yaml", "--on-change", "SIGHUP", "--check", "true", "--", "sh", "-c", SHOW, "{config}")
    assert run.wait_for(row(1, "applied"))["job"] == "sh"
    assert run.lines == ["up [not: yaml"]


def test_what_python_prints_comes_at_once_where_nobody_says_otherwise(folder: Folder) -> None:
    folder.write("c.yaml", "")
    script = "print('printed'); import time; time.sleep(600)"
    run = folder.run("-c", "c.yaml", "--on-change", "restart", "--", sys.executable, "-c", script)
    run.wait_for(log("printed"))


@pytest.mark.parametrize(
    ("outside", "env", "seen"), [(None, None, "1"), ("", None, ""), (None, "0", "0"), ("2", "", "")]
)
def test_how_python_buffers_is_said_by_the_job_then_by_the_environment(
    folder: Folder, outside: str | None, env: str | None, seen: str
) -> None:
    prefix = [] if outside is None else ["env", f"PYTHONUNBUFFERED={outside}"]
    env_key = "" if env is None else f", env: {{PYTHONUNBUFFERED: '{env}'}}"
    folder.write("c.yaml", "")
    shown = "[sh, -c, 'echo \"seen <$PYTHONUNBUFFERED>\"']"
    folder.write("deck.yaml", f"jobs: {{j: {{command: {shown}, config: c.yaml, on_change: restart{env_key}}}}}")
    run = folder.run("deck.yaml", prefix=prefix)
    run.wait_for(log(f"seen <{seen}>"))


def test_only_without_a_terminal_a_width_is_said(folder: Folder) -> None:
    folder.write("c.yaml", "")
    said = shell("echo $0 $COLUMNS end", "{config}")
    jobs = {name: {"command": said, "config": "c.yaml", "on_change": "none", "tty": name == "b"} for name in "ab"}
    folder.write("deck.yaml", json.dumps({"jobs": jobs}))
    run = folder.run("deck.yaml", prefix=["env", "COLUMNS=77"])
    assert run.end() == 0
    assert sorted(line.partition("c.yaml ")[2] for line in run.lines) == ["77 end", "end"]


def test_a_terminal_is_as_large_as_the_log_of_the_last_viewer(folder: Folder) -> None:
    folder.write(
        "show.py",
        """
        import os, signal, time
        def show(*_):
            os.write(1, b"%d x %d\\n" % os.get_terminal_size())
        signal.signal(signal.SIGWINCH, show)
        show()
        while True:
            time.sleep(600)
        """,
    )
    run = start(folder, "", [sys.executable, "show.py"], tty=True)
    run.wait_for(log("120 x 40"))
    deck = folder.path / "deck.yaml"
    assert ask(deck, Resize(1, "a", rows=12, columns=77)).ok
    run.wait_for(log("77 x 12"))
    assert ask(deck, Resize(2, "a", rows=13, columns=0)).ok
    run.wait_for(log("1 x 13"))
    assert ask(deck, Start(3, "a")).ok
    run.wait_for(lambda event: log("1 x 13")(event) and run.lines.count("1 x 13") == 2)


@pytest.mark.parametrize("tty", [False, True])
def test_a_line_says_that_it_is_ready(folder: Folder, tty: bool) -> None:
    script = "echo up; while ! [ -e go ]; do sleep 0.01; done; echo ready; exec sleep 600"
    run = start(folder, "", shell(script), ready="^ready$", tty=tty)
    run.wait_for(log("up"))
    assert run.states == ["starting"]
    assert run.wait_for(state("starting"))["reason"] == "waits for a line of output with ^ready$"
    folder.write("go", "")
    assert index(run, log("ready")) < index(run, state("running")) < index(run, row(1, "applied"))


def test_a_pattern_that_takes_for_ever_is_given_up_and_told(folder: Folder) -> None:
    run = start(folder, "", shell(f"echo {'a' * 5000}!; exec sleep 600"), ready="^(a+)+$")
    run.wait_for(row(1, "applied"))
    told = f"tunedeck: ready: its pattern ^(a+)+$ takes more than 0.1 s for '{'a' * 60}…': make it simpler"
    assert f"{told}; the command counts as ready now" in run.lines
    run.stop()


def test_a_command_says_that_it_is_ready(folder: Folder) -> None:
    script = "echo up; while ! [ -e go ]; do sleep 0.01; done; echo made; touch made; exec sleep 600"
    run = start(folder, "", shell(script), ready={"command": "test -e made"})
    run.wait_for(log("up"))
    assert run.wait_for(state("starting"))["reason"] == "waits for test -e made to exit with 0"
    folder.write("go", "")
    assert index(run, log("made")) < index(run, row(1, "applied"))


def test_a_port_says_that_it_is_ready(folder: Folder) -> None:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    folder.write(
        "serve.py",
        """
        import os, socket, sys, time
        print("up", flush=True)
        while not os.path.exists("go"):
            time.sleep(0.01)
            if os.path.exists("ask"):
                os.remove("ask")
                print("not yet", flush=True)
        with socket.create_server(("localhost", int(sys.argv[1]))) as server:
            while True:
                server.accept()
        """,
    )
    run = start(folder, f"port: {port}\n", [sys.executable, "serve.py", "{port}"], ready=port)
    run.wait_for(log("up"))
    assert run.wait_for(state("starting"))["reason"] == f"waits for port {port} to be open"
    folder.write("ask", "")
    run.wait_for(log("not yet"))
    assert not any(map(row(1, "applied"), run.events))
    folder.write("go", "")  # from here on it may be seen to be open before it can say so
    run.wait_for(row(1, "applied"))


def test_a_signal_is_answered_by_the_same_program(folder: Folder) -> None:
    run = start(folder, "one: 1\n", shell(SERVE), "SIGHUP")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "one: 2\n")
    run.wait_for(row(2, "applied"))
    assert run.lines == ["up one: 1", "took one: 2"]
    assert len(pids(run)) == 1
    assert run.states == ["starting", "running"]


def test_a_signal_is_answered_when_the_program_is_ready_again(folder: Folder) -> None:
    # It has lived for longer than any program has to, when it is ready.
    script = """\
trap 'rm made; echo took; sleep 1.5; echo again; touch made' HUP
touch made
while :; do sleep 600 & wait $!; done
"""
    run = start(folder, "one: 1\n", shell(script), "SIGHUP", ready={"command": "test -e made"})
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "one: 2\n")
    run.wait_for(row(2, "applied"))
    assert index(run, log("took")) < index(run, log("again")) < index(run, row(2, "applied"))


def test_a_save_before_the_program_is_up_is_signalled_when_it_is(folder: Folder) -> None:
    """A program that has set no handler yet would die of the signal."""
    script = "echo begun; while ! [ -e go ]; do sleep 0.01; done\n" + SERVE
    run = start(folder, "one: 1\n", shell(script), "SIGHUP", ready="^up")
    run.wait_for(log("begun"))
    folder.save("c.yaml", "one: 2\n")
    run.wait_for(row(2, "sent"))
    folder.write("go", "")
    run.wait_for(row(2, "applied"))
    assert "took one: 2" in run.lines
    assert run.rows()[1]["status"] in ("applied", "superseded")
    assert len(pids(run)) == 1


def test_a_change_that_its_check_refuses_never_reaches_the_program(folder: Folder) -> None:
    check = 'if grep -n bad {config}; then echo "c.yaml:2:7: bad is no value"; exit 1; fi'
    run = start(folder, "one: 1\n", shell(SERVE), "SIGHUP", check=check)
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "one: 1\ntwo: bad\n")
    error = run.wait_for(row(2, "invalid"))["error"]
    assert error == {"message": "2:two: bad\nc.yaml:2:7: bad is no value", "line": 2, "column": 7, "key": None}
    folder.save("c.yaml", "one: 3\n")
    run.wait_for(row(3, "applied"))
    assert run.lines == ["up one: 1", "took one: 3"]
    assert run.states == ["starting", "running"]


def test_a_config_that_is_refused_at_the_start_ends_a_headless_run(folder: Folder) -> None:
    run = start(folder, "one: bad\n", shell(SHOW), check="! grep bad {config}")
    assert run.end() == 2
    assert run.wait_for(row(1, "invalid"))["error"]["message"] == "one: bad"
    assert run.events[-1]["reason"] == "waiting for a valid config: one: bad"


def test_an_end_that_is_asked_for_does_not_wait_for_a_check(folder: Folder) -> None:
    run = start(folder, "", shell(SHOW), check="touch checking; exec sleep 600")
    deadline = time.monotonic() + PATIENCE
    while not (folder.path / "checking").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    watch = Watch.tree(run.pid) if sys.platform == "linux" else None
    assert run.stop() == 143
    assert not any("did not end" in str(event) for event in run.events), "nobody has waited for the check's limit"
    assert watch is None or watch.survivors() == set()


def test_values_of_the_config_stand_in_arguments_and_environment(folder: Folder) -> None:
    script = 'trap "echo took" HUP; echo "up $1 $NAME $2"; while :; do sleep 600 & wait $!; done'
    good = "server: {port: 80}\nname: web\nother: 1\n"
    command = ["sh", "-c", script, "{config}", "{server.port}", "{{name}}"]
    run = start(folder, good, command, "SIGHUP", env={"NAME": "<{name}>"})
    run.wait_for(row(1, "applied"))
    assert run.lines == ["up 80 <web> {name}"]

    folder.save("c.yaml", good.replace("other: 1", "other: 2"))
    run.wait_for(row(2, "applied"))
    assert run.lines[1:] == ["took"]
    assert len(pids(run)) == 1

    for version, (old, new, said) in enumerate(
        [("port: 80", "port: 81", "up 81 <web> {name}"), ("web", "true", "up 80 <true> {name}")], 3
    ):
        folder.save("c.yaml", good.replace(old, new))
        run.wait_for(row(version, "applied"))
        assert run.lines[-1] == said
        assert len(pids(run)) == version - 1


def test_a_config_without_a_value_that_the_command_needs_is_invalid(folder: Folder) -> None:
    run = start(folder, "name: web\n", ["sh", "-c", 'echo "up $0"; exec sleep 600', "{name}"])
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "nam: web\n")
    message = run.wait_for(row(2, "invalid"))["error"]["message"]
    assert message == "the command uses {name}, but the config has no such key; write {{name}} to mean the text itself"
    folder.save("c.yaml", "name: [web]\n")
    assert "has no single value for it" in run.wait_for(row(3, "invalid"))["error"]["message"]
    folder.save("c.yaml", "name: [\n")
    assert run.wait_for(row(4, "invalid"))["error"]["line"] is not None
    folder.save("c.yaml", 'name: "a\\0b"\n')
    assert "a NUL or half a character" in run.wait_for(row(5, "invalid"))["error"]["message"]
    folder.save("c.yaml", "name: db\n")
    run.wait_for(row(6, "applied"))
    assert run.lines == ["up web", "up db"]


def test_a_headless_run_does_not_begin_without_a_value_that_the_command_needs(folder: Folder) -> None:
    run = start(folder, "nam: web\n", shell(SHOW, "{name}"))
    assert run.end() == 2
    assert run.events == []
    assert "c.yaml: the command uses {name}, but the config has no such key" in run.errors


def test_a_terminal_for_the_program_and_its_output_to_the_last_line(folder: Folder) -> None:
    folder.write(
        "show.py",
        """
        import os, sys
        print(*(os.isatty(descriptor) for descriptor in (0, 1, 2)), *os.get_terminal_size())
        for number in range(5_000):
            print("line", number)
        print("the end", end="")
        """,
    )
    run = start(folder, "", [sys.executable, "show.py"], tty=True)
    assert run.end() == 0
    assert run.lines == ["True True True 120 40", *(f"line {number}" for number in range(5_000)), "the end"]
    assert run.states[-1] == "finished"


WIDTH = [sys.executable, "-c", "import shutil; print('width', shutil.get_terminal_size().columns)"]


def test_width_of_a_program_without_a_terminal_is_that_of_ours(folder: Folder) -> None:
    folder.write("c.yaml", "lr: 1\n")
    words = command("run", "--headless", "-c", "c.yaml", "--", *WIDTH)
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "COLUMNS"}
    settings: dict[str, Any] = {"cwd": str(folder.path), "env": environment, "timeout": PATIENCE}
    terminal = pexpect.spawn(words[0], words[1:], dimensions=(30, 132), **settings)
    terminal.expect("width 132")
    terminal.expect(pexpect.EOF)
    terminal.close()
    piped = subprocess.run(words, **settings, capture_output=True, text=True, check=True)
    assert "width 80" in piped.stdout


@pytest.mark.parametrize(
    ("on_change", "restart", "code"),
    [("SIGHUP", "never", 3), ("restart", "never", 3), ("SIGHUP", "never", 0), ("restart", "always", 0)],
)
def test_a_program_that_dies_of_a_reload_goes_on_with_the_last_good_config(
    folder: Folder, on_change: str, restart: str, code: int
) -> None:
    """What serves dies, even if it ends in order."""
    run = start(folder, "one: 1\n", shell(SERVE.replace("exit 3", f"exit {code}")), on_change, restart=restart)
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "one: bad\n")
    died = run.wait_for(row(2, "reverted"))
    assert (died["by"], died["error"]["message"]) == (3, f"ended with exit code {code}")
    back = run.wait_for(row(3, "applied"))
    assert back["source"] == "guard"
    assert run.wait_for(state("backoff"))["reason"] == f"ended with exit code {code}; going back to v1 as v3"
    assert run.lines == ["up one: 1", ("took" if on_change == "SIGHUP" else "up") + " one: bad", "up one: 1"]
    assert (folder.path / "c.yaml").read_text() == "one: bad\n"
    copy = folder.path / ".c.a.tunedeck.yaml"
    assert (copy.read_text(), copy.stat().st_mode) == ("one: 1\n", (folder.path / "c.yaml").stat().st_mode)

    folder.save("c.yaml", "one: 4\n")
    run.wait_for(row(4, "applied"))
    assert run.lines[-1] == "up one: 4"
    assert not copy.exists()
    folder.save("c.yaml", "one: 5\n")
    run.wait_for(row(5, "applied"))
    assert run.lines[-1] == ("took" if on_change == "SIGHUP" else "up") + " one: 5"
    assert run.stop() == 143


def test_a_save_that_a_program_did_not_live_to_get_is_tried(folder: Folder) -> None:
    script = 'if grep bad "$0"; then while ! [ -e go ]; do sleep 0.01; done; exit 3; fi\n' + SERVE
    run = start(folder, "name: one\nother: 1\n", shell(script, "{config}", "{name}"), "SIGHUP")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "name: two\nother: bad\n")  # another name needs another program
    run.wait_for(log("other: bad"))
    folder.save("c.yaml", "name: two\nother: 3\n")
    run.wait_for(row(3, "sent"))
    folder.write("go", "")
    run.wait_for(row(3, "applied"))
    assert (run.rows()[2]["status"], run.rows()[2]["by"]) == ("superseded", 3)


def test_the_last_good_config_gets_one_try(folder: Folder) -> None:
    run = start(folder, "one: 1\n", shell(SERVE))
    run.wait_for(row(1, "applied"))
    folder.write("down", "")
    folder.save("c.yaml", "one: 2\n")
    assert run.end() == 1
    assert [row["status"] for row in run.rows().values()] == ["applied", "reverted", "failed"]
    assert (run.events[-1]["state"], run.events[-1]["exit_code"]) == ("crashed", 4)
    assert run.states == ["starting", "running", "starting", "running", "backoff", "starting", "running", "crashed"]
    assert not (folder.path / ".c.a.tunedeck.yaml").exists()


def test_a_program_that_cannot_be_told_of_an_older_config_is_not_started_with_the_wrong_one(folder: Folder) -> None:
    script = "if grep bad c.yaml; then exit 3; fi; exec sleep 600"
    run = start(folder, "one: 1\n", shell(script, "sh"))
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "one: bad\n")
    assert run.end() in (1, 2)
    reason = run.events[-1]["reason"]
    assert "it would read c.yaml as it is now, not v3: write {config} in its arguments for the path" in reason


def test_a_program_that_fails_is_tried_again_and_a_save_ends_the_wait(folder: Folder) -> None:
    run = start(folder, "bad\n", shell(SERVE), restart="on-failure")
    waits = [run.wait_for(nth(state("backoff"), number)) for number in (1, 2, 3, 4)]
    assert {wait["reason"] for wait in waits} == {"ended with exit code 3"}
    for wait, whole in zip(waits, (0.5, 1, 2, 4), strict=True):
        assert 0.89 * whole <= wait["retry_at"] - wait["time"] <= whole + 0.01
    folder.save("c.yaml", "one: 2\n")
    started = run.wait_for(lambda event: state("starting")(event) and event["time"] > waits[-1]["time"])
    assert started["time"] < waits[-1]["retry_at"]
    run.wait_for(row(2, "applied"))
    assert run.lines == ["up bad"] * 4 + ["up one: 2"]
    assert run.rows()[1]["status"] == "superseded"
    assert run.states[-2:] == ["starting", "running"]


def test_a_program_that_is_always_to_run_is_started_again_after_an_end_in_order(folder: Folder) -> None:
    run = start(folder, "", shell("echo once"), restart="always")
    wait = run.wait_for(nth(state("backoff"), 2))
    assert (wait["exit_code"], wait["reason"]) == (0, "finished")
    assert run.stop() == 143  # in the midst of the wait
    assert run.states[-2:] == ["backoff", "stopped"]
    assert run.rows()[1]["status"] == "failed"


def test_a_failure_alone_is_tried_again(folder: Folder) -> None:
    run = start(folder, "", shell("exit 0"), restart="on-failure")
    assert run.end() == 0
    assert run.states == ["starting", "running", "finished"]


def test_a_program_that_ends_at_once(folder: Folder) -> None:
    run = start(folder, "", ["false"])
    assert run.end() == 1
    assert (run.events[-1]["state"], run.events[-1]["reason"]) == ("crashed", "ended with exit code 1")
    assert "before it answered: ended with exit code 1" in run.rows()[1]["error"]["message"]


def test_a_program_that_is_none(folder: Folder) -> None:
    folder.write("noise", "\x7fnoise").chmod(0o755)
    run = start(folder, "", ["./noise"])
    assert run.end() == 2
    assert run.events[-1]["state"] == "crashed"
    assert run.events[-1]["reason"] == "./noise can't be run: Exec format error"


@linux
def test_a_tree_that_ignores_everything_is_gone_after_the_grace(folder: Folder) -> None:
    script = """
        trap "" TERM
        setsid sh -c 'trap "" TERM; echo grandchild; while :; do sleep 600; done' &
        (trap "" TERM; echo child; while :; do sleep 600; done) &
        while :; do sleep 600; done
    """
    run = start(folder, "", shell(script), stop={"grace": 1})
    run.wait_for(log("child"))
    run.wait_for(log("grandchild"))
    run.worker()
    watch = Watch.tree(run.pid)
    assert run.stop() == 143
    assert watch.survivors(0) == set()
    assert (run.states[-1], run.events[-1]["exit_code"]) == ("stopped", -signal.SIGKILL)


@linux
def test_what_is_left_of_a_tree_has_the_whole_grace_and_no_other_signal(folder: Folder) -> None:
    child = """
        trap 'echo asked; sleep 1.5; echo saved; exit' USR1
        trap 'echo hurried' TERM
        echo ready; while :; do sleep 0.05; done
    """
    run = start(folder, "", shell(f"({child}) & wait"), stop={"signal": "SIGUSR1", "grace": 20})
    run.wait_for(log("ready"))
    run.stop()
    assert [line for line in run.lines if not line.startswith("User defined")] == ["ready", "asked", "saved"]


@linux
def test_a_short_grace_is_kept(folder: Folder) -> None:
    script = '(trap "" TERM; echo ready; while :; do sleep 600; done) & wait'
    run = start(folder, "", shell(script), stop={"grace": 0.1})
    run.wait_for(log("ready"))
    run.worker()
    watch = Watch.tree(run.pid)
    run.stop()
    assert watch.survivors(0) == set()


def test_a_name_with_a_slash_runs_a_command_too(folder: Folder) -> None:
    job = {"command": shell("cat $0; exec sleep 600"), "config": "c.yaml", "on_change": "restart"}
    folder.write("deck.yaml", json.dumps({"jobs": {"web/1": job}}))
    folder.save("c.yaml", "first\n")
    run = folder.run("deck.yaml")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "second\n")
    run.wait_for(row(2, "applied"))
    assert run.lines == ["first", "second"]


@linux
def test_an_end_does_not_wait_for_a_grandchild_that_holds_the_output(folder: Folder) -> None:
    run = start(folder, "", shell("(setsid sleep 600 &); sleep 0.1; echo over; exit 5"))
    run.wait_for(log("over"))
    assert run.end() == 1
    assert run.events[-1]["exit_code"] == 5


@linux
def test_a_restart_leaves_nothing_of_the_old_program(folder: Folder) -> None:
    run = start(folder, "one: 1\n", shell("setsid sleep 600 & (sleep 600 &); " + SHOW))
    run.wait_for(row(1, "applied"))
    shim_of_old = {pid for pid in Watch.tree(run.pid).pids if pid != run.worker()}
    watch = Watch(shim_of_old | {run.worker()})
    assert len(watch.pids) == 4
    folder.save("c.yaml", "one: 2\n")
    run.wait_for(row(2, "applied"))
    assert watch.survivors(0) == set()


def test_saves_during_a_slow_stop_come_down_to_the_newest_and_no_two_programs_run(folder: Folder) -> None:
    folder.write("only.py", ONLY_ONE)
    run = start(folder, "one: 1\n", [sys.executable, "only.py", "{config}"])
    run.wait_for(row(1, "applied"))
    run.wait_for(log("up one: 1"))
    for version in range(2, 7):
        folder.save("c.yaml", f"one: {version}\n")
        run.wait_for(row(version, "sent"))
        run.wait_for(log("ending"))
    folder.write("release", "")
    run.wait_for(row(6, "applied"))
    assert [(row["status"], row["by"]) for row in run.rows().values()] == [
        ("applied", None),
        *[("superseded", 6)] * 4,
        ("applied", None),
    ]
    assert run.lines == ["up one: 1", "ending", "up one: 6"]
    assert run.states == ["starting", "running", "starting", "running"]


def test_many_quick_restarts_end_with_the_newest_and_one_program(folder: Folder) -> None:
    folder.write("only.py", ONLY_ONE)
    folder.write("release", "")
    run = start(folder, "one: 1\n", [sys.executable, "only.py", "{config}"])
    run.wait_for(begins("up"))
    for version in range(2, 32):
        folder.save("c.yaml", f"one: {version}\n")
        run.wait_for(row(version, "sent"))
        if version % 5 == 0:  # or all would come down to one
            run.wait_for(log(f"up one: {version}"))
    run.wait_for(row(31, "applied"))
    assert run.lines[-1] == "up one: 31"
    assert "SECOND WORKER" not in run.lines
    assert {row["status"] for row in run.rows().values()} == {"applied", "superseded"}
    assert "crashed" not in run.states
    assert run.stop() == 143


@linux
def test_a_paused_program_is_stopped_by_the_kernel_and_takes_a_save_when_it_goes_on(folder: Folder) -> None:
    run = start(folder, "one: 1\n", shell(SERVE), "SIGHUP")
    run.wait_for(row(1, "applied"))
    assert ask(folder.path / "deck.yaml", Pause(1, "a", paused=True)).ok
    assert run.wait_for(state("paused"))["reason"] == "stopped by SIGSTOP"
    deadline = time.monotonic() + PATIENCE
    while process_state(run.worker()) != "T":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    folder.save("c.yaml", "one: 2\n")
    run.wait_for(row(2, "sent"))
    assert ask(folder.path / "deck.yaml", Pause(2, "a", paused=False)).ok
    run.wait_for(row(2, "applied"))
    assert run.lines == ["up one: 1", "took one: 2"]
    assert ask(folder.path / "deck.yaml", Pause(3, "a", paused=True)).ok
    assert run.stop() == 143
    assert run.states[-2:] == ["paused", "stopped"]


#: Goes on in another process each time, so that no list of processes ever names the one that runs.
FLEETING = """\
import os, time
if os.fork() == 0:
    while True:
        if os.fork():
            os._exit(0)
print("up", flush=True)
while True:
    time.sleep(600)
"""


def process_state(pid: int) -> str:
    """Return the letter of a process's state, nothing where it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


@linux
def test_a_pause_holds_a_tree_that_forks_all_the_time(folder: Folder) -> None:
    folder.write("fleeting.py", FLEETING)
    run = start(folder, "one: 1\n", [sys.executable, "fleeting.py"], stop={"grace": 3600})
    run.wait_for(row(1, "applied"))
    assert ask(folder.path / "deck.yaml", Pause(1, "a", paused=True)).ok
    shim = int(Path(f"/proc/{run.worker()}/stat").read_text().rpartition(")")[2].split()[1])

    def all_held() -> bool:
        states = [process_state(pid) for pid, _ in process_tree.descendants(shim)]
        return len(states) >= 2 and set(states) == {"T"}

    deadline = time.monotonic() + PATIENCE
    while not all_held():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert run.stop() == 143, "what is held is ended at once, not after the grace"


@pytest.mark.parametrize("names", ["c.yaml", "{config}"])
@pytest.mark.parametrize(("first", "second"), [("bad", "good"), ("good", "bad")])
def test_a_check_judges_the_version_that_it_was_asked_about(
    folder: Folder, names: str, first: str, second: str
) -> None:
    """While the first one is being checked, the second one comes into the file."""
    check = f"if [ -e slow ]; then touch checking; while ! [ -e go ]; do sleep 0.01; done; fi; grep -q good {names}"
    run = start(folder, "one: good 1\n", shell(SHOW), check=check)
    run.wait_for(row(1, "applied"))
    folder.write("slow", "")
    folder.save("c.yaml", f"one: {first} 2\n")
    deadline = time.monotonic() + PATIENCE
    while not (folder.path / "checking").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    folder.save("c.yaml", f"one: {second} 3\n")
    folder.write("go", "")
    good, bad = (2, 3) if first == "good" else (3, 2)
    if names == "{config}":
        run.wait_for(row(bad, "invalid"))
        run.wait_for(row(good, "applied"))
        assert run.lines[-1] == f"up one: good {good}"
    else:  # it sees no other text than the one in the file
        run.wait_for(row(2, "superseded"))
        run.wait_for(row(3, "applied" if second == "good" else "invalid"))
    assert not any("bad" in line for line in run.lines)


@linux
def test_a_terminal_that_a_program_closes_and_opens_anew_is_still_read(folder: Folder) -> None:
    waiting = "while ! [ -e go ]; do sleep 0.01; done"
    script = f"exec < /dev/null > /dev/null 2>&1; {waiting}; echo again > /dev/tty; exec sleep 600"
    run = start(folder, "one: 1\n", shell(script), tty=True)
    run.wait_for(row(1, "applied"))  # for a second nobody has had it open
    folder.write("go", "")
    run.wait_for(log("again"))
    assert run.stop() == 143
