"""Where a config that the task must not get is turned away: its annotation, and the validator of the deck."""

from __future__ import annotations

import pickle
from typing import Any, Callable, Mapping

from tui.worker import config_types, task_import
from tui.worker.differences import differences
from tui.worker.failures import describe, print_traceback


class Refused(Exception):  # noqa: N818 - it is no error of ours
    """The config must not come to the task; the message says why.

    Attributes:
        errors: What is wrong with which value, as pairs of the steps to it and the words.
    """

    def __init__(self, message: str, errors: list[Any] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or []


class Rules:
    """What a config must pass before the task may have it.

    Args:
        target: How the deck spells the validator.
        check: The validator, None for none.
        convert: Makes the object that the task wants of a plain dict, None where it wants the dict.
        hints: What an editor may hint at: the schema of the annotation, and the keys that can't change live.
        module: Where the validator is, if there is one.
    """

    def __init__(
        self,
        target: str = "",
        check: Callable[[Any, Any], Any] | None = None,
        convert: Callable[[Any], Any] | None = None,
        hints: dict[str, Any] | None = None,
        module: Any = None,
    ) -> None:
        self.module = module
        self._name = target.rpartition(":")[2]
        self._check = check
        self._convert = convert
        self._hints = hints or {}
        self._accepted: bytes | None = None

    @property
    def loaded(self) -> dict[str, Any]:
        """The message that says that the task is loaded, and by which rules."""
        return {"kind": "loaded", "rules": bool(self), **self._hints}

    def __bool__(self) -> bool:
        return self._check is not None or self._convert is not None

    def judge(self, config: Any, *, dry: bool = False) -> Any:
        """Return what the task gets for `config`.

        The validator compares it with the config accepted last. The task may not have that one yet, but will get it
        or a newer one. At the start both are the same: nothing changes then, so a validator that forbids a change
        has nothing to object to.

        Args:
            config: The config, plain.
            dry: The task does not get it: somebody only wants to know.

        Raises:
            Refused: It gets nothing.
        """
        if self._check is None:
            return self._made(config)
        new = pickle.dumps(config)
        made = self._made(config)
        # The validator has copies, and none is made of what it may have kept: it can't change what runs.
        old = self._accepted or new
        _ask(self._name, self._check, pickle.loads(old), pickle.loads(new))
        if not dry:
            self._accepted = new
        return made

    def effective(self, config: Any, made: Any) -> list[Any]:
        """Return where what the task gets is not what the config says."""
        try:
            return [] if self._convert is None else differences(config, made)
        except Exception as error:  # a part of the user's object that does not let itself be read
            print_traceback(error)
            return []

    def _made(self, config: Any) -> Any:
        return config if self._convert is None else _ask("the annotation of the task", self._convert, config)


def _ask(name: str, judge: Callable[..., Any], *arguments: Any) -> Any:
    """Call what is the user's own; whatever it raises refuses the config."""
    try:
        return judge(*arguments)
    except ValueError as error:
        message = str(error) or f"refused by {name}, which gave no reason"
        raise Refused(message, config_types.errors_of(error)) from None
    except BaseException as error:  # whatever it is, it says nothing for the config, and must not end the thread
        print_traceback(error)
        raise Refused(f"{name} failed: {describe(error)}") from None


def load_rules(
    target: str | None,
    beside: str,
    module: Any,
    function: Callable[[Any], Any],
    code: Mapping[str, bytes] = task_import.DISK,
) -> Rules:
    """Return what the task's annotation asks for, and import the validator that the deck names.

    Args:
        target: How the deck spells the validator, None for none.
        beside: The task, which is spelled in the same way.
        module: The task's module. A validator of the same file is taken from it.
        function: The task itself.
        code: Of which files the source is known; see `pinned`.

    Raises:
        TaskError: There is no such function, no pydantic for the annotation, or the task takes no config.
        BaseException: Whatever its module raises when it is imported.
    """
    task_import.require_config(function, beside)
    wanted = config_types.wanted_by(function)
    convert = config_types.converter(wanted)
    hints = config_types.describe(wanted) if convert is not None else {}
    if target is None:
        return Rules(convert=convert, hints=hints)
    if target.rpartition(":")[0] != beside.rpartition(":")[0]:
        module = task_import.load_module(target, code)
        task_import.put_first(beside)  # what the task imports later comes from its own folder, not from the validator's
    check = task_import.find(module, target)
    if task_import.is_async(check):
        raise task_import.TaskError(f"{target} is async: a validator is a plain function, which answers at once")
    return Rules(target, check, convert, hints, module)


def rules_of(kind: Any) -> Rules:
    """Return what makes of each config an object of a class, for a program that has come with one of it."""

    def convert(config: Any) -> Any:
        try:
            wanted = config_types.converter(kind)
        except task_import.TaskError as error:
            raise ValueError(str(error)) from None
        return config if wanted is None else wanted(config)

    return Rules(convert=convert)
