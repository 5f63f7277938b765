"""A scripted engine: speaks the protocol on a unix socket and does what a test tells it to."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.events import Paste
from textual.pilot import Pilot

from tests.app import insides
from tests.patience import PATIENCE
from tui.app.app import DeckApp
from tui.app.job_view import JobView
from tui.app.textual_ext.terminal_input import TerminalInput
from tui.protocol import codec
from tui.protocol import messages as protocol_messages
from tui.protocol.messages import Change, Document, JobInfo, Lines, Metrics, Problem, Reload, Running, State

NOW = 1_790_000_000.0

TEXT = """\
# How the digits classifier learns.
lr: 0.05          # step size
batch: 64
momentum: 0.9
augment:
  shift: true
  noise: 0.1
layers: [64, 32]
name: "digits"
"""


def backlog(name: str = "digits", lines: int = 60) -> list[protocol_messages.Event]:
    """Return what an engine says of a job that has been running for a while."""
    newest = Change("lr", 0.08, 0.05), Change("momentum", None, 0.9, added=True)
    rows = [
        Reload(name, 1, "applied", "start", step=0, latency_ms=41.0, time=NOW - 620),
        Reload(name, 2, "applied", "editor", (Change("lr", 0.1, 0.08),), 1204, 4.2, time=NOW - 500),
        Reload(name, 3, "superseded", "disk", (Change("batch", 32, 48),), by=4, time=NOW - 410),
        Reload(name, 4, "applied", "disk", (Change("batch", 32, 64),), 5310, 12.7, time=NOW - 409),
        Reload(name, 5, "invalid", "editor", error=Problem("expected ':'", 3, 7), time=NOW - 300),
        Reload(name, 6, "rejected", "set", (Change("lr", 0.08, -1),), error=Problem("lr must be > 0"), time=NOW - 200),
        Reload(name, 7, "applied", "editor", newest, 9120, 3.9, time=NOW - 100),
    ]
    output = [f"epoch {n // 10 + 1:>3}  batch {n % 10 * 12:>4}  loss {0.9 / (n + 3) ** 0.5:.4f}" for n in range(lines)]
    parts = (0, output[:40], 4), (40, output[40:], 7)
    return [
        JobInfo(name, "tui.samples.digits:train", f"/home/ada/deck/{name}.yaml", time=NOW),
        State(name, "running", pid=4242, time=NOW - 620),
        Document(name, TEXT, "d7", time=NOW - 100),
        Running(name, 7, NOW - 100, differs=False, time=NOW - 100),
        *rows,
        *(Lines(name, first, "\n".join(part), version, time=NOW) for first, part, version in parts if part),
        Metrics(name, 9000, {"loss": 0.1402, "accuracy": 0.958}, time=NOW - 4),
        Metrics(name, 12250, {"loss": 0.1234, "accuracy": 0.9604}, time=NOW),
    ]


Answer = Callable[[protocol_messages.Command], protocol_messages.Reply]


def accept(command: protocol_messages.Command) -> protocol_messages.Reply:
    """Answer that all is well."""
    return protocol_messages.Reply(command.id, True)


def refuse(command: protocol_messages.Command) -> protocol_messages.Reply:
    """Answer that both have changed the same."""
    return protocol_messages.Reply(command.id, False, "both have changed the same lines", "conflict")


class FakeEngine:
    """Greets a viewer with a backlog, records its commands, and answers them as `answers` says."""

    def __init__(self, path: Path, *backlogs: list[protocol_messages.Event]) -> None:
        self.path = path
        self.protocol = protocol_messages.PROTOCOL
        self.backlogs = backlogs or (backlog(),)
        self.commands: list[protocol_messages.Command] = []
        # Nothing can be merged, unless a test says so.
        self.answers: dict[type[protocol_messages.Command], Answer] = {
            protocol_messages.Page: self.page,
            protocol_messages.Merge: refuse,
        }
        self.history: dict[int, Reload] = {}
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> FakeEngine:
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=64 << 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        assert self._server is not None
        self._server.close()

    def close(self) -> None:
        """End all connections, as an engine does that ends."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def send(self, *messages: protocol_messages.Message) -> None:
        """Send news to every viewer."""
        for writer in self._writers:
            writer.write(b"".join(map(codec.encode, messages)))

    def answer(
        self, kind: type[protocol_messages.Command], ok: bool = True, message: str = "", code: str = "", **data: Any
    ) -> None:
        """Answer commands of a kind in this way from now on."""
        self.answers[kind] = lambda command: protocol_messages.Reply(command.id, ok, message, code, data)

    def page(self, command: protocol_messages.Command) -> protocol_messages.Reply:
        """Answer with rows of the history, no more than an engine would."""
        assert isinstance(command, protocol_messages.Page)
        first = max(command.first, command.last - 199)
        rows = [codec.public(self.history[n]) for n in range(first, command.last + 1) if n in self.history]
        data = {"first": first, "rows": rows, "oldest": min(self.history, default=1)}
        return protocol_messages.Reply(command.id, True, data=data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (asyncio.CancelledError, ConnectionError):
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = codec.decode(await reader.readline())
        assert isinstance(hello, protocol_messages.Hello)
        assert hello.protocol == protocol_messages.PROTOCOL
        writer.write(codec.encode(protocol_messages.Hello(self.protocol, "deck", pid=1)))
        for messages in self.backlogs:
            writer.write(b"".join(map(codec.encode, messages)))
        writer.write(codec.encode(protocol_messages.Ready()))
        self._writers.append(writer)
        while line := await reader.readline():
            command = codec.decode(line)
            assert isinstance(command, protocol_messages.Command)
            self.commands.append(command)
            answer = self.answers.get(type(command), accept)
            if writer in self._writers:
                writer.write(codec.encode(answer(command)))

    @property
    def orders(self) -> list[protocol_messages.Command]:
        """What the user asked for: without what editor and overview ask by themselves."""
        asked = protocol_messages.Preview | protocol_messages.Detail | protocol_messages.Summary
        return [c for c in self.commands if not isinstance(c, asked)]

    def saves(self) -> list[protocol_messages.Save]:
        """Return the saves that came, without their ids."""
        return [dataclasses.replace(c, id=0) for c in self.commands if isinstance(c, protocol_messages.Save)]


@dataclasses.dataclass
class Deck:
    """A viewer under test with the engine that it talks to."""

    app: DeckApp
    pilot: Pilot[None]
    engine: FakeEngine
    step: int = 100_000

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` holds, for as long as no working viewer would take."""
        deadline, delay = time.monotonic() + PATIENCE, 0.005
        while not condition():
            assert time.monotonic() < deadline, insides.drawn_rows(self.app)
            await self.pilot.pause(delay)  # which asks every widget whether it is done
            delay = min(1.5 * delay, 0.05)
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        await self.pilot.press(*keys)

    def type(self, text: str) -> None:
        """Type a text, or what a terminal sends for other keys, in one go: no key waits for the one before it."""
        terminal = TerminalInput()
        for event in [*terminal.feed(text.encode(), 0), *terminal.expire(10)]:
            self.app.post_message(event)

    async def paste(self, text: str) -> None:
        """Paste a text where the focus is."""
        assert self.app.focused is not None
        self.app.focused.post_message(Paste(text))
        await self.pilot.pause()

    async def news(self, *messages: protocol_messages.Message) -> None:
        """Send news and wait until the viewer has drawn them; a metric behind them says when."""
        name = next(iter(self.app.jobs))
        self.step += 1
        self.engine.send(*messages, Metrics(name, self.step, {}, time=NOW))

        def drawn() -> bool:
            metrics = self.app.jobs[name].metrics
            return metrics is not None and metrics.step == self.step and not self.app.frames.pending

        await self.until(drawn)

    @property
    def view(self) -> JobView:
        """The panes on the screen."""
        view = self.app.main.view(self.app.main.current)
        assert view is not None
        return view

    @property
    def toasts(self) -> list[str]:
        """What was said in toasts."""
        return insides.toasts(self.app)

    def type_of_screen(self) -> str:
        """The name of the screen on top."""
        return type(self.app.screen).__name__
