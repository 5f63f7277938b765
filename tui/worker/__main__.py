"""The program of a worker: ``python tui/worker/__main__.py CONTROL_FD FILES KEEP WHAT...``; see `bootstrap`.

It is run by its path, under whatever interpreter the job names, so nothing but the standard library and `tui` itself
may be needed here. Written so that even Python 2 can read it, to say that it is too old.
"""

import json
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
if sys.path[:1] == [_HERE]:
    del sys.path[0]  # or a task's `import loop` would find ours

if sys.version_info < (3, 8):
    _reason = "%s is Python %s: a worker needs 3.8 or newer; name another interpreter under `python:`" % (
        sys.executable,
        sys.version.split()[0],
    )
    os.write(int(sys.argv[1]), json.dumps({"refused": _reason}).encode() + b"\n")
    sys.exit(1)

import importlib.util  # noqa: E402

#: It is said to the task's children, which join by it: neither the shim nor the worker does. In a child in which
#: multiprocessing runs this file again, it stays.
_address = os.environ.pop("TUNEDECK", None) if __name__ == "__main__" else None

if "tui" not in sys.modules:  # also where multiprocessing runs this file again in a child of the task
    _root = os.path.dirname(_HERE)
    _spec = importlib.util.spec_from_file_location(
        "tui", os.path.join(_root, "__init__.py"), submodule_search_locations=[_root]
    )
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules["tui"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["tui"])

if _address is not None:
    os.environ["TUNEDECK"] = _address
if __name__ == "__main__":
    from tui.worker import bootstrap

    bootstrap.begin()
