"""The engine's end of its connections to viewers.

A viewer that does not read never holds up anything: news that must arrive waits in its list, of what is only a
current value (metrics, the running version, the document) just the latest waits, and log lines are not queued at
all: the viewer has a cursor in each job's scrollback. One that has fallen far behind goes on with the newest lines; it
sees by their numbers how many it has missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from tui.engine.paths import PlaceError
from tui.engine.reloads.candidate import AUTHOR
from tui.engine.scrollback import Output, Scrollback
from tui.protocol import codec, messages
from tui.protocol.messages import Command, Event, Hello, Message, Reply

#: Seconds from one sending of lines and metrics to the next, so that a chatty job costs one message, not a thousand:
#: as often as a viewer draws them, but sooner where one job writes so many lines that they would jump by.
_BATCH_AFTER = 0.2
_SOON = 0.05
_MUCH = 200

#: Seconds from the first of them after a silence to their sending: a step mostly comes with a line.
_GATHER = 0.01

#: So many bytes of a log are sent at a time: ten million a second, which a viewer takes without a stall.
_BATCH = 1 << 19

#: Messages go out together, so many bytes at a time: each sending wakes the viewer.
_PACKET = 1 << 16

#: A viewer that is so many bytes behind goes on with so many of the newest, and gets no more before they were drawn:
#: nobody reads a flood, and its keys should not wait for it. A shorter burst it gets as a whole.
_TOO_FAR = 1 << 22
_OF_A_FLOOD = 1 << 17

#: Seconds that a viewer has at the end of the engine to take what is waiting for it.
_LAST_WORDS = 1.0

#: So many viewers may wait to be let in while the engine is busy.
_BACKLOG = 100

#: Events of which only the latest counts, as of metrics.
_CURRENT = (messages.Running, messages.Document)

#: Events that belong to a place in the log: the lines that came before them are sent before them.
_PLACED = (messages.State, messages.Reload)

#: All that a brief visitor wants to know.
_BRIEF = (messages.JobInfo, messages.State, messages.Running)

Obey = Callable[[Command], Awaitable[Reply]]


class Talker(Protocol):
    """A job or a host, as far as it is served."""

    name: str


class _LinesBefore(NamedTuple):
    """Stands among the news for the lines of a job up to a number."""

    job: str
    end: int
    whole: bool = False


class Viewer:
    """One connection, and what is still to be sent over it.

    Attributes:
        whole: It shows all that there is, and takes answers of its user.
    """

    def __init__(self, writer: asyncio.StreamWriter, scrollbacks: dict[str, Scrollback], *, whole: bool) -> None:
        self.whole = whole
        self._writer = writer
        self._scrollbacks = scrollbacks
        self._cursors = dict.fromkeys(scrollbacks, 0)
        self._begun = dict.fromkeys(scrollbacks, "")
        self._news: list[Message | _LinesBefore] = []
        self._current: dict[tuple[str, str], Event] = {}
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._behind = False
        self._due = False
        self._flooded = False
        self._next = 0.0
        self._ending = False
        self._packed = bytearray()  # what goes out with the next packet

    def begin(self, name: str) -> None:
        """Send the lines of a new scrollback from its first on."""
        self._cursors[name], self._begun[name] = 0, ""

    def end(self) -> None:
        """Have `send` return once all that is waiting has been sent."""
        self._ending = True
        self._wake.set()

    def post(self, message: Message) -> None:
        """Have `message` sent; of some kinds only the latest. Output will be seen in the scrollback."""
        if isinstance(message, (Output, messages.Metrics, messages.Measured)):
            if not isinstance(message, Output):
                self._current[message.KIND, message.job] = message
            if not self._behind:  # in a flood this comes ten thousand times a second
                self._plan()
            return
        if isinstance(message, _CURRENT):
            self._current[message.KIND, message.job] = message
        else:
            if isinstance(message, _PLACED) and message.job in self._scrollbacks:
                self._news.append(_LinesBefore(message.job, self._scrollbacks[message.job].end))
            self._news.append(message)
        self._wake.set()

    def welcome(self, snapshot: Iterable[Message]) -> None:
        """Have all that is known sent, the scrollbacks too, and `Ready` after it."""
        self._news.extend(snapshot)
        self._news += [_LinesBefore(name, lines.end, whole=True) for name, lines in self._scrollbacks.items()]
        self._news.append(messages.Ready())
        self._behind = True
        self._come_due()

    async def send(self) -> None:
        """Send what is to be sent, until the connection ends or `end` was called."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            ending = self._ending
            await self._send_news()
            if self._behind and (ending or self._due):
                self._behind = self._due = self._flooded = False
                most = 0
                for name, lines in list(self._scrollbacks.items()):
                    first = self._cursors[name]
                    await self._send_lines(_LinesBefore(name, lines.end), _BATCH)
                    most = max(most, self._cursors[name] - first)
                    self._behind |= self._cursors[name] < lines.end
                    await self._send_begun(name, lines)
                much = (self._behind or most >= _MUCH) and not self._flooded
                self._next = self._loop.time() + (_SOON if much else _BATCH_AFTER)
                if self._behind:
                    self._plan()
            await self._flush()
            if ending:
                if not self._behind:
                    return
                self._wake.set()

    def _plan(self) -> None:
        """Send what comes all the time as soon as it is due."""
        self._behind = True
        self._loop.call_at(max(self._next, self._loop.time() + _GATHER), self._come_due)

    def _come_due(self) -> None:
        self._due = True
        self._wake.set()

    async def _send_news(self) -> None:
        news, self._news = [*self._news, *self._current.values()], []
        self._current = {}
        for item in news:
            if isinstance(item, _LinesBefore):
                await self._send_lines(item, _TOO_FAR)
            else:
                await self._send(item)

    async def _send_lines(self, before: _LinesBefore, most: int) -> None:
        lines = self._scrollbacks.get(before.job)
        if lines is None or before.end > lines.end:
            return  # the job has gone; of one in its place other lines come
        cursor = self._cursors[before.job]
        if not before.whole and cursor < lines.newest(_TOO_FAR, cursor):
            cursor = min(lines.newest(_OF_A_FLOOD), before.end)
            self._flooded = True
        while most > 0 and cursor < before.end and (block := lines.block(cursor)) is not None:
            cursor = block.end
            most = most if before.whole else most - len(block.data)
            self._begun[before.job] = ""  # as the viewer sees it now
            await self._send(block.lines(before.job))
            await asyncio.sleep(0)  # a whole scrollback takes a while to encode
        self._cursors[before.job] = max(cursor, self._cursors[before.job])

    async def _send_begun(self, name: str, lines: Scrollback) -> None:
        text = lines.begun if self._cursors[name] == lines.end else ""
        if text != self._begun[name]:
            self._begun[name] = text
            await self._send(messages.Begun(name, text))

    async def _send(self, message: Message) -> None:
        self._packed += codec.encode(message)
        if len(self._packed) >= _PACKET:
            await self._flush()

    async def _flush(self) -> None:
        packed, self._packed = bytes(self._packed), bytearray()
        self._writer.write(packed)
        await self._writer.drain()


class Server:
    """Listens on a unix socket and serves every viewer that comes.

    Args:
        hello: The greeting.
        snapshot: Returns all that is known, for a new viewer.
        obey: Carries out a command.
    """

    def __init__(self, hello: Hello, snapshot: Callable[[], Iterable[Message]], obey: Obey) -> None:
        self._hello = hello
        self._scrollbacks: dict[str, Scrollback] = {}
        self._snapshot = snapshot
        self._obey = obey
        self._viewers: set[Viewer] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._senders: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._own: os.stat_result | None = None  # the socket, which nobody may take for another one in its place

    async def open(self, path: Path, scrollbacks: dict[str, Scrollback]) -> None:
        """Listen at `path` and serve the scrollback of each job.

        What a dead engine has left at `path` is replaced.

        Raises:
            PlaceError: An engine with other configs has been started with the same deck file.
            OSError: It can't be listened there.
        """
        self._scrollbacks = scrollbacks
        await self._listen_at(path)

    @property
    def watched(self) -> bool:
        """Somebody looks at all of it, and can be asked."""
        return any(viewer.whole for viewer in self._viewers)

    def add(self, name: str, lines: Scrollback) -> None:
        """Serve one more scrollback, or a new one in the place of another."""
        if self._scrollbacks.get(name) is not lines:
            self._scrollbacks[name] = lines
            for viewer in self._viewers:
                viewer.begin(name)

    def remove(self, talker: Talker) -> None:
        """Serve the scrollback of one no longer that has gone."""
        self._scrollbacks.pop(talker.name, None)

    async def restore(self, path: Path) -> None:
        """Listen anew where viewers look, if the socket has been deleted, or they look at another place by now."""
        if self._server is None or self._listens_at(path):
            return
        former = self._server
        await self._listen_at(path)
        former.close()

    def _listens_at(self, path: Path) -> bool:
        try:
            return self._own is not None and os.path.samestat(path.lstat(), self._own)
        except FileNotFoundError:
            return False

    async def _listen_at(self, path: Path) -> None:
        if _is_served(path):
            raise PlaceError(f"another engine listens at {path}; `tunedeck ls` shows it")
        # It takes its place when it listens: before, it would be taken for the socket of a dead engine and removed.
        new = path.with_suffix(f".{secrets.token_hex(4)}")
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(str(new))
            listener.listen(_BACKLOG)
            self._own = new.lstat()
            new.replace(path)
        except BaseException:
            listener.close()
            new.unlink(missing_ok=True)
            raise
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=codec.LIMIT, backlog=_BACKLOG)
        self._path = path

    def refuse(self) -> None:
        """Let no more viewers in."""
        if self._server is not None and self._path is not None:
            self._server.close()
            if self._listens_at(self._path):
                self._path.unlink(missing_ok=True)

    async def close(self) -> None:
        """Send what is waiting, then end every connection. A viewer that hangs is not waited for."""
        self.refuse()
        for viewer in self._viewers:
            viewer.end()
        if self._senders:
            await asyncio.wait(self._senders, timeout=_LAST_WORDS)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def post(self, message: Message) -> None:
        """Send `message` to every viewer."""
        for viewer in self._viewers:
            viewer.post(message)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._talk(reader, writer)
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass  # the viewer or the engine goes away, or a line has no end; the other side sees the end of the stream
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), _LAST_WORDS)
            writer.transport.abort()  # a viewer that does not read would keep the rest, and us, forever

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting = _decode(await reader.readline())
        writer.write(codec.encode(self._hello))
        if not isinstance(greeting, Hello) or greeting.protocol != messages.PROTOCOL:
            return
        whole = not greeting.brief
        viewer = Viewer(writer, self._scrollbacks if whole else {}, whole=whole)
        viewer.welcome(item for item in self._snapshot() if not greeting.brief or isinstance(item, _BRIEF))
        self._viewers.add(viewer)
        sender = asyncio.create_task(viewer.send())
        self._senders.add(sender)
        try:
            await self._listen(reader, viewer, greeting.who)
        finally:
            self._viewers.discard(viewer)
            self._senders.discard(sender)
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _listen(self, reader: asyncio.StreamReader, viewer: Viewer, who: str) -> None:
        running: set[asyncio.Task[None]] = set()
        while line := await reader.readline():
            command = _decode(line)
            if isinstance(command, Command):
                # A command may take as long as a job takes to stop; the next one does not wait for it.
                task = asyncio.create_task(self.answer(command, viewer, who))
                running.add(task)
                task.add_done_callback(running.discard)

    async def answer(self, command: Command, viewer: Viewer, who: str = "") -> None:
        """Obey a command and answer it, whatever goes wrong."""
        AUTHOR.set(who)
        try:
            reply = await self._obey(command)
        except Exception as error:
            viewer.post(Reply(command.id, ok=False, message=f"this went wrong in the engine: {error!r}", code="error"))
            raise  # into the engine's log
        viewer.post(reply)


def _is_served(path: Path) -> bool:
    """Return whether an engine listens at a socket, even if it hangs."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except BlockingIOError:  # many wait for it already
            pass
    return True


def _decode(line: bytes) -> Message | None:
    try:
        return codec.decode(line)
    except ValueError:
        return None  # not our protocol: the greeting fails, or the command is none
