"""Patterns of JSON Schemas, matched within a time: a pattern that backtracks would hold up every job.

The `re` module can't be stopped, and no other thread runs while it looks; the `regex` library can, and lets them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import regex
from jsonschema import ValidationError, validators

#: Seconds that a look for a pattern in one text may take.
LIMIT = 1.0


def matches(pattern: str, text: str) -> bool:
    """Return whether a pattern is somewhere in a text.

    Raises:
        ValueError: It can't be said within `LIMIT` seconds, or the pattern is none.
    """
    try:
        return regex.search(pattern, text, timeout=LIMIT, concurrent=True) is not None
    except TimeoutError:
        shown = text if len(text) <= 60 else f"{text[:60]}…"
        raise ValueError(f"its pattern {pattern} takes more than {LIMIT:g} s for {shown!r}: make it simpler") from None
    except regex.error as error:
        raise ValueError(f"its pattern {pattern} is no regular expression: {error}") from error


def additional(instance: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return the keys of a mapping that neither `properties` nor `patternProperties` of its schema are about."""
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    return [key for key in instance if key not in known and not any(matches(pattern, key) for pattern in patterns)]


def timed(kind: Any) -> Any:
    """Return a class of validators that does what `kind` does, but matches patterns within a time."""
    return validators.extend(
        kind,
        {"pattern": _pattern, "patternProperties": _pattern_properties, "additionalProperties": _additional_properties},
    )


def _pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "object"):
        for pattern, schema in patterns.items():
            for key, value in instance.items():
                if matches(pattern, key):
                    yield from validator.descend(value, schema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "object"):
        extras = additional(instance, schema)
        if validator.is_type(allowed, "object"):
            for key in extras:
                yield from validator.descend(instance[key], allowed, path=key)
        elif not allowed and extras:
            yield ValidationError(f"unknown keys: {', '.join(extras)}")
