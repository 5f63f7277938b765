"""What a task's annotation says of the key under the cursor: its type, its range, what it is for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

#: An item of a list, whichever.
ITEM = None

#: A key in a line, behind its indentation and the dashes of lists.
KEY = re.compile(r"""( *(?:- +)*)("[^"]*"|'[^']*'|[^\s#:\[\]{},&*!|>'"%@`-][^:#]*?) *:(?:\s|$)""")

#: How far above a line its parents are looked for.
_FAR = 5_000

#: What limits a value: the word of JSON Schema, and how it is said.
_LIMITS = (
    ("minimum", "≥ "), ("exclusiveMinimum", "> "), ("maximum", "≤ "), ("exclusiveMaximum", "< "),
    ("multipleOf", "a multiple of "), ("pattern", "like "), ("minLength", "length ≥ "), ("maxLength", "length ≤ "),
    ("minItems", "items ≥ "), ("maxItems", "items ≤ "),
)  # fmt: skip


def path_at(lines: Sequence[str], row: int) -> list[str | None]:
    """Return the way to the key in a line, by indentation alone: the text need not be right, nor be parsed."""
    match = KEY.match(lines[row])
    if match is None:
        return []
    path: list[str | None] = [_name(match[2])]
    column = _out_of_list(match, path)
    for above in range(row - 1, max(row - _FAR, -1), -1):
        if column == 0 and path[0] is not ITEM:
            break
        # Most lines lie deeper or beside the way, and say so with their first characters.
        indent = " " * column
        if lines[above].startswith((f"{indent} ", f"{indent}-") if path[0] is ITEM else indent):
            continue
        parent = KEY.match(lines[above])
        if parent is None:
            continue
        at, dash = parent.end(1), "-" in parent[1]
        if at < column or (path[0] is ITEM and at == column and not dash):
            path.insert(0, _name(parent[2]))
            column = _out_of_list(parent, path)
        elif at == column and dash and path[0] is not ITEM:
            column = _out_of_list(parent, path)
    return path


def _out_of_list(match: re.Match[str], path: list[str | None]) -> int:
    """Return the column at which the key's parent ends its own; an item of a list is a step on the way."""
    for _ in range(match[1].count("-")):
        path.insert(0, ITEM)
    return match[1].index("-") if "-" in match[1] else match.end(1)


def _name(key: str) -> str:
    return key[1:-1] if key[0] in "\"'" else key


def hint(schema: Mapping[str, Any], path: Sequence[str | int | None]) -> str:
    """Return what a JSON Schema says of the value at the end of `path`; empty for nothing."""
    node = _node(schema, path)
    return " · ".join(_words(node, schema)) if node is not None else ""


def fragment(schema: Mapping[str, Any], path: Sequence[str | int | None]) -> dict[str, Any]:
    """Return all that a JSON Schema says of the value at the end of `path`, its variants as one; empty for nothing."""
    node = _node(schema, path)
    found: dict[str, Any] = {}
    choices: list[Any] = []
    for one in _variants(node, schema) if node is not None else ():
        found = {**one, **found}
        choices += one["enum"] if isinstance(one.get("enum"), list) else [one["const"]] if "const" in one else []
    if choices:
        found["enum"] = choices
    return found


def named(path: Sequence[str | None]) -> str:
    """Return how a way is said."""
    return ".".join("[]" if step is ITEM else step for step in path).replace(".[]", "[]")


def _node(schema: Mapping[str, Any], path: Sequence[str | int | None]) -> Mapping[str, Any] | None:
    nodes = [schema]
    for step in path:
        nodes = [below for node in nodes for one in _variants(node, schema) for below in _below(one, step)]
    return nodes[0] if nodes and path else None


def _variants(node: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the schemas that a node stands for; references lead into the schema itself."""
    found, open_, seen = [], [node], 0
    while open_ and seen < 50:  # a reference may lead back to itself
        one = open_.pop(0)
        seen += 1
        found.append(one)
        reference = one.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/"):
            target: Any = schema
            for name in reference[2:].split("/"):
                target = target.get(name) if isinstance(target, Mapping) else None
            open_ += [target] if isinstance(target, Mapping) else []
        for word in ("anyOf", "oneOf", "allOf"):
            open_ += [item for item in one.get(word, ()) if isinstance(item, Mapping)]
    return found


def _below(node: Mapping[str, Any], step: str | int | None) -> list[Mapping[str, Any]]:
    if not isinstance(step, str):
        return [items] if isinstance(items := node.get("items"), Mapping) else []
    properties = node.get("properties", {})
    found = properties[step] if step in properties else node.get("additionalProperties")
    return [found] if isinstance(found, Mapping) else []


def _words(node: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    variants = _variants(node, schema)
    types = dict.fromkeys(str(one["type"]) for one in variants if isinstance(one.get("type"), str))
    values = [json.dumps(value, ensure_ascii=False) for one in variants for value in one.get("enum", ())]
    limits = [f"{sign}{one[word]}" for one in variants for word, sign in _LIMITS if word in one]
    said = [" or ".join(types), " ".join(values), ", ".join(dict.fromkeys(limits))]
    if any("default" in one for one in variants[:1]):
        said.append(f"default {json.dumps(node['default'], ensure_ascii=False)}")
    description = next((one["description"] for one in variants if isinstance(one.get("description"), str)), "")
    return [word for word in (*said, " ".join(description.split())) if word]
