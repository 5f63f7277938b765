"""Finds the user's function: ``FILE.py:FUNC`` or ``pkg.mod:FUNC``."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import sys
from types import ModuleType
from typing import Any, Callable


class TaskError(Exception):
    """The task could not be found; the message says what to do."""


def load(target: str) -> Callable[[Any], Any]:
    """Import the function that `target` names.

    A file's folder comes first on `sys.path`, as under ``python FILE.py``, so it may import its neighbours; for a
    module it is the current folder, as under ``python -m``.

    Raises:
        TaskError: There is no such file, module or function, or it can't be called.
        BaseException: Whatever the user's module raises when it is imported.
    """
    where, _, name = target.rpartition(":")
    module = _from_file(where) if where.endswith(".py") else _from_path(where)
    function = getattr(module, name, None)
    if function is None:
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        near = difflib.get_close_matches(name, names, 1) or names[:5]
        raise TaskError(f"{where} has no function {name!r}" + (f"; it has {', '.join(near)}" if near else ""))
    if not callable(function):
        raise TaskError(f"{target} is a {type(function).__name__}, not a function")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TaskError(f"{target} is async; a task is a plain function or a generator")
    return function  # type: ignore[no-any-return]


def _from_file(path: str) -> ModuleType:
    if not os.path.isfile(path):
        raise TaskError(f"there is no file {path}")
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    sys.argv = [path]
    # The name under which a child of the task can import it again. A file may be called like a module that is
    # imported already, such as queue.py.
    name = os.path.splitext(os.path.basename(path))[0]
    if name in sys.modules:
        name = f"task_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TaskError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _from_path(name: str) -> ModuleType:
    sys.path.insert(0, os.getcwd())
    sys.argv = [name]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise TaskError(f"there is no module {error.name} in {os.getcwd()} or among the installed ones") from None
        raise
