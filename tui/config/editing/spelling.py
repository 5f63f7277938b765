"""How values are spelled in YAML: the other direction of `tui.config.document`."""

from __future__ import annotations

import datetime
import math
import re
from itertools import pairwise
from typing import Any, NamedTuple

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.tokens import AliasToken, AnchorToken, ScalarToken, TagToken

from tui.config import document
from tui.config.diff import same
from tui.config.document import ConfigError
from tui.protocol.messages import Problem

#: What a typed value is read behind.
_HEAD = "v: "

#: How a value begins that ends where its beginning says.
_ENCLOSED = {"[": "a list", "{": "a mapping", '"': "text in quotes", "'": "text in quotes"}

_SIMPLE = re.compile(r"[-+.:\w]+")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


class Spelled(NamedTuple):
    """A value as its user has written it: ``1e-3`` stays that."""

    data: Any
    text: str


def read(text: str) -> Spelled:
    """Return what a text that was typed on a command line means, such as ``0.05``, ``[64, 32]`` or ``abc``.

    That is what YAML reads where all of it is the value. Where YAML would take a part for something else (a comment, an
    anchor, a tag, the head of a block) it is text, every character of it.

    Raises:
        ConfigError: It begins as a list, a mapping or text in quotes, and is not one as a whole; or it is no text.
    """
    if not _is_text(text):
        raise ConfigError(Problem(f"{text!r} is no text in UTF-8"))
    bare = text.strip(" ")
    if text and not bare:
        return Spelled(text, text)
    enclosed = next((what for mark, what in _ENCLOSED.items() if bare.startswith(mark)), None)
    try:
        data = _whole(bare)
    except ConfigError as error:
        if enclosed is None:
            return Spelled(text, text)
        message = f"{text!r} begins as {enclosed}, but is no such value: {error}; as text it is {quoted(text)}"
        raise ConfigError(Problem(message)) from error
    return Spelled(text, text) if isinstance(data, str) and enclosed is None else Spelled(data, bare)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # what a shell passes on that is not UTF-8
        return False
    return True


def _whole(text: str) -> Any:
    """Return the value that YAML reads from a text.

    Raises:
        ConfigError: It reads none, or not from all of it.
    """
    found = document.parse(f"{_HEAD}{text}\n")
    begin, end = len(_HEAD), len(_HEAD) + len(text)
    if list(found.data) != ["v"]:
        raise ConfigError(Problem("it is more than one value"))
    if text and (found.marks["v"].start, found.marks["v"].end) != (begin, end):
        raise ConfigError(Problem("only a part of it is the value"))
    literal = []
    for token in document.PureYAML().scan(found.text):
        if isinstance(token, (AliasToken, AnchorToken, TagToken)):
            raise ConfigError(Problem("an anchor, alias or tag in it would be lost"))
        if isinstance(token, ScalarToken):
            literal.append((token.start_mark.index, token.end_mark.index))
    outside = "".join(found.text[one[1] : other[0]] for one, other in pairwise([(0, 0), *literal, (end, end)]))
    if "#" in outside:
        raise ConfigError(Problem("the comment in it would be lost"))
    return found.data["v"]


def data_of(value: Any) -> Any:
    """Return the data of a value, spelled or not, and of what is in it."""
    if isinstance(value, Spelled):
        return value.data
    if isinstance(value, dict):
        return {name: data_of(item) for name, item in value.items()}
    return [data_of(item) for item in value] if isinstance(value, list) else value


def inline(value: Any, *, flow: bool = False, quote: str = "") -> str:
    """Return a value in one line.

    Args:
        value: Plain data, or `Spelled`.
        flow: It stands inside brackets.
        quote: Text prefers to stand in such quotes; without them it has none where it needs none.
    """
    if isinstance(value, Spelled):
        if not isinstance(value.data, (str, list, dict)) and _SIMPLE.fullmatch(value.text):
            return value.text
        value = value.data
    if isinstance(value, str):
        if flow:  # in a list and in a mapping not the same words need quotes
            return _text(value, "v: [{0}]\nw: {{x: {0}}}", {"v": [value], "w": {"x": value}}, quote)
        return _text(value, "v: {0}", {"v": value}, quote)
    if isinstance(value, list):
        return f"[{', '.join(inline(item, flow=True, quote=quote) for item in value)}]"
    if isinstance(value, dict):
        items = (
            f"{key(name, flow=True, quote=quote)}: {inline(item, flow=True, quote=quote)}"
            for name, item in value.items()
        )
        return f"{{{', '.join(items)}}}"
    return _scalar(value)


def key(name: Any, *, flow: bool = False, quote: str = "") -> str:
    """Return the key of a mapping, without its colon."""
    if not isinstance(name, str):
        return _scalar(name)
    return _text(name, "v: {{{0}: 0}}" if flow else "v:\n  {0}: 0", {"v": {name: 0}}, quote)


def quoted(value: str) -> str:
    """Return text in double quotes, as JSON has it too."""
    return f'"{"".join(map(_escape, value))}"'


def _escape(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter.isprintable():
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


def _text(value: str, pattern: str, wanted: Any, quote: str) -> str:
    single = "'" + value.replace("'", "''") + "'"
    choices = {"": [value, quoted(value)], "'": [single], '"': []}[quote]
    # More than one line can mean something else where it is put.
    lines = (word for word in choices if "\n" not in word and _means(pattern.format(word), wanted))
    return next(lines, quoted(value))


def _means(text: str, wanted: Any) -> bool:
    try:
        return same(document.parse(text).data, wanted)
    except ConfigError:
        return False


def _scalar(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return str(value)


def in_json(value: Any) -> Any:
    """Return a value for a file of JSON: a number as its user has written it, if JSON has such a number."""
    return value if isinstance(value, Spelled) and _JSON_NUMBER.fullmatch(value.text) else data_of(value)


def leaves(value: Any) -> Any:
    """Return a list or mapping that its user has written with all that is in it as it was written."""
    if not isinstance(value, Spelled) or not isinstance(value.data, (list, dict)):
        return value
    text = f"{_HEAD}{value.text}\n"
    _, root = document.compose(text)
    return _leaves(root.value[0][1], value.data, text)


def _leaves(node: Node, data: Any, text: str) -> Any:
    if isinstance(node, ScalarNode) and node.style is None and not isinstance(data, str):
        return Spelled(data, text[node.start_mark.index : node.end_mark.index])
    if isinstance(node, SequenceNode) and isinstance(data, list):
        return [_leaves(item, inner, text) for item, inner in zip(node.value, data, strict=True)]
    if isinstance(node, MappingNode) and isinstance(data, dict) and len(node.value) == len(data):
        items = zip(node.value, data.items(), strict=True)
        return {name: _leaves(item, inner, text) for (_, item), (name, inner) in items}
    return data
