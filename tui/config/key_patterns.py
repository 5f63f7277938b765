"""Patterns of keys, such as ``model.*``: the key that one names, and all that is below it.

A ``*`` in a step stands for any part of a key or index, so ``layers[*].size`` is the size of every layer, and
``*.lr`` that of every section.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from tui.config import keys
from tui.config.diff import Config, changes, same
from tui.config.document import Mark
from tui.protocol.messages import Change
from tui.regexes import LONGEST

_STEP = re.compile(r'(?P<dot>\.)?(?P<plain>[\w*-]+)|\[(?P<index>\*|\d+)\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]')

Pattern = tuple[str, ...]


def parse(text: str) -> Pattern:
    """Return the steps of a pattern, each to be matched with a key or an index as text.

    Raises:
        ValueError: It is not spelled as one.
    """
    if len(text) > LONGEST:
        raise ValueError(f"a pattern of keys has at most {LONGEST} characters, this one {len(text)}")
    found: list[str] = []
    end = 0
    while (match := _STEP.match(text, end)) and (match["plain"] is None or bool(match["dot"]) == bool(found)):
        quoted = match["quoted"]
        step = match["plain"] or match["index"] if quoted is None else _literal(json.loads(quoted))
        found.append(step)
        end = match.end()
    if not found or end != len(text):
        raise ValueError(f"{text!r} is no pattern of keys: write it as model.* or layers[*].size")
    return tuple(found)


def _literal(key: str) -> str:
    """Return a key that stands in quotes as a pattern for just it."""
    return re.sub(r"([*?[])", r"[\1]", key)


class Patterns:
    """Some patterns of keys.

    Args:
        texts: How they are spelled.

    Raises:
        ValueError: One is not spelled as a pattern.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._patterns = [parse(text) for text in texts]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def covers(self, path: str) -> bool:
        """Return whether a key is one that is named, or below one."""
        steps = keys.steps(path) if path else ()
        return any(len(steps) >= len(pattern) and _fits(pattern, steps) for pattern in self._patterns)

    def lines(self, marks: Mapping[str, Mark]) -> tuple[int, ...]:
        """Return the lines of a config, from 1, in which keys stand that are named; an item of a list has no key."""
        found = {(mark.key or mark.value)[0] for path, mark in marks.items() if path and self.covers(path)}
        return tuple(sorted(found))

    def touched(self, change: Change) -> bool:
        """Return whether a change is one of a key that is named, or contains one."""
        return any(_touched(pattern, keys.steps(change.key), change) for pattern in self._patterns)

    def differ(self, old: Config | None, new: Config | None) -> bool:
        """Return whether two configs differ in a key that is named."""
        if not self._patterns or not isinstance(old, Mapping) or not isinstance(new, Mapping):
            return False
        return any(map(self.touched, changes(old, new)))


def _fits(pattern: Pattern, steps: Iterable[Any]) -> bool:
    return all(fnmatchcase(_text(step), part) for part, step in zip(pattern, steps, strict=False))


def _touched(pattern: Pattern, steps: tuple[Any, ...], change: Change) -> bool:
    if not _fits(pattern, steps):
        return False
    if len(steps) >= len(pattern):
        return True
    # The change is of something larger, such as a whole section that has come or gone.
    rest = pattern[len(steps) :]
    old, new = (dict(_found(rest, side, ())) for side in (change.old, change.new))
    return old.keys() != new.keys() or any(not same(old[place], new[place]) for place in old)


def _found(pattern: Pattern, value: Any, way: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every value below `value` that a pattern names, with the way to it."""
    if not pattern:
        yield way, value
        return
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if fnmatchcase(_text(key), pattern[0]):
            yield from _found(pattern[1:], item, (*way, _text(key)))


def _text(step: Any) -> str:
    return step if isinstance(step, str) else json.dumps(step, default=str)
