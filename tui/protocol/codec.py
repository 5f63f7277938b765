"""How messages cross a boundary: one JSON object a line, both ways.

`encode` and `decode` are the only way in and out, so what a viewer gets and what ``--json`` prints are the same
objects. Fields that a reader does not know are ignored, which lets an older viewer talk to a newer engine of the same
protocol.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import io
import json
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from tui.protocol import messages
from tui.protocol.messages import Effect, Lines, Message, Reload

#: The longest line of JSON that is read: a config, or a batch of lines of output.
LIMIT = 64 << 20

#: Python neither writes nor reads decimal numbers of more than 4,300 digits.
_MOST_BITS = 14_000

#: How numbers are told for which JSON has no word.
_WORDS = ("NaN", "Infinity", "-Infinity")

#: Returns text as JSON writes it.
quote = json.encoder.encode_basestring

Made = TypeVar("Made")
Taker = Callable[[Any], Any]

KINDS: dict[str, type[Message]] = {
    kind.KIND: kind
    for kind in vars(messages).values()
    if isinstance(kind, type) and issubclass(kind, Message) and kind.KIND
}


def jsonable(value: Any) -> Any:
    """Return `value` as strict JSON can hold it.

    Non-finite numbers become the strings ``NaN``, ``Infinity`` and ``-Infinity``, dates ISO 8601 strings, keys
    strings, and what JSON has no word for its `str`.
    """
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return value if value.bit_length() < _MOST_BITS else hex(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    kind: Any = type(value)
    if (shown := _shown(kind)) is not None:
        named = ((name, getattr(value, name), sparse) for name, sparse in shown)
        return {name: jsonable(item) for name, item, sparse in named if item or not sparse}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)


@functools.cache
def _shown(kind: Any) -> tuple[tuple[str, bool], ...] | None:
    """Return the fields of a dataclass that are told, and whether each is left out where it is empty."""
    if not dataclasses.is_dataclass(kind):
        return None
    told = (item for item in dataclasses.fields(kind) if "local" not in item.metadata)
    return tuple((item.name, "sparse" in item.metadata) for item in told)


def public(message: Message) -> dict[str, Any]:
    """Return the JSON object of a message, `event`, `time` and `job` first."""
    body: dict[str, Any] = jsonable(message)
    head = {"event": message.KIND}
    head.update((key, body.pop(key)) for key in ("time", "job") if key in body)
    return head | body


def encode(message: Message) -> bytes:
    """Return `message` as one line of JSON, its newline included.

    Half a character, which stands for a byte in the name of a file that is not UTF-8, is told by JSON's own escape.
    """
    return json.dumps(public(message), ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"


def encode_lines(batch: Lines) -> bytes:
    """Return each line of a block as `encode` would return its `Log`, in a thirtieth of the time."""
    before = f'{{"event": "log", "time": {batch.time!r}, "job": {quote(batch.job)}, "line": '
    after = f', "version": {"null" if batch.version is None else batch.version}}}\n'
    return f"{before}{(after + before).join(map(quote, batch.lines))}{after}".encode("utf-8", "replace")


def decode(line: bytes) -> Message | None:
    """Return the message of one line; None for a kind that this version does not know.

    Raises:
        ValueError: The line is longer than `LIMIT`, is no JSON object, or a field is missing or of another type.
    """
    if len(line) > LIMIT:
        raise ValueError(f"a message has at most {LIMIT} bytes")
    try:
        body = json.loads(line)
    except RecursionError as error:
        raise ValueError("a message has not so many levels") from error
    if not isinstance(body, dict):
        raise ValueError("a message is a JSON object")
    try:
        kind = KINDS.get(body.get("event", ""))
        return _made(kind, body) if kind is not None else None
    except (TypeError, AttributeError) as error:
        raise ValueError(f"message {body.get('event')!r}: {error}") from error


def reload_of(body: Mapping[str, Any]) -> Reload:
    """Return the reload of a JSON object.

    Raises:
        TypeError: It lacks a field, or has the wrong one.
    """
    return _made(Reload, body)


def read(stream: io.BufferedIOBase) -> Iterator[Message | None]:
    """Yield what `decode` makes of each line that comes, up to the end of the stream.

    Raises:
        ConnectionError: Who is there says something else.
    """
    while line := stream.readline(LIMIT + 1):
        try:
            yield decode(line)
        except ValueError as error:
            raise ConnectionError(f"who answers does not speak our protocol: {error}") from error


def _made(kind: Callable[..., Made], body: Any) -> Made:
    """Return an object of `kind` with what it knows of a JSON object.

    Raises:
        TypeError: A field is missing, or has another type than it is declared with.
    """
    if not isinstance(body, dict):
        raise TypeError(f"{body!r:.40} is no object")
    return kind(**{name: take(body[name]) for name, take in _takers(kind) if name in body})


@functools.cache
def _takers(kind: Any) -> list[tuple[str, Taker]]:
    """Return how the value of each field of `kind` that crosses a boundary is made of JSON."""
    hints = typing.get_type_hints(kind)
    known = [item.name for item in dataclasses.fields(kind) if "local" not in item.metadata]
    return [(name, taker(name, hints[name], words=issubclass(kind, Effect))) for name in known]


def taker(name: str, hint: Any, *, words: bool = False) -> Taker:
    """Return what makes the value of a field of JSON; with `words`, what JSON has no word for is a number again."""
    kind, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return lambda value: value
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return functools.partial(_made, hint)
    if kind in (typing.Union, types.UnionType):  # with None
        take = taker(name, inner[0], words=words)
        return lambda value: None if value is None else take(value)
    if kind is tuple:
        one = taker(name, inner[0], words=words)
        return lambda value: tuple(map(one, _checked(name, value, list)))
    if kind is not None:  # a mapping
        if inner[1] is Any:
            return lambda value: _checked(name, value, dict)
        item = taker(name, inner[1], words=words)
        return lambda value: {key: item(each) for key, each in _checked(name, value, dict).items()}
    if hint is float:
        return lambda value: float(value) if words and value in _WORDS else _checked(name, value, (int, float))
    return lambda value: _checked(name, value, hint)


def _checked(name: str, value: Any, kind: Any) -> Any:
    if not isinstance(value, kind) or (value.__class__ is bool and kind is not bool):
        raise TypeError(f"{name} is no {getattr(kind, '__name__', 'number')}")
    return value
