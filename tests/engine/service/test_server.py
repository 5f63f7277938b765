from __future__ import annotations

import asyncio
import dataclasses
import gc
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE
from tui.cli import client
from tui.engine.scrollback import Scrollback
from tui.engine.service.server import Server
from tui.protocol import codec, messages


async def obey(command: messages.Command) -> messages.Reply:
    return messages.Reply(command.id, ok=True)


async def test_a_socket_is_in_its_place_only_once_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else somebody who looks for engines takes it for that of a dead one, and removes it."""
    real = socket.socket.listen
    asked: list[object] = []

    def listen(self: socket.socket, *arguments: Any) -> None:
        if not asked:  # asyncio has it listen once more
            asked.append(client.greet_deck(path))
        real(self, *arguments)

    monkeypatch.setattr(socket.socket, "listen", listen)
    with tempfile.TemporaryDirectory(prefix="tunedeck-test-", dir="/tmp") as folder:
        path = Path(folder, "deck.sock")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        server = Server(messages.Hello(messages.PROTOCOL), lambda: (), obey)
        await server.open(path, {})
        assert asked == [None]
        assert [item.name for item in Path(folder).iterdir()] == ["deck.sock"]
        await server.close()
        assert list(Path(folder).iterdir()) == []


async def test_a_viewer_that_does_not_read_does_not_hold_up_the_end() -> None:
    with tempfile.TemporaryDirectory(prefix="tunedeck-test-", dir="/tmp") as folder:
        path = Path(folder, "deck.sock")
        server = Server(messages.Hello(messages.PROTOCOL), lambda: (), obey)
        await server.open(path, {})
        reader, writer = await asyncio.open_unix_connection(path, limit=1_000)
        writer.write(codec.encode(messages.Hello(messages.PROTOCOL)))
        while not isinstance(codec.decode(await reader.readuntil()), messages.Ready):
            pass
        for _ in range(100):
            server.post(messages.Notice("job", "." * 10_000))
        await asyncio.wait_for(server.close(), PATIENCE)
        writer.close()


async def test_a_command_that_fails_in_the_engine_is_answered() -> None:
    async def fail(_: messages.Command) -> messages.Reply:
        raise KeyError("no such thing")

    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    with tempfile.TemporaryDirectory(prefix="tunedeck-test-", dir="/tmp") as folder:
        path = Path(folder, "deck.sock")
        server = Server(messages.Hello(messages.PROTOCOL), lambda: (), fail)
        await server.open(path, {})
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(codec.encode(messages.Hello(messages.PROTOCOL)) + codec.encode(messages.Stop(7, "job")))
        while not isinstance(reply := codec.decode(await reader.readuntil()), messages.Reply):
            pass
        assert (reply.id, reply.ok, reply.code) == (7, False, "error")
        assert "no such thing" in reply.message
        writer.close()
        await server.close()
    gc.collect()
    assert [type(context["exception"]) for context in told] == [KeyError]


async def test_a_brief_visitor_gets_neither_output_nor_history() -> None:
    row = messages.Reload("job", 1, "applied", "start")
    known = (messages.JobInfo("job", "a:b", "c"), messages.State("job", "running"), row, messages.Running("job", 1))
    with tempfile.TemporaryDirectory(prefix="tunedeck-test-", dir="/tmp") as folder:
        path = Path(folder, "deck.sock")
        server = Server(messages.Hello(messages.PROTOCOL), lambda: known, obey)
        lines = Scrollback()
        lines.write(b"a line\n", 1, 0.0)
        await server.open(path, {"job": lines})
        kinds: list[list[str]] = []
        for brief in (True, False):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(codec.encode(messages.Hello(messages.PROTOCOL, brief=brief)))
            kinds.append([])
            while kinds[-1][-1:] != ["ready"]:
                message = codec.decode(await reader.readline())
                assert message is not None
                kinds[-1].append(message.KIND)
            if brief:
                server.post(dataclasses.replace(row, version=2))
                message = codec.decode(await reader.readline())
                assert message is not None
                assert message.KIND == "reload"  # what comes from now on it hears
            writer.close()
        await server.close()
    assert kinds == [
        ["hello", "job", "state", "running", "ready"],
        ["hello", "job", "state", "reload", "running", "lines", "ready"],
    ]
