"""From the first message to the end of a worker process: its main function."""

from __future__ import annotations

import contextvars
import os
import signal
import socket
import threading
import time
from typing import Any

from tui.worker import current, lingering, native, process_tree, stopping, task_import
from tui.worker.channel import Channel, JobChannel, listen
from tui.worker.failures import print_traceback, raised
from tui.worker.loop import Loop
from tui.worker.run import TaskRun


def main(connection: socket.socket) -> None:
    """Be the process of one job, or the host of many, or something else, as the first message says.

    Raises:
        SystemExit: Always where the one task did not simply return: with the task's own code, or 1 after an
            exception, whose traceback is in the log.
    """
    process_tree.line_buffer_stdout()
    os.environ["PYTHONUNBUFFERED"] = "1"  # for the task's own children: their output belongs in order too
    channel = Channel(connection)
    channel.send({"kind": "up"})
    os.register_at_fork(after_in_child=lambda: _leave_deck(channel))
    first = channel.receive()
    if first is not None and first["kind"] == "host":
        from tui.worker.host import host

        host(channel)
    elif first is not None and first["kind"] == "program":
        import importlib

        importlib.import_module(first["module"]).main(channel)
    elif first is not None:
        _work_alone(channel, first)


def feed(channel: Channel, run: TaskRun) -> None:
    """Hand the engine's messages to the job's intake, in a thread of its own, until the engine is gone."""
    listen(channel, run.intake.put, run.tick)
    run.loop.put({"kind": "leave"})


def _work_alone(channel: Channel, setup: dict[str, Any]) -> None:
    """Load the one task and run it."""
    if os.environ.get("TUNEDECK"):
        from tui.worker import joined as _  # noqa: F401 - by which its children join
    mine = JobChannel(channel, setup.get("job", ""))
    run = TaskRun(mine, setup)
    current.loop = run.loop
    native.start_thread(feed, (channel, run))
    task_import.set_program(setup["task"], setup.get("args", ()))
    stopping.install(setup.get("signal", signal.SIGTERM))
    function = run.load(hosted=False)
    if function is None:
        raise SystemExit(1)
    try:
        run.call(function)
    except Exception as error:
        print_traceback(error)
        mine.send(raised(error, run.loop.step))
        raise SystemExit(1) from None
    finally:
        threading.Thread(target=_tell_lingering, args=(mine, run.loop), name="tunedeck-lingering", daemon=True).start()


def _tell_lingering(channel: JobChannel, loop: Loop) -> None:
    """Where the process is still here a while after its task has ended, say what it waits for.

    A thread that goes on with checkpoints takes changes as before; else nobody will, and it is told once.
    """
    step = loop.step
    time.sleep(lingering.LINGER)
    loop.over = loop.step == step
    channel.send({"kind": "lingers", "message": lingering.reason("the task"), "over": loop.over})


def _leave_deck(channel: Channel) -> None:
    stopping.uninstall()
    current.loop = None
    current.hosted = contextvars.ContextVar("tunedeck", default=None)  # whatever context the code there comes to
    channel.abandon()
