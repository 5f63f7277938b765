"""A worker that holds many jobs, driven over the channel as an engine does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runs.worker import KINDS, PLAIN, Worker, said


def test_plain_code_is_refused_on_the_event_loop(host: Worker) -> None:
    host.write("job.py", KINDS)
    for kind in PLAIN:
        host.setup(f"job.py:{kind}", kind, "asyncio")
        assert "use runner: thread" in host.wait_for(said("unloadable", kind))["message"]
        assert host.wait_for(said("ended", kind))["code"] == 1


@pytest.mark.parametrize(
    ("code", "ended", "message"),
    [
        ("return", 0, None),
        ("raise tui.Done", 0, None),
        ("sys.exit()", 0, None),
        ("sys.exit(3)", 3, None),
        ("sys.exit('too bad')", 1, None),
        ("raise ValueError('no luck')", 1, "ValueError: no luck"),
        ("raise KeyboardInterrupt", 1, "KeyboardInterrupt"),
        ("raise GeneratorExit", 1, "GeneratorExit"),
        ("raise asyncio.CancelledError", 1, "asyncio.exceptions.CancelledError"),
    ],
)
@pytest.mark.parametrize(("runner", "word"), [("thread", "def"), ("thread", "async def"), ("asyncio", "async def")])
def test_however_one_job_ends_the_others_go_on(
    host: Worker, runner: str, word: str, code: str, ended: int, message: str | None
) -> None:
    host.write("other.py", KINDS)
    host.write("job.py", f"import asyncio, sys, tui\n{word} run(config):\n    {code}\n")
    host.setup("other.py:async_generator", "other", "asyncio")
    host.setup("other.py:generator", "thread", "thread")
    host.setup("job.py:run", runner=runner, loop=False)
    assert host.wait_for(said("ended"))["code"] == ended
    assert [raised["message"] for raised in host.of("raised")] == ([message] if message else [])
    assert ("Traceback" in host.text()) == (message is not None)
    assert ("too bad" in host.text()) == ("too bad" in code)
    for other in ("other", "thread"):
        host.reload(2, other)
        host.wait_for(said("applied", other, version=2))


def test_the_traceback_begins_with_the_task(host: Worker) -> None:
    host.write("job.py", "async def run(config):\n    1 / 0\n")
    for runner in ("thread", "asyncio"):
        host.setup("job.py:run", runner, runner)
        host.wait_for(said("ended", runner))
        lines = host.text(runner).splitlines()
        assert lines[0].startswith("Traceback")
        assert "job.py" in lines[1]
    assert host.output == ""


def test_a_sub_task_that_leaves_with_systemexit_spares_the_others(host: Worker) -> None:
    host.write("other.py", KINDS)
    host.write(
        "job.py",
        """
        import asyncio, sys
        async def leave():
            sys.exit(5)
        async def run(config):
            await asyncio.create_task(leave())
        """,
    )
    host.setup("other.py:async_generator", "other", "asyncio")
    host.wait_for(said("applied", "other"))
    host.setup("job.py:run", runner="asyncio")
    assert host.wait_for(said("ended"))["code"] == 5
    host.reload(2, "other")
    host.wait_for(said("applied", "other", version=2))


def test_what_a_coroutine_leaves_behind_is_cancelled_before_it_ends(host: Worker) -> None:
    host.write(
        "job.py",
        """
        import asyncio
        async def beat():
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                print("beat ended")
        async def run(config):
            asyncio.create_task(beat())
            await asyncio.sleep(0)
        """,
    )
    host.setup("job.py:run", runner="asyncio", loop=False)
    host.wait_for(said("ended"))
    assert host.text() == "beat ended\n"


@pytest.mark.parametrize(("runner", "word"), [("thread", "def"), ("asyncio", "async def")])
def test_a_thread_that_a_task_leaves_behind_ends_at_its_next_checkpoint(host: Worker, runner: str, word: str) -> None:
    host.write(
        "job.py",
        f"""
        import os, threading, tui
        def stay(config):
            try:
                while True:
                    tui.sleep(0.001)
                    tui.checkpoint(config)
            finally:
                os.write(1, b"left\\n")
        {word} run(config):
            threading.Thread(target=stay, args=(config,), daemon=False).start()
        """,
    )
    host.setup("job.py:run", runner=runner, loop=False)
    assert host.wait_for(said("ended"))["code"] == 0
    assert host.hang_up() == 0  # Python waits for such a thread
    assert host.output == "left\n"


def test_cancel_ends_a_coroutine_that_reaches_no_checkpoint(host: Worker) -> None:
    host.write("job.py", "import asyncio\nasync def run(config):\n    print('waits')\n    await asyncio.sleep(1000)\n")
    host.setup("job.py:run", runner="asyncio")
    host.wait_for(said("wrote"))
    host.send("stop")
    host.send("cancel")
    assert host.wait_for(said("ended"))["code"] == 0
    assert host.of("raised") == []


def test_a_file_is_executed_anew_at_each_start_and_by_each_job(host: Worker) -> None:
    source = "count = 0\ndef run(config):\n    global count\n    count += 1\n    print({}, count, __name__)\n"
    for text in (1, 2):
        host.write("job.py", source.format(text))
        for job in ("a", "b"):
            host.setup("job.py:run", job, loop=False)
        for job in ("a", "b"):
            host.wait_for(said("ended", job), count=text)
    for job in ("a", "b"):
        lines = host.text(job).splitlines()
        assert [line.split()[:2] for line in lines] == [["1", "1"], ["2", "1"]]
        assert {line.split()[2] for line in lines} <= {"job", "task_job"}


def test_a_slow_import_holds_up_nobody(host: Worker) -> None:
    host.write("other.py", KINDS)
    host.write(
        "job.py", "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\nasync def run(c): 1\n"
    )
    for runner in ("thread", "asyncio"):
        host.setup("job.py:run", runner, runner, loop=False)
        host.setup("other.py:async_generator", f"other-{runner}", runner)
        host.wait_for(said("applied", f"other-{runner}"))
    host.reload(2, "thread")  # what comes meanwhile is not lost
    assert host.of("loaded", "thread") == []
    host.write("go", "")
    for runner in ("thread", "asyncio"):
        assert host.wait_for(said("ended", runner))["code"] == 0


@pytest.mark.parametrize("runner", ["thread", "asyncio"])
def test_a_task_that_cannot_be_loaded_says_so_under_its_own_name(host: Worker, runner: str) -> None:
    for name, text in {"syntax.py": "def run(c:\n", "raises.py": "import sys\nprint('hm')\nsys.exit(4)\n"}.items():
        host.write(name, text)
        host.setup(f"{name}:run", name, runner)
        host.wait_for(said("unloadable", name))
        assert host.wait_for(said("ended", name))["code"] == 1
    assert host.text("syntax.py").splitlines()[-1].startswith("SyntaxError")
    assert "importlib" not in host.text("syntax.py")
    assert host.text("raises.py").startswith("hm\nTraceback")


def test_the_program_of_a_host_is_left_alone(host: Worker) -> None:
    host.write("job.py", "import sys\ndef run(config):\n    print(sys.argv[0])\n")
    host.setup("job.py:run", loop=False)
    host.wait_for(said("ended"))
    assert Path(host.text().strip()).name == "__main__.py"


def test_the_host_lives_until_the_channel_closes(host: Worker) -> None:
    host.write("job.py", KINDS)
    host.setup("job.py:function", "a")
    host.wait_for(said("applied", "a"))
    host.send("stop", "a")
    host.wait_for(said("ended", "a"))
    host.send("stop", "a")  # it crossed the end
    host.setup("job.py:generator", "a")
    host.setup("job.py:async_generator", "b", "asyncio")
    host.wait_for(said("applied", "a"), count=2)
    host.wait_for(said("applied", "b"))
    assert host.hang_up() == 0


@pytest.mark.parametrize("runner", ["thread", "asyncio"])
def test_a_fork_in_a_host_is_outside_the_deck(host: Worker, runner: str) -> None:
    host.write(
        "job.py",
        """
        import os, tui
        async def run(config):
            if os.fork() == 0:
                assert tui.checkpoint(7) == 7
                tui.sleep(0)
                print("forked")
                os._exit(0)
            os.wait()
            print("parent")
        """,
    )
    host.setup("job.py:run", runner=runner, loop=False)
    host.wait_for(said("ended"))
    assert (host.text(), host.output) == ("parent\n", "forked\n")
