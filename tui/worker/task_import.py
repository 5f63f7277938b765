"""Finds the user's function: ``FILE.py:FUNC`` or ``pkg.mod:FUNC``."""

from __future__ import annotations

import difflib
import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import threading
from types import CodeType, ModuleType
from typing import Any, Callable, Mapping, Sequence

#: Held while a module gets its name, not while it is executed: many jobs of one process are loaded at once.
_naming = threading.Lock()

#: Source and code of every file that was loaded, by its path.
_compiled: dict[str, tuple[bytes, CodeType]] = {}
_compiling = threading.Lock()

#: All code is as it is on disk.
DISK: Mapping[str, bytes] = {}


class TaskError(Exception):
    """The task could not be found; the message says what to do."""


def load_module(target: str, code: Mapping[str, bytes] = DISK) -> ModuleType:
    """Import the module of the function that `target` names.

    A file's folder comes first on `sys.path`, as under ``python FILE.py``, so it may import its neighbours; for a
    module it is the current folder, as under ``python -m``. A file is executed anew each time, under a name of its
    own, so it may be loaded by several jobs of one process, and again after an edit. A module is imported once.

    Args:
        target: The task, or whatever else is spelled so.
        code: Of which files the source is known, whatever is in them by now; see `pinned`.

    Raises:
        TaskError: There is no such file or module.
        BaseException: Whatever the user's module raises when it is imported.
    """
    where = target.rpartition(":")[0]
    return _from_file(where, code.get(os.path.abspath(where))) if where.endswith(".py") else _from_path(where)


def find(module: ModuleType, target: str) -> Callable[..., Any]:
    """Return the function of `target` in its module.

    Raises:
        TaskError: There is none, or it can't be called.
    """
    where, _, name = target.rpartition(":")
    function = getattr(module, name, None)
    if function is None:
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        near = difflib.get_close_matches(name, names, 1) or names[:5]
        raise TaskError(f"{where} has no function {name!r}" + (f"; it has {', '.join(near)}" if near else ""))
    if not callable(function):
        raise TaskError(f"{target} is a {type(function).__name__}, not a function")
    return function  # type: ignore[no-any-return]


def require_config(function: Callable[..., Any], target: str) -> None:
    """See that a task can be called with the config alone.

    Raises:
        TaskError: It can't.
    """
    try:
        # Not that of what it wraps: a decorator may give it more.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # it does not tell, being written in C
        return
    try:
        signature.bind({})
    except TypeError:
        name = target.rpartition(":")[2]
        raise TaskError(f"a task takes the config: write def {name}(config), not {name}{signature}") from None


def put_first(target: str) -> None:
    """Let the folder of `target` come first on `sys.path` again, after another target was loaded."""
    where = target.rpartition(":")[0]
    _add_folder(os.path.dirname(os.path.abspath(where)) if where.endswith(".py") else os.getcwd())


def forget(module: ModuleType) -> None:
    """Give up the name of a file's module, or every restart of a job in a host would keep one more."""
    with _naming:
        if isinstance(module.__loader__, _Script) and sys.modules.get(module.__name__) is module:
            del sys.modules[module.__name__]


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether calling `function` gives a coroutine or an async generator."""
    return any(
        inspect.iscoroutinefunction(part) or inspect.isasyncgenfunction(part)
        for part in (function, getattr(function, "__call__", None))  # noqa: B004 - of an object that can be called
    )


def set_program(target: str, arguments: Sequence[str] = ()) -> None:
    """Let `sys.argv` name the task and its arguments, as its own program would see them."""
    sys.argv = [target.rpartition(":")[0], *arguments]


class _Script(importlib.machinery.SourceFileLoader):
    """Compiles the file as it is now, as ``python FILE.py`` does.

    A cached one counts as fresh when size and second of the last change agree, so a quick edit would be missed. Here
    the source itself must agree: many jobs of a host may run one file.
    """

    def __init__(self, fullname: str, path: str, pinned: bytes | None) -> None:
        super().__init__(fullname, path)
        self._pinned = pinned

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = self._pinned if self._pinned is not None else self.get_data(path)
        with _compiling:
            if path not in _compiled or _compiled[path][0] != source:
                _compiled[path] = source, self.source_to_code(source, path)
            return _compiled[path][1]


def _from_file(path: str, pinned: bytes | None) -> ModuleType:
    if pinned is None and not os.path.isfile(path):
        raise TaskError(f"there is no file {path}")
    _add_folder(os.path.dirname(os.path.abspath(path)))
    stem = os.path.splitext(os.path.basename(path))[0]
    with _naming:
        name = _free_name(stem)
        spec = importlib.util.spec_from_file_location(name, path, loader=_Script(name, path, pinned))
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        forget(module)
        raise
    return module


def _free_name(stem: str) -> str:
    """Return the name under which a child of the task can import it again, unless that is taken.

    A file may be called like a module that is imported already, such as queue.py.
    """
    name, number = stem, 1
    while name in sys.modules:
        name = f"task_{stem}" if number == 1 else f"task_{stem}_{number}"
        number += 1
    return name


def _from_path(name: str) -> ModuleType:
    _add_folder(os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise TaskError(f"there is no module {error.name} in {os.getcwd()} or among the installed ones") from None
        raise


def _add_folder(folder: str) -> None:
    if folder in sys.path:
        sys.path.remove(folder)  # each start of a job in a host would add one more
    sys.path.insert(0, folder)
