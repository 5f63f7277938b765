"""The program of a worker: ``python tui/worker/__main__.py CONTROL_FD CHANNEL_FD``.

It splits in two: the parent stays as the shim, the child becomes the worker. It is run by its path, under whatever
interpreter the job names, so nothing but the standard library and `tui` itself may be needed here.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
if sys.path[:1] == [_HERE]:
    del sys.path[0]  # or a task's `import loop` would find ours

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


def main() -> None:
    """Fork: the parent watches, the child works."""
    import socket

    from tui.worker import processes, shim, work

    control, channel = (socket.socket(fileno=int(argument)) for argument in sys.argv[1:3])
    channel.set_inheritable(False)  # a program that the task starts has no business with it
    processes.adopt_orphans()
    parent = os.getpid()
    child = os.fork()
    if child:
        channel.close()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (1, 2):  # the end of the output is the end of the job's last process, not of the shim
            os.dup2(null, descriptor)
        shim.watch(child, control)
        os._exit(0)
    control.close()
    os.setsid()
    processes.die_with_parent(parent)
    work.work(channel)


if __name__ == "__main__":
    main()
