"""The object that a task gets for its config: what the annotation of its parameter asks for.

pydantic makes and validates it. A model brings pydantic along; for a dataclass it is imported, and for a plain dict
it is not needed.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import typing
from typing import Any, Callable

from tui.worker import task_import
from tui.worker.restart_fields import restart_keys


def converter(wanted: Any) -> Callable[[Any], Any] | None:
    """Return what makes the task's object of a plain dict, None where the dict is all that it wants.

    Args:
        wanted: What the task's parameter is annotated with.

    Raises:
        TaskError: pydantic is needed and not there.
    """
    if not isinstance(wanted, type):
        return None
    if hasattr(wanted, "model_validate"):
        return wanted.model_validate  # type: ignore[no-any-return]
    if hasattr(wanted, "parse_obj"):
        raise task_import.TaskError(f"{wanted.__name__} is a model of pydantic 1: make it one of pydantic 2")
    if hasattr(wanted, "__dataclass_fields__"):
        return _adapter(wanted).validate_python  # type: ignore[no-any-return]
    return None


def describe(wanted: Any) -> dict[str, Any]:
    """Return what an editor may hint at: the JSON schema that an annotation implies, and what can't change live.

    The schema is None where there is none: not every type that pydantic validates has one.
    """
    fields = restart_keys(wanted)
    try:
        if hasattr(wanted, "model_json_schema"):
            schema = wanted.model_json_schema()
        else:
            schema = _adapter(wanted).json_schema() if hasattr(wanted, "__dataclass_fields__") else None
        json.dumps(schema)
    except Exception:  # whatever it is, the config is checked all the same
        schema = None
    return {"schema": schema, "restart": fields}


def errors_of(error: ValueError) -> list[Any]:
    """Return what pydantic found, as pairs of the steps to a value and the words; empty for any other error."""
    found = getattr(error, "errors", None)
    if not callable(found):
        return []
    return [
        [[step if isinstance(step, int) else str(step) for step in item["loc"]], str(item["msg"])] for item in found()
    ]


def _adapter(wanted: Any) -> Any:
    try:
        adapter = importlib.import_module("pydantic").TypeAdapter  # takes a while
    except (ImportError, AttributeError) as error:
        raise task_import.TaskError(
            f"the config of the task is the dataclass {wanted.__name__}, which pydantic 2 has to validate, "
            f"but {sys.executable} does not have it: install pydantic there, or annotate a dict ({error})"
        ) from None
    return adapter(wanted)


def wanted_by(function: Callable[..., Any]) -> Any:
    """Return the annotation of the first parameter; None where there is none, or none that can be understood."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except Exception:  # not every callable has one; since Python 3.14 names are looked up here
        return None
    hint = parameters[0].annotation if parameters else None
    return _resolve(hint, function) if isinstance(hint, str) else hint


def _resolve(hint: str, function: Any) -> Any:
    """Return what a string means in the module of the function: alone, whatever the other annotations are."""
    plain = inspect.unwrap(getattr(function, "func", function))
    names = getattr(plain, "__globals__", None) or getattr(type(plain).__call__, "__globals__", {})

    def holder() -> None: ...

    holder.__annotations__ = {"config": hint}
    try:
        return typing.get_type_hints(holder, names)["config"]
    except Exception as error:  # such as a name that is imported for the type checker alone
        print(
            f"tunedeck: the task gets a plain dict: its annotation {hint} means nothing here ({error})", file=sys.stderr
        )
        return None
