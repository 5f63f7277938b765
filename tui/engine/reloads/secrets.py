"""Values that nobody is to see: the schema of the task's annotation says which, as for pydantic's SecretStr.

They are masked in all that is told of a reload. The file, and the text of a version, stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tui.config import keys
from tui.protocol.messages import Change, Problem, Reload

#: What stands for a secret, as pydantic has it.
MASK = "**********"

_UNTOLD = "does not fit the schema; why would tell of its value, which is secret"

Schema = Mapping[str, Any]


class Secrets:
    """What is secret in a config.

    Args:
        schema: What the worker says of the config that its task wants, None where it says nothing.
    """

    def __init__(self, schema: Schema | None = None) -> None:
        self.schema = schema if schema is not None and _has_secrets(schema) else None
        self._defined: Mapping[str, Any] = (schema or {}).get("$defs", {})

    def masked(self, data: Any) -> Any:
        """Return a config without its secrets."""
        return data if self.schema is None else self._mask(data, self._alternatives([self.schema]))

    def changes(self, found: Iterable[Change]) -> tuple[Change, ...]:
        """Return changes without secrets: that one has changed is none."""
        return tuple(found) if self.schema is None else tuple(map(self._change, found))

    def reload(self, row: Reload) -> Reload:
        """Return a row without secrets."""
        if self.schema is None:
            return row
        row = replace(row, changes=self.changes(row.changes), effective=self.masked(row.effective))
        # What a schema of the deck objects to is said with the value; what the worker says has none.
        hidden = [problem for problem in row.errors if row.status == "invalid" and self._is_secret(problem.key)]
        if not hidden or row.error is None:
            return row
        errors = tuple(replace(item, message=_UNTOLD) if item in hidden else item for item in row.errors)
        message = row.error.message
        for problem in hidden:
            message = message.replace(problem.message, _UNTOLD)
        return replace(row, errors=errors, error=Problem(message, row.error.line, row.error.column, row.error.key))

    def _change(self, change: Change) -> Change:
        schemas = self._at(change.key)
        # Null is a value, and none that is secret.
        return replace(change, old=self._mask(change.old, schemas), new=self._mask(change.new, schemas))

    def _is_secret(self, path: str | None) -> bool:
        return path is not None and self._mask(path, self._at(path)) == MASK

    def _at(self, path: str) -> list[Schema]:
        """Return the schemas of what stands at a path; a part of what is secret is secret too."""
        assert self.schema is not None
        schemas = self._alternatives([self.schema])
        for step in keys.steps(path) if path else ():
            if any(map(_is_marked, schemas)):
                break
            schemas = self._below(schemas, step)
        return schemas

    def _mask(self, value: Any, schemas: list[Schema]) -> Any:
        if value is None or not schemas:
            return value
        if any(map(_is_marked, schemas)):
            return MASK
        if isinstance(value, Mapping):
            return {key: self._mask(item, self._below(schemas, key)) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._mask(item, self._below(schemas, place)) for place, item in enumerate(value)]
        return value

    def _below(self, schemas: list[Schema], step: Any) -> list[Schema]:
        return self._alternatives(part for schema in schemas for part in _parts(schema, step))

    def _alternatives(self, schemas: Iterable[Any]) -> list[Schema]:
        """Return all that a value may fit where schemas refer to others, or are made of several."""
        found: list[Schema] = []
        open_ = list(schemas)
        referred: set[str] = set()
        while open_:
            schema = open_.pop()
            if not isinstance(schema, Mapping):
                continue  # true and false are schemas too
            found.append(schema)
            for word in ("anyOf", "oneOf", "allOf"):
                open_ += schema.get(word, ())
            name = str(schema.get("$ref", "")).rpartition("/")[2]
            if name and name not in referred:
                referred.add(name)
                open_.append(self._defined.get(name))
        return found


def _parts(schema: Schema, step: Any) -> Iterator[Any]:
    """Yield the schemas of a part of what a schema describes."""
    if isinstance(step, int):
        first = schema.get("prefixItems", ())
        yield first[step] if step < len(first) else schema.get("items")
    known = schema.get("properties", {})
    yield known[str(step)] if str(step) in known else schema.get("additionalProperties")


def _is_marked(schema: Schema) -> bool:
    return schema.get("writeOnly") is True or schema.get("format") == "password"


def _has_secrets(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        return _is_marked(schema) or any(map(_has_secrets, schema.values()))
    return isinstance(schema, list) and any(map(_has_secrets, schema))
