"""The viewer's end of the connection to the engine."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

from tui.protocol import codec, messages

#: How a part of the viewer asks the engine.
Request = Callable[[messages.Command], Awaitable[messages.Reply]]

#: The screen gets its turn at least this often while a lot arrives.
SLICE = 0.02


class RefusedError(ConnectionError):
    """The engine can't be talked to; the message says why and what to do."""


class Client:
    """A connection to an engine: events come in through `receive`, commands go out through `request`."""

    def __init__(self, path: Path, receive: Callable[[messages.Message], None]) -> None:
        self._path = path
        self._receive = receive
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[messages.Reply]] = {}
        self._last_id = 0
        self.closed = False

    async def run(self) -> None:
        """Connect, greet, and pass on what comes until the engine closes the connection.

        Raises:
            RefusedError: The engine can't be reached, or speaks another protocol.
            OSError: The connection broke.
        """
        try:
            reader, self._writer = await asyncio.open_unix_connection(self._path, limit=codec.LIMIT)
        except OSError as error:
            self.closed = True
            raise RefusedError(f"no engine answers at {self._path}: {error.strerror or error}") from error
        try:
            self._writer.write(codec.encode(messages.Hello(messages.PROTOCOL, who=os.environ.get(messages.WHO, ""))))
            await self._greet(reader)
            await self._read(reader)
        finally:
            self._close()

    async def request(self, command: messages.Command) -> messages.Reply:
        """Send a command, its id chosen here, and wait for the reply.

        Raises:
            ConnectionError: The engine is gone.
        """
        writer = self._writer
        if writer is None or self.closed:
            raise ConnectionError("there is no connection to the engine")
        self._last_id += 1
        number = self._last_id
        future: asyncio.Future[messages.Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            writer.write(codec.encode(dataclasses.replace(command, id=number)))
            await writer.drain()
            return await future
        finally:
            del self._waiting[number]

    async def _greet(self, reader: asyncio.StreamReader) -> None:
        line = await reader.readline()
        hello = codec.decode(line) if line else None
        if not isinstance(hello, messages.Hello):
            raise RefusedError("the engine closed the connection without a greeting")
        if hello.protocol != messages.PROTOCOL:
            raise RefusedError(
                f"the engine speaks protocol {hello.protocol}, this viewer {messages.PROTOCOL}: "
                "attach with the tunedeck that started the deck"
            )
        self._receive(hello)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        breath = monotonic()
        while line := await reader.readline():
            if not line.endswith(b"\n"):
                return
            message = codec.decode(line)
            if isinstance(message, messages.Reply):
                if (future := self._waiting.get(message.id)) is not None and not future.done():
                    future.set_result(message)
            elif message is not None:
                self._receive(message)
            # Lines that are buffered already come without a pause, and would keep the screen from its turn.
            if monotonic() - breath > SLICE:
                await asyncio.sleep(0)
                breath = monotonic()

    def _close(self) -> None:
        self.closed = True
        if self._writer is not None:
            self._writer.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("the engine ended before it answered"))
