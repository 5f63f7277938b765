"""`on_event` of a deck: a program of the user's that is told of every event but lines and metrics, as JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tui import wording
from tui.engine.deck.spec import Deck
from tui.protocol import codec, messages
from tui.protocol.messages import Event

#: Bytes that wait for it; events beyond them are dropped, and counted where they are missing.
WAITING = 1 << 20

#: Seconds that it gets at the end to read what is left.
LAST_WORDS = 2.0

#: What it is told of.
TOLD = (
    messages.State,
    messages.Reload,
    messages.Judged,
    messages.Noted,
    messages.Notice,
    messages.DeckChange,
    messages.Gone,
)


class EventCommand:
    """The program, from the start of the deck to its end.

    Args:
        command: For a shell.
        folder: Where it runs.
        emit: Takes why it is told of nothing any more.
    """

    def __init__(self, command: str, folder: Path, emit: Callable[[Event], None]) -> None:
        self._command = command
        self._folder = folder
        self._emit = emit
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._dropped = 0
        self._closing = False

    async def start(self) -> None:
        """Start it."""
        self._process = await asyncio.create_subprocess_shell(
            self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self._folder,
            start_new_session=True,
        )
        self._watch = asyncio.create_task(self._await_end(self._process))

    def put(self, event: Event) -> None:
        """Tell it of an event, if it is one for it; never waits."""
        if not isinstance(event, TOLD) or (isinstance(event, messages.Judged) and event.verdict is None):
            return
        writer = self._process.stdin if self._process is not None else None
        if writer is None or writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > WAITING:
            self._dropped += 1
            return
        self._tell_dropped(writer)
        writer.write(codec.encode(event))

    def _tell_dropped(self, writer: asyncio.StreamWriter) -> None:
        if self._dropped:
            writer.write(codec.encode(messages.Dropped("", self._dropped, time=time.time())))
            self._dropped = 0

    async def close(self) -> None:
        """End it: it sees the end of its input, and is killed if it goes on."""
        if self._process is None or self._watch is None:
            return
        self._closing = True
        if (writer := self._process.stdin) is not None:
            if not writer.is_closing():
                self._tell_dropped(writer)
            writer.close()
        await asyncio.wait([self._watch], timeout=LAST_WORDS)
        with contextlib.suppress(ProcessLookupError):  # its children too
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._watch

    async def _await_end(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        if not self._closing:
            end = wording.exit_words(code)
            words = f"on_event: {self._command} {end}: it is told of nothing any more in this run of the deck"
            self._emit(messages.Notice("", words, "warning"))


async def begun(deck: Deck, emit: Callable[[Event], None]) -> EventCommand | None:
    """Start the program that a deck names, if it names one."""
    if not deck.on_event or deck.path is None:
        return None
    command = EventCommand(deck.on_event, deck.path.parent, emit)
    await command.start()
    return command
