"""Checks a config against a JSON Schema: a local file that the deck names, or the config's own first lines.

The library takes 170 ms to import, so only a config with a schema pays for it.
"""

from __future__ import annotations

import datetime
import functools
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tui import reading
from tui.config import document
from tui.config.document import ConfigDocument, ConfigError
from tui.config.problems import problem_of
from tui.protocol.messages import Problem

#: So many errors are told at once, each in so many characters at most.
MOST_ERRORS = 50
LONGEST = 200

_MODELINE = re.compile(r"^\ufeff?#\s*yaml-language-server:.*?\$schema=(\S+)", re.MULTILINE)


#: Why a schema, or what it is to check, is too much for the interpreter's stack.
_DEEP = "it leads too deep"


class SchemaError(Exception):
    """The schema can't be used; the message says why, and names it."""


def named_by(text: str, folder: Path) -> Path | None:
    """Return the schema that the ``yaml-language-server`` comment of a config names, None where there is none.

    Raises:
        SchemaError: It is not on this machine.
    """
    found = _MODELINE.search(text)
    if found is None:
        return None
    try:
        parts = urlsplit(found[1])
    except ValueError as error:
        raise SchemaError(f"the schema {found[1]} has no name that can be read: {error}") from error
    if parts.scheme not in ("", "file"):
        raise SchemaError(f"the schema {found[1]} is not on this machine: only local files are read")
    return folder / (unquote(parts.path) if parts.scheme else found[1])


def check(path: Path, config: ConfigDocument) -> Problem | None:
    """Return what is wrong with a config, all errors at once.

    Raises:
        SchemaError: The schema can't be used.
    """
    validator = load(path)
    try:
        found = list(itertools.islice(validator.iter_errors(_plain(config.data)), MOST_ERRORS + 1))
    except RecursionError as error:
        raise SchemaError(f"the schema {path} can't be used: {_DEEP}") from error
    except Exception as error:  # a reference that leads nowhere, a pattern that takes for ever: found when it is used
        raise SchemaError(f"the schema {path} can't be used: {error}") from error
    told = found[:MOST_ERRORS]
    pairs = [(_steps(steps, config.data), words) for error in told for steps, words in _say(error)]
    if len(found) > len(told):
        pairs.append(([], f"more than {MOST_ERRORS} errors, only the first are told"))
    return problem_of("", pairs, config.data, config.marks) if pairs else None


def require(path: Path, text: str) -> str | None:
    """Check a text that is to be in the config file `path` against the schema that it names, if it names one.

    Returns:
        Why it was not checked, where the schema can't be used: for that the text is not to blame.

    Raises:
        ConfigError: The schema objects to it.
    """
    try:
        named = named_by(text, path.parent)
        problem = check(named, document.parse(text)) if named is not None else None
    except SchemaError as error:
        return f"not checked: {error}"
    if problem is not None:
        raise ConfigError(problem)
    return None


def load(path: Path) -> Any:
    """Return the validator of a schema file, JSON or YAML, as the file is now.

    Raises:
        SchemaError: It can't be read, or is no JSON Schema.
    """
    try:
        stat = path.stat()
        return _load(path, stat.st_mtime_ns, stat.st_size)
    except FileNotFoundError:
        raise SchemaError(f"there is no schema file {path}") from None
    except reading.Unfit as error:
        raise SchemaError(f"the schema {path} {error.strerror}") from error
    except OSError as error:
        raise SchemaError(f"the schema {path} can't be read: {error.strerror}") from error
    except RecursionError as error:
        raise SchemaError(f"the schema {path} can't be used: {_DEEP}") from error
    except SchemaError:
        raise
    except Exception as error:  # a path that holds a NUL, and whatever the library does not expect
        raise SchemaError(f"the schema {path} can't be used: {error}") from error


@functools.lru_cache(maxsize=64)
def _load(path: Path, *_: int) -> Any:
    import jsonschema
    import referencing.exceptions
    from referencing.jsonschema import DRAFT202012

    from tui.config import schema_patterns  # noqa: F401 - so that no pattern takes for ever

    def retrieve(uri: str) -> Any:
        parts = urlsplit(uri)
        if parts.scheme != "file":  # a save must not wait for a network, nor tell it anything
            raise referencing.exceptions.NoSuchResource(uri)
        return referencing.Resource.from_contents(_read(Path(unquote(parts.path))), DRAFT202012)

    contents = _read(path)
    kind = jsonschema.validators.validator_for(contents, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(contents)
    except jsonschema.SchemaError as error:
        where = "".join(f"/{step}" for step in error.absolute_path)
        raise SchemaError(
            f"{path} is no JSON Schema: {_short(error.message)}" + (f" at {where}" if where else "")
        ) from error
    uri = path.absolute().as_uri()
    resource = referencing.Resource.from_contents(contents, DRAFT202012)
    make: Any = referencing.Registry  # mypy does not see how its class is made
    registry = make(retrieve=retrieve).with_resource(uri, resource)
    return kind({"$ref": uri}, registry=registry)


def _read(path: Path) -> Any:
    raw, *_ = reading.read(path)
    try:
        contents = json.loads(raw)
    except ValueError:
        try:
            contents = document.parse(document.decode(raw)).data
        except ConfigError as error:
            line = f" in line {error.problem.line}" if error.problem.line else ""
            raise SchemaError(f"the schema {path} can't be read{line}: {error}") from error
    if not isinstance(contents, (dict, bool)):
        raise SchemaError(f"{path} is no JSON Schema: it must be a mapping")
    return contents


def _say(error: Any) -> Iterator[tuple[list[Any], str]]:
    """Yield the steps to what an error is about, and the words for it."""
    steps = list(error.absolute_path)
    if error.validator == "additionalProperties" and error.validator_value is False:
        from tui.config import schema_patterns

        for key in schema_patterns.additional(error.instance, error.schema):
            yield [*steps, key], "unknown key"
    else:
        yield steps, _short(error.message)


def _short(words: str) -> str:
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"


def _steps(steps: list[Any], data: Any) -> list[Any]:
    """Return the steps with the keys as the config has them: to a schema they are all text."""
    found = []
    for step in steps:
        if isinstance(data, Mapping) and step not in data:
            step = next((key for key in data if str(key) == step), step)
        found.append(step)
        if not isinstance(data, (Mapping, list)):
            break  # an item of a set has no place of its own
        data = data[step]
    return found


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: a date is text there."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, set)):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else value
