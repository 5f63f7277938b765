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
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tui.protocol import messages
from tui.protocol.messages import Change, Document, Effect, Judged, Lines, Message, Problem, Reload

#: The longest line of JSON that is read: a config, or a batch of lines of output.
LIMIT = 64 << 20

#: Python neither writes nor reads decimal numbers of more than 4,300 digits.
_MOST_BITS = 14_000

#: How numbers are told for which JSON has no word.
_WORDS = ("NaN", "Infinity", "-Infinity")

#: Returns text as JSON writes it.
quote = json.encoder.encode_basestring

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
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        return {
            item.name: jsonable(getattr(value, item.name))
            for item in dataclasses.fields(value)
            if "local" not in item.metadata and ("sparse" not in item.metadata or getattr(value, item.name))
        }
    return str(value)


def public(message: Message) -> dict[str, Any]:
    """Return the JSON object of a message, `event`, `time` and `job` first."""
    body: dict[str, Any] = jsonable(message)
    head = {"event": message.KIND}
    head.update((key, body.pop(key)) for key in ("time", "job") if key in body)
    return head | body


def encode(message: Message) -> bytes:
    """Return `message` as one line of JSON, its newline included."""
    return json.dumps(public(message), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"


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
        if kind is None:
            return None
        if kind is Reload:
            return _checked(reload_of(body))
        known = _known(kind, body)
        if known.get("error") is not None:
            known["error"] = Problem(**_known(Problem, known["error"]))
        if kind is Document:
            known["errors"] = tuple(Problem(**_known(Problem, problem)) for problem in known.get("errors", ()))
        for key in ("restart", "restart_lines", "names"):
            if key in known:
                known[key] = tuple(known[key])
        return _checked(kind(**(_numbers(known) if kind is Judged else known)))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"message {body.get('event')!r}: {error}") from error


def reload_of(body: Mapping[str, Any]) -> Reload:
    """Return the reload of a JSON object.

    Raises:
        TypeError: It lacks a field, or has the wrong one.
    """
    known = _known(Reload, body)
    if known.get("error") is not None:
        known["error"] = Problem(**_known(Problem, known["error"]))
    known["changes"] = tuple(Change(**_known(Change, change)) for change in known.get("changes", ()))
    known["errors"] = tuple(Problem(**_known(Problem, problem)) for problem in known.get("errors", ()))
    known["effect"] = effects_in(known.get("effect", ()))
    return Reload(**known)


def effects_in(bodies: Iterable[Mapping[str, Any]]) -> tuple[Effect, ...]:
    """Return the effects of JSON objects."""
    return tuple(Effect(**_numbers(_known(Effect, body))) for body in bodies)


def _numbers(body: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of an effect with the numbers for which JSON has no word as numbers again."""
    numbers = ("change", "low", "high", "smallest", "before", "after")
    return {key: float(value) if key in numbers and value in _WORDS else value for key, value in body.items()}


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


def _checked(message: Message) -> Message:
    """Return a message whose fields have the types that they are declared with.

    Raises:
        TypeError: One has not.
    """
    kind: Any = type(message)
    for name, hint in _hints(kind).items():
        if not _fits(getattr(message, name), hint):
            raise TypeError(f"{name} is no {getattr(hint, '__name__', hint)}")
    return message


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    known = typing.get_type_hints(kind)
    return {item.name: known[item.name] for item in dataclasses.fields(kind)}


def _fits(value: Any, hint: Any) -> bool:
    kind, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if kind in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if kind is tuple:
        return isinstance(value, tuple) and all(_fits(item, inner[0]) for item in value)
    if kind is not None:  # a mapping
        return isinstance(value, dict) and (inner[1] is Any or all(_fits(item, inner[1]) for item in value.values()))
    if hint in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if hint is float else hint)


def _known(kind: type, body: Mapping[str, Any]) -> dict[str, Any]:
    return {item.name: body[item.name] for item in dataclasses.fields(kind) if item.name in body}
