"""The fields of a model or a dataclass, as the config spells them, and those that can't change live.

A field says so by ``json_schema_extra={"restart": True}`` or, of a plain dataclass, ``metadata={"restart": True}``; a
whole model does by ``ConfigDict(json_schema_extra={"restart": True})``.
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from typing import Any, Iterator, Mapping, NamedTuple


class Field(NamedTuple):
    """One field.

    Attributes:
        name: Of the attribute.
        keys: By which it stands in a config, the usual one first.
        annotation: Its type.
        restart: A change of it needs a new worker.
    """

    name: str
    keys: tuple[str, ...]
    annotation: Any
    restart: bool


def fields_of(kind: Any) -> list[Field] | None:
    """Return the fields of a pydantic model or a dataclass, None for anything else."""
    if not isinstance(kind, type):
        return None
    infos = getattr(kind, "model_fields", None) or getattr(kind, "__pydantic_fields__", None)
    if isinstance(infos, Mapping):
        both = _config(kind).get("populate_by_name") or _config(kind).get("validate_by_name")
        return [
            Field(name, _keys(name, info, both=bool(both)), info.annotation, _restarts(info))
            for name, info in infos.items()
        ]
    if dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return [
            Field(item.name, (item.name,), hints.get(item.name), _marked(item.metadata) or _noted(hints.get(item.name)))
            for item in dataclasses.fields(kind)
            if item.init
        ]
    return [] if hasattr(kind, "model_fields") else None


def is_root(kind: Any) -> bool:
    """Return whether a model stands for the value of its one field, without a key."""
    return bool(getattr(kind, "__pydantic_root_model__", False))


def restart_keys(kind: Any) -> list[str]:
    """Return the patterns of the keys of a config that can't change live, such as ``model.hidden``."""
    return list(dict.fromkeys(_walk(kind, "", ())))


def _walk(annotation: Any, path: str, inside: tuple[Any, ...]) -> Iterator[str]:
    for kind, step in _kinds(annotation):
        fields = fields_of(kind)
        if fields is None or kind in inside:  # a tree of models: deeper levels would never end
            continue
        here = path + step
        if here and _marked(_config(kind).get("json_schema_extra")):
            yield here
            continue
        for field in fields:
            for key in [None] if is_root(kind) else field.keys:
                below = here if key is None else _child(here, key)
                if field.restart and below:
                    yield below
                else:
                    yield from _walk(field.annotation, below, (*inside, kind))


def _kinds(annotation: Any) -> Iterator[tuple[Any, str]]:
    """Yield the classes that a value may be of, and the steps to it: ``[*]`` is any item, ``.*`` any key."""
    if hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is None:
        yield annotation, ""
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        for kind, step in _kinds(arguments[1]) if len(arguments) == 2 else ():
            yield kind, ".*" + step
    elif isinstance(origin, type) and fields_of(origin) is None:
        for argument in arguments:
            for kind, step in _kinds(argument):
                yield kind, "[*]" + step
    elif isinstance(origin, type):
        yield origin, ""  # a generic model
    else:
        for argument in arguments:  # a union
            yield from _kinds(argument)


def _child(path: str, key: str) -> str:
    # Spelled as the engine spells keys; what it can't read as a plain name stands in quotes.
    import json

    if key.replace("-", "_").isidentifier() or key.isdigit():
        return f"{path}.{key}" if path else key
    return f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def _config(kind: Any) -> Mapping[str, Any]:
    found = getattr(kind, "model_config", None) or getattr(kind, "__pydantic_config__", None)
    return found if isinstance(found, Mapping) else {}


def _keys(name: str, info: Any, *, both: bool) -> tuple[str, ...]:
    alias = getattr(info, "validation_alias", None) or getattr(info, "alias", None)
    found = (
        [alias] if isinstance(alias, str) else [key for key in getattr(alias, "choices", ()) if isinstance(key, str)]
    )
    return tuple(dict.fromkeys([*found, *([name] if both or not found else [])]))


def _restarts(info: Any) -> bool:
    return _marked(getattr(info, "json_schema_extra", None))


def _noted(annotation: Any) -> bool:
    """Return whether a pydantic field stands in the annotation of a plain dataclass, and says so."""
    return any(_restarts(item) for item in getattr(annotation, "__metadata__", ()))


def _marked(extra: Any) -> bool:
    return isinstance(extra, Mapping) and extra.get("restart") is True


def _hints(kind: Any) -> dict[str, Any]:
    extras: dict[str, Any] = {"include_extras": True} if sys.version_info >= (3, 9) else {}
    try:
        return typing.get_type_hints(kind, **extras)
    except Exception:  # a name that only the type checker knows: pydantic will have said so
        return {}
