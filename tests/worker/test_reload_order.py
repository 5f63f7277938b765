"""Whatever comes in whatever order: the newest config runs in the end, and each version is answered once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.patience import PATIENCE
from tests.worker.loops import STOP
from tui.worker.channel import JobChannel
from tui.worker.loop import Loop
from tui.worker.run import run

Message = dict[str, Any]


class Wire:
    """Keeps what the loop sends, and lets a test wait for it."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self._change = threading.Condition()

    def send(self, message: Message) -> None:
        with self._change:
            self.sent.append(message)
            self._change.notify_all()

    def offer(self, message: Message) -> None:
        self.send(message)

    def wait_for(self, wanted: Callable[[], object]) -> None:
        """Wait until something is so; whatever changes is told here."""
        with self._change:
            assert self._change.wait_for(wanted, PATIENCE), self.sent[-20:]


class Task:
    """A task of each kind that notes the config it has at every step, by thread."""

    def __init__(self, loop: Loop) -> None:
        self.seen: dict[int, int] = {}
        self.loop = loop

    def note(self, config: Message) -> None:
        self.seen[threading.get_ident()] = config["version"]

    def generator(self, config: Any) -> Generator[None, Any, None]:
        while True:
            self.note(config)
            config = yield

    def function(self, config: Any) -> None:
        self.note(config)

    def callback(self, config: Any) -> None:
        while True:
            self.note(config)
            config = self.loop.checkpoint(None)

    def threads(self, config: Any) -> None:
        def call_back() -> None:
            with contextlib.suppress(SystemExit):
                self.callback(config)

        others = [threading.Thread(target=call_back, daemon=True) for _ in range(3)]
        for other in others:
            other.start()
        for other in others:
            other.join()
        self.loop.checkpoint(None)

    async def async_generator(self, config: Any) -> AsyncGenerator[None, Any]:
        while True:
            self.note(config)
            config = yield

    async def async_function(self, config: Any) -> None:
        self.note(config)

    async def async_callback(self, config: Any) -> None:
        while True:
            self.note(config)
            await self.loop.asleep(0)
            config = self.loop.checkpoint(None)


class EventLoop:
    """An event loop in a thread, as a host has one for all asyncio jobs."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def run(self, loop: Loop, task: Any) -> None:
        asyncio.run_coroutine_threadsafe(loop.run_async(task, "function" in task.__name__), self.loop).result()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def event_loop_thread() -> Any:
    made = EventLoop()
    yield made
    made.close()


PLAIN = ["generator", "function", "callback", "threads"]
ASYNC = ["async_generator", "async_function", "async_callback"]
WAYS = [*[("thread", kind) for kind in PLAIN + ASYNC], *[("asyncio", kind) for kind in ASYNC]]
ACTIONS = st.lists(st.sampled_from(["reload", "reload", "pause", "resume", "checkpoint"]), max_size=25)


class Drive:
    """One run of a task in a thread, and the engine's side of it."""

    def __init__(self, kind: str, way: str, host: EventLoop) -> None:
        self.wire = Wire()
        self.loop = Loop(cast(JobChannel, self.wire), 1, {"version": 1})
        self.kind = kind
        self.task = Task(self.loop)
        self.versions = itertools.count(2)
        self.newest = 1
        self.paused = False
        function = getattr(self.task, kind)

        def work() -> None:
            with contextlib.suppress(SystemExit):
                host.run(self.loop, function) if way == "asyncio" else run(self.loop, function, "function" in kind)

        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()

    def act(self, action: str) -> None:
        if action == "reload":
            self.newest = next(self.versions)
            config = {"version": self.newest}
            self.loop.put({"kind": "reload", "version": self.newest, "config": config})
        elif action == "checkpoint":
            self.pass_checkpoint()
        else:
            self.paused = action == "pause"
            self.loop.put({"kind": action})

    def pass_checkpoint(self) -> None:
        """Wait until the task has come to a checkpoint that began from now on, or is held at one."""
        step = self.loop.step
        while self.loop.step < step + 2 and not (self.paused and self.loop.told_paused) and self.thread.is_alive():
            self.thread.join(0.0005)

    def settle(self) -> None:
        """Wait until every thread of the task runs with the newest config."""
        deadline = time.monotonic() + PATIENCE
        while set(self.task.seen.values()) != {self.newest}:
            assert time.monotonic() < deadline, self.task.seen
            self.thread.join(0.0005)

    def answered(self) -> list[int]:
        receipts = [message for message in self.wire.sent if message["kind"] == "applied"]
        return [version for receipt in receipts for version in [*receipt["superseded"], receipt["version"]]]

    def stop(self) -> None:
        self.loop.put(STOP)
        if self.kind == "threads":  # only the task's own thread leaves by itself, and it waits for the others
            self.loop.put({"kind": "over"})
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@pytest.mark.parametrize(("way", "kind"), WAYS)
def test_the_newest_config_runs_in_the_end(event_loop_thread: EventLoop, way: str, kind: str) -> None:
    @settings(max_examples=25)
    @given(ACTIONS)
    def check(actions: list[str]) -> None:
        drive = Drive(kind, way, event_loop_thread)
        try:
            for action in actions:
                drive.act(action)
            drive.act("resume")
            drive.wire.wait_for(lambda: drive.newest in drive.answered())
            drive.settle()
        finally:
            drive.stop()
        assert drive.answered() == list(range(1, drive.newest + 1))

    check()


@pytest.mark.parametrize(("way", "kind"), WAYS)
def test_a_stop_at_any_moment_ends_the_task(event_loop_thread: EventLoop, way: str, kind: str) -> None:
    @settings(max_examples=25)
    @given(ACTIONS)
    def check(actions: list[str]) -> None:
        drive = Drive(kind, way, event_loop_thread)
        try:
            for action in actions:
                drive.act(action)
        finally:
            drive.stop()
        answered = drive.answered()
        assert answered == list(range(1, len(answered) + 1))

    check()
