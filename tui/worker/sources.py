"""Which files a task is made of: what it has imported from below its folder."""

from __future__ import annotations

import os
import sys
from typing import Any, List

#: Folders of what was installed, which may lie below that of the task.
_INSTALLED = ("site-packages", "dist-packages")


def folder_of(target: str) -> str:
    """Return the folder of a task: that of its file, or the current one for a module."""
    where = target.rpartition(":")[0]
    return os.path.dirname(os.path.abspath(where)) if where.endswith(".py") else os.getcwd()


def files(target: str, *modules: Any) -> List[str]:
    """Return the files below the task's folder that were imported, and those of the `modules`, sorted."""
    top = folder_of(target) + os.sep
    found = {_file(module) for module in modules}
    for name, module in list(sys.modules.items()):
        path = "" if _is_ours(name) else _file(module)
        if path.startswith(top) and not any(part in _INSTALLED for part in path[len(top) :].split(os.sep)):
            found.add(path)
    return sorted(found - {""})


def _is_ours(name: str) -> bool:
    return name in ("__main__", "tui") or name.startswith(("tui.worker", "tui.protocol"))


def _file(module: Any) -> str:
    """Return the source of a module, empty where it has none: some are objects of the user's, which may do anything."""
    try:
        path = module.__dict__.get("__file__")
    except Exception:
        return ""
    return os.path.abspath(path) if isinstance(path, str) and path.endswith(".py") else ""


class Sources:
    """Tells the engine which they are, and again when there are more.

    Args:
        channel: Takes the message.
        target: The task.
        modules: Those that belong to it wherever they lie.
        hosted: Others import here too: only `modules` are the task's for sure.
    """

    def __init__(self, channel: Any, target: str, modules: List[Any], hosted: bool) -> None:
        self._channel = channel
        self._target = target
        self._modules = modules
        self._hosted = hosted
        self._seen = 0
        self._told: List[str] = []

    def tell(self) -> None:
        """Tell them, if there are others than were told; costs next to nothing where nothing was imported since."""
        if len(sys.modules) == self._seen:
            return
        self._seen = len(sys.modules)
        found = sorted({_file(module) for module in self._modules} - {""})
        if not self._hosted:
            found = files(self._target, *self._modules)
        if found != self._told:
            self._told = found
            self._channel.send({"kind": "sources", "files": found})
