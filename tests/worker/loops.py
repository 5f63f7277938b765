"""A loop without a worker process: what tests of the reload loop share."""

from __future__ import annotations

import queue
from typing import Any

from tests.patience import PATIENCE

Message = dict[str, Any]


class FakeChannel:
    """Keeps what the worker sends, and gives it what a test has sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.incoming: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self.idle = False

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def offer(self, message: Message) -> bool:
        self.sent.append(message)
        return True

    def wait(self, seconds: float) -> bool:
        if self.idle:
            self.idle = False
            return False
        return True

    def receive(self) -> Message | None:
        return self.incoming.get(timeout=PATIENCE)

    def of(self, kind: str) -> list[Message]:
        return [message for message in self.sent if message["kind"] == kind]


def reload(version: int, **config: Any) -> Message:
    return {"kind": "reload", "version": version, "config": config}


STOP = {"kind": "stop"}


def receipts(channel: FakeChannel) -> list[tuple[int, int, list[int]]]:
    return [(message["version"], message["step"], message["superseded"]) for message in channel.of("applied")]
