"""The tools that `faults.py` compares, each with the least config that has it run one job.

Nothing is installed here. What is missing is left out; this brings it::

    python -m venv /tmp/peers && /tmp/peers/bin/pip install honcho supervisor circus watchfiles
    npm install --prefix /tmp/peers/npm nodemon pm2 mprocs
    apt-get install entr
    export PATH=$PATH:/tmp/peers/bin:/tmp/peers/npm/node_modules/.bin

watchexec, process-compose and overmind come from none of these places.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.bench.terminal import Terminal
from tui.cli import client
from tui.engine import paths
from tui.worker import process_tree

#: Seconds that a tool waits for a job that it has asked to end, where it can be told.
GRACE = 2


class Tool:
    """A program that runs the job, from its start to its end.

    Attributes:
        name: What it is called.
        keeps: It takes the job's output itself, so that a flood is its problem.
    """

    name = ""
    keeps = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, job: list[str]) -> list[str]:
        """Write the config and return the command line."""
        raise NotImplementedError

    def start(self, job: list[str]) -> None:
        """Start the tool and its job."""
        self._process = subprocess.Popen(
            self.command(job),
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )

    @property
    def pid(self) -> int:
        """The process that is the tool."""
        return self._process.pid

    def stop(self) -> None:
        """Ask the tool to end, as its user does."""
        os.kill(self.pid, signal.SIGTERM)

    @property
    def over(self) -> bool:
        """The tool has ended."""
        return self._process.poll() is not None

    def close(self) -> None:
        """Forget the tool, which has been killed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Tunedeck(Tool):
    name = "tunedeck"

    def command(self, job: list[str]) -> list[str]:
        (self.folder / "config.yaml").write_text("lr: 0.1\n")
        stop = {"signal": "SIGTERM", "grace": GRACE}
        jobs = {"job": {"command": job, "config": "config.yaml", "on_change": "restart", "stop": stop}}
        (self.folder / "deck.yaml").write_text(json.dumps({"jobs": jobs}))
        return [sys.executable, "-m", "tui", "run", "deck.yaml", "--headless"]


class LeftRunning(Tunedeck):
    """Its viewer has gone, and nobody reads what it would print: an engine alone, like the daemons among the others."""

    name = "tunedeck, left running"

    def start(self, job: list[str]) -> None:
        self.command(job)
        terminal = Terminal([sys.executable, "-m", "tui", "run", "deck.yaml"], self.folder)
        terminal.shows("running", "Help")
        found = client.greet_deck(paths.socket_of(str(self.folder / "deck.yaml")))
        assert isinstance(found, client.RunningEngine)
        self._engine = found.hello.pid
        terminal.type("\x11")  # ctrl+q
        terminal.shows("leave them running")
        terminal.type("l")
        with contextlib.suppress(OSError):  # the terminal ends with its program
            while not terminal.ended:
                terminal.read(0.1)
        terminal.close()

    @property
    def pid(self) -> int:
        return self._engine

    @property
    def over(self) -> bool:
        return not Path(f"/proc/{self._engine}").exists()

    def close(self) -> None:
        """There is nothing of it in this process."""


class Honcho(Tool):
    name = "honcho"

    def command(self, job: list[str]) -> list[str]:
        (self.folder / "Procfile").write_text(f"job: {shlex.join(job)}\n")
        return ["honcho", "start"]


class Supervisor(Tool):
    name = "supervisord"

    def command(self, job: list[str]) -> list[str]:
        (self.folder / "supervisord.conf").write_text(
            f"[supervisord]\nnodaemon=true\nuser=root\nchildlogdir={self.folder}\nlogfile={self.folder}/own.log\n"
            f"pidfile={self.folder}/own.pid\n[program:job]\ncommand={shlex.join(job)}\nstopwaitsecs={GRACE}\n"
            "redirect_stderr=true\n"
        )
        return ["supervisord", "-c", "supervisord.conf"]


class Circus(Tool):
    name = "circusd"

    def command(self, job: list[str]) -> list[str]:
        (self.folder / "circus.ini").write_text(
            f"[circus]\nendpoint = ipc://{self.folder}/a\npubsub_endpoint = ipc://{self.folder}/b\n"
            f"[watcher:job]\ncmd = {shlex.join(job)}\ncopy_env = True\ngraceful_timeout = {GRACE}\n"
            f"stdout_stream.class = FileStream\nstdout_stream.filename = {self.folder}/out.log\n"
            "stdout_stream.max_bytes = 50000000\nstdout_stream.backup_count = 1\n"
        )
        return ["circusd", "circus.ini"]


class Pm2(Tool):
    name = "pm2"

    def command(self, job: list[str]) -> list[str]:
        os.environ["PM2_HOME"] = str(self.folder / "pm2")
        app = {"name": "job", "script": job[0], "args": job[1:], "interpreter": "none", "kill_timeout": 1000 * GRACE}
        (self.folder / "apps.json").write_text(json.dumps({"apps": [{**app, "autorestart": False}]}))
        return ["pm2", "start", "apps.json"]

    @property
    def pid(self) -> int:
        return int((self.folder / "pm2" / "pm2.pid").read_text())

    def start(self, job: list[str]) -> None:
        super().start(job)
        self._process.wait()  # what stays is a daemon
        self._daemon = self.pid

    def stop(self) -> None:
        self._killer = subprocess.Popen(["pm2", "kill"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def over(self) -> bool:
        return self._killer.poll() is not None and not Path(f"/proc/{self._daemon}").exists()


class Watchfiles(Tool):
    name = "watchfiles"
    keeps = False

    def command(self, job: list[str]) -> list[str]:
        (self.folder / "watched").mkdir()
        return ["watchfiles", shlex.join(job), "watched"]


class Nodemon(Tool):
    name = "nodemon"
    keeps = False

    def command(self, job: list[str]) -> list[str]:
        (self.folder / "config.yaml").write_text("lr: 0.1\n")
        return ["nodemon", "--watch", "config.yaml", "--exec", shlex.join(job)]


class Entr(Tool):
    name = "entr"
    keeps = False

    def command(self, job: list[str]) -> list[str]:
        (self.folder / "config.yaml").write_text("lr: 0.1\n")
        return ["sh", "-c", f"echo config.yaml | exec entr -rn {shlex.join(job)}"]


class Mprocs(Tool):
    name = "mprocs"

    def command(self, job: list[str]) -> list[str]:
        (self.folder / "mprocs.yaml").write_text(json.dumps({"procs": {"job": {"cmd": job}}}))
        return ["mprocs"]

    def start(self, job: list[str]) -> None:
        self._terminal = Terminal(self.command(job), self.folder)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Not the script of npm that starts it."""
        family = (pid for pid, _ in process_tree.descendants(self._terminal.pid))
        return next((pid for pid in family if _name(pid) == "mprocs"), self._terminal.pid)

    def stop(self) -> None:
        self._terminal.type("q")

    @property
    def over(self) -> bool:
        return self._terminal.ended

    def close(self) -> None:
        self._reader.join()
        self._terminal.close()

    def _read(self) -> None:
        """Take all that it draws, until it has let go of the terminal."""
        with contextlib.suppress(OSError):
            while True:
                self._terminal.read(0.1)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


TOOLS: tuple[type[Tool], ...] = (
    *(Tunedeck, LeftRunning, Honcho, Supervisor, Circus, Pm2, Mprocs),
    *(Watchfiles, Nodemon, Entr),
)
