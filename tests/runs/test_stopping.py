"""What a stop is to a program: it ends as it does by its own means, with its last save written."""

from __future__ import annotations

import signal
import sys
import textwrap
from collections.abc import Callable

import pytest

from tests.runs.folder import Folder, Run, log, state

#: What a program does to be stopped, and the lines that it then writes, in this order.
PROGRAMS = {
    "it asks": (
        """
        while not tui.stopping():
            tui.checkpoint(None)
            time.sleep(0.001)
        for _ in range(50):
            tui.checkpoint(None)  # what a framework still does on its way out
        print("saved")
        """,
        ["saved"],
    ),
    "it asks first when it is late": (
        """
        tui.checkpoint(None)
        while True:
            time.sleep(0.001)
            if os.path.exists("stopped") and tui.stopping():
                break
        print("saved")
        """,
        ["saved"],
    ),
    "it has a handler": (
        """
        ended = []
        def note(*_):
            ended.append(1)
        signal.signal(signal.SIGTERM, note)
        while not ended:
            tui.checkpoint(None)
            time.sleep(0.001)
        print("saved")
        """,
        ["saved"],
    ),
    "it raises the signal again that it has handled": (
        """
        ended = []
        def note(*_):
            ended.append(1)
        before = signal.signal(signal.SIGTERM, note)
        while not ended:
            tui.checkpoint(None)
            time.sleep(0.001)
        signal.signal(signal.SIGTERM, before)
        signal.raise_signal(signal.SIGTERM)
        print("saved")
        """,
        ["saved"],
    ),
    "it knows nothing of stops": (
        """
        try:
            while True:
                tui.checkpoint(None)
                time.sleep(0.001)
        finally:
            print("saved")
        """,
        ["saved"],
    ),
    "its threads have the checkpoints": (
        """
        import atexit, threading
        atexit.register(print, "saved")
        def work():
            while True:
                tui.checkpoint(None)
                time.sleep(0.001)
        threading.Thread(target=work, daemon=True).start()
        threading.Event().wait()
        """,
        ["saved"],
    ),
}


def as_script(folder: Folder, body: str) -> Run:
    text = "import os, signal, sys, time\nimport tui\nprint('up', flush=True)\n" + textwrap.dedent(body)
    folder.write("script.py", text)
    folder.write("c.yaml", "lr: 1\n")
    return folder.run("-c", "c.yaml", "--", sys.executable, "script.py")


def as_task(folder: Folder, body: str) -> Run:
    inside = textwrap.indent(textwrap.dedent(body), "    ")
    text = f"import os, signal, sys, time\nimport tui\ndef main(config):\n    print('up')\n{inside}"
    folder.write("job.py", text)
    folder.write("c.yaml", "lr: 1\n")
    return folder.run("job.py:main", "-c", "c.yaml", "--once")


@pytest.mark.parametrize("start", [as_script, as_task])
@pytest.mark.parametrize("kind", PROGRAMS)
def test_program_ends_by_its_own_means(folder: Folder, kind: str, start: Callable[[Folder, str], Run]) -> None:
    body, lines = PROGRAMS[kind]
    run = start(folder, body)
    run.wait_for(log("up"))
    run.wait_for(lambda event: event["event"] == "reload" and event["status"] == "applied")
    run.process.send_signal(signal.SIGTERM)
    (folder.path / "stopped").touch()
    assert run.end() == 128 + signal.SIGTERM
    assert [line for line in run.lines if line != "up"] == lines
    ended = run.wait_for(state("stopped"))
    assert ended["exit_code"] == 0


def test_generator_in_a_group_of_tasks_ends_in_order(folder: Folder) -> None:
    if sys.version_info < (3, 11):
        pytest.skip("there is no TaskGroup")
    run = folder.run_task(
        """
        import asyncio
        async def work():
            await asyncio.sleep(600)
        async def main(config):
            async with asyncio.TaskGroup() as group:
                group.create_task(work())
                try:
                    while True:
                        await asyncio.sleep(0.001)
                        yield
                finally:
                    print("saved")
        """,
        "main",
    )
    run.wait_for(lambda event: event["event"] == "reload" and event["status"] == "applied")
    assert run.stop() == 128 + signal.SIGTERM
    assert run.lines == ["saved"]
    assert run.wait_for(state("stopped"))["exit_code"] == 0


def test_task_that_no_longer_asks_is_ended_at_a_checkpoint(folder: Folder) -> None:
    run = as_script(
        folder,
        """
        while not tui.stopping():
            tui.checkpoint(None)
            time.sleep(0.001)
        while True:
            tui.checkpoint(None)
            time.sleep(0.001)
        """,
    )
    run.wait_for(log("up"))
    run.wait_for(lambda event: event["event"] == "reload" and event["status"] == "applied")
    assert run.stop() == 128 + signal.SIGTERM
    assert run.wait_for(state("stopped"))["exit_code"] == 0


def test_second_stop_does_not_wait_for_what_ends_by_itself(folder: Folder) -> None:
    run = as_script(
        folder,
        """
        while True:
            tui.checkpoint(None)
            if tui.stopping() and not os.path.exists("told"):
                open("told", "w").close()
                print("takes its time", flush=True)
            time.sleep(0.001)
        """,
    )
    run.wait_for(log("up"))
    run.wait_for(lambda event: event["event"] == "reload" and event["status"] == "applied")
    run.process.send_signal(signal.SIGTERM)
    run.wait_for(log("takes its time"))
    said = run.wait_for(lambda event: event["event"] == "state" and "by its own means" in (event["reason"] or ""))
    assert said["until"] > said["time"] + 30
    run.process.send_signal(signal.SIGTERM)
    assert run.end() == 128 + signal.SIGTERM
    assert run.wait_for(state("stopped"))["exit_code"] in (0, -signal.SIGTERM)
