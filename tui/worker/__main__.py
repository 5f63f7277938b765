"""The program of a worker: ``python tui/worker/__main__.py CONTROL_FD FILES WHAT...``.

FILES is how many files the worker and its children may have open, 0 for as many as here: the engine has raised its own
limit, which is none of theirs. What follows is ``CHANNEL_FD`` for Python tasks, and ``-- PROGRAM ARGUMENT...`` for a
command, with ``--tty`` instead of ``--`` if its standard streams are a terminal.

It splits in two: the parent stays as the shim, the child becomes the worker. It is run by its path, under whatever
interpreter the job names, so nothing but the standard library and `tui` itself may be needed here.
"""

import json
import os
import sys

OLDEST = (3, 8)

_HERE = os.path.dirname(os.path.abspath(__file__))
if sys.path[:1] == [_HERE]:
    del sys.path[0]  # or a task's `import loop` would find ours


def _refuse(control_fd: int, reason: str) -> None:
    os.write(control_fd, json.dumps({"refused": reason}).encode() + b"\n")


if sys.version_info < OLDEST:
    _refuse(
        int(sys.argv[1]), "%s is Python %d.%d; a worker needs 3.8 or newer" % (sys.executable, *sys.version_info[:2])
    )
    sys.exit(1)

import importlib.util  # noqa: E402

if "tui" not in sys.modules:  # also where multiprocessing runs this file again in a child of the task
    _root = os.path.dirname(_HERE)
    _spec = importlib.util.spec_from_file_location(
        "tui", os.path.join(_root, "__init__.py"), submodule_search_locations=[_root]
    )
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules["tui"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["tui"])


def _low(descriptor: str) -> int:
    """Return the same connection under a number that `select` can take: in an engine of many jobs it has a high one."""
    number = os.dup(int(descriptor))
    os.close(int(descriptor))
    return number


def _limit(files: int) -> None:
    if files:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def main() -> None:
    """Fork: the parent watches, the child works."""
    import socket

    from tui.worker import processes, shim

    control = socket.socket(fileno=_low(sys.argv[1]))
    files, what, *command = sys.argv[2:]
    processes.adopt_orphans()
    parent = os.getpid()
    child = os.fork()
    if child:
        if not command:
            os.close(int(what))
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):  # the end of the output is the end of the job's last process, not of the shim
            os.dup2(null, descriptor)
        shim.watch(child, control)
        os._exit(0)
    control.set_inheritable(False)
    _limit(int(files))
    os.setsid()
    processes.die_with_parent(parent)
    if command:
        _execute(command, control.fileno(), tty=what == "--tty")
    control.close()
    channel = socket.socket(fileno=_low(what))
    channel.set_inheritable(False)  # a program that the task starts has no business with it

    from tui.worker import work

    work.work(channel)


def _execute(command: "list[str]", control_fd: int, tty: bool) -> None:
    """Become the command, or tell why not."""
    import fcntl
    import signal
    import termios

    if tty:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and a program would inherit that
    try:
        os.execvp(command[0], command)
    except OSError as error:
        _refuse(control_fd, "%s can't be run: %s" % (command[0], error.strerror))
    os._exit(127)


if __name__ == "__main__":
    main()
