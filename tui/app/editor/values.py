"""Where the values of a config stand in its text, and the way to each: by the editor's grammar, right or wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tui.app.editor.nudge import meaning
from tui.app.textual_ext.long_text_area import WITHIN, yaml_grammar

if TYPE_CHECKING:
    from tree_sitter import Node

Place = tuple[int, int]
Path = tuple[str | int, ...]

_SCALARS = ("plain_scalar", "double_quote_scalar", "single_quote_scalar")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


def is_yaml(path: str) -> bool:
    """Tell by its name whether a config is YAML, or JSON, which is YAML too."""
    return path.lower().endswith((".yaml", ".yml", ".json"))


class Value(NamedTuple):
    """A scalar in one line: where it begins and ends, its text, and the way to it by keys and by indexes of lists."""

    start: Place
    end: Place
    text: str
    path: Path


def key_of(path: Path) -> str:
    """Return a way as the engine spells it, such as ``opt.betas[1]``."""
    found = ""
    for step in path:
        if isinstance(step, str) and _PLAIN.fullmatch(step):
            found += f".{step}" if found else step
        else:
            found += f"[{json.dumps(step, ensure_ascii=False)}]"
    return found


def value_at(lines: Sequence[str], place: Place) -> Value | None:
    """Return the value at a place, or else the next one in its line, or the last one."""
    row = place[0]
    here = [value for value in _values(lines, _part(lines, row)) if value.start[0] == row]
    return next((value for value in here if value.end >= place), here[-1] if here else None)


def next_value(lines: Sequence[str], place: Place) -> Value | None:
    """Return the first value that begins behind a place."""
    row = place[0]
    while row < len(lines):
        part = _part(lines, row)
        found = next((value for value in _values(lines, part) if value.start > place), None)
        if found is not None:
            return found
        row = part.stop
    return None


def value_before(lines: Sequence[str], place: Place) -> Value | None:
    """Return the last value that begins before a place."""
    row = place[0]
    while row >= 0:
        part = _part(lines, row)
        found = [value for value in _values(lines, part) if value.start < place]
        if found:
            return found[-1]
        row = part.start - 1
    return None


def values(lines: Sequence[str]) -> Iterator[Value]:
    """Yield all values of a text."""
    return _values(lines, range(len(lines)))


def _part(lines: Sequence[str], row: int) -> range:
    """Return the rows around one that can be understood alone: what is not indented begins a new part."""
    start, stop = row, row + 1
    while start and (not lines[start] or lines[start].startswith(WITHIN)):
        start -= 1
    while stop < len(lines) and (not lines[stop] or lines[stop].startswith(WITHIN)):
        stop += 1
    return range(start, stop)


def _values(lines: Sequence[str], rows: range) -> Iterator[Value]:
    from tree_sitter import Parser

    tree = Parser(yaml_grammar()[0]).parse("\n".join(lines[rows.start : rows.stop]).encode("utf-8", "surrogatepass"))
    for node, path in _scalars(tree.root_node, ()):
        (first, left), (last, right) = node.start_point, node.end_point
        if first == last:
            row = rows.start + first
            line = lines[row]
            start, end = _column(line, left), _column(line, right)
            yield Value((row, start), (row, end), line[start:end], path)


def _column(line: str, offset: int) -> int:
    """Return the column of a character; the grammar counts bytes."""
    return offset if line.isascii() else len(line.encode("utf-8", "surrogatepass")[:offset].decode("utf-8", "ignore"))


def _scalars(root: Node, path: Path) -> Iterator[tuple[Node, Path]]:
    """Yield the scalars that are values, in their order; what is behind a tag may be something else."""
    open_ = [(root, path)]
    while open_:
        node, path = open_.pop()
        kind = node.type
        if kind in _SCALARS:
            yield node, path
        elif kind in ("block_mapping_pair", "flow_pair"):
            key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
            name = _name(key) if key is not None else None
            if value is not None and name is not None:
                open_.append((value, (*path, name)))
        else:
            children = node.named_children
            if kind in ("block_sequence", "flow_sequence"):
                items = [child for child in children if child.type != "comment"]
                open_ += reversed([(child, (*path, index)) for index, child in enumerate(items)])
            elif not any(child.type == "tag" for child in children):
                open_ += reversed([(child, path) for child in children if _belongs(child, kind)])


def _belongs(child: Node, parent: str) -> bool:
    """Tell whether the way to what is below `parent` is known."""
    if parent == "flow_mapping":  # besides pairs it can hold keys alone
        return child.type == "flow_pair"
    return parent != "ERROR" or (child.type == "block_mapping_pair" and child.start_point[1] == 0)


def _name(key: Node) -> str | int | None:
    """Return the key of a mapping; None where it is none that can be spelled, or merges something in."""
    if [child.type in _SCALARS for child in key.children] != [True]:
        return None
    text = (key.text or b"").decode("utf-8", "ignore")
    found = meaning(text)
    escaped = text.startswith('"') and found == text[1:-1] and "\\" in text  # as only YAML does it
    return found if isinstance(found, str | int) and text != "<<" and not escaped else None
