"""The config that a task works with, where its annotation has made another one of what the file says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tui.config.keys import child
from tui.protocol.codec import jsonable
from tui.protocol.messages import Change

#: From the worker: the steps to a value, what the config says and what the task has; of a key that nobody reads the
#: former alone.
Difference = Sequence[Any]


def as_changes(differences: Iterable[Difference]) -> tuple[Change, ...]:
    """Return differences as changes from the requested to the effective config."""
    return tuple(
        Change(_path(steps), old, new[0] if new else None, added=old is None, removed=not new)
        for steps, old, *new in differences
    )


def effective(requested: Mapping[str, Any] | str, differences: Iterable[Difference]) -> Mapping[str, Any] | None:
    """Return the whole config that the task works with, None where that is the requested one."""
    found = list(differences)
    if not found or isinstance(requested, str):
        return None
    made: dict[str, Any] = jsonable(requested)
    for steps, _, *new in sorted(found, key=len):  # what goes away first: the same key may come back as a number
        _put(made, steps, new)
    return made


def _path(steps: Iterable[Any]) -> str:
    path = ""
    for step in steps:
        path = child(path, step)
    return path


def _put(data: Any, steps: Sequence[Any], new: Sequence[Any]) -> None:
    *way, last = steps
    for step in way:
        data = data[_step(data, step)]
    last = _step(data, last)
    if new:
        data[last] = new[0]
    elif isinstance(data, dict):
        data.pop(last, None)  # two keys may be one in JSON, such as 1 and "1"
    else:
        del data[last]


def _step(data: Any, step: Any) -> Any:
    """Return a step as plain JSON has it: the keys of its mappings are text."""
    return str(step) if isinstance(data, dict) else step
