"""What must be said of a value so that nobody takes it for another one, on the screen as on the command line."""

from __future__ import annotations

import re
from typing import Any

from tui.protocol.messages import Change

#: Text that YAML would read as something else, or that JSON has for it.
_NUMBER = r"[-+]?(?:\.?\d[\d_]*(?:\.[\d_]*)?(?:e[-+]?\d+)?|0x[\da-f_]+|0o[0-7_]+|\.?inf(?:inity)?)|\.?nan"
_DATE = r"\d{4}-\d\d?-\d\d?(?:[ t].*)?"
_MOMENT = re.compile(_DATE, re.IGNORECASE)
_OTHER = re.compile(rf"~|null|true|false|{_NUMBER}|{_DATE}", re.IGNORECASE)

_KINDS: dict[type, str] = {bool: "boolean", int: "number", float: "number", str: "text", list: "list", dict: "mapping"}

#: Numbers that JSON has as text.
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")


def misleading(text: str) -> bool:
    """Return whether a text looks like a value of another type: it needs quotes wherever it is shown."""
    return _OTHER.fullmatch(text) is not None


def retyped(change: Change) -> str:
    """Return how the type of a value has changed, such as ``number → text``; nothing where it has not."""
    kinds = _kind(change.old), _kind(change.new)
    return (
        "" if change.added or change.removed or None in kinds or kinds[0] == kinds[1] else " → ".join(map(str, kinds))
    )


def _kind(value: Any) -> str | None:
    """Return the type of a value in a word; None for null, and for what JSON has as text while it may be none."""
    if value is None or (isinstance(value, str) and (value in _NOT_FINITE or _MOMENT.fullmatch(value))):
        return None
    return next((word for kind, word in _KINDS.items() if isinstance(value, kind)), None)
