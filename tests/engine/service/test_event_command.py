"""The program of `on_event` that reads more slowly than events come."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tui.engine.service.event_command import WAITING, EventCommand
from tui.protocol.messages import Event, Lines, Metrics, Notice

#: So many of these are more than wait for it, and than a pipe holds.
MANY = 3 * WAITING // 10_000

WORDS = "x" * 10_000

#: Reads nothing before there is a file `go`.
SLOW = "while [ ! -e go ]; do sleep 0.01; done; exec cat > told"


def told(folder: Path) -> list[dict[str, object]]:
    text = (folder / "told").read_text() if (folder / "told").exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


async def until_read(folder: Path, number: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while sum(event["event"] == "notice" for event in told(folder)) < number:
        assert time.monotonic() < deadline, len(told(folder))
        await asyncio.sleep(0.02)


@pytest.fixture
async def command(tmp_path: Path) -> AsyncIterator[EventCommand]:
    events: list[Event] = []
    command = EventCommand(SLOW, tmp_path, events.append)
    await command.start()
    yield command
    await command.close()
    assert not events


async def test_what_is_dropped_is_counted_where_it_is_missing(command: EventCommand, tmp_path: Path) -> None:
    for number in range(MANY):
        command.put(Notice(str(number), WORDS))
        command.put(Metrics("a", number, {}))
        command.put(Lines("a", number, "a line", 1))
    (tmp_path / "go").touch()
    kept = WAITING // (len(WORDS) + 200)
    await until_read(tmp_path, kept)
    command.put(Notice("after", ""))
    await command.close()
    found = told(tmp_path)
    *before, dropped, after = found
    assert [event["job"] for event in before] == [str(number) for number in range(len(before))]
    assert {event["event"] for event in before} == {"notice"}
    assert (dropped["event"], dropped["count"], after["job"]) == ("dropped", MANY - len(before), "after")


async def test_what_is_dropped_last_is_counted_at_the_end(command: EventCommand, tmp_path: Path) -> None:
    for number in range(MANY):
        command.put(Notice(str(number), WORDS))
    (tmp_path / "go").touch()
    await command.close()
    *before, dropped = told(tmp_path)
    assert (dropped["event"], dropped["count"]) == ("dropped", MANY - len(before))
