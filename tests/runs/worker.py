"""A real worker process without an engine: a test says over the channel what an engine would say."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tui.worker
from tests.patience import PATIENCE
from tests.runs.folder import ENVIRONMENT
from tui.worker.channel import pack

Message = dict[str, Any]
Wanted = Callable[[Message], bool]

PROGRAM = Path(tui.worker.__file__).parent / "__main__.py"
VERSIONS = ("3.8", "3.9", "3.12", "3.13")

#: One task of each kind. Each says which config it has, and is light.
KINDS = """
    import asyncio, time, tui

    def generator(config):
        try:
            while True:
                print("lr", config["lr"])
                tui.sleep(0.001)
                config = yield {"lr": config["lr"]}
        finally:
            print("closed")

    def function(config):
        print("lr", config["lr"])
        tui.sleep(0.001)
        return {"lr": config["lr"]}

    def callback(config):
        try:
            while True:
                print("lr", config["lr"])
                tui.sleep(0.001)
                config = tui.checkpoint(config, lr=config["lr"])
        finally:
            print("closed")

    async def async_generator(config):
        try:
            while True:
                print("lr", config["lr"])
                await tui.asleep(0.001)
                config = yield {"lr": config["lr"]}
        finally:
            await asyncio.sleep(0)
            print("closed")

    async def async_function(config):
        print("lr", config["lr"])
        await tui.asleep(0.001)
        return {"lr": config["lr"]}

    async def async_callback(config):
        try:
            while True:
                print("lr", config["lr"])
                await tui.asleep(0.001)
                config = tui.checkpoint(config, lr=config["lr"])
        finally:
            print("closed")
"""
PLAIN = ["generator", "function", "callback"]
ASYNC = ["async_generator", "async_function", "async_callback"]


@functools.cache
def interpreter(version: str) -> str | None:
    """Return the path of a Python of this version that starts, if there is one."""
    found = shutil.which(f"python{version}")
    places = [Path(found)] if found else []
    places += sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for place in places:
        if subprocess.run([place, "-c", ""], capture_output=True).returncode == 0:  # a shim may lead nowhere
            return str(place)
    return None


def said(kind: str, job: str = "job", **more: Any) -> Wanted:
    """Match a message of a job."""
    wanted = {"kind": kind, "job": job, **more}
    return lambda message: all(message.get(key) == value for key, value in wanted.items())


class Worker:
    """A worker process whose messages a thread collects.

    Args:
        folder: Where it runs.
        python: The interpreter.
        above: Its connections get numbers from here on.
    """

    def __init__(self, folder: Path, python: str | None = None, above: int = 0) -> None:
        self.folder = folder
        self.messages: list[Message] = []
        self._change = threading.Condition()
        self._output = (folder / "output").open("w+b")
        self._control, shim_end = socket.socketpair()
        self._channel, worker_end = socket.socketpair()
        with shim_end, worker_end:
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, above) for end in (shim_end, worker_end)]
            self._shim = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(ends[0]), "0", "-", str(ends[1]), *([python] if python else [])],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=ends,
                start_new_session=True,
                cwd=folder,
                env={**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": "1"},
            )
            for end in ends:
                os.close(end)
        self._control.settimeout(PATIENCE)
        self._told = self._control.makefile("r")
        self.pid: int = json.loads(self._told.readline())["pid"]
        self._reader = threading.Thread(target=self._collect)
        self._reader.start()

    def write(self, name: str, text: str) -> None:
        """Write a file into the folder; its text may be indented as a whole."""
        (self.folder / name).write_text(textwrap.dedent(text), encoding="utf-8")

    def send(self, kind: str, job: str = "job", **more: Any) -> None:
        """Say something to the worker."""
        self._channel.sendall(pack({"kind": kind, "job": job, **more}))

    def setup(self, task: str, job: str = "job", runner: str = "thread", **more: Any) -> None:
        """Ask for a job."""
        about = {"version": 1, "config": {"lr": 1}, "loop": True, **more}
        self.send("setup", job, task=task, runner=runner, **about)

    def reload(self, version: int, job: str = "job") -> None:
        """Send a config that holds its version."""
        self.send("reload", job, version=version, config={"lr": version})

    def wait_for(self, wanted: Wanted, count: int = 1) -> Message:
        """Return the message that is the `count`-th of those wanted, waiting until there is one."""

        found: list[Message] = []
        seen = 0

        def enough() -> bool:
            nonlocal seen
            found.extend(filter(wanted, self.messages[seen:]))  # no message is looked at twice: there may be thousands
            seen = len(self.messages)
            return len(found) >= count

        with self._change:
            assert self._change.wait_for(enough, PATIENCE), "\n".join(map(str, [*self.messages[-100:], self.output]))
            return found[count - 1]

    def wait_for_output(self, text: str) -> None:
        """Wait until the descriptors 1 and 2 have been written this to."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.output:
            assert time.monotonic() < deadline, self.output
            time.sleep(0.01)

    @property
    def shim(self) -> int:
        """The process id of the shim."""
        return self._shim.pid

    def tell_shim(self, data: bytes) -> None:
        """Send something over the control connection."""
        self._control.sendall(data)

    def of(self, kind: str, job: str = "job") -> list[Message]:
        """Return the messages of a job so far."""
        return list(filter(said(kind, job), self.messages))

    def text(self, job: str = "job") -> str:
        """Return what a job of a host has printed so far."""
        return "".join(message["text"] for message in self.of("wrote", job))

    @property
    def output(self) -> str:
        """What has been written to the descriptors 1 and 2."""
        return (self.folder / "output").read_text(encoding="utf-8")

    def exit_code(self) -> int:
        """Wait for the end of the worker."""
        code = json.loads(self._told.readline())["exit"]
        self._reader.join()
        assert isinstance(code, int)
        return code

    def hang_up(self) -> int:
        """Close the channel, as an engine does that has no more jobs; return the exit code."""
        self._channel.shutdown(socket.SHUT_RDWR)
        return self.exit_code()

    def close(self) -> None:
        """End the worker, in whatever state it is."""
        self._control.close()  # the shim ends everything then
        self._told.close()
        try:
            self._shim.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._shim.pid, signal.SIGKILL)
            self._shim.wait()
        self._channel.close()
        self._reader.join()
        self._output.close()

    def _collect(self) -> None:
        with self._channel.makefile("rb") as lines:
            for line in lines:
                with self._change:
                    self.messages.append(json.loads(line))
                    self._change.notify_all()
