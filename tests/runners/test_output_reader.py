"""When the engine looks at what a job has written."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from collections.abc import Callable, Iterator

import pytest

from tui.runners.output_reader import OutputReader

Look = Callable[[], None]


class Loop:
    """Knows the time, and when the next look is due: at once when there is something, or after a pause."""

    def __init__(self) -> None:
        self.now = 100.0
        self.reader: Look | None = None
        self.pause: float | None = None
        self._due: Look | None = None

    def time(self) -> float:
        return self.now

    def add_reader(self, _: int, look: Look) -> None:
        self.reader = look

    def remove_reader(self, _: int) -> None:
        self.reader = None

    def call_later(self, pause: float, look: Look) -> Loop:
        self.pause, self._due = pause, look
        return self

    def cancel(self) -> None:
        self.pause = None

    def look(self, after: float) -> None:
        """Let time pass, and look."""
        self.now += after
        look = self.reader or self._due
        assert look is not None
        self.pause = None
        look()


class Pipe:
    """A drain, and the job's end of its pipe."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._read, self._job = os.pipe()
        self.taken = b""
        self.drain = OutputReader(self._read, self._take)

    def _take(self, data: bytes) -> None:
        self.taken += data

    @property
    def room(self) -> int:
        return fcntl.fcntl(self._job, fcntl.F_GETPIPE_SZ)

    def write(self, size: int, after: float) -> None:
        """The job writes so many bytes, then we look."""
        os.write(self._job, bytes(size))
        self.loop.look(after)

    def end(self) -> None:
        """The job ends."""
        if self._job >= 0:
            os.close(self._job)
            self._job = -1


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    if sys.platform != "linux":
        pytest.skip("only Linux tells how much a pipe holds")
    loop = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    opened = Pipe(loop)
    yield opened
    opened.end()
    opened.drain.close()


def test_what_comes_now_and_then_is_taken_at_once(pipe: Pipe) -> None:
    for _ in range(3):
        pipe.write(100, after=0.1)
        assert pipe.loop.reader is not None
    assert pipe.room == 1 << 16


def test_a_job_that_prints_line_by_line_is_left_alone_for_a_while(pipe: Pipe) -> None:
    pipe.write(100, after=0.1)
    pipe.write(100, after=0.001)  # 0.1 MB/s: a longer pause would be too long for a screen
    assert (pipe.loop.reader, pipe.loop.pause) == (None, 0.005)
    assert pipe.room == 1 << 16, "the room that it has is enough"
    pipe.loop.look(after=0.005)
    assert pipe.loop.reader is not None, "it has stopped"
    assert pipe.taken == bytes(200)


def test_a_pipe_grows_with_what_is_written_and_is_half_full_when_looked_at(pipe: Pipe) -> None:
    pipe.write(100, after=0.1)
    pipe.write(60_000, after=0.0004)  # 150 MB/s
    assert pipe.room == 1 << 20
    assert pipe.loop.pause == pytest.approx((1 << 20) / 2 / 150e6)


def test_a_job_that_had_to_wait_is_not_left_alone(pipe: Pipe) -> None:
    pipe.write(100, after=0.1)
    pipe.write(60_000, after=0.0003)
    pipe.write(pipe.room, after=0.004)
    assert pipe.loop.reader is not None
    assert len(pipe.taken) == 60_100 + (1 << 20)


def test_nothing_is_lost_at_the_end(pipe: Pipe) -> None:
    pipe.write(100, after=0.1)
    pipe.write(100, after=0.001)
    pipe.end()
    pipe.loop.look(after=0.005)
    assert pipe.taken == bytes(200)
    assert (pipe.loop.reader, pipe.loop.pause) == (None, None)
