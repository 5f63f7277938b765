"""One replica of a task, in a thread of one of the cluster's workers. Its source travels there and is executed.

The task itself runs in a process below the Dask worker, in the program that every task runs in (`tui.worker`): so
replicas share neither modules nor output nor the interpreter's lock, and one that does not end can be killed without
the Dask worker. This thread carries messages between that process and the cluster: configs by a `distributed.Queue`
and `distributed.Event`, everything back by the scheduler's events. It needs Dask and the standard library of Python
3.8, and has no name in `sys.modules`: what another deck has left there does not matter.

What comes in the queue is ``{"message": bytes}`` for the process, ``{"signal": n}`` for all of it,
``{"speaks": bool}``: its metrics are those of the job, or ``{"end": true}``.
What goes back is a dict of rank, attempt and ``items``, each a pair: ``said`` with a line of JSON, ``wrote`` with text,
``start`` with the address of the worker, ``exit`` with the code.
"""

from __future__ import annotations

import asyncio
import codecs
import io
import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from typing import Any, Callable, Dict, List, Optional

#: Seconds between two looks whether anybody still wants this replica.
LOOK = 0.5

#: Seconds for which output and metrics are gathered.
GATHER = 0.05

#: Bytes of output that one event carries.
PART = 1 << 16

#: Bytes of output a second that a replica may write for long; one that writes more waits.
RATE = 1 << 20

_BULK = ("metrics", "block")
_WANTED = ("executing", "long-running")


class Attempt:
    """One attempt to run a replica: a worker that is killed has begun one, and another worker begins the next.

    Args:
        order: topic, rank, key (of the Dask task), cargo (a zip), cwd (in it), env.
    """

    def __init__(self, order: Dict[str, Any]) -> None:
        from distributed import Event, Queue, get_client, get_worker

        self._order = order
        self._worker: Any = get_worker()
        self._attempt = uuid.uuid4().hex
        client = get_client()
        # One queue an attempt: the `get` of a worker that was killed goes on in the scheduler, and takes an item.
        name = f"{order['topic']}-{self._attempt}"
        self._queue = Queue(name, client=client)
        self._event = Event(name, client=client)
        self._items: List[Any] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._sent_at = 0.0
        self._allowance, self._metered = 4.0 * RATE, time.monotonic()
        self._speaks = False
        self._loop = client.loop.asyncio_loop
        self._unsent = bytearray()
        self._writing = threading.Lock()
        self._code: Any = None
        self._done = False

    def run(self) -> None:
        """Run the process to its end."""
        from distributed import secede

        secede()  # or replicas beyond the worker's threads would never begin
        with tempfile.TemporaryDirectory(prefix="tunedeck-", dir=self._worker.local_directory) as folder:
            with zipfile.ZipFile(io.BytesIO(self._order["cargo"])) as cargo:
                cargo.extractall(folder)
            self._start(folder)
            self._item("start", self._worker.address)
            self._send()
            asyncio.run_coroutine_threadsafe(self._receive(), self._loop)
            try:
                self._carry()
            finally:
                self._done = True
                self._control.close()  # the shim ends whatever is left
                self._process.wait()
                self._channel.close()
                self._output.close()
        if self._wanted():
            self._item("exit", self._code)
            self._send()
        if self._worker_lives():
            asyncio.run_coroutine_threadsafe(self._leave(), self._loop)  # it may never be answered

    def _start(self, folder: str) -> None:
        self._folder = folder
        self._control, shim_end = socket.socketpair()
        self._channel, worker_end = socket.socketpair()
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        self._channel.setblocking(False)
        self._output = os.fdopen(reading, "rb", buffering=0)
        program = os.path.join(folder, "tunedeck", "tui", "worker", "__main__.py")
        scheduler = {"DASK_SCHEDULER_ADDRESS": self._worker.scheduler.address}  # where `Client()` finds the cluster
        try:
            self._process = subprocess.Popen(
                [sys.executable, program, str(shim_end.fileno()), "0", "-", str(worker_end.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                pass_fds=(shim_end.fileno(), worker_end.fileno()),
                start_new_session=True,
                cwd=os.path.normpath(os.path.join(folder, "job", self._order["cwd"])),
                env={**_environment(), **scheduler, **self._order["env"]},
            )
        finally:
            shim_end.close()
            worker_end.close()
            os.close(writing)

    async def _receive(self) -> None:
        """Hand on what comes by the queue and the event: cleared first, drained second.

        It runs in the Dask worker's event loop, where a call needs no switch of threads.
        """
        while True:
            await self._event.wait()  # without a limit: each that runs out is an error in the scheduler's log
            await self._event.clear()
            if self._done:
                self._queue.close()
                return
            for items in await self._queue.get(batch=True):
                for item in items:
                    self._obey(item)

    async def _leave(self) -> None:
        await self._event.set()  # `_receive` waits for it

    def _obey(self, item: Dict[str, Any]) -> None:
        if "message" in item:
            self._hand_on(item["message"])
        elif "speaks" in item:
            self._speaks = item["speaks"]
        elif "signal" in item:
            self._tell_shim({"signal": item["signal"], "alone": False})
        else:
            self._tell_shim(None)

    def _tell_shim(self, message: Optional[Dict[str, Any]]) -> None:
        """Say something to the shim, or hang up, upon which it ends all."""
        try:
            if message is None:
                self._control.shutdown(socket.SHUT_RDWR)
            else:
                self._control.sendall(json.dumps(message).encode() + b"\n")
        except OSError:  # it has just ended
            pass

    def _hand_on(self, data: bytes = b"") -> None:
        """Write to the process what it takes now, the rest when it takes more: nothing here may wait for it."""
        with self._writing:
            self._unsent += data
            try:
                while self._unsent:
                    del self._unsent[: self._channel.send(self._unsent)]
            except BlockingIOError:
                pass
            except OSError:  # it has just ended
                self._unsent.clear()

    def _carry(self) -> None:
        """Carry what the process says and writes to the cluster, until nothing of it is left."""
        selector = selectors.DefaultSelector()
        control = _Lines(self._control, self._hear_shim)
        takes: Dict[Any, Callable[[], bool]] = {
            self._control: control.read,
            self._channel: _Lines(self._channel, self._hear).read,
            self._output: lambda: self._read_output() != b"",
        }
        for source in takes:
            selector.register(source, selectors.EVENT_READ)
        looked = time.monotonic()
        while not control.ended:
            for key, _ in selector.select(GATHER if self._items else LOOK):
                if not takes[key.fileobj]():
                    selector.unregister(key.fileobj)
            if self._unsent:
                self._hand_on()
            now = time.monotonic()
            if self._items and now - self._sent_at >= GATHER:
                self._send()
            if now - looked >= LOOK:
                looked = now
                if not self._wanted():
                    return
        while self._read_output():
            pass
        self._send()

    def _hear_shim(self, line: bytes) -> None:
        told = json.loads(line)
        if "exit" in told:
            self._code = told["exit"]
        elif "refused" in told:
            self._item("said", json.dumps({"kind": "refused", "message": told["refused"]}))

    def _hear(self, line: bytes) -> None:
        kind = json.loads(line)["kind"]
        if kind in _BULK:
            if self._speaks:  # only one replica's are kept
                self._item("said", line.decode())
            return
        if kind == "loaded":  # what was written until now was written by the import
            self._read_output()
        self._item("said", self._named(line) if kind == "sources" else line.decode())
        self._send()

    def _named(self, line: bytes) -> str:
        """Return a message with the files of the task as they are called in the cargo; others are not its own."""
        message, top = json.loads(line), os.path.join(os.path.realpath(self._folder), "job", "")
        files = [os.path.realpath(file) for file in message["files"]]
        message["files"] = [file[len(top) :] for file in files if file.startswith(top)]
        return json.dumps(message)

    def _read_output(self) -> Any:
        """Take what has been written; return it, None where nothing has been, and nothing at its end."""
        data = self._output.read(PART)
        if data is not None:
            text = self._decoder.decode(data, final=not data)
            if text:
                self._item("wrote", text)
                self._slow_down(len(data))
        return data

    def _slow_down(self, size: int) -> None:
        """Let one wait that writes more than a cluster should carry."""
        now = time.monotonic()
        self._allowance = min(4.0 * RATE, self._allowance + (now - self._metered) * RATE) - size
        self._metered = now
        if self._allowance < 0:
            self._send()
            time.sleep(-self._allowance / RATE)

    def _wanted(self) -> bool:
        """Return whether the cluster still wants this: its client is there, and its worker goes on.

        A task that was cancelled runs on otherwise, and so does one whose worker has lost the scheduler.
        """
        task = self._worker.state.tasks.get(self._order["key"])
        return self._worker_lives() and task is not None and task.state in _WANTED

    def _worker_lives(self) -> bool:
        return self._worker.status.name in ("running", "paused", "closing_gracefully")

    def _item(self, kind: str, value: Any) -> None:
        self._items.append([kind, value])

    def _send(self) -> None:
        items, self._items = self._items, []
        self._sent_at = time.monotonic()
        about = {"rank": self._order["rank"], "key": self._order["key"], "attempt": self._attempt}
        if items:
            self._worker.log_event(self._order["topic"], {**about, "items": items})


def _environment() -> Dict[str, str]:
    """Return the Dask worker's, but for a deck that it may stand in itself."""
    return {name: value for name, value in os.environ.items() if name != "TUNEDECK"}


class _Lines:
    """Lines from a socket."""

    def __init__(self, connection: socket.socket, handle: Callable[[bytes], None]) -> None:
        self.ended = False
        self._socket = connection
        self._handle = handle
        self._rest = b""

    def read(self) -> bool:
        """Handle the lines that have come; return False at the end."""
        try:
            data = self._socket.recv(PART)
        except ConnectionResetError:
            data = b""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._handle(line)
        self.ended = not data
        return bool(data)


if "order" in globals():  # executed by the cluster
    Attempt(globals()["order"]).run()
