"""The reload loop: what happens at a checkpoint, the same for every kind of task.

`Loop.run` drives plain functions and generators, `Loop.run_async` async functions and async generators. They differ
in how they call the task and how they wait; what they count, take and answer at a checkpoint is one code.
"""

from __future__ import annotations

import sys
import time

from tui.worker import current, native
from tui.worker.blocks import Blocks
from tui.worker.mailbox import Mailbox
from tui.worker.metrics import MetricsReporter
from tui.worker.stopping import Stopping

TYPE_CHECKING = False  # `typing` takes longer to import than all of this, and a script that joins imports it too
if TYPE_CHECKING:
    import asyncio
    from typing import Any, AsyncGenerator, Callable, Generator, Mapping, Protocol

    from tui.worker.guards import Guards
    from tui.worker.mailbox import AsyncMailbox

    class Outlet(Protocol):
        """Where answers go."""

        def send(self, message: dict[str, Any]) -> None:
            """Send a message that must arrive."""

        def offer(self, message: dict[str, Any]) -> Any:
            """Send a message that may be left out."""


class _GiveWay:
    """Lets the others on the event loop run: what ``asyncio.sleep(0)`` does, without the import."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Loop:
    """Drives one task: counts its checkpoints, hands it new configs and answers for them.

    Attributes:
        channel: Where the answers go.
        step: Checkpoints completed.
        config: The config that runs, the same object until the next reload.
        version: The version of that config.
        rank: Which of the job's processes this one is, from 0.
        ranks: How many there are.
        state_dir: A folder of the job that lasts over its restarts.
        effective: Where the config that runs is not what the file says; see `tui.worker.differences`.
        stop: What is known of its stop.
        over: The task has ended, and takes nothing any more, though its process goes on.
        sample_due: Set by `sample` when metrics are wanted; the next checkpoint then reports. It stays
            set while the task is paused, so that no checkpoint takes the short way.
        due: The next checkpoint must not take the short way. Set after the mailbox's event, and taken back before a
            look at that: whatever comes is seen now or at the next one.
    """

    over = False

    def __init__(self, channel: Outlet, version: int, config: Any, mailbox: Mailbox | None = None) -> None:
        self.channel = channel
        self.mailbox = mailbox or Mailbox()
        self.step = 0
        self.config = config
        self.version = version
        self.effective: list[Any] = []
        self.rank, self.ranks = 0, 1
        self.state_dir: str | None = None
        self.sample_due = self.due = True
        self.stop = Stopping(self._tell_stopping)
        self._metrics = MetricsReporter(channel, self._complain)
        self._blocks = Blocks(channel, self._complain)
        self._latest: Any = None  # the metrics of the last checkpoint
        self._guards: Guards | None = None
        self._lock = native.new_rlock()  # a signal handler may come to a checkpoint within a checkpoint
        self._exchange = native.new_lock()
        self._task: asyncio.Task[Any] | None = None
        self._home: asyncio.AbstractEventLoop | None = None
        self._reloads: list[dict[str, Any]] = []
        self._stopping = False
        self._thread = native.this_thread()
        self._paused = False
        self.told_paused = False
        self._complaints: set[str] = set()

    def guard(self, rules: Mapping[str, Mapping[str, Any]]) -> None:
        """Look at every step's metrics from now on; the engine is told when they leave their bounds."""
        if rules:
            from tui.worker.guards import Guards

            self._guards = Guards(rules, self.version, self._tell_breach)

    def sample(self) -> None:
        """Have the next checkpoint report, in the receiving thread.

        Where none has come since the last call, the one before it was the latest, and may have reported nothing.
        """
        if self.sample_due and self.step and not self._paused:
            try:  # noqa: SIM105 - `contextlib` takes too long to import
                self._metrics.report(self.step, self._latest)
            except Exception:
                # The task may change its mapping just now, or it is one of its own that fails: this thread must go on,
                # and a checkpoint tells.
                pass
        self.sample_due = self.due = True
        self._blocks.send_ended()

    def asked_to_stop(self) -> bool:
        """Tell whether the job is to stop; the task asks, so it is given the time to end by its own means."""
        return self.stop.ask(self.step)

    def put(self, message: dict[str, Any]) -> None:
        """Take a message of the engine, in the receiving thread."""
        if message["kind"] == "stop":
            self.stop.begin(message.get("signal"), self.step)
        elif message["kind"] in ("leave", "over"):
            self.stop.force(over=message["kind"] == "over")
        with self._exchange:
            self.mailbox.put(message)
            if message["kind"] == "cancel" and self._home is not None:
                mailbox: AsyncMailbox = self.mailbox  # type: ignore[assignment]
                mailbox.call(self._cancel)
        self.due = True

    def run(self, task: Callable[[Any], Any], again: bool | None) -> None:
        """Call `task` and drive what it returns until it is done.

        Args:
            task: The user's function or generator function.
            again: Call a plain function again and again; the gap between two calls is a checkpoint. None: as long
                as it has no checkpoints inside.

        Raises:
            SystemExit: The job was stopped at a checkpoint inside the task.
        """
        import inspect

        self._thread = native.this_thread()
        self._answer([])
        metrics = None
        try:
            metrics = task(self.config)
            if inspect.isgenerator(metrics):
                self._drive(metrics)
                return
            _refuse_async(metrics)
            before = 0
            while self._calls_again(again, before):
                self.checkpoint(metrics)
                if self._stopping:  # between two calls it may always end
                    return
                before, metrics = self.step, None
                metrics = task(self.config)
        except current.Done:
            metrics = self._latest
        finally:
            self._blocks.finish()
        self._metrics.report(self.step, metrics)

    async def run_async(self, task: Callable[[Any], Any], again: bool | None) -> None:
        """Call an async `task` and drive what it returns until it is done or stopped.

        Args:
            task: The user's async function or async generator function.
            again: As in `run`.

        Raises:
            asyncio.CancelledError: The task was cancelled, and not because the job was to stop.
        """
        import asyncio
        import inspect

        from tui.worker.mailbox import AsyncMailbox

        with self._exchange:
            self._home = asyncio.get_running_loop()
            self._thread = native.this_thread()
            self._task = asyncio.current_task()
            early = self.mailbox.take()
            self.mailbox = AsyncMailbox(early)
        if any(message["kind"] == "cancel" for message in early):
            self._cancel()
        self._answer([])
        try:
            result = task(self.config)
            if inspect.isasyncgen(result):
                await self._drive_async(result)
            else:
                await self._call_async(result, task, again)
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        finally:
            self._blocks.finish()

    def checkpoint(self, metrics: Any) -> Any:
        """Complete a checkpoint that is no `yield`: report, take what is waiting, return the current config.

        Raises:
            SystemExit: The job is being stopped.
            asyncio.CancelledError: The same, on the event loop of an async task.
        """
        self.step += 1
        self._latest = self._blocks.add(self.step, metrics)
        if self._guards is not None:
            with self._lock:
                self._guards.check_metrics(metrics)
        if self.sample_due or self.mailbox.event.is_set():
            self._attend(metrics)
        if self._stopping and self.stop.leaves(self.step):
            self._leave()
        return self.config

    def sleep(self, seconds: float) -> None:
        """Sleep until a message waits in the mailbox, at most `seconds`."""
        if self._home is None:
            self.mailbox.event.wait(seconds)
        elif self._at_home():
            self._complain("tui.sleep blocks the event loop of an async task: use await tui.asleep")
            time.sleep(seconds)
        else:  # a thread of an async task
            self.mailbox.wait(seconds)

    async def asleep(self, seconds: float) -> None:
        """Sleep in any event loop until a message waits in the mailbox, at most `seconds`."""
        if self._paused and self._at_home():
            await self._hold_async()
        await self.mailbox.wait_async(0 if self._reloads else seconds)

    @property
    def coroutine(self) -> tuple[asyncio.AbstractEventLoop | None, asyncio.Task[Any] | None]:
        """The event loop and the asyncio task of an async task."""
        return self._home, self._task

    def _drive(self, generator: Generator[Any, Any, Any]) -> None:
        # The idle path of a live job: everything that is not needed at each step is elsewhere.
        send = generator.send
        blocks = self._blocks
        guards = self._guards
        config = metrics = None
        try:
            while True:
                metrics = None  # during a step nothing is held: a tensor has all of its graph
                metrics = send(config)
                self.step = step = self.step + 1
                self._latest = blocks.add(step, metrics) if metrics is not None else None
                if guards is not None:
                    guards.check_metrics(metrics)
                if self.due:  # not the event: to ask that is a call
                    self.due = False
                    self._attend(metrics)
                    self.due = self.due or self.sample_due
                    if self._stopping and self.stop.leaves(step):
                        generator.close()
                        return
                config = self.config
        except (StopIteration, current.Done):
            self._metrics.report(self.step, self._latest)

    async def _drive_async(self, generator: AsyncGenerator[Any, Any]) -> None:
        config = metrics = None
        try:
            while True:
                metrics = None
                metrics = await generator.asend(config)
                await self._checkpoint_async(metrics)
                if self._stopping and self.stop.leaves(self.step):
                    return
                config = self.config
        except (StopAsyncIteration, current.Done):
            self._metrics.report(self.step, self._latest)
        finally:
            await _close(generator)  # also when it was cancelled here, where the generator does not see it

    async def _call_async(self, result: Any, task: Callable[[Any], Any], again: bool | None) -> None:
        metrics = None
        try:
            metrics = await result
            before = 0
            while self._calls_again(again, before):
                await self._checkpoint_async(metrics)
                if self._stopping:
                    return
                before, metrics = self.step, None
                metrics = await task(self.config)
        except current.Done:
            metrics = self._latest
        self._metrics.report(self.step, metrics)

    def _calls_again(self, again: bool | None, before: int) -> bool:
        """Whether a function that has returned is called again: it had come to step `before` when it was called."""
        inside = self.step - before
        if again is not None or not inside:
            return again is not False
        self._complain(
            f"the task has returned after {inside} checkpoint{'s' * (inside > 1)} inside, so it is finished; "
            "loop: true in the deck calls it again"
        )
        return False

    async def _checkpoint_async(self, metrics: Any) -> None:
        self.step += 1
        self._latest = self._blocks.add(self.step, metrics)
        if self._guards is not None:
            self._guards.check_metrics(metrics)
        # A task that never waits would neither let the others run nor the event be set.
        await _GiveWay()
        if self.sample_due or self.mailbox.event.is_set():
            with self._lock:
                self._look(metrics)
            if self._held():
                await self._hold_async()
                with self._lock:
                    self._look(metrics)

    def _attend(self, metrics: Any) -> None:
        """The slow path of a checkpoint: something waits, or a sample is due."""
        with self._lock:  # a framework may call back from threads of its own; who is held holds the others
            self._look(metrics)
            while self._home is None and self._held():
                self._tell_paused()
                self.mailbox.event.wait()
                self._sort(self._arrived())
                if not self._held():
                    self._look(metrics)

    async def _hold_async(self) -> None:
        while self._held():
            self._tell_paused()
            await self.mailbox.event.wait()
            with self._lock:
                self._sort(self.mailbox.take())

    def _held(self) -> bool:
        return self._paused and not self._stopping

    def _look(self, metrics: Any) -> None:
        if self.mailbox.event.is_set():
            self._sort(self._arrived())
        if self._reloads and not self._held() and not self._stopping and not self.over:
            reloads, self._reloads = self._reloads, []
            self.config = reloads[-1]["config"]
            self.version = reloads[-1]["version"]
            self.effective = reloads[-1].get("effective", [])
            if self._guards is not None:
                self._guards.arm(self.version)
            self._answer([message["version"] for message in reloads[:-1]])
        if self.sample_due:
            self.sample_due = self._paused
            self._metrics.report(self.step, metrics)

    def _arrived(self) -> list[dict[str, Any]]:
        """Return what is to be heeded at this checkpoint, oldest first."""
        return self.mailbox.take()

    def _sort(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            kind = message["kind"]
            if kind == "reload":
                self._reloads.append(message)
            elif kind in ("stop", "leave", "over", "cancel"):
                self._stopping = True
            elif kind in ("pause", "resume"):
                self._paused = kind == "pause"
                self.told_paused = False
        self.sample_due = self.sample_due or self._paused

    def _tell_paused(self) -> None:
        if not self.told_paused:
            self.told_paused = True
            self.channel.send({"kind": "paused", "step": self.step})

    def _cancel(self) -> None:
        self.stop.force()
        self._stopping = True
        if self._task is not None:
            self._task.cancel()

    def _at_home(self) -> bool:
        """Whether this is the thread of the async task's event loop."""
        if self._home is None:
            return False
        import asyncio

        return asyncio._get_running_loop() is self._home

    def _leave(self) -> None:
        """End the task, in its own thread; in any other it would end that alone, and nobody would know."""
        if self._at_home():
            import asyncio

            raise asyncio.CancelledError  # SystemExit that leaves an asyncio task tears down its event loop
        if self.stop.over or native.this_thread() == self._thread:
            raise SystemExit(0)

    def _tell_stopping(self, how: str) -> None:
        self.channel.send({"kind": "stopping", "how": how, "step": self.step})

    def _answer(self, superseded: list[int]) -> None:
        receipt = {"version": self.version, "step": self.step, "at": time.monotonic(), "superseded": superseded}
        self.channel.send({"kind": "applied", "effective": self.effective, **receipt})

    def _tell_breach(self, message: str, since: int) -> None:
        self.channel.send({"kind": "breached", "version": since, "step": self.step, "message": message})

    def _complain(self, message: str) -> None:
        """Say something about the task in its log, once."""
        if message not in self._complaints:
            self._complaints.add(message)
            print(f"tunedeck: {message}", file=sys.stderr)


async def _close(generator: AsyncGenerator[Any, Any]) -> None:
    """Close a generator; a TaskGroup around its `yield` takes that for a failure of its own, and it is none."""
    try:
        await generator.aclose()
    except BaseException as error:
        split = getattr(error, "split", None)  # of a group, which came with Python 3.11
        if split is None or split(GeneratorExit)[1] is not None:
            raise


def _refuse_async(result: Any) -> None:
    import inspect

    if inspect.iscoroutine(result):
        result.close()
    elif not inspect.isasyncgen(result):
        return
    raise TypeError("the task is a plain function that returned a coroutine: make it async def")
