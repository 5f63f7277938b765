"""From the setup message to the task's end: the main function of a worker process."""

from __future__ import annotations

import os
import socket
import sys
import threading
import traceback

import tui
from tui.worker import processes, task
from tui.worker.channel import Channel
from tui.worker.loop import Loop

_OURS = os.path.dirname(os.path.abspath(__file__))


def work(connection: socket.socket) -> None:
    """Receive the setup, load the task and run it.

    Raises:
        SystemExit: Always where the task did not simply return: with the task's own code, or 1 after an exception,
            whose traceback is in the log.
    """
    processes.line_buffer_stdout()
    os.environ["PYTHONUNBUFFERED"] = "1"  # for the task's own children: their output belongs in order too
    channel = Channel(connection)
    setup = channel.receive()
    if setup is None:
        return
    loop = Loop(channel, setup["version"], setup["config"])
    tui._loop = loop
    os.register_at_fork(after_in_child=lambda: _leave_deck(channel))
    threading.Thread(target=loop.receive, name="tunedeck-receive", daemon=True).start()
    try:
        function = task.load(setup["task"])
    except (Exception, SystemExit) as error:
        if not isinstance(error, task.TaskError):
            _print_traceback(error)
        channel.send({"kind": "unloadable", "message": _describe(error)})
        raise SystemExit(1) from None
    channel.send({"kind": "loaded"})
    try:
        loop.run(function, setup["loop"])
    except Exception as error:
        _print_traceback(error)
        channel.send({"kind": "raised", "message": _describe(error)})
        raise SystemExit(1) from None


def _leave_deck(channel: Channel) -> None:
    tui._loop = None
    channel.abandon()


def _describe(error: BaseException) -> str:
    if isinstance(error, task.TaskError):
        return str(error)
    return "".join(traceback.format_exception_only(type(error), error)).strip()


def _print_traceback(error: BaseException) -> None:
    """Print the traceback as the task's own program would: from the first frame that is not ours."""
    frame = error.__traceback__
    while frame is not None and os.path.dirname(os.path.abspath(frame.tb_frame.f_code.co_filename)) == _OURS:
        frame = frame.tb_next
    while frame is not None and "importlib" in frame.tb_frame.f_code.co_filename:
        frame = frame.tb_next
    traceback.print_exception(type(error), error, frame, file=sys.stderr)
