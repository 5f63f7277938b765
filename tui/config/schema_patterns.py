"""Patterns of JSON Schemas, matched within a time: a pattern that backtracks would hold up every job."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from jsonschema import _keywords, _legacy_keywords, _utils

from tui.regexes import Pattern, PatternError

#: Seconds that a look for a pattern in one text may take.
LIMIT = 1.0


def matches(pattern: str, text: str) -> bool:
    """Return whether a pattern is somewhere in a text.

    Raises:
        ValueError: It can't be said within `LIMIT` seconds, or the pattern is none.
    """
    try:
        return Pattern(pattern, LIMIT).search(text)
    except PatternError as error:
        raise ValueError(f"its pattern {pattern[:60]} is {error}") from error


def additional(instance: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return the keys of a mapping that neither `properties` nor `patternProperties` of its schema are about."""
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    return [key for key in instance if key not in known and not any(matches(pattern, key) for pattern in patterns)]


# All that the library looks for is looked for by `re.search`, in these modules; it has no other way to replace that.
for _module in (_keywords, _legacy_keywords, _utils):
    _module.re = SimpleNamespace(search=matches)
