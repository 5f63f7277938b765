"""Words that choose reloads, as a condition for the database.

All words must fit. A word stands for itself anywhere in a reload, or, as in ``key:lr``, in one part of it; ``!`` in
front turns it round, quotes keep spaces in it. The case of ASCII letters does not count.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tui.protocol.messages import STATUSES

_WORD = re.compile(r'(?P<no>!?)(?:(?P<part>[a-z]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<plain>\S+))')

_CHANGED = "EXISTS (SELECT 1 FROM json_each(changes) WHERE json_extract(value, '$.key') LIKE ?1 ESCAPE '\\')"
_WRONG = "json_extract(error, '$.key') LIKE ?1 ESCAPE '\\'"
_IN_CHANGES = "EXISTS (SELECT 1 FROM json_tree(changes) WHERE atom LIKE ?1 ESCAPE '\\')"
_IN_ERROR = "json_extract(error, '$.message') LIKE ?1 ESCAPE '\\'"

#: What can be asked of a reload, each in terms of a pattern.
_PARTS = {
    "key": f"{_CHANGED} OR {_WRONG}",
    "error": _IN_ERROR,
    **{name: f"{name} LIKE ?1 ESCAPE '\\'" for name in ("status", "source", "note", "tag", "who")},
}
_ANYWHERE = " OR ".join(
    (
        "'v' || version LIKE ?1 ESCAPE '\\'",
        *(_PARTS[name] for name in ("status", "source", "note", "tag", "who")),
        *(_IN_CHANGES, _IN_ERROR, _WRONG),
    )
)


class Condition(NamedTuple):
    """A condition on the columns of a reload, and the values in it."""

    condition: str
    values: tuple[str, ...]


def condition_of(words: str) -> Condition:
    """Return what the words ask for.

    Raises:
        ValueError: One of them can't be understood.
    """
    conditions: list[str] = []
    values: list[str] = []
    for found in _WORD.finditer(words):
        part, said = found["part"], found["quoted"] if found["quoted"] is not None else found["plain"]
        if said in ("", "!") or (said.removesuffix(":") in (*_PARTS, "run") and said.endswith(":")):
            continue  # it is being typed
        if part is not None and part not in (*_PARTS, "run"):
            part, said = None, f"{part}:{said}"  # such as a time of day, or a path
        if part == "run":
            if not re.fullmatch("[0-9]{1,9}", said):
                raise ValueError(f"{said!r} is no run: write a number such as run:3")
            condition, value = "run = ?1", said
        else:
            if part == "status" and not any(status.startswith(said.lower()) for status in STATUSES):
                raise ValueError(f"no status {said!r}: {' '.join(STATUSES)}")
            escaped = re.sub(r"([\\%_])", r"\\\1", said)
            condition, value = _PARTS[part] if part else _ANYWHERE, f"%{escaped}%"
        conditions.append(f"{'NOT ' if found['no'] else ''}coalesce({condition}, 0)")
        # Each use of the pattern is a value of its own.
        values += [value] * condition.count("?1")
    condition = " AND ".join(conditions).replace("?1", "?") or "1"
    return Condition(condition, tuple(values))
