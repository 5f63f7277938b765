"""A connection to a Dask cluster: the one module that knows Dask on this side.

Everything goes through one client on one event loop. A scheduler that hangs is noticed by nothing, and any call waits
for it: so each message has its own coroutine, and what takes too long is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

#: Seconds that a scheduler has to answer before it is said that it does not.
PATIENCE = 5.0

#: Seconds between two looks at a connection.
LOOK = 0.2

#: Seconds that a client, and a cluster of our own, has to close.
CLOSE = 3.0

#: So many messages of the scheduler's log are kept per topic by a cluster of our own.
_KEPT = 1000

_NO_CERTIFICATES = (
    "it is reached with certificates alone, and Dask's configuration names none: set distributed.comm.tls.ca-file, "
    "client.cert and client.key there"
)


class SchedulerGone(Exception):  # noqa: N818 - it is no error of ours
    """The scheduler is gone, and what ran there."""


class Connection:
    """One client of a cluster, until its scheduler is gone.

    Args:
        address: Of the scheduler; None for a cluster of our own.
        size: How many replicas there will be.
        hear: Told what replicas say, and ``{"removed": address}`` of a worker that is gone.
        remark: Told sentences for the user.
        spawn: Lets something run beside.
    """

    def __init__(
        self,
        address: str | None,
        size: int,
        hear: Callable[[Mapping[str, Any]], None],
        remark: Callable[[str], None],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._address = address
        self._size = size
        self._hear = hear
        self._remark = remark
        self._spawn = spawn
        self._outgoing: dict[str, _Outgoing] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._silent: set[object] = set()
        self._gone = False  # it may be back before anybody has looked, without what ran there
        self._cluster: Any = None
        self._client: Any = None

    async def open(self, topic: str) -> None:
        """Connect, and hear of a topic and of the workers; a scheduler has the time that Dask's configuration gives it.

        Raises:
            OSError: There is no scheduler.
            ValueError: It takes certificates to come to it, and there are none.
        """
        from distributed import Client, Security

        _silence()
        if (self._address or "").startswith("tls://") and _lacks_certificates(Security()):
            raise ValueError(_NO_CERTIFICATES)
        address = self._address or await self._own_cluster()
        self._client = await Client(address, asynchronous=True, set_as_default=False)
        self._topics = {topic: self._take, "all": self._take_of_all}
        for name, take in self._topics.items():
            self._client.subscribe_topic(name, take)

    async def _own_cluster(self) -> Any:
        import dask
        from distributed import LocalCluster

        dask.config.set(
            {
                "distributed.scheduler.allowed-failures": 1
                << 30,  # a replica begins anew however often its worker dies
                "distributed.admin.low-level-log-length": _KEPT,
            }
        )
        # One worker, in this process: replicas have processes of their own, and more would only take seconds to start.
        self._cluster = await LocalCluster(
            n_workers=1,
            threads_per_worker=self._size,
            processes=False,
            protocol="tcp",  # a task may be a client of the cluster that it runs on
            memory_limit=0,
            dashboard_address=None,
            asynchronous=True,
        )
        return self._cluster

    async def run(self, key: str, source: str, order: dict[str, Any]) -> None:
        """Run a source on some worker of the cluster; return when it has ended, or the cluster has given it up.

        Raises:
            SchedulerGone: The scheduler is gone.
        """
        from distributed import KilledWorker

        # By its source: a function by reference would have to be there, one by value only suits the same Python.
        future = self._client.submit(exec, source, {"order": order}, key=key, pure=False)
        try:
            error = await future.exception()  # not its result, for there is none to gather
            if future.status not in ("finished", "error"):  # cancelled: the client has lost the scheduler
                self._gone = True
                raise SchedulerGone
            if error is not None and not isinstance(error, KilledWorker):
                raise error  # else `allowed-failures` of a cluster that is not ours has given it up
        finally:
            future.release()  # or it would run again if the worker that has its result were lost

    def put(self, name: str, item: dict[str, Any]) -> None:
        """Send an item to the attempt of that name."""
        if name not in self._outgoing:
            self._outgoing[name] = _Outgoing(self._client, name)
            self._sending.add(self._spawn(self._outgoing[name].run(self._patiently)))
        self._outgoing[name].put(item)

    def keep(self, names: set[str]) -> None:
        """Leave the queues of all other attempts, once what is on its way to them has gone."""
        for name in self._outgoing.keys() - names:
            self._outgoing.pop(name).finish()
        self._sending = {task for task in self._sending if not task.done()}

    async def lost(self) -> None:
        """Return when the scheduler is gone."""
        while self._client.status == "running" and not self._gone:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(LOOK)
        await self.close()

    async def close(self) -> None:
        """Leave the cluster, or end our own."""
        self.keep(set())
        if self._client is not None and self._client.status == "running":  # leave nothing of ours in the scheduler
            for topic in self._topics:
                self._client.unsubscribe_topic(topic)
            if self._sending:
                await asyncio.wait(self._sending, timeout=CLOSE)
        for one in (self._client, self._cluster):
            if one is not None:
                with contextlib.suppress(asyncio.TimeoutError, OSError):
                    await asyncio.wait_for(one.close(), CLOSE)  # the shim ends what is left

    async def _patiently(self, call: Awaitable[Any]) -> None:
        """Wait for a scheduler as long as it takes, and say so when that is long."""
        task = asyncio.ensure_future(call)
        done, _ = await asyncio.wait([task], timeout=PATIENCE)
        if not done:
            if not self._silent:
                self._remark(
                    f"the scheduler has not answered for {PATIENCE:g} s: changes wait for it, the replicas go on with "
                    "what they have"
                )
            self._silent.add(task)
            await asyncio.wait([task])
            self._silent.discard(task)
            if not self._silent:
                self._remark("the scheduler answers again")
        task.result()

    def _take(self, event: tuple[float, Mapping[str, Any]]) -> None:
        self._hear(event[1])

    def _take_of_all(self, event: tuple[float, Any]) -> None:
        message = event[1]
        if isinstance(message, dict) and message.get("action") == "remove-worker":
            self._hear({"removed": message["worker"]})


def _lacks_certificates(security: Any) -> bool:
    """Return whether Dask's own configuration does not say how to come to a cluster that is reached by TLS."""
    return security.get_connection_args("client").get("ssl_context") is None


def _silence() -> None:
    """Have Dask log nothing: what it would say of a lost worker or scheduler is said in our words."""
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class _Outgoing:
    """What is on its way to one attempt: into the queue first, the event second."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name
        self._items: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self._finishing = False

    def put(self, item: dict[str, Any]) -> None:
        """Send an item after all that still waits."""
        self._items.append(item)
        self._news.set()

    def finish(self) -> None:
        """Send what there is, and no more."""
        self._finishing = True
        self._news.set()

    async def run(self, patiently: Callable[[Awaitable[Any]], Awaitable[Any]]) -> None:
        """Send what there is, until the connection is lost."""
        from distributed import Event, Queue

        queue: Any = Queue(self._name, client=self._client)
        event: Any = Event(self._name, client=self._client)
        with contextlib.suppress(OSError, asyncio.CancelledError):  # the scheduler is gone, and `lost` tells
            await patiently(queue)
            while self._items or not self._finishing:
                await self._news.wait()
                self._news.clear()
                items, self._items = self._items, []
                if items:
                    await patiently(queue.put(items))
                    await patiently(event.set())
            queue.close()
            queue.close()  # made once by its constructor, and once as it was awaited
