"""How the program of a worker begins: ``CONTROL_FD FILES KEEP WHAT...`` are its arguments.

FILES is how many files the worker and its children may have open, 0 for as many as here: the engine has raised its own
limit, which is none of theirs. KEEP is a descriptor that only the shim holds, so that others see when nothing of the
engine is left; ``-`` for none. What follows is ``CHANNEL_FD`` for Python tasks, with the interpreter after it where
that is another one, and ``-- PROGRAM ARGUMENT...`` for a command, with ``--tty`` instead of ``--`` if its standard
streams are a terminal.

With ``FD check FILE`` it is no worker, but sees whether one could import its task; see `import_check`.

It splits in two: the parent stays as the shim, the child becomes the worker. Under another interpreter this program is
run once more, with ``CONTROL_FD worker CHANNEL_FD``.
"""

import json
import os
import socket
import sys

from tui.worker import process_tree, shim


def _low(descriptor: str) -> int:
    """Return the same connection under a number that `select` can take: in an engine of many jobs it has a high one."""
    number = os.dup(int(descriptor))
    os.close(int(descriptor))
    return number


def _limit(files: int) -> None:
    if files:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def begin() -> None:
    """Fork: the parent watches, the child works; or, where that was done already, work."""
    if sys.argv[2] == "check":
        from tui.worker import import_check

        import_check.main(sys.argv[3])
    if sys.argv[2] == "worker":
        os.close(int(sys.argv[1]))
        _work(sys.argv[3])
        return
    control = socket.socket(fileno=_low(sys.argv[1]))
    files, keep, what, *rest = sys.argv[2:]
    process_tree.adopt_orphans()
    parent = os.getpid()
    child = os.fork()
    if child:
        if what.isdigit():
            os.close(int(what))
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):  # the end of the output is the end of the job's last process, not of the shim
            os.dup2(null, descriptor)
        shim.watch(child, control)
        os._exit(0)
    if keep != "-":
        os.close(int(keep))
    _limit(int(files))
    os.setsid()
    process_tree.die_with_parent(parent)
    if what.isdigit() and os.isatty(0):
        _take_terminal()
    if not what.isdigit():
        control.set_inheritable(False)
        _execute(rest, control.fileno(), tty=what == "--tty")
    elif rest:
        control.set_inheritable(True)
        _execute([*rest, sys.argv[0], str(control.fileno()), "worker", what], control.fileno(), tty=False)
    control.close()
    _work(what)


def _work(what: str) -> None:
    channel = socket.socket(fileno=_low(what))
    channel.set_inheritable(False)  # a program that the task starts has no business with it

    from tui.worker import main

    main.main(channel)


def _take_terminal() -> None:
    """Make the standard streams the terminal of this session: what is typed there as ctrl+c, and its size, are told."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _execute(command: "list[str]", control_fd: int, tty: bool) -> None:
    """Become a program, or tell why not."""
    import signal

    if tty:
        _take_terminal()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and a program would inherit that
    try:
        os.execvp(command[0], command)
    except OSError as error:
        reason = "%s can't be run: %s" % (command[0], error.strerror)
        os.write(control_fd, json.dumps({"refused": reason}).encode() + b"\n")
    os._exit(127)
