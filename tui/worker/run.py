"""One run of one task, wherever it runs: how it is set up, loaded and called."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Callable

from tui.worker import pinned, task_import
from tui.worker.channel import JobChannel
from tui.worker.failures import describe, print_traceback
from tui.worker.inbox import Inbox
from tui.worker.loop import Loop
from tui.worker.sources import Sources
from tui.worker.validation import load_rules

#: At every so many ticks it is looked what else was imported.
IMPORTS = 20


class TaskRun:
    """A run from its setup on: its loop, where its messages come in, and the module of the task."""

    def __init__(self, channel: JobChannel, setup: dict[str, Any]) -> None:
        self._channel = channel
        self._setup = setup
        self.loop = Loop(channel, setup["version"], setup["config"])
        self.loop.guard(setup.get("guards", {}))
        self.loop.state_dir = setup.get("state_dir")
        self.loop.rank, self.loop.ranks = setup.get("rank", 0), setup.get("ranks", 1)
        self.intake = Inbox(self.loop)
        self.module: ModuleType | None = None
        self._sources: Sources | None = None
        self._ticks = 0

    def load(self, *, hosted: bool) -> Callable[[Any], Any] | None:
        """Return the task, ready to be called; None where it can't be loaded, or not with this config: that is told."""
        target, code = self._setup["task"], self._setup.get("code", {})
        try:
            if code and not hosted:
                pinned.install(code)
            self.module = task_import.load_module(target, code)
            function = task_import.find(self.module, target)
            if hosted and self._setup["runner"] == "asyncio" and not task_import.is_async(function):
                raise task_import.TaskError(f"{target} is no async function; use runner: thread")
            rules = load_rules(self._setup.get("validate"), target, self.module, function, code)
        except BaseException as error:  # in a host whatever it is, it is this job's alone
            if not hosted and not isinstance(error, (Exception, SystemExit)):
                raise
            if not isinstance(error, task_import.TaskError):
                print_traceback(error)
            self._channel.send({"kind": "unloadable", "message": describe(error)})
            return None
        if not self.intake.admit(rules):
            return None
        self.intake.open(hosted=hosted)
        self._sources = Sources(self._channel, target, [self.module, rules.module], hosted)
        self._sources.tell()
        return function

    def tick(self) -> None:
        """Have what is due be told, in the receiving thread, 20 times a second."""
        self.loop.sample()
        self._ticks += 1
        if self._ticks % IMPORTS == 0 and self._sources is not None:
            self._sources.tell()

    def call(self, function: Callable[[Any], Any]) -> None:
        """Run the task to its end in this thread."""
        run(self.loop, function, self._setup["loop"])


def run(loop: Loop, function: Callable[[Any], Any], again: bool | None) -> None:
    """Run a task of any kind in this thread; an async one gets an event loop of its own."""
    if task_import.is_async(function):
        import asyncio  # takes longer to import than everything else of a worker together

        asyncio.run(loop.run_async(function, again))
    else:
        loop.run(function, again)
