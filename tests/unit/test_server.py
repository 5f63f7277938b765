from __future__ import annotations

import asyncio
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tui import events, remote, wire
from tui.engine.server import Server


async def obey(command: events.Command) -> events.Reply:
    return events.Reply(command.id, ok=True)


async def test_a_socket_is_in_its_place_only_once_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else somebody who looks for engines takes it for that of a dead one, and removes it."""
    real = socket.socket.listen
    asked: list[object] = []

    def listen(self: socket.socket, *arguments: Any) -> None:
        if not asked:  # asyncio has it listen once more
            asked.append(remote.ask(path))
        real(self, *arguments)

    monkeypatch.setattr(socket.socket, "listen", listen)
    with tempfile.TemporaryDirectory(prefix="tunedeck-test-", dir="/tmp") as folder:
        path = Path(folder, "deck.sock")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        server = Server(events.Hello(events.PROTOCOL), lambda: (), obey)
        await server.open(path, {})
        assert asked == [None]
        assert [item.name for item in Path(folder).iterdir()] == ["deck.sock"]
        await server.close()
        assert list(Path(folder).iterdir()) == []


async def test_a_viewer_that_does_not_read_does_not_hold_up_the_end() -> None:
    with tempfile.TemporaryDirectory(prefix="tunedeck-test-", dir="/tmp") as folder:
        path = Path(folder, "deck.sock")
        server = Server(events.Hello(events.PROTOCOL), lambda: (), obey)
        await server.open(path, {})
        reader, writer = await asyncio.open_unix_connection(path, limit=1_000)
        writer.write(wire.encode(events.Hello(events.PROTOCOL)))
        while not isinstance(wire.decode(await reader.readuntil()), events.Ready):
            pass
        for _ in range(100):
            server.post(events.Notice("job", "." * 10_000))
        await asyncio.wait_for(server.close(), 20)
        writer.close()
