from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tui.engine.deck.spec import JobSpec
from tui.engine.reloads import checks
from tui.engine.reloads.candidate import Candidate
from tui.engine.reloads.checks import Gate, problem_of
from tui.protocol.messages import Problem
from tui.runners import readiness
from tui.runners.command import CommandSpec

CONFIG = Path("/etc/it's/nginx.conf")


def spec(command: str, cwd: Path = Path()) -> JobSpec:
    return JobSpec("job", None, None, CONFIG, check=command, cwd=cwd)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="can't read TOML")
@pytest.mark.parametrize(
    ("name", "runs", "text", "place"),
    [
        ("c.toml", "a = 1\n", "a = \n", (1, 5)),
        ("c.toml", "a = 1\r\n", "a = 1\r\nb = [1,\r\n", (3, 1)),
        ("c.toml", "a = 1\n", "a = 2\n", None),
        ("c.toml", "an own language", "another sentence", None),
        ("c.toml", None, "an own language", None),
        ("c.conf", "a = 1\n", "a = \n", None),
    ],
)
def test_toml_that_no_longer_parses_is_invalid(
    name: str, runs: str | None, text: str, place: tuple[int, int] | None
) -> None:
    command = CommandSpec("job", ("true",), Path(name), "restart")
    job = JobSpec("job", None, command, Path(name), on_change="restart")
    found = checks.examine(Candidate(text, None, None, "disk", 0.0, keyed=False), job, runs)
    assert (found.data is None) == (place is not None)
    assert ((found.problem.line, found.problem.column) if found.problem else None) == place


@pytest.mark.parametrize("name", ["c.toml", "c.ini", "c.env"])
def test_the_config_of_a_task_in_another_language_is_refused_as_such(name: str) -> None:
    job = JobSpec("job", "job.py:run", None, Path(name))
    problem = Problem("a ':' is missing", 1, 2)
    found = checks.examine(Candidate("lr = 1\n", None, problem, "disk", 0.0, keyed=False), job, None).problem
    said = "the config of a task is YAML or JSON, and as such: a ':' is missing"
    assert found == Problem(said, 1, 2)


class Bench:
    """A gate, and the checks that it asks for: a test says how each ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.said: list[tuple[str, str, Problem | None]] = []
        self.running: list[asyncio.Future[tuple[int | None, str]]] = []
        self.begun = asyncio.Semaphore(0)
        self.gate = Gate(spec("test -e {config}"), self._admit, self._skip)
        monkeypatch.setattr(readiness, "run", self._run)

    async def _run(self, command: str, cwd: Path, timeout: float | None) -> tuple[int | None, str]:
        self.asked.append(command)
        self.running.append(asyncio.get_running_loop().create_future())
        self.begun.release()
        return await self.running[-1]

    def _admit(self, candidate: Candidate) -> None:
        self.said.append(("admit", candidate.text, candidate.problem))

    def _skip(self, candidate: Candidate) -> None:
        self.said.append(("skip", candidate.text, None))

    def put(self, text: str, problem: Problem | None = None) -> None:
        self.gate.put(Candidate(text, None if problem else text, problem, "disk", 0.0))

    async def end(self, code: int | None, said: str = "") -> None:
        """End the check that runs, once it does."""
        await self.begun.acquire()
        self.running[-1].set_result((code, said))


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


async def test_what_passes_is_admitted_as_it_is(bench: Bench) -> None:
    bench.put("1")
    await bench.end(0, "a warning")
    await bench.gate.settled(asyncio.Event())
    assert bench.said == [("admit", "1", None)]
    assert bench.asked == ["""test -e '/etc/it'"'"'s/nginx.conf'"""]


@pytest.mark.parametrize(
    ("code", "said", "problem"),
    [
        (1, "no such thing in line 3", Problem("no such thing in line 3", 3)),
        (2, "", Problem("the check ended with exit code 2: test -e")),
        (None, "much talk", Problem("the check did not end within 10 s and was killed: test -e")),
    ],
)
async def test_what_fails_is_admitted_with_what_the_check_said(
    bench: Bench, code: int | None, said: str, problem: Problem
) -> None:
    bench.put("1")
    await bench.end(code, said)
    await bench.gate.settled(asyncio.Event())
    [(kind, text, found)] = bench.said
    assert (kind, text) == ("admit", "1")
    assert found is not None
    assert found.message.startswith(problem.message)
    assert (found.line, found.column) == (problem.line, problem.column)


async def test_of_those_that_come_during_a_check_the_newest_is_checked(bench: Bench) -> None:
    bench.put("1")
    await bench.begun.acquire()
    for text in ("2", "3", "4"):
        bench.put(text)
    assert bench.said == []
    bench.running[0].set_result((0, ""))
    await bench.end(0)
    await bench.gate.settled(asyncio.Event())
    # In the order in which they came: so are their versions.
    assert bench.said == [("admit", "1", None), ("skip", "2", None), ("skip", "3", None), ("admit", "4", None)]
    assert len(bench.asked) == 2


async def test_what_is_no_config_needs_no_check_but_keeps_its_place(bench: Bench) -> None:
    bench.put("1")
    await bench.begun.acquire()
    bench.put("[", Problem("no YAML"))
    assert bench.said == []
    bench.running[0].set_result((0, ""))
    await bench.gate.settled(asyncio.Event())
    assert bench.said == [("admit", "1", None), ("admit", "[", Problem("no YAML"))]


async def test_a_check_that_can_not_be_run_is_a_problem_of_the_save(bench: Bench) -> None:
    bench.put("1")
    await bench.begun.acquire()
    bench.running[0].set_exception(OSError(24, "Too many open files"))
    await bench.gate.settled(asyncio.Event())
    [(kind, text, problem)] = bench.said
    assert (kind, text) == ("admit", "1")
    assert problem is not None
    assert problem.message.startswith("the check can't be run, Too many open files: test -e")


async def test_one_check_after_another(bench: Bench) -> None:
    await bench.gate.settled(asyncio.Event())
    for text in ("1", "2"):
        bench.put(text)
        await bench.end(0)
        await bench.gate.settled(asyncio.Event())
    assert bench.said == [("admit", "1", None), ("admit", "2", None)]


async def test_close_ends_the_check_and_the_wait_for_it(bench: Bench) -> None:
    await bench.gate.close()
    bench.put("1")
    await bench.begun.acquire()
    waiting = asyncio.create_task(bench.gate.settled(asyncio.Event()))
    await asyncio.sleep(0)
    await bench.gate.close()
    await waiting
    assert bench.running[0].cancelled()
    assert bench.said == []


async def test_a_check_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "TIMEOUT", 0.2)
    found: list[Candidate] = []
    gate = Gate(spec("echo talk; sleep 600 & sleep 600", tmp_path), found.append, found.append)
    gate.put(Candidate("1", "1", None, "disk", 0.0))
    await gate.settled(asyncio.Event())
    message = "the check did not end within 0.2 s and was killed: echo talk; sleep 600 & sleep 600"
    assert found == [Candidate("1", None, Problem(message), "disk", 0.0)]


async def test_a_program_runs_to_its_end_and_its_output_is_kept(tmp_path: Path) -> None:
    assert await readiness.run("echo out; echo err >&2; pwd; exit 3", tmp_path, 30) == (3, f"out\nerr\n{tmp_path}")
    assert await readiness.run("kill -9 $$", tmp_path, None) == (-9, "")
    code, said = await readiness.run("yes | head -c 1000000", tmp_path, None)
    assert code == 0
    assert (1 << 16) - 1 <= len(said) < 1 << 18


async def test_a_program_that_is_called_off_is_gone_with_all_below_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    running = asyncio.create_task(readiness.run("exec 3>alive; echo begun >&3; sleep 600 & sleep 600", tmp_path, None))
    with await asyncio.to_thread((tmp_path / "alive").open) as alive:
        assert await asyncio.to_thread(alive.readline) == "begun\n"
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert alive.read() == ""  # nobody has it open any more


@pytest.mark.parametrize(
    ("said", "line", "column"),
    [
        ('nginx: [emerg] unknown directive "x" in /etc/it/nginx.conf:12', 12, None),
        ("nginx.conf:3:7: no", 3, 7),
        ("other.conf:3:7: no", None, None),
        ("included other-nginx.conf:77: broken", None, None),
        ("/etc/it's/nginx.conf:12", 12, None),
        ("mime.types line 912: nope", None, None),
        ("mime.types line 912: nope\nnginx.conf, line 5", 5, None),
        ("Bad directive in line 5, column 2", 5, 2),
        ("error at Line 5 col 3", 5, 3),
        ("line 4: no\nnginx.conf:9", 9, None),
        ("multiline 5 nonsense", None, None),
        ("it failed", None, None),
    ],
)
def test_the_place_that_a_check_names(said: str, line: int | None, column: int | None) -> None:
    assert problem_of(said, CONFIG) == Problem(said, line, column)
