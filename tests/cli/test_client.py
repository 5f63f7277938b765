from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui.cli import client
from tui.protocol import codec, messages


@pytest.fixture
def path() -> Iterator[Path]:
    """The place of a socket, whose path must be short."""
    folder = tempfile.mkdtemp(prefix="tunedeck-test-", dir="/tmp")
    yield Path(folder) / "deck.sock"
    shutil.rmtree(folder)


@pytest.fixture
def listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield server


def test_where_nothing_is_nobody_answers(path: Path) -> None:
    assert client.greet_deck(path) is None


def test_what_a_dead_engine_has_left_is_removed(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    assert client.greet_deck(path) is None
    assert not path.exists()


@pytest.mark.usefixtures("listening")
def test_an_engine_that_hangs_is_not_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_PATIENCE", 0.05)
    found = client.greet_deck(path)
    assert found == client.stop_deck(path) == client.HangingEngine(path, os.getpid())
    assert path.exists()
    assert "kill -CONT" in str(found)


def test_an_engine_that_takes_no_more_connections_hangs(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(10)]
        for connection in waiting:
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                connection.connect(str(path))
        found = client.greet_deck(path)
        for connection in waiting:
            connection.close()
    assert isinstance(found, client.HangingEngine)
    assert "look for its process" in str(found)
    assert path.exists()


def test_an_engine_that_hangs_after_it_was_told_to_stop_is_not_waited_for(
    path: Path, listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_PATIENCE", 0.2)

    def serve() -> None:
        connection = listening.accept()[0]
        with connection, connection.makefile("rwb") as stream:
            for _ in range(2):
                stream.readline()
            stream.write(codec.encode(messages.State("a", "running")))
            stream.flush()
            assert stream.read() == b""

    engine = threading.Thread(target=serve)
    engine.start()
    assert isinstance(client.stop_deck(path), client.HangingEngine)
    engine.join()


def test_an_engine_says_what_it_runs(path: Path, listening: socket.socket) -> None:
    said = [
        messages.Hello(messages.PROTOCOL, "deck", "/deck.yaml", 42),
        messages.JobInfo("a", "job.py:run", "/c.yaml"),
        messages.State("a", "running", pid=43),
        messages.Running("a", 7),
        messages.Ready(),
    ]

    def serve() -> None:
        connection = listening.accept()[0]
        with connection, connection.makefile("rwb") as stream:
            assert isinstance(codec.decode(stream.readline()), messages.Hello)
            stream.write(b"".join(map(codec.encode, said)))
            stream.flush()
            assert stream.read() == b""

    engine = threading.Thread(target=serve)
    engine.start()
    found = client.greet_deck(path)
    engine.join()
    assert isinstance(found, client.RunningEngine)
    assert (found.socket, found.hello) == (path, said[0])
    assert (found.jobs, found.states, found.versions) == ({"a": said[1]}, {"a": said[2]}, {"a": 7})


def test_stop_returns_when_the_engine_has_ended(path: Path, listening: socket.socket) -> None:
    got: list[messages.Message | None] = []

    def serve() -> None:
        connection = listening.accept()[0]
        with connection, connection.makefile("rwb") as stream:
            got.extend(codec.decode(stream.readline()) for _ in range(2))
            stream.write(codec.encode(messages.Reply(1, ok=True)))

    engine = threading.Thread(target=serve)
    engine.start()
    client.stop_deck(path)
    engine.join()
    assert isinstance(got[1], messages.Shutdown)
