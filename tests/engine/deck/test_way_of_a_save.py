"""Whatever fails on the way of a save: a row or a notice tells of it, and the next save works.

A first save of each sort is watched: every function of ours that it comes through, in whatever thread, is noted. Then
there is one more save for each of them, in which it raises at its first call.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import tui
from tests.conftest import THOROUGHLY
from tests.patience import PATIENCE
from tui.config.disk import store
from tui.engine.deck.spec import Deck, JobSpec
from tui.engine.engine import Engine
from tui.engine.jobs.launcher import Launcher
from tui.protocol import messages
from tui.runners.base import Owner, Payload

HOME = str(Path(tui.__file__).parent)

#: Seconds that a save may take on a machine with much to do.


#: So many of the steps are tried in the suite; all of them by who is thorough.
FEW = 10


class Fault(Exception):  # noqa: N818 - it is none of ours
    """What is raised on the way."""


class Hook:
    """Sees the calls of our functions in the threads of an engine, and makes one of them fail."""

    def __init__(self) -> None:
        self.seen: dict[CodeType, None] | None = None
        self.victim: CodeType | None = None
        self.struck = False

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or not frame.f_code.co_filename.startswith(HOME):
            return
        if self.seen is not None:
            self.seen[frame.f_code] = None
        if frame.f_code is self.victim and not self.struck:
            self.struck = True
            raise Fault(f"in {name_of(frame.f_code)}")

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """Watch this thread; Python ends that with what is raised, so it begins anew."""
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)


def name_of(code: CodeType) -> str:
    return f"{Path(code.co_filename).relative_to(HOME)}:{code.co_firstlineno}:{code.co_name}"


class Threads(ThreadPoolExecutor):
    """Threads in which the hook is at work too."""

    def __init__(self, hook: Hook) -> None:
        super().__init__(4)
        self._hook = hook

    def submit(self, work: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        def watched() -> Any:
            with self._hook.here():
                return work(*arguments, **options)

        return super().submit(watched)


class Taker:
    """A worker that takes every config at once."""

    def __init__(self, owner: Owner, payload: Payload) -> None:
        self.config = payload.data
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(owner.worker_started, 42)
        self._loop.call_soon(owner.worker_said, {"kind": "loaded"})
        self.send(payload)

    def send(self, payload: Payload) -> bool:
        self.config = payload.data
        receipt = {"kind": "applied", "version": payload.version, "step": 1, "at": time.monotonic(), "superseded": []}
        self._loop.call_soon(self._owner.worker_said, receipt)
        return True

    def judge(self, number: int, data: Any) -> None:
        answer = {"kind": "judged", "id": number, "message": None, "errors": (), "effective": ()}
        self._loop.call_soon(self._owner.worker_said, answer)

    async def stop(self, number: int, grace: float) -> None:
        self._owner.worker_exited(0)
        self._owner.worker_gone()


class Bench:
    """An engine with one job, whose worker is none, and what it has told."""

    def __init__(self, folder: Path, schema: str) -> None:
        self.hook = Hook()
        self.told: list[messages.Event] = []
        self.config = folder / "c.yaml"
        self.head = f"# yaml-language-server: $schema={schema}\n"
        self.numbers = itertools.count(1)
        self.config.write_text(self.text(0))
        spec = JobSpec("job", "job.py:run", None, self.config)
        self.engine = Engine(Deck("deck", None, (spec,)), headless=False, listener=self.told.append)
        self.workers: list[Taker] = []
        self.replies: list[messages.Message] = []

    def text(self, number: int) -> str:
        return f"{self.head}lr: {number}\nlong: {'x' * 3000}\n"

    def launch(self, owner: Owner, payload: Payload) -> Taker:
        self.workers.append(Taker(owner, payload))
        return self.workers[-1]

    def post(self, message: messages.Message) -> None:
        """Take the reply to a command, as a viewer does."""
        self.replies.append(message)

    async def come(self, wanted: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        """Wait for something."""
        deadline = time.monotonic() + patience
        while not wanted():
            assert time.monotonic() < deadline, f"{what}: {self.told[-5:]}"
            await asyncio.sleep(0.001)

    def saving(self, number: int, how: str) -> Callable[[], Awaitable[None]]:
        """Return what saves a number."""
        base = store.digest(self.config.read_bytes())
        command: messages.Command = messages.Save(1, "job", self.text(number), base)
        if how == "set":
            command = messages.Set(1, "job", {"lr": str(number)})

        async def by_command() -> None:
            # As the server does: what it raises, nobody asks for.
            answer = self.engine.server.answer(command, self)  # type: ignore[arg-type]
            await asyncio.wait([asyncio.create_task(answer)])

        async def on_disk() -> None:
            new = self.config.with_name("new")
            new.write_text(self.text(number))
            new.replace(self.config)

        return on_disk if how == "disk" else by_command

    def arrived(self, number: int) -> bool:
        config = self.workers[-1].config
        return isinstance(config, dict) and config["lr"] == number and any(map(self.is_applied, self.told))

    def is_applied(self, event: messages.Event) -> bool:
        return isinstance(event, messages.Reload) and event.status == "applied" and event.source != "start"

    def is_told(self) -> bool:
        """Tell whether a user sees what became of the save."""
        replies = [reply for reply in self.replies if isinstance(reply, messages.Reply)]
        return any(isinstance(event, messages.Reload | messages.Notice) for event in self.told) or any(
            not reply.ok and reply.message for reply in replies
        )

    async def good(self, how: str) -> None:
        """See that a save works."""
        number = next(self.numbers)
        self.told.clear()
        await self.saving(number, how)()
        await self.come(lambda: self.arrived(number), f"a save by {how}")


@contextlib.asynccontextmanager
async def running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    (folder / "s.json").write_text('{"properties": {"lr": {"type": "number"}}}')
    bench = Bench(folder, "s.json")
    monkeypatch.setattr(Launcher, "of", lambda *_: bench.launch)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(Threads(bench.hook))
    ready = asyncio.Event()
    task = asyncio.create_task(bench.engine.run(lambda _: ready.set()))
    await ready.wait()
    await bench.come(lambda: bench.engine.jobs["job"].running.version, "the start")
    yield bench
    bench.engine.end()
    await task


async def steps_of(bench: Bench, how: str) -> list[CodeType]:
    """Return the functions that a save comes through."""
    await bench.good(how)  # what is only done once is done
    bench.hook.seen = {}
    with bench.hook.here():
        await bench.good(how)
        await asyncio.sleep(0.01)
    found, bench.hook.seen = list(bench.hook.seen), None
    return found


async def test_a_knob_at_rest_is_one_version_and_changes_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch) as bench:
        bench.told.clear()
        before = bench.config.read_text()
        command = messages.Set(1, "job", {"lr": "7_0"}, store.digest(before.encode()), knob=True)
        await bench.engine.server.answer(command, bench)  # type: ignore[arg-type]
        await bench.come(lambda: bench.arrived(70), "the knob's value")
        rows = {event.version: event for event in bench.told if isinstance(event, messages.Reload)}
        assert [(row.source, row.status) for row in rows.values()] == [("knob", "applied")]
        assert bench.config.read_text() == before.replace("lr: 0", "lr: 7_0")


# What was about to be done when it failed.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("how", ["disk", "editor", "set"])
async def test_whatever_fails_is_told_and_the_next_save_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    async with running(tmp_path, monkeypatch) as bench:
        steps = await steps_of(bench, how)
        names = {code.co_name for code in steps}
        assert names >= {"read", "parse", "named_by", "check", "changes", "begin", "add", "deliver", "worker_said"}
        assert names >= ({"_look", "changed"} if how == "disk" else {"place_file", "_write", "settle_file"})
        silent, missed = [], []
        for code in steps if THOROUGHLY else steps[:: len(steps) // FEW]:
            bench.hook.victim, bench.hook.struck = code, False
            save = bench.saving(next(bench.numbers), how)
            bench.told.clear()
            bench.replies.clear()
            with bench.hook.here():
                await save()
                with contextlib.suppress(AssertionError):
                    await bench.come(lambda: bench.hook.struck, "", patience=0.5)
                if not bench.hook.struck:
                    missed.append(name_of(code))
                try:
                    await bench.come(bench.is_told, name_of(code))
                except AssertionError:
                    silent.append(name_of(code))
            bench.hook.victim = None
            await bench.good(how)
        assert silent == []
        assert len(missed) < len(steps) / 10, missed  # some come only now and then
