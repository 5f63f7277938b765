"""Runs any program as a job, and tells when it has taken a config.

What a receipt means: after a start the program is `ready`, or, where nothing says when it is, alive after `SETTLE`
seconds; after a signal, and where it watches its config itself, it is alive after `SETTLE` seconds, and ready where a
port or a command can tell. Where processes of it have joined by `tui.checkpoint`, they answer for what they take.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import shlex
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tui import reading
from tui.config import document
from tui.config.keys import find
from tui.regexes import TooLongError
from tui.runners import readiness
from tui.runners.base import AT_CHECKPOINT, LaunchError, Owner, Payload, Relay
from tui.runners.member import Member
from tui.runners.members import Members, RankPolicy
from tui.runners.process_tree import ProcessTree
from tui.runners.readiness import Readiness
from tui.runners.termination import Termination
from tui.worker.stopping import HANDLER

#: Seconds that a program must live to have taken a config.
SETTLE = 1.0

#: A program that is not ready after so many seconds is started anew by a save, even if it takes a signal for that.
HOPELESS = 10.0

#: Where nobody has joined after so many seconds, the user is told so.
JOINING = 10.0

#: Seconds that the program of ``on_change: {command: ...}`` may take.
TELLING = 30.0

_PLACEHOLDER = re.compile(r"\{(\{)?([A-Za-z_][\w-]*(?:\.[\w-]+|\[\d+\])*)\}(?(1)\})")


@dataclass(frozen=True)
class CommandSpec:
    """A command as the deck describes it.

    Attributes:
        name: Of the job.
        arguments: The program and its arguments; ``{config}`` is the config's path, ``{key.path}`` a value in it.
        config: The config file.
        env: Variables to add to its environment, filled like arguments.
        on_change: ``reload`` where its processes join; ``restart``; ``none`` where it watches the config itself;
            ``command`` where another one tells it; or the name of the signal that makes it read its config again.
        tell: That other command, for a shell; filled like arguments.
        ready: When it counts as ready.
        tty: Whether its standard streams are a pseudo-terminal.
        cwd: The folder in which it runs.
    """

    name: str
    arguments: tuple[str, ...]
    config: Path
    on_change: str
    tell: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Readiness | None = None
    tty: bool = False
    cwd: Path = Path()

    @property
    def filled(self) -> bool:
        """Whether values of the config stand in its arguments or environment, so that the config is parsed."""
        return any(key != "config" for text in self._templates() for key in placeholders(text))

    @property
    def names_config(self) -> bool:
        """Whether it is told where its config is."""
        return any("config" in placeholders(text) for text in self._templates())

    def changed(self, old: Mapping[str, Any] | str | None, new: Mapping[str, Any] | str) -> bool:
        """Return whether the arguments or the environment of another config are others."""
        return old is not None and self.fill(old, self.config) != self.fill(new, self.config)

    def teller(self, data: Mapping[str, Any] | str, text: str = "") -> str:
        """Return the command for a shell that tells the program of a config; what is filled in is quoted.

        Raises:
            LaunchError: As for `fill`.
        """
        return _PLACEHOLDER.sub(lambda found: shlex.quote(_value(found, data, self.config, text)), self.tell)

    def _templates(self) -> Sequence[str]:
        return [*self.arguments, *self.env.values()]

    def fill(self, data: Mapping[str, Any] | str, path: Path, text: str = "") -> Filled:
        """Return arguments and environment for a config.

        Args:
            data: The config.
            path: Where it is.
            text: What `data` was read from: numbers are filled in as they are written there.

        Raises:
            LaunchError: The config has no such key, or its value is no single one.
        """

        def value(template: str) -> str:
            return _PLACEHOLDER.sub(lambda found: _value(found, data, path, text), template)

        self.teller(data)
        return Filled(tuple(map(value, self.arguments)), {name: value(text) for name, text in self.env.items()})


@dataclass(frozen=True)
class Filled:
    """Arguments and environment with all values in their places."""

    arguments: tuple[str, ...]
    env: Mapping[str, str]


def placeholders(text: str) -> list[str]:
    """Return the keys of all placeholders in `text`."""
    return [key for brace, key in _PLACEHOLDER.findall(text) if not brace]


def literal(text: str) -> str:
    """Return a text that is filled in as it stands, whatever braces it has."""
    return _PLACEHOLDER.sub(lambda found: found[0] if found[1] else f"{{{found[0]}}}", text)


def _value(found: re.Match[str], data: Mapping[str, Any] | str, path: Path, text: str) -> str:
    literal, key = found.groups()
    if literal:
        return f"{{{key}}}"
    if key == "config":
        return str(path)
    value = find(data, key)
    if value is None or isinstance(value, (dict, list, set)):
        what = "has no single value for it" if value is not None else "has no such key"
        hint = f"write {{{{{key}}}}} to mean the text itself"
        raise LaunchError(f"the command uses {{{key}}}, but the config {what}; {hint}")
    said = str(value).lower() if isinstance(value, bool) else str(value)
    if text and not isinstance(value, (str, bool)):
        said = _written(text, key) or said
    if not is_passable(said):
        raise LaunchError(f"no program can be given the value of {key}: there is a NUL or half a character in it")
    return said


def _written(text: str, key: str) -> str | None:
    """Return how the value of a key is spelled: 1.10 is no 1.1 to a program."""
    mark = _parsed(text).marks.get(key)
    return document.written(text, mark) if mark is not None else None


@functools.lru_cache(maxsize=1)  # several values of one text are filled in
def _parsed(text: str) -> document.ConfigDocument:
    return document.parse(text)


def is_passable(text: str) -> bool:
    """Return whether the system lets a text be an argument or a variable of a program."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


class CommandRunner(Relay):
    """A running command.

    Args:
        owner: Told of everything that happens.
        spec: What to run.
        payload: The first config.
        setup: What each process gets that joins; see `Members`.
        joins: How the path of the socket begins to which they come.
        ranks: How those change that are ranks.

    Raises:
        LaunchError: The config lacks a value, or is not what is on disk and the command can't be given another.
        OSError: The shim can't be started, or the copy of the config not written.
    """

    def __init__(
        self,
        owner: Owner,
        spec: CommandSpec,
        payload: Payload,
        setup: Mapping[str, Any],
        joins: Path,
        ranks: RankPolicy,
    ) -> None:
        self._owner = owner
        self.spec = spec
        self._version = self._first = payload.version
        self._copy: Path | None = None
        self._paused = False
        self._started = False
        self._next: Payload | None = None
        self._settling: asyncio.Task[None] | None = None
        self._unanswered: bool | None = None  # whether the receipt that is owed is that of a start
        self._line_seen = asyncio.Event()
        self._began = time.monotonic()
        self._deceptive = spec.ready is not None and spec.ready.taken()
        self._tail = ""
        self._stop: Termination | None = None
        self._unjoined: asyncio.TimerHandle | None = None
        self._members = Members(joins, setup, payload, self._hear, self._take_member, policy=ranks)
        try:
            self._filled = spec.fill(payload.data, self._config_for(payload), payload.text)
            arguments = ["--tty" if spec.tty else "--", *self._filled.arguments]
            # Python keeps what it prints into a pipe for itself until that is 8 KiB, or for ever if it is killed.
            env = {
                "PYTHONUNBUFFERED": os.environ.get("PYTHONUNBUFFERED", "1"),
                **self._filled.env,
                "TUNEDECK": self._members.address,
            }
            self.tree = ProcessTree(self, arguments, cwd=spec.cwd, env=env, tty=spec.tty)
        except BaseException:
            self._members.close()
            self._remove_copy()
            raise

    def send(self, payload: Payload) -> bool:
        """Have the program take a config, in the way that it does; False if it must be started anew."""
        how = self.spec.on_change
        if how == "restart" or self.spec.fill(payload.data, self.spec.config, payload.text) != self._filled:
            return False
        if how == "reload":
            self._version = payload.version
            self._members.send(payload)
        elif self._started:
            self._version = payload.version
            self._tell(payload)
        elif time.monotonic() - self._began > HOPELESS:
            return False  # this config may be the one with which it comes up
        else:
            self._next = payload  # a program that has not come up yet may not catch the signal, and would die of it
        return True

    def _tell(self, payload: Payload) -> None:
        if self.spec.on_change == "command":
            if self._settling is not None:
                self._settling.cancel()
            self._settling = asyncio.create_task(self._run_teller(payload))
            return
        if self.spec.on_change != "none":
            self.tree.signal(signal.Signals[self.spec.on_change], alone=True)
        self._settle(anew=False)

    async def _run_teller(self, payload: Payload) -> None:
        """Have another program tell this one of its new config: its exit code is the receipt, its output the error."""
        command = self.spec.teller(payload.data, payload.text)
        try:
            code, said = await readiness.run(command, self.spec.cwd, TELLING)
        except OSError as error:
            code, said = 1, f"it can't be run: {error.strerror}"
        if code == 0:
            self._say_applied()
            return
        how = f"did not end within {TELLING:g} s" if code is None else f"ended with exit code {code}"
        message = said or f"{command} {how}"
        self._owner.worker_said({"kind": "rejected", "version": payload.version, "message": message})

    def judge(self, number: int, data: Mapping[str, Any] | str) -> None:  # noqa: ARG002
        """Say nothing against any config: a program has no word in it before it gets it."""
        self._owner.worker_said({"kind": "judged", "id": number, "message": None, "errors": (), "effective": ()})

    def stack(self, number: int) -> None:
        """Ask the process that has joined; where there is none, say so."""
        if not self._members.ask_speaker({"kind": "stack", "id": number}):
            text = "no process of the command has called tui.checkpoint: it has no stack to show"
            self._owner.worker_said({"kind": "stack", "id": number, "text": text})

    def pause(self) -> str:
        """Hold what has joined at its checkpoints, else stop the whole tree by SIGSTOP; return how, in words.

        A program that does not run does not settle either.
        """
        if self._members.pause(paused=True):
            return AT_CHECKPOINT
        self._paused = True
        self.tree.signal(signal.SIGSTOP)
        if self._settling is not None:
            self._settling.cancel()
        return "stopped by SIGSTOP"

    def resume(self) -> None:
        """Let the tree go on."""
        self._members.pause(paused=False)
        if not self._paused:
            return
        self._paused = False
        self.tree.signal(signal.SIGCONT)
        if self._unanswered is not None:
            self._settle(anew=self._unanswered)

    def resize(self, rows: int, columns: int) -> None:
        """Give its terminal another size."""
        self.tree.resize(rows, columns)

    async def stop(self, number: int, grace: float) -> None:
        """Signal the whole tree, and kill it at the end of the grace; what has joined is asked first."""
        how = "" if self._members.lowest is not None else HANDLER  # of its own, or it dies of the signal
        self._stop = Termination(
            self.tree, self._signal, number, grace, self._owner.worker_said, self._members.force, how
        )
        self._members.stop(number)
        await self._stop.run()

    def hurry(self) -> None:
        """Wait no longer for what ends by its own means."""
        if self._stop is not None:
            self._stop.hurry()

    def _signal(self, number: int) -> None:
        self.tree.signal(number)
        if self._paused:
            self.tree.signal(signal.SIGCONT)

    async def wait_gone(self) -> None:
        """Wait until the program and all its descendants are gone."""
        await self.tree.wait_gone()

    def worker_started(self, pid: int) -> None:
        """The program runs; the receipt comes when it is ready."""
        self._owner.worker_started(pid)
        if self.spec.ready is None:
            self._owner.worker_said({"kind": "loaded"})
        self._settle(anew=True)
        if self.spec.on_change == "reload":
            self._unjoined = asyncio.get_running_loop().call_later(JOINING, self._say_unjoined)

    def worker_wrote(self, data: bytes) -> None:
        """Pass output on, and look for the line that says ready."""
        self._owner.worker_wrote(data)
        ready = self.spec.ready
        if ready is not None and ready.line is not None and not self._line_seen.is_set():
            *lines, self._tail = (self._tail + data.decode("utf-8", "replace")).split("\n")
            try:
                seen = any(ready.in_line(line.removesuffix("\r")) for line in lines)  # a terminal ends lines with \r\n
            except TooLongError as error:
                self._owner.worker_wrote(f"tunedeck: ready: {error}; the command counts as ready now\n".encode())
                seen = True
            if seen:
                self._line_seen.set()
            self._tail = self._tail[-4096:]

    def worker_exited(self, code: int | None) -> None:
        """The program ended."""
        if self._settling is not None:
            self._settling.cancel()
        self._owner.worker_exited(code)

    def worker_gone(self) -> None:
        """Nothing of it is left."""
        if self._unjoined is not None:
            self._unjoined.cancel()
        self._members.close()
        self._remove_copy()
        self._owner.worker_gone()

    def _settle(self, *, anew: bool) -> None:
        if self._settling is not None:
            self._settling.cancel()
        self._unanswered = anew
        if not self._paused:
            self._settling = asyncio.create_task(self._answer(anew))

    async def _answer(self, anew: bool) -> None:
        """Give the receipt for the newest version when the program has taken it."""
        ready = self.spec.ready
        if ready is None or not anew or self._deceptive:  # another program's port says nothing of this one
            await asyncio.sleep(SETTLE)
        if ready is not None and ready.line is None:
            await ready.wait(self.spec.cwd)
        elif ready is not None and anew:
            await self._line_seen.wait()
        if ready is not None and anew:
            self._owner.worker_said({"kind": "loaded"})
        self._started = True
        self._unanswered = None
        if self.spec.on_change != "reload":
            self._say_applied()
        elif not self._members.ever:  # it has read its config by itself
            self._say_applied(self._first)
        if self._next is not None:
            payload, self._next = self._next, None
            self.send(payload)

    def _say_applied(self, version: int | None = None) -> None:
        version = self._version if version is None else version
        receipt = {"version": version, "step": 0, "at": time.monotonic(), "superseded": []}
        self._owner.worker_said({"kind": "applied", **receipt})

    def _hear(self, message: Mapping[str, Any]) -> None:
        """Take what a process says that has joined; where it is not the one that takes changes, no receipts."""
        if message["kind"] == "stopping":
            if self._stop is not None:
                self._stop.take_answer(message["how"])
        elif message["kind"] != "applied" or self.spec.on_change == "reload":
            self._owner.worker_said(message)

    def _take_member(self, member: Member, *, came: bool) -> None:
        if came and self._unjoined is not None:
            self._unjoined.cancel()
        self._owner.worker_said({"kind": "joined" if came else "left", "pid": member.pid})

    def _say_unjoined(self) -> None:
        self._owner.worker_said({"kind": "unjoined", "seconds": JOINING})

    def _config_for(self, payload: Payload) -> Path:
        """Return the path of a file that holds the payload's text: the config, or a copy beside it."""
        config = self.spec.config
        name = self.spec.name.replace("/", "-").replace("\0", "-")
        copy = config.with_name(f".{config.stem}.{name}.tunedeck{config.suffix}")
        with contextlib.suppress(OSError):
            copy.unlink()  # what an engine that was killed has left
        with contextlib.suppress(OSError):
            if reading.read(config)[0] == payload.text.encode():
                return config
        if not self.spec.names_config:
            if self.spec.filled:
                return config
            why = f"it would read {config.name} as it is now, not v{payload.version}"
            raise LaunchError(f"{why}: write {{config}} in its arguments for the path")
        self._copy = copy
        with os.fdopen(os.open(self._copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(payload.text.encode())
        with contextlib.suppress(FileNotFoundError):  # the config is gone: nobody else was to read it
            shutil.copymode(config, self._copy)
        return self._copy

    def _remove_copy(self) -> None:
        if self._copy is not None:
            self._copy.unlink(missing_ok=True)
