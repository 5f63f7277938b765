"""Key paths: how a place in a config is spelled, as ``opt.betas[1]`` or ``env["a.b"]``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

#: Where nothing is: null is a value.
MISSING: Any = object()

#: So much must two names have in common: ``lrate`` and ``lr`` have 0.57.
_ALIKE = 0.5

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_STEP = re.compile(r"([A-Za-z0-9_-]+)|\[(\d+)\]")

# More generous than what we write ourselves: a letter of any language needs no quotes.
_READ = re.compile(r'(?P<dot>\.)?(?P<plain>[\w-]+)|\[(?P<json>"(?:[^"\\]|\\.)*"|[^\]"]*)\]')


def child(path: str, key: Any) -> str:
    """Return the path of the item `key` (a mapping's key or a list's index) of the value at `path`.

    Keys that are no strings stand in brackets, so that the key ``1`` and the key ``"1"`` are told apart.
    """
    if not isinstance(key, str):
        return f"{path}[{json.dumps(key, default=str)}]"
    if not _PLAIN.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def steps(path: str) -> tuple[Any, ...]:
    """Return the keys and indexes of a path: what `child` was called with, one after the other.

    Raises:
        ValueError: It is not spelled as a path.
    """
    found, end = _read(path)
    if not found or end != len(path):
        raise ValueError(f'{path!r} is no key path: write it as opt.betas[1] or env["a.b"]')
    return found


def assignment(words: str) -> tuple[str, str]:
    """Part ``key.path=value`` at its ``=``, which is not the one inside a quoted key.

    Raises:
        ValueError: There is no path, or no ``=`` after it.
    """
    end = _read(words)[1]
    if end == 0 or words[end : end + 1] != "=":
        raise ValueError(f'{words!r} sets nothing: write key.path=value, a key of other characters as env["a.b"]=value')
    return words[:end], words[end + 1 :]


def matches(key: Any, step: Any) -> bool:
    """Return whether a key of a mapping is the one that a step of a path names."""
    return child("", key) == child("", step) or (not isinstance(key, str) and str(key) == step and _special(key))


def choose(known: Iterable[Any], step: Any) -> Any:
    """Return the key among those of a mapping that a step of a path names, `MISSING` where there is none.

    ``names.1`` is the key ``1`` too, where there is no ``"1"``.
    """
    names = list(known)
    exact = next((key for key in names if matches(key, step)), MISSING)
    if exact is not MISSING or not isinstance(step, str):
        return exact
    return next((key for key in names if not isinstance(key, str) and json.dumps(key, default=str) == step), MISSING)


def get(data: Any, step: Any) -> Any:
    """Return what a step leads to in plain data, `MISSING` where it leads nowhere."""
    if isinstance(data, list):
        return data[step] if type(step) is int and 0 <= step < len(data) else MISSING
    if isinstance(data, dict):
        key = choose(data, step)
        return MISSING if key is MISSING else data[key]
    return MISSING


def nearest(wanted: str, known: Iterable[str]) -> str | None:
    """Return the name that is most like `wanted`, None where none is."""
    from difflib import get_close_matches  # not before somebody has mistyped

    names = {name.casefold(): name for name in known}
    close = get_close_matches(wanted.casefold(), names, 1, _ALIKE)
    return names[close[0]] if close else None


def overlap(one: str, other: str) -> bool:
    """Return whether two paths are the same, or one leads into the other."""
    a, b = (tuple(map(repr, steps(path))) for path in (one, other))
    return a[: len(b)] == b[: len(a)]


def _special(key: Any) -> bool:
    """A date, or bytes: JSON has no word for it, so that its path has its text in quotes."""
    return not isinstance(key, (bool, int, float, type(None)))


def _read(path: str) -> tuple[tuple[Any, ...], int]:
    """Return the steps at the beginning of a text, and where they end."""
    found: list[Any] = []
    end = 0
    while match := _READ.match(path, end):
        if match["plain"] is not None and bool(match["dot"]) != bool(found):
            break
        try:
            step = match["plain"] if match["plain"] is not None else json.loads(match["json"])
        except ValueError:
            break
        found.append(step)
        end = match.end()
    return tuple(found), end


def find(data: Any, path: str) -> Any:
    """Return the value at a path of plain keys and indexes, such as ``opt.betas[1]``; None where there is none."""
    for key, index in _STEP.findall(path):
        if index:
            data = data[int(index)] if isinstance(data, list) and int(index) < len(data) else None
        else:
            data = data.get(key) if isinstance(data, dict) else None
    return data
