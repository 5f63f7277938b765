"""Real runs of the command: a folder with tasks and configs, and the events of a headless run in it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE
from tui.engine import paths
from tui.protocol import codec, messages
from tui.worker import process_tree

Event = dict[str, Any]
Wanted = Callable[[Event], bool]

#: What a user's shell says, not what a build server adds to it: whether output is buffered is ours to decide.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

#: A task that says which config it has whenever it gets one, and runs until it is stopped.
TICKER = """
    import time
    def tick(config):
        seen = None
        try:
            while True:
                if config is not seen:
                    print("config", config, flush=True)
                    seen = config
                time.sleep(0.001)
                config = yield {"lr": config["lr"]}
        finally:
            print("closed")
"""


def command(*arguments: str) -> list[str]:
    """Return the command line of tunedeck."""
    return [sys.executable, "-m", "tui", *arguments]


def tunedeck(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run tunedeck to its end, without a terminal."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def ask(deck: Path, command: messages.Command) -> messages.Reply:
    """Send a command to the engine of a deck file, or of a config without one, as a viewer does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(paths.socket_of(str(deck))))
        with connection.makefile("rwb") as stream:
            stream.write(codec.encode(messages.Hello(messages.PROTOCOL)) + codec.encode(command))
            stream.flush()
            return next(message for message in map(codec.decode, stream) if isinstance(message, messages.Reply))


def log(*lines: str) -> Wanted:
    """Match one of these lines of output."""
    return lambda event: event["event"] == "log" and event["line"] in lines


def state(*states: str) -> Wanted:
    """Match the arrival in a state."""
    return lambda event: event["event"] == "state" and event["state"] in states


def row(version: int, status: str) -> Wanted:
    """Match a version's arrival in a status."""
    return lambda event: event["event"] == "reload" and (event["version"], event["status"]) == (version, status)


class Run:
    """A headless run whose events a thread collects."""

    def __init__(self, folder: Path, arguments: Sequence[str], prefix: Sequence[str] = ()) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self._errors = (folder / f"stderr-{len(list(folder.glob('stderr-*')))}").open("w+")
        self._change = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            [*prefix, *command("run", "--headless", "--json", *arguments)],
            cwd=folder,
            env={**ENVIRONMENT, "PYTHONFAULTHANDLER": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._reader = threading.Thread(target=self._collect)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id of the engine."""
        return self.process.pid

    @property
    def errors(self) -> str:
        """What the engine has written to its standard error."""
        return Path(self._errors.name).read_text()

    @property
    def lines(self) -> list[str]:
        """The job's output so far."""
        return [event["line"] for event in self.events if event["event"] == "log"]

    @property
    def states(self) -> list[str]:
        """The states the job has been in, without repetitions."""
        found = [event["state"] for event in self.events if event["event"] == "state"]
        return [name for before, name in zip([None, *found], found, strict=False) if name != before]

    def rows(self) -> dict[int, Event]:
        """Return each version's row in its last status."""
        return {event["version"]: event for event in self.events if event["event"] == "reload"}

    def wait_for(self, wanted: Wanted) -> Event:
        """Return the first event that is wanted, waiting until there is one."""

        found: list[Event] = []
        seen = 0

        def find() -> bool:
            nonlocal seen
            found.extend(filter(wanted, self.events[seen:]))  # no event is looked at twice: there may be thousands
            seen = len(self.events)
            return bool(found) or self._ended

        with self._change:
            if not self._change.wait_for(find, PATIENCE):
                self._show_where_it_hangs()
            shown = "\n".join([str(event) for event in self.events if event["event"] != "metrics"][-200:])
            assert found, f"it did not come; the last events:\n{shown}\n{self.errors}"
            return found[0]

    def _show_where_it_hangs(self) -> None:
        """Have the engine, which does not do what it should, write its stacks to its standard error, and end."""
        self.process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE)

    def worker(self) -> int:
        """Return the process id of the worker that runs."""
        pid = self.wait_for(lambda event: state("running")(event) and event["pid"] is not None)["pid"]
        assert isinstance(pid, int)
        return pid

    def end(self) -> int:
        """Wait for the end of the run and return its exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join()
        return code

    def stop(self) -> int:
        """End the run in order and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def close(self) -> None:
        """See that the run is over, whatever state it is in, and that the engine had nothing to complain of."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()
        assert "Traceback" not in self.errors, self.errors

    def _collect(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._change:
                self.events.append(json.loads(line))
                self._change.notify_all()
        with self._change:
            self._ended = True
            self._change.notify_all()


class Folder:
    """A folder with the files of a test, and the runs that were started in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._runs: list[Run] = []

    def write(self, name: str, text: str) -> Path:
        """Write a file; its text may be indented as a whole."""
        path = self.path / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def save(self, name: str, text: str) -> None:
        """Replace a file in one step, as most editors do."""
        new = self.write(f".{name}.new", text)
        new.replace(self.path / name)

    def task(self, text: str, config: str = "lr: 1\n") -> None:
        """Write ``job.py`` and its config ``c.yaml``."""
        self.write("job.py", text)
        self.write("c.yaml", config)

    def run(self, *arguments: str, prefix: Sequence[str] = ()) -> Run:
        """Start a headless run; its command line begins with the prefix."""
        started = Run(self.path, arguments, prefix)
        self._runs.append(started)
        return started

    def run_task(self, text: str, function: str, config: str = "lr: 1\n") -> Run:
        """Start a headless run of a function in a new ``job.py``."""
        self.task(text, config)
        return self.run(f"job.py:{function}", "-c", "c.yaml")

    def run_deck(self, text: str) -> Run:
        """Start a headless run of a new ``deck.yaml``."""
        self.write("deck.yaml", text)
        return self.run("deck.yaml")

    def close(self) -> None:
        """End every run."""
        for started in self._runs:
            started.close()


class Watch:
    """Sees processes end (Linux): ids may be reused, these descriptors are not."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._open = {os.pidfd_open(pid): pid for pid in pids}

    @classmethod
    def tree(cls, root: int) -> Watch:
        """Watch all descendants of a process."""
        return cls(pid for pid, _ in process_tree.descendants(root))

    @property
    def pids(self) -> set[int]:
        """The processes that are watched."""
        return set(self._open.values())

    def survivors(self, patience: float = PATIENCE) -> set[int]:
        """Wait for the end of all processes; return those that still live."""
        left = dict(self._open)
        while left:
            ended = select.select(list(left), [], [], patience)[0]
            if not ended:
                break
            for descriptor in ended:
                del left[descriptor]
        for descriptor in self._open:
            os.close(descriptor)
        return set(left.values())
