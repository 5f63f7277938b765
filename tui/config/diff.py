"""What differs between two configs, key by key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

from tui.config.keys import MISSING, child
from tui.protocol.messages import Change

#: Parsed, or the text itself.
Config = Mapping[Any, Any] | str


def changes(old: Config | None, new: Config) -> tuple[Change, ...]:
    """Return the changed keys, in the order of `new`, removed ones last; all of them where `old` is None.

    The order of keys is no part of a mapping, only of an ``!!omap``, which is one change as a whole where it differs.
    Lists are compared index by index. A part that is there on one side only is one change. Of a config that is not
    parsed, its text, the changed lines are returned, with keys such as ``line 12``.
    """
    if isinstance(new, str):
        return tuple(_lines(old if isinstance(old, str) else "", new))
    return tuple(_walk("", old if isinstance(old, Mapping) else {}, new))


def _lines(old: str, new: str) -> Iterator[Change]:
    sides = _split(old), _split(new)
    for kind, a, a_end, b, b_end in SequenceMatcher(None, *sides, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for offset in range(max(a_end - a, b_end - b)):
            here, there = (sides[0][a + offset] if a + offset < a_end else MISSING), b + offset
            line = there if there < b_end else a + offset
            yield _change(f"line {line + 1}", here, sides[1][there] if there < b_end else MISSING)


def _split(text: str) -> list[str]:
    """Return lines as every editor counts them: form feeds and the like end none."""
    return text.removesuffix("\n").removesuffix("\r").replace("\r\n", "\n").split("\n") if text else []


def same(a: Any, b: Any) -> bool:
    """Return whether two configs, or parts of one, mean the same to a task: ``1``, ``1.0`` and ``true`` differ."""
    return next(_walk("", a, b), None) is None


def _walk(path: str, old: Any, new: Any) -> Iterator[Change]:
    if _reordered(old, new):
        yield _change(path, old, new)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        # 1, 1.0 and true are equal, and one key to a dict; to a task they are not.
        olds, news = ({(type(key), key): key for key in side} for side in (old, new))
        for kind in [*news, *(kind for kind in olds if kind not in news)]:
            sides = (side[kinds[kind]] if kind in kinds else MISSING for side, kinds in ((old, olds), (new, news)))
            yield from _walk(child(path, kind[1]), *sides)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            sides = (side[index] if index < len(side) else MISSING for side in (old, new))
            yield from _walk(child(path, index), *sides)
    elif not _equal(old, new):
        yield _change(path, old, new)


def _reordered(old: Any, new: Any) -> bool:
    """Return whether two mappings differ in the order of their keys alone, where YAML keeps that: in an ``!!omap``."""
    ordered = isinstance(old, OrderedDict) and isinstance(new, OrderedDict)
    return ordered and [*old] != [*new] and {*old} == {*new}


def _change(path: str, old: Any, new: Any) -> Change:
    added, removed = old is MISSING, new is MISSING
    return Change(path, None if added else old, None if removed else new, added, removed)


def _equal(old: Any, new: Any) -> bool:
    if type(old) is not type(new):
        return False
    # NaN is the one value that differs from itself; a config that says it twice has not changed.
    return bool(old == new or (old != old and new != new))
