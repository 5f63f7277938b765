"""`tui.join`: processes that were started by hand, with real prompts and scripts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.patience import PATIENCE
from tests.runs.folder import ENVIRONMENT, Folder, ask, log, row, tunedeck
from tui.cli import client
from tui.engine import paths
from tui.protocol import codec, messages


class Prompt:
    """A session at Python's prompt: each line is typed, and what an expression is comes back."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.errors = (folder / "prompt-errors").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-i", "-q"],
            cwd=folder,
            env={**ENVIRONMENT, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        self.type("import os, sys, tui")

    def type(self, line: str) -> None:
        """Type a line."""
        stdin: IO[str] = self.process.stdin  # type: ignore[assignment]
        stdin.write(f"{line}\n")
        stdin.flush()

    def ask(self, expression: str) -> Any:
        """Return what an expression is."""
        self.type(f"print('\\n=' + repr(({expression})), flush=True)")
        stdout: IO[str] = self.process.stdout  # type: ignore[assignment]
        limit = threading.Timer(PATIENCE, self.process.kill)
        limit.start()
        try:
            for line in stdout:
                if line.startswith("="):
                    return eval(line[1:])
        finally:
            limit.cancel()
        raise AssertionError(Path(self.errors.name).read_text())

    def problem(self, statement: str) -> str:
        """Return the error with which a statement ends."""
        self.type("problem = None")
        self.type(f"try: {statement}\nexcept Exception as error: problem = str(error)\n")
        return str(self.ask("problem"))

    def close(self) -> None:
        """End it, if it has not ended."""
        self.process.communicate(timeout=PATIENCE) if self.process.poll() is None else None
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            assert stream is not None
            stream.close()


def eventually(wanted: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def prompt(folder: Folder) -> Iterator[Prompt]:
    """A prompt in a folder with a config."""
    folder.write("c.yaml", "lr: 1\n")
    opened = Prompt(folder.path)
    yield opened
    opened.close()


def deck(folder: Folder, config: str = "c.yaml") -> client.RunningEngine | None:
    """Return the deck of the config, if one runs."""
    found = client.greet_deck(paths.socket_of(str(folder.path / config)))
    assert not isinstance(found, client.HangingEngine)
    return found


def running(folder: Folder) -> client.RunningEngine:
    """Return the deck of the config, which runs."""
    found = deck(folder)
    assert found is not None
    return found


def gone(folder: Folder) -> Callable[[], bool]:
    """Return whether nothing is left of the deck."""
    return lambda: deck(folder) is None


def test_prompt_takes_changes_and_its_deck_ends_with_it(folder: Folder, prompt: Prompt) -> None:
    assert prompt.ask("tui.join('c.yaml')") == {"lr": 1}
    shown = tunedeck("ls", cwd=folder.path).stdout
    assert f"process {prompt.process.pid}" not in shown  # that of the engine is another
    assert "running  v1" in shown
    folder.save("c.yaml", "lr: 2\n")
    prompt.type("while tui.checkpoint(None, loss=2.5) != {'lr': 2}: pass\n")
    eventually(lambda: running(folder).versions == {"python": 2})
    assert [job.task for job in running(folder).jobs.values()] == [f"a Python prompt (process {prompt.process.pid})"]
    prompt.close()
    eventually(gone(folder))
    history = tunedeck("history", "c.yaml", cwd=folder.path).stdout.splitlines()
    assert ["applied" in line for line in history] == [True, True]


def test_second_join_is_the_same_one(folder: Folder, prompt: Prompt) -> None:
    folder.write("d.yaml", "lr: 5\n")
    assert prompt.ask("tui.join('c.yaml')") == {"lr": 1}
    assert prompt.ask("tui.join('c.yaml')") == {"lr": 1}
    assert "c.yaml already: a process is one job" in prompt.problem("tui.join('d.yaml')")
    assert prompt.ask("tui.checkpoint(None)") == {"lr": 1}


def test_config_of_another_deck_is_refused(folder: Folder, prompt: Prompt) -> None:
    assert prompt.ask("tui.join('c.yaml', name='mine')") == {"lr": 1}
    other = Prompt(folder.path)
    try:
        assert "c.yaml is in use by the deck mine (process" in other.problem("tui.join('c.yaml')")
        assert other.ask("tui.checkpoint(7), tui.stopping()") == (7, False)
    finally:
        other.close()
    assert prompt.ask("tui.checkpoint(None)") == {"lr": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "c.yaml is missing: create it"),
        ("lr: [1\n", "c.yaml:1:5: "),
        ("- 1\n", "c.yaml:1:1: "),
    ],
)
def test_bad_config_is_told_and_nothing_is_left(folder: Folder, prompt: Prompt, text: str | None, words: str) -> None:
    if text is None:
        (folder.path / "c.yaml").unlink()
    else:
        folder.write("c.yaml", text)
    assert words in prompt.problem("tui.join('c.yaml')")
    assert deck(folder) is None
    folder.write("c.yaml", "lr: 3\n")
    assert prompt.ask("tui.join('c.yaml')") == {"lr": 3}


def test_stop_tells_and_does_nothing_else(folder: Folder, prompt: Prompt) -> None:
    prompt.type("handler = __import__('signal').getsignal(15)")
    prompt.ask("tui.join('c.yaml')")
    stopping = subprocess.Popen([sys.executable, "-m", "tui", "stop", "c.yaml"], cwd=folder.path, env=ENVIRONMENT)
    prompt.type("while not tui.stopping(): pass\n")
    assert prompt.ask("[tui.checkpoint(None) for _ in range(1000)][-1]") == {"lr": 1}
    tunedeck("stop", "c.yaml", cwd=folder.path)  # a second one waits no longer
    assert stopping.wait(PATIENCE) == 0
    assert deck(folder) is None
    assert prompt.ask("tui.checkpoint(None), tui.stopping()") == ({"lr": 1}, True)
    assert prompt.ask("__import__('signal').getsignal(15) == handler")
    folder.save("c.yaml", "lr: 4\n")
    assert prompt.ask("tui.join('c.yaml'), tui.stopping()") == ({"lr": 4}, False), "and it can join anew"


def test_deck_restarts_nothing(folder: Folder, prompt: Prompt) -> None:
    prompt.ask("tui.join('c.yaml')")
    reply = ask(folder.path / "c.yaml", messages.Start(1, "python"))
    assert not reply.ok
    assert "only who has started it can restart it" in reply.message


def test_killed_engine_ends_a_pause_and_the_process_goes_on(folder: Folder, prompt: Prompt) -> None:
    prompt.ask("tui.join('c.yaml')")
    assert ask(folder.path / "c.yaml", messages.Pause(1, "python", paused=True)).ok
    # The process need not know yet that it is to be held.
    prompt.type("import time; end = time.monotonic() + 2")
    prompt.type("while time.monotonic() < end: config = tui.checkpoint(None)\n")
    prompt.type("print('\\n=' + repr(config), flush=True)")
    eventually(lambda: str(running(folder).states["python"].reason).startswith("held at step "))
    os.kill(running(folder).hello.pid, signal.SIGKILL)
    assert prompt.ask("tui.checkpoint(None)") == {"lr": 1}
    assert deck(folder) is None
    assert prompt.ask("tui.join('c.yaml')") == {"lr": 1}
    folder.save("c.yaml", "lr: 2\n")
    prompt.type("while tui.checkpoint(None) != {'lr': 2}: pass\n")
    assert prompt.ask("tui.checkpoint(None)") == {"lr": 2}


def test_killed_process_ends_its_deck(folder: Folder, prompt: Prompt) -> None:
    prompt.ask("tui.join('c.yaml')")
    prompt.process.kill()
    eventually(gone(folder))


SCRIPT = """
    import os, sys, tui
    config = tui.join("c.yaml", output=sys.argv[1:] == ["shown"])
    print("has", config, flush=True)
    try:
        print("child", os.wait())
    except ChildProcessError:
        print("no child", flush=True)
    if os.fork() == 0:
        print("child has", tui.checkpoint(0), flush=True)
        os._exit(0)
    os.wait()
    while not tui.stopping():
        config = tui.checkpoint(config)
    print("saved", config, flush=True)
"""


@pytest.mark.parametrize("shown", [[], ["shown"]])
def test_script_is_left_alone(folder: Folder, shown: list[str]) -> None:
    folder.write("c.yaml", "lr: 1\n")
    folder.write("train.py", SCRIPT)
    with subprocess.Popen(
        [sys.executable, "train.py", *shown], cwd=folder.path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as script:
        assert script.stdout is not None
        lines = [script.stdout.readline() for _ in range(3)]
        assert lines == ["has {'lr': 1}\n", "no child\n", "child has 0\n"]
        assert "  train  running" in tunedeck("ls", cwd=folder.path).stdout
        assert tunedeck("set", "c.yaml", "lr=2", cwd=folder.path).stdout.startswith("v2 applied")
        if shown:
            eventually(lambda: log_lines(folder) == ["has {'lr': 1}", "no child"])
        assert bool(log_lines(folder)) == bool(shown)
        assert tunedeck("stop", "c.yaml", cwd=folder.path).returncode == 0
        assert script.stdout.read() == "saved {'lr': 2}\n"
    assert script.returncode == 0
    assert deck(folder) is None


def log_lines(folder: Folder) -> list[str]:
    """Return what the deck has kept of the job's output."""
    found: list[str] = []
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(paths.socket_of(str(folder.path / "c.yaml"))))
        with connection.makefile("rwb") as stream:
            stream.write(codec.encode(messages.Hello(messages.PROTOCOL)) + codec.encode(messages.Stack(1, "train")))
            stream.flush()
            for message in map(codec.decode, stream):
                if isinstance(message, messages.Lines):
                    found += message.text.split("\n")
                if isinstance(message, messages.Reply):
                    return found
    raise AssertionError("the deck has ended")


def test_script_inside_a_deck_joins_that(folder: Folder) -> None:
    folder.write("c.yaml", "lr: 1\n")
    folder.write("train.py", SCRIPT)
    run = folder.run("-c", "c.yaml", "--name", "it", "--", sys.executable, "train.py")
    run.wait_for(log("has {'lr': 1}"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    assert run.stop() == 128 + signal.SIGTERM
    assert "saved {'lr': 2}" in run.lines


def test_without_an_engine_it_says_what_is_missing(folder: Folder) -> None:
    folder.write("c.yaml", "lr: 1\n")
    path = tunedeck("path", cwd=folder.path).stdout.strip()
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import tui; tui.join('c.yaml')"],
        cwd=folder.path,
        env={"PYTHONPATH": path, "PATH": "/nowhere"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert "install tunedeck in either" in done.stderr
