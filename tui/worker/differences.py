"""What the task really gets where the file says something else: defaults, values made fit, keys that nobody reads."""

from __future__ import annotations

import enum
import numbers
from typing import Any, Iterator, Mapping, Sequence, Tuple

from tui.worker.restart_fields import fields_of, is_root

_MISSING: Any = object()

#: Steps to a value, what the config has there, None for nothing, and what the task has; of a key that nobody reads
#: the latter is left out.
Difference = Tuple[Any, ...]


def differences(config: Any, made: Any) -> list[Any]:
    """Return where the object that the task gets differs from its config, as steps, requested and effective value.

    What is no model and no dataclass can't be looked into: nothing is said of it.
    """
    if fields_of(type(made)) is None:
        return []
    return [[list(steps), *values] for steps, *values in _walk((), config, made)]


def _walk(steps: tuple[Any, ...], old: Any, new: Any) -> Iterator[Difference]:
    if is_root(type(new)):
        new = new.root
    entries = _entries(new, old)
    if entries is not None and isinstance(old, Mapping):
        for key, value in entries.items():
            yield from _walk((*steps, _step(key)), old.get(key, _MISSING), value)
        for key in old:
            if key not in entries:
                yield (*steps, _step(key)), plain(old[key])
    elif _is_list(old) and _is_list(new) and len(old) == len(new):
        for index, value in enumerate(new):
            yield from _walk((*steps, index), old[index], value)
    elif old is _MISSING or not _alike(old, new):
        yield steps, None if old is _MISSING else plain(old), plain(new)


def _entries(value: Any, old: Any = None) -> dict[Any, Any] | None:
    """Return the parts of a mapping, a model or a dataclass by their keys in the config, None for anything else."""
    if isinstance(value, Mapping):
        return dict(value)
    fields = fields_of(type(value))
    if fields is None:
        return None
    known = old if isinstance(old, Mapping) else {}
    found = {
        next((key for key in field.keys if key in known), field.keys[0]): getattr(value, field.name, None)
        for field in fields
    }
    return {**found, **(getattr(value, "model_extra", None) or {})}


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if is_root(type(value)):
        value = value.root
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    entries = _entries(value)
    if entries is not None:
        return {str(key): plain(item) for key, item in entries.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(plain, value), key=repr)
    if _is_list(value):
        return [plain(item) for item in value]
    if isinstance(value, numbers.Real) or hasattr(value, "as_integer_ratio"):  # a fraction, a decimal, a numpy number
        return float(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    secret = getattr(value, "get_secret_value", None)
    return plain(secret()) if secret is not None else str(value)


def _alike(old: Any, new: Any) -> bool:
    if isinstance(new, (set, frozenset)) and _is_list(old):
        old = {repr(plain(item)) for item in old}
        return old == {repr(plain(item)) for item in new}  # type: ignore[no-any-return]
    old, new = plain(old), plain(new)
    if isinstance(old, bool) is not isinstance(new, bool):
        return False
    return bool(old == new or (old != old and new != new))


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, Sequence) and not isinstance(value, (str, bytes)))


def _step(key: Any) -> Any:
    return key if key is None or isinstance(key, (str, int, float)) else str(key)
