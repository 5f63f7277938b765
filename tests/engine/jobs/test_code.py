"""What follows a change of the code: files are real, the worker and the check are not."""

from __future__ import annotations

import asyncio
import importlib
import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from tests.engine.plays import Play
from tests.patience import PATIENCE
from tui.config.disk.code_folders import CodeFolders
from tui.engine.deck.spec import JobSpec
from tui.engine.jobs import code, code_check
from tui.engine.jobs.code import Code
from tui.engine.jobs.code_check import Checked
from tui.protocol.messages import Problem


class Owner:
    """Notes what it is told; the code is good unless a file says `bad`."""

    def __init__(self, folder: Path, policy: str) -> None:
        self.spec = JobSpec("a", "job.py:run", None, folder / "c.yaml", cwd=folder, code=policy)
        self.told: list[tuple[str, ...]] = []
        self.versions = 0
        self.news = asyncio.Event()
        self.folders = CodeFolders()
        self.code = Code(self, self.folders)

    def _note(self, *what: str) -> None:
        self.told.append(what)
        self.news.set()

    def tell_code(self, files: tuple[str, ...]) -> None:
        self._note("tell", *files)

    def keep_code(self, code: Mapping[str, bytes]) -> None:
        self.kept = dict(code)

    def renew_code(self, files: tuple[str, ...]) -> int:
        return self._version("renew", files)

    def refuse_code(self, files: tuple[str, ...], problem: Problem) -> int:
        return self._version("refuse", files)

    def _version(self, what: str, files: tuple[str, ...]) -> int:
        self._note(what, *files)
        self.versions += 1
        return self.versions

    async def next(self) -> tuple[str, ...]:
        """Return what is told next."""
        if not self.told:
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), PATIENCE)
        return self.told.pop(0)


class Script:
    """Two files of a task, and what a check of them does."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files = [folder / "job.py", folder / "helper.py"]
        self.checks = 0
        self.during: list[str] = []  # what somebody saves while it is checked
        for path in self.files:
            path.write_text("good")
            os.utime(path, (1, 1))
        monkeypatch.setattr(code_check, "check", self._check)
        monkeypatch.setattr(code, "QUIET", 0.01)

    def save(self, text: str, number: int = 1) -> None:
        """Put another content into the place of a file."""
        new = self.files[number].with_suffix(".new")
        new.write_text(text)
        new.replace(self.files[number])

    async def _check(self, spec: JobSpec, files: Iterable[Path]) -> Checked:
        self.checks += 1
        texts = [path.read_text() for path in files]
        if self.during:
            self.save(self.during.pop(0))
        return Checked(Problem("it is bad") if any(text.startswith("bad") for text in texts) else None)


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    return Script(tmp_path, monkeypatch)


async def begun(script: Script, policy: str) -> Owner:
    owner = Owner(script.files[0].parent, policy)
    owner.code.begin(map(str, script.files), time.time() + 60)
    return owner


async def test_asked_it_is_said_once_and_taken_back(script: Script) -> None:
    owner = await begun(script, "ask")
    script.save("other")
    assert await owner.next() == ("tell", "helper.py")
    script.save("other too", 0)
    assert await owner.next() == ("tell", "job.py", "helper.py")
    script.save("good")
    script.save("good", 0)
    while (told := await owner.next()) != ("tell",):
        assert told[0] == "tell"
    assert (script.checks, owner.code.changed) == (0, ())
    await owner.folders.close()


async def test_what_is_bad_is_told_once_and_what_is_good_is_taken(script: Script) -> None:
    owner = await begun(script, "restart")
    script.save("bad")
    assert await owner.next() == ("refuse", "helper.py")
    script.save("bad still")
    assert await owner.next() == ("refuse", "helper.py")
    script.save("better")
    assert await owner.next() == ("renew", "helper.py")
    owner.code.end()
    owner.code.begin(map(str, script.files), time.time() + 60)
    script.save("bad")
    assert await owner.next() == ("refuse", "helper.py")
    owner.code.end()
    assert owner.told == []
    await owner.folders.close()


async def test_what_changes_while_it_is_checked_is_checked_again(script: Script) -> None:
    owner = await begun(script, "restart")
    script.during = ["bad", "good again"]
    script.save("better")
    assert await owner.next() == ("renew", "helper.py")
    assert script.checks == 3
    await owner.folders.close()


async def test_what_was_written_after_the_start_may_not_be_what_runs(script: Script) -> None:
    owner = Owner(script.files[0].parent, "ask")
    owner.code.begin(map(str, script.files), time.time() - 60)
    assert await owner.next() == ("tell", "job.py", "helper.py")
    await owner.folders.close()


async def test_what_is_saved_before_the_watch_has_begun_is_seen(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins = threading.Event()

    def import_slowly(name: str) -> object:
        assert begins.wait(PATIENCE)
        return import_module(name)

    monkeypatch.setattr(importlib, "import_module", import_slowly)
    owner = await begun(script, "ask")
    await asyncio.sleep(5 * code.QUIET)  # the look from the beginning has found nothing new, or finds this
    script.save("other")
    begins.set()
    assert await owner.next() == ("tell", "helper.py")
    await owner.folders.close()


async def test_of_a_job_that_is_off_nothing_is_watched_until_the_deck_says_so(script: Script) -> None:
    owner = await begun(script, "off")
    script.save("other")
    owner.spec = replace(owner.spec, code="ask")
    owner.code.adopt()
    assert await owner.next() == ("tell", "helper.py")
    await owner.folders.close()


async def test_a_row_of_code_has_no_changes_and_the_text_that_runs() -> None:
    play = Play()
    await play.run()
    play.job.renew_code(("job.py",))
    row = play.rows()[2]
    assert (row.status, row.source, row.changes, row.files) == ("sent", "code", (), ("job.py",))
    await play.worker.asked.wait()
    play.exit(0)
    play.vanish()
    await play.launched[1].wait()
    assert play.worker.told == [("setup", 2, {"lr": 1})]
    play.job.worker_said({"kind": "loaded", "rules": False})
    play.apply(2)
    assert (play.rows()[2].status, play.job.history.text(2)) == ("applied", "lr: 1\n")


async def test_new_code_that_crashes_takes_no_config_back() -> None:
    play = Play()
    await play.run()
    play.job.renew_code(("job.py",))
    await play.worker.asked.wait()
    play.exit(0)
    play.vanish()
    await play.launched[1].wait()
    play.job.worker_said({"kind": "loaded", "rules": False})
    play.apply(2)
    play.exit(1)
    play.vanish()
    assert (play.states[-1], play.rows()[2].status, len(play.rows())) == ("crashed", "applied", 2)


async def test_of_a_change_both_sides_are_known(script: Script) -> None:
    owner = await begun(script, "restart")
    script.save("better\n")
    await owner.next()
    assert owner.code.sides == {1: ("# helper.py\ngood", "# helper.py\nbetter\n")}
    await owner.folders.close()
