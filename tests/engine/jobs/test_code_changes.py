"""The code of a task is changed at random, at every moment: the newest good one runs, and no worker starts with a bad.

A module is `good` or not, and names those that it imports. Nothing is real but what decides: files are a dict, an
import and the end of a worker take some turns of the loop, in which the files change again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import THOROUGHLY
from tui.config.disk.code_folders import CodeFolders
from tui.engine.deck.spec import JobSpec
from tui.engine.jobs import code, code_check
from tui.engine.jobs.code import Code
from tui.engine.jobs.code_check import Checked
from tui.protocol.messages import Problem

CHANGES = 300

FOLDER = Path("/project")
MAIN, *HELPERS = (FOLDER / name for name in ("main.py", "a.py", "b.py", "c.py"))


class ImportFailedError(Exception):
    """A module is bad or missing."""

    def __init__(self, path: Path, seen: Iterable[Path]) -> None:
        super().__init__(path.name)
        self.files = *seen, path


class Disk:
    """The files, and when each was changed."""

    def __init__(self) -> None:
        self.now = 0
        self.files: dict[Path, tuple[bytes, int]] = {}

    def change(self, path: Path, text: str | None) -> None:
        self.now += 1
        self.files.pop(path, None)
        if text is not None:
            self.files[path] = text.encode(), self.now

    def read(self, path: Path, before: float | None = None) -> bytes | None:
        content, changed = self.files.get(path, (None, 0))
        return None if before is not None and changed > before else content


async def imported(read: Callable[[Path], bytes | None], turn: Callable[[], Any]) -> dict[Path, bytes]:
    """Return what an import gets, module by module, each a while after the one before."""
    seen: dict[Path, bytes] = {}
    waiting = [MAIN]
    while waiting:
        path = waiting.pop()
        await turn()
        content = read(path)
        if content is None or not content.startswith(b"good"):
            raise ImportFailedError(path, seen)
        seen[path] = content
        waiting += [FOLDER / name for name in content.decode().split()[2:] if FOLDER / name not in seen]
    return seen


class Watch(CodeFolders):
    """Tells who looks at a file that it has changed."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted: set[Path] = set()

    def watch(self, owner: Any, files: Iterable[Path]) -> None:
        self.wanted = set(files)


class Play:
    """A job whose worker is a dict of what it has imported; it is the owner of the code too."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.disk = Disk()
        self.watch = Watch()
        self.spec = JobSpec("a", "main.py:run", None, FOLDER / "c.yaml", cwd=FOLDER, code="restart")
        self.runs: dict[Path, bytes] = {}
        self.kept: Mapping[str, bytes] = {}
        self.versions = 0
        self.bad_starts = 0
        self.checks = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.code = Code(self, self.watch)

    def change(self, path: Path, text: str | None) -> None:
        self.disk.change(path, text)
        if path in self.watch.wanted:
            self.code.look()

    async def turn(self) -> None:
        for _ in range(self.dice.randrange(4)):
            await asyncio.sleep(0)

    async def check(self, spec: JobSpec, files: Iterable[Path]) -> Checked:
        self.checks += 1
        try:
            return Checked(None, tuple(await imported(self.disk.read, self.turn)))
        except ImportFailedError as failed:
            return Checked(Problem(str(failed)), failed.files)

    def tell_code(self, files: tuple[str, ...]) -> None:
        """Nobody is asked."""

    def keep_code(self, code: Mapping[str, bytes]) -> None:
        self.kept = code

    def refuse_code(self, files: tuple[str, ...], problem: Problem) -> int:
        self.versions += 1
        return self.versions

    def renew_code(self, files: tuple[str, ...]) -> int:
        self.versions += 1
        if not self.tasks:  # else the one that is about to start has it
            task = asyncio.create_task(self.start())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return self.versions

    async def start(self) -> None:
        """End the worker, and start another one."""
        await self.turn()
        if self.runs:
            self.code.begin(map(str, self.runs), self.disk.now)  # it has imported something at its end
            await self.turn()
        self.runs = {}
        self.code.end()
        await self.turn()
        since, kept = self.disk.now, self.kept
        await self.turn()

        def read(path: Path) -> bytes | None:
            return kept[str(path)] if str(path) in kept else self.disk.read(path)

        try:
            self.runs = await imported(read, self.turn)
        except ImportFailedError:
            self.bad_starts += 1
        else:
            self.code.begin(map(str, self.runs), since)

    async def rest(self) -> None:
        """Wait until nothing goes on any more."""
        for _ in range(400):
            await asyncio.sleep(0)
        assert not self.tasks


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
        await asyncio.sleep(0)
        return function(*arguments)

    monkeypatch.setattr(code, "QUIET", 0)
    monkeypatch.setattr(asyncio, "to_thread", at_once)


def text(dice: random.Random, number: int, path: Path) -> str | None:
    """Return what a module becomes: good, broken, half of what it was to be, or nothing, being deleted or renamed."""
    imports = [other.name for other in HELPERS if other != path and dice.random() < 0.4]
    return dice.choice([None, "", "bad", "go", *["good"] * 4]) if dice.random() < 0.5 else _good(number, imports)


def _good(number: int, imports: Iterable[str]) -> str:
    return " ".join(["good", str(number), *imports])


async def edit(play: Play, changes: int) -> AsyncIterator[dict[Path, bytes] | None]:
    """Change the files; at every rest yield what an import would get."""
    for number in range(changes):
        path = play.dice.choice([MAIN, *HELPERS])
        play.change(path, text(play.dice, number, path))
        if play.dice.random() < 0.3:
            gone = play.dice.choice(HELPERS)
            was = play.disk.read(gone)
            play.change(gone, None)  # and back, as by a checkout
            await play.turn()
            play.change(gone, was.decode() if was is not None else None)
        await play.turn()
        if play.dice.random() < 0.1 or number == changes - 1:
            await play.rest()
            try:
                yield await imported(play.disk.read, play.turn)
            except ImportFailedError:
                yield None


@settings(max_examples=40 if THOROUGHLY else 3, deadline=None)
@given(st.integers(0, 1 << 32).map(random.Random))
def test_the_newest_good_code_runs_and_none_starts_badly(dice: random.Random) -> None:
    asyncio.run(_play(dice))


async def _play(dice: random.Random) -> None:
    play = Play(dice)
    patched = pytest.MonkeyPatch()
    patched.setattr(code, "content", play.disk.read)
    patched.setattr(code_check, "check", play.check)
    try:
        for path in (MAIN, *HELPERS):
            play.change(path, _good(0, ["a.py"] if path == MAIN else []))
        await play.start()
        async for wanted in edit(play, CHANGES):
            assert play.bad_starts == 0
            assert play.runs
            if wanted is not None:
                assert play.runs == wanted
        assert play.checks > 10
    finally:
        patched.undo()
