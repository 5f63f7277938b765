"""The reload loop: what happens at a checkpoint, the same for every kind of task."""

from __future__ import annotations

import inspect
import sys
import threading
import time
from typing import Any, Callable, Generator, Mapping

import tui
from tui.worker.channel import Channel
from tui.worker.mailbox import Mailbox

#: Seconds between two samples of the metrics: 20 a second.
SAMPLE_EVERY = 0.05


class Loop:
    """Drives one task: counts its checkpoints, hands it new configs and answers for them.

    Attributes:
        step: Checkpoints completed.
        config: The config that runs, the same object until the next reload.
        version: The version of that config.
        sample_due: Set by the receiving thread 20 times a second; the next checkpoint then reports.
    """

    def __init__(self, channel: Channel, version: int, config: Any) -> None:
        self.mailbox = Mailbox()
        self.step = 0
        self.config = config
        self.version = version
        self.sample_due = True
        self._channel = channel
        self._lock = threading.Lock()
        self._stopping = False
        self._reported = -1
        self._complaints: set[str] = set()

    def receive(self) -> None:
        """Feed the mailbox from the engine, in a thread of its own, until the engine is gone."""
        due = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= due:
                self.sample_due = True
                due = now + SAMPLE_EVERY
            if not self._channel.wait(due - now):
                continue
            message = self._channel.receive()
            self.mailbox.put(message or {"kind": "stop"})
            if message is None:
                return

    def run(self, task: Callable[[Any], Any], again: bool) -> None:
        """Call `task` and drive what it returns until it is done.

        Args:
            task: The user's function or generator function.
            again: Call a plain function again and again; the gap between two calls is a checkpoint.

        Raises:
            SystemExit: The job was stopped at a checkpoint inside the task.
        """
        self._answer([])
        metrics = None
        try:
            result = task(self.config)
            if inspect.isgenerator(result):
                self._drive(result)
                return
            metrics = result
            while again:
                self.checkpoint(metrics)
                metrics = task(self.config)
        except tui.Done:
            pass
        self._report(metrics)

    def checkpoint(self, metrics: Any) -> Any:
        """Complete a checkpoint that is no `yield`: report, take what is waiting, return the current config.

        Raises:
            SystemExit: The job is being stopped.
        """
        self.step += 1
        if self.sample_due or self.mailbox.event.is_set():
            self._attend(metrics)
        if self._stopping:
            raise SystemExit(0)
        return self.config

    def sleep(self, seconds: float) -> None:
        """Sleep until a message waits in the mailbox, at most `seconds`."""
        self.mailbox.event.wait(seconds)

    def _drive(self, generator: Generator[Any, Any, Any]) -> None:
        # The idle path of a live job: everything that is not needed at each step is elsewhere.
        send = generator.send
        waiting = self.mailbox.event.is_set
        config = metrics = None
        try:
            while True:
                metrics = send(config)
                self.step += 1
                if self.sample_due or waiting():
                    self._attend(metrics)
                    if self._stopping:
                        generator.close()
                        return
                config = self.config
        except (StopIteration, tui.Done):
            self._report(metrics)

    def _attend(self, metrics: Any) -> None:
        """The slow path of a checkpoint: something waits, or a sample is due."""
        with self._lock:  # a framework may call back from threads of its own
            if self.mailbox.event.is_set():
                self._obey(self.mailbox.take())
            if self.sample_due:
                self.sample_due = False
                self._report(metrics)

    def _obey(self, messages: list[dict[str, Any]]) -> None:
        self._stopping = self._stopping or any(message["kind"] == "stop" for message in messages)
        reloads = [message for message in messages if message["kind"] == "reload"]
        if reloads and not self._stopping:
            self.config = reloads[-1]["config"]
            self.version = reloads[-1]["version"]
            self._answer([message["version"] for message in reloads[:-1]])

    def _answer(self, superseded: list[int]) -> None:
        self._channel.send(
            {
                "kind": "applied",
                "version": self.version,
                "step": self.step,
                "at": time.monotonic(),
                "superseded": superseded,
            }
        )

    def _report(self, metrics: Any) -> None:
        if self.step == self._reported:
            return
        self._reported = self.step
        values = self._numbers(metrics) if isinstance(metrics, Mapping) else {}
        if metrics is not None and not isinstance(metrics, Mapping):
            self._complain(f"a task reports a mapping of metrics or None, not {type(metrics).__name__}")
        self._channel.offer({"kind": "metrics", "step": self.step, "values": values})

    def _numbers(self, metrics: Mapping[Any, Any]) -> dict[str, float]:
        values = {}
        for name, value in metrics.items():
            try:
                is_count = type(value) is int and value.bit_length() < 1024  # what is larger is no float either
                values[str(name)] = value if is_count else float(value)
            except Exception as error:  # whatever a user's type raises must not end the job
                self._complain(f"metric {name!s} is left out, it is no number: {error}")
        return values

    def _complain(self, message: str) -> None:
        """Say something about the task in its log, once."""
        if message not in self._complaints:
            self._complaints.add(message)
            print(f"tunedeck: {message}", file=sys.stderr)
