"""The process between the engine and a Dask cluster: to the engine it is the worker of a job.

It is the cluster's client, and where the deck names no scheduler the cluster is its own and ends with it. No code of
the user's runs here. Should it be killed, the scheduler forgets its tasks, which see that and end.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
import uuid
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from tui.cluster import cargo, replica
from tui.cluster.connection import PATIENCE, Connection, SchedulerGone
from tui.cluster.replicas import Replica, Replicas
from tui.worker.channel import Channel
from tui.worker.failures import describe, print_traceback

#: Seconds for which receipts are gathered before it is said how many have come.
COUNTING = 0.1

#: Seconds after which it is said that replicas have not begun.
BEGINNING = 10.0

#: Seconds between two tries to come to a scheduler that is gone.
AGAIN = 1.0

_SOURCE = Path(replica.__file__)


def main(channel: Channel) -> None:
    """Be the worker of a job whose replicas run on a cluster.

    Raises:
        SystemExit: Always, with the code of the job.
    """
    setup = channel.receive()
    if setup is not None:
        raise SystemExit(asyncio.run(Controller(channel, setup).run()))


class Controller:
    """Runs the replicas of one job.

    Args:
        channel: The connection to the engine.
        setup: The job: as for any task, and scheduler, replicas, cwd, env.
    """

    def __init__(self, channel: Channel, setup: dict[str, Any]) -> None:
        self._channel = channel
        self._job: dict[str, Any] = {key: setup.pop(key) for key in ("scheduler", "replicas", "cwd", "env")}
        self._setup = setup
        self._name = setup["job"]
        self._topic = f"tunedeck-{uuid.uuid4().hex}"
        self._numbers = itertools.count(1)
        self._replicas = Replicas(self._job["replicas"], setup, self._tell, self._post)
        self._connection: Connection | None = None
        self._counting: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Run them to their end; return the exit code."""
        loop = asyncio.get_running_loop()
        self._over: asyncio.Future[int] = loop.create_future()
        threading.Thread(target=self._listen, args=(loop,), name="tunedeck-engine", daemon=True).start()
        try:
            packed = await asyncio.to_thread(
                cargo.pack, Path(self._job["cwd"]), (self._setup["task"], self._setup["validate"])
            )
        except cargo.CargoError as error:
            return self._give_up(str(error))
        if packed.behind:
            self._remark(
                f"{', '.join(packed.behind)}: more than {cargo.LARGE >> 20} MB, which stays behind; name it by a path "
                "that the cluster's workers see"
            )
        self._replicas.setup.update(zip(("task", "validate"), packed.targets, strict=True))
        self._base = packed.base
        self._order = {"topic": self._topic, "cargo": packed.data, "cwd": packed.cwd, "env": self._job["env"]}
        waits = loop.call_later(PATIENCE, self._tell_waiting)
        try:
            self._connection = await self._connect()
        except (OSError, asyncio.TimeoutError, ValueError, RuntimeError) as error:
            return self._give_up(f"no Dask cluster at {self._where}: {describe(error)}")
        finally:
            waits.cancel()
        self._spawn(self._keep_connected())
        loop.call_later(BEGINNING, self._look_after_beginning)
        code = await self._over
        await self._connection.close()
        return code

    def _tell_waiting(self) -> None:
        if self._job["scheduler"] is not None:  # a cluster of our own only takes its time
            self._remark(f"waits for the scheduler at {self._where}")

    @property
    def _where(self) -> str:
        return self._job["scheduler"] or "a cluster of its own"

    def _give_up(self, words: str) -> int:
        self._tell({"kind": "unloadable", "message": words})
        return 1

    # The engine.

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            message = self._channel.receive()
            loop.call_soon_threadsafe(self._obey, message)
            if message is None:
                return

    def _obey(self, message: Mapping[str, Any] | None) -> None:
        if message is None:
            self._end(0)  # the engine is gone
        elif message["kind"] == "signal":
            self._replicas.signal(message["signal"])
        else:
            self._replicas.tell(message)
            self._end_if_ended()

    def _tell(self, message: Mapping[str, Any]) -> None:
        self._channel.send({"job": self._name, **message})

    def _remark(self, words: str) -> None:
        self._tell({"kind": "remark", "message": words})

    # The cluster.

    async def _connect(self) -> Connection:
        connection = Connection(self._job["scheduler"], self._job["replicas"], self._hear, self._remark, self._spawn)
        await connection.open(self._topic)
        self._submit(connection, self._replicas.unended)
        return connection

    async def _keep_connected(self) -> None:
        """See when the scheduler is gone; when there is one again the replicas begin anew there."""
        while True:
            assert self._connection is not None
            await self._connection.lost()
            if self._over.done():
                return  # we are leaving it
            self._remark(
                f"the scheduler at {self._where} is gone, and the replicas' state with it: they begin anew when it is "
                "back, with the newest config"
            )
            self._replicas.lose_all()
            self._end_if_ended()
            while True:
                try:
                    self._connection = await self._connect()
                    break
                except (OSError, asyncio.TimeoutError):
                    await asyncio.sleep(AGAIN)  # nobody tells of a scheduler that begins to listen
            self._remark(f"the scheduler at {self._where} is back")

    def _submit(self, connection: Connection, replicas: list[Replica]) -> None:
        source = _SOURCE.read_text()
        for one in replicas:
            one.key = f"{self._topic}-{one.rank}-{next(self._numbers)}"
            order = {**self._order, "rank": one.rank, "key": one.key}
            self._spawn(self._see_through(one, connection, source, order))

    async def _see_through(self, one: Replica, connection: Connection, source: str, order: dict[str, Any]) -> None:
        """Run one replica on the cluster, again where the cluster itself has given it up."""
        try:
            await connection.run(order["key"], source, order)
        except SchedulerGone:
            return  # begun anew with the next connection
        except Exception as error:
            if one.code is None and one.key == order["key"]:
                print_traceback(error)
                self._tell({"kind": "unloadable", "message": f"replica {one.rank} can't run there: {describe(error)}"})
                self._replicas.ended(one, 1)
                self._end_if_ended()
            return
        if one.code is None and one.key == order["key"]:
            self._replicas.lose([one], time.monotonic())
            self._end_if_ended()
            if one.code is None:
                self._submit(connection, [one])

    def _hear(self, message: Mapping[str, Any]) -> None:
        """Take what the cluster's scheduler tells."""
        now = time.monotonic()
        if "removed" in message:
            self._replicas.lose([one for one in self._replicas.all if one.worker == message["removed"]], now)
            self._end_if_ended()
            self._count_soon()
            return
        one = self._replicas.all[message["rank"]]
        for kind, value in message["items"]:
            if kind == "start":
                self._replicas.started(one.rank, message["key"], message["attempt"], value, now)
            elif message["attempt"] == one.attempt:
                self._take(one, kind, value, now)
        self._end_if_ended()
        self._count_soon()

    def _take(self, one: Replica, kind: str, value: Any, now: float) -> None:
        if kind == "wrote":
            self._write(self._replicas.wrote(one, value))
        elif kind == "said":
            said = json.loads(value)
            if said["kind"] == "sources":
                said["files"] = [str(self._base / file) for file in said["files"]]
            self._replicas.said(one, said, now)
        elif kind == "exit":
            self._write(self._replicas.wrote(one, "\n") if one.rest else "")
            self._replicas.ended(one, value)

    def _write(self, text: str) -> None:
        if text:
            self._tell({"kind": "wrote", "text": text})

    def _post(self, one: Replica, item: Mapping[str, Any]) -> None:
        if self._connection is not None and one.attempt is not None:
            self._connection.put(f"{self._topic}-{one.attempt}", dict(item))

    def _count_soon(self) -> None:
        if self._counting is None:
            self._counting = asyncio.get_running_loop().call_later(COUNTING, self._count)

    def _count(self) -> None:
        self._counting = None
        self._replicas.count()
        if self._connection is not None:
            live = [one.attempt for one in self._replicas.all if one.attempt is not None]
            self._connection.keep({f"{self._topic}-{attempt}" for attempt in live})

    def _look_after_beginning(self) -> None:
        late = [one.rank for one in self._replicas.unended if one.attempt is None]
        if late:
            self._remark(
                f"{len(late)} of {len(self._replicas.all)} replicas have not begun within {BEGINNING:g} s: the cluster "
                f"at {self._where} has no worker with a free thread for them"
            )

    # The end.

    def _end_if_ended(self) -> None:
        if not self._replicas.unended:
            self._end(self._replicas.code)

    def _end(self, code: int) -> None:
        if not self._over.done():
            self._over.set_result(code)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let something run beside; what goes wrong in it ends the job."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finish)
        return task

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._over.done():
            self._over.set_exception(error)
