"""The queue and the event: how a new config reaches a running task.

The sender puts the config into the **queue** and then sets the **event**. The task's side looks at the event at
every checkpoint; when it is set, it clears the event first and drains the queue second, and keeps the newest.

Both orders matter. Were the event set first, the task could see it, find the queue empty and go on with the old
config. Were the queue drained first, a config that arrives between the drain and the clear would lie there without
an event. And one config taken per wakeup would leave the task behind after two quick saves.

The loop is the same whatever runs the task. Only the library that the queue and the event come from differs:

====================  =========================  =========================  ==================================
the task runs in      queue                      event                      a receiving thread puts in by
====================  =========================  =========================  ==================================
a process, a thread   ``queue.SimpleQueue``      ``threading.Event``        a plain call
a coroutine           ``asyncio.Queue``          ``asyncio.Event``          ``loop.call_soon_threadsafe``
a Dask cluster        ``distributed.Queue``      ``distributed.Event``      the cluster's client, over the network
====================  =========================  =========================  ==================================

On a cluster both lead to the worker that has the replica (`tui.cluster.replica`), which hands what comes to the
replica's process: there it is the first row again, since a look at a distributed event takes a millisecond.
"""

from __future__ import annotations

TYPE_CHECKING = False  # a script that joins imports this: nothing that takes its time is imported at the top
if TYPE_CHECKING:
    from typing import Any, Callable


class Mailbox:
    """One queue and one event between a sender and the task's side."""

    queue: Any
    event: Any

    def __init__(self) -> None:
        import queue
        import threading

        self.queue = queue.SimpleQueue()
        self.event = threading.Event()
        self._empty: type[Exception] = queue.Empty
        self._wakers: set[Callable[[], Any]] = set()

    def put(self, item: Any) -> None:
        """Hand over `item`: into the queue first, the event second."""
        self.queue.put_nowait(item)
        self.event.set()
        for wake in tuple(self._wakers):
            try:  # noqa: SIM105 - `contextlib` takes too long to import
                wake()
            except RuntimeError:  # its event loop is closed: nobody waits any more
                pass

    def take(self) -> list[Any]:
        """Return all that has arrived, oldest first: the event is cleared first, the queue drained second."""
        self.event.clear()
        items = []
        while True:
            try:
                items.append(self.queue.get_nowait())
            except self._empty:
                return items

    def wait(self, seconds: float) -> None:
        """Wait in a thread until something has been put in, at most `seconds`."""
        import threading

        woken = threading.Event()
        self._wakers.add(woken.set)  # before the look at the event, or a put in between is missed
        try:
            if not self.event.is_set():
                woken.wait(seconds)
        finally:
            self._wakers.discard(woken.set)

    async def wait_async(self, seconds: float) -> None:
        """Wait in any event loop until something has been put in, at most `seconds`."""
        import asyncio  # a worker of a plain task starts without it

        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        self._wakers.add(wake)  # before the look at the event, as in `wait`
        timer = loop.call_later(0 if self.event.is_set() else seconds, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()
            self._wakers.discard(wake)


class AsyncMailbox(Mailbox):
    """The same for a coroutine. Made inside its running event loop, to which Python 3.8 and 3.9 bind the parts.

    Args:
        early: What had arrived before the event loop ran.
    """

    def __init__(self, early: list[Any]) -> None:
        import asyncio

        super().__init__()
        self.queue = asyncio.Queue()
        self.event = asyncio.Event()
        self._empty = asyncio.QueueEmpty
        self._loop = asyncio.get_running_loop()
        for item in early:
            super().put(item)

    def put(self, item: Any) -> None:
        """Hand over `item` from any thread."""
        self.call(super().put, item)

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function in the event loop, from any thread."""
        try:  # noqa: SIM105
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the event loop is closed: the task is over
            pass
