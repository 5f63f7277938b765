"""The queue and the event: how a new config reaches a running task.

The sender puts the config into the **queue** and then sets the **event**. The task's side looks at the event at
every checkpoint; when it is set, it clears the event first and drains the queue second, and keeps the newest.

Both orders matter. Were the event set first, the task could see it, find the queue empty and go on with the old
config. Were the queue drained first, a config that arrives between the drain and the clear would lie there without
an event. And one config taken per wakeup would leave the task behind after two quick saves.

The loop is the same whatever runs the task. Only the library that the queue and the event come from differs:

====================  =========================  =========================
the task runs in      queue                      event
====================  =========================  =========================
a process, a thread   ``queue.SimpleQueue``      ``threading.Event``
====================  =========================  =========================

In a worker process a receiving thread puts in what the engine sends.
"""

from __future__ import annotations

import queue
import threading
from typing import Any


class Mailbox:
    """One queue and one event between a sender and the task's side."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.event = threading.Event()

    def put(self, item: Any) -> None:
        """Hand over `item`: into the queue first, the event second."""
        self.queue.put(item)
        self.event.set()

    def take(self) -> list[Any]:
        """Return all that has arrived, oldest first: the event is cleared first, the queue drained second."""
        self.event.clear()
        items = []
        while True:
            try:
                items.append(self.queue.get_nowait())
            except queue.Empty:
                return items
