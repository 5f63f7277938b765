"""Where a job's messages come in, and where a config that the task must not get is turned away.

A reload is judged as soon as it arrives, not at the checkpoint, so that a task in a long step has its answer too, and
an idle checkpoint costs what it costs without. Only a reload waits for a verdict: whatever else the engine says, such
as to stop or to pause, passes by.
"""

from __future__ import annotations

import pickle
import queue
import threading
from typing import Any, Callable

from tui.worker import annotation, task
from tui.worker.loop import Loop
from tui.worker.outcome import describe, print_traceback


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
    """

    def __init__(
        self,
        target: str = "",
        check: Callable[[Any, Any], Any] | None = None,
        convert: Callable[[Any], Any] | None = None,
    ) -> None:
        self._name = target.rpartition(":")[2]
        self._check = check
        self._convert = convert
        self._accepted: bytes | None = None

    def __bool__(self) -> bool:
        return self._check is not None or self._convert is not None

    def judge(self, config: Any) -> Any:
        """Return what the task gets for `config`.

        The validator compares it with the config accepted last. The task may not have that one yet, but will get it
        or a newer one. At the start both are the same: nothing changes then, so a validator that forbids a change
        has nothing to object to.

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
        self._accepted = new
        return made

    def _made(self, config: Any) -> Any:
        return config if self._convert is None else _ask("the annotation of the task", self._convert, config)


def _ask(name: str, judge: Callable[..., Any], *arguments: Any) -> Any:
    """Call what is the user's own; whatever it raises refuses the config."""
    try:
        return judge(*arguments)
    except ValueError as error:
        message = str(error) or f"refused by {name}, which gave no reason"
        raise Refused(message, annotation.errors_of(error)) from None
    except BaseException as error:  # whatever it is, it says nothing for the config, and must not end the thread
        print_traceback(error)
        raise Refused(f"{name} failed: {describe(error)}") from None


def load_rules(target: str | None, beside: str, module: Any, function: Callable[[Any], Any]) -> Rules:
    """Return what the task's annotation asks for, and import the validator that the deck names.

    Args:
        target: How the deck spells the validator, None for none.
        beside: The task, which is spelled in the same way.
        module: The task's module. A validator of the same file is taken from it.
        function: The task itself.

    Raises:
        TaskError: There is no such function, or no pydantic for the annotation.
        BaseException: Whatever its module raises when it is imported.
    """
    convert = annotation.converter(function)
    if target is None:
        return Rules(convert=convert)
    if target.rpartition(":")[0] != beside.rpartition(":")[0]:
        module = task.load_module(target)
        task.put_first(beside)  # what the task imports later comes from its own folder, not from the validator's
    check = task.find(module, target)
    if task.is_async(check):
        raise task.TaskError(f"{target} is async: a validator is a plain function, which answers at once")
    return Rules(target, check, convert)


class Intake:
    """Takes the engine's messages for one job, and hands on to its loop what the task may have.

    Reloads wait here until the task is loaded, and keep their order.

    Args:
        loop: The job's loop.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._rules = Rules()
        self._reloads: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._order = threading.Lock()
        self._at_once = False

    def put(self, message: dict[str, Any]) -> None:
        """Take a message, in the receiving thread."""
        if message["kind"] != "reload":
            self._loop.put(message)
            return
        self._reloads.put(message)
        if self._at_once:
            self._judge_waiting()

    def admit(self, rules: Rules) -> bool:
        """Return whether the task may start with its first config; if not, the engine is told."""
        self._rules = rules
        first = self._judge({"version": self._loop.version, "config": self._loop.config})
        if first is None:
            return False
        self._loop.config = first["config"]
        return True

    def open(self, *, hosted: bool) -> None:
        """Judge from now on what comes, and what has come.

        Args:
            hosted: The receiving thread is that of other jobs too: slow rules get a thread of their own.
        """
        if hosted and self._rules:
            threading.Thread(target=self._work, name="tunedeck-validate", daemon=True).start()
        else:
            self._at_once = True  # first: a reload that comes just now is either seen by `put` or waits already
            self._judge_waiting()

    def close(self) -> None:
        """End the thread, if there is one."""
        self._reloads.put(None)

    def _work(self) -> None:
        while True:
            message = self._reloads.get()
            if message is None:
                return
            self._hand_on(message)

    def _judge_waiting(self) -> None:
        with self._order:
            while not self._reloads.empty():
                message = self._reloads.get()
                if message is not None:
                    self._hand_on(message)

    def _hand_on(self, message: dict[str, Any]) -> None:
        judged = self._judge(message)
        if judged is not None:
            self._loop.put(judged)

    def _judge(self, message: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return {**message, "config": self._rules.judge(message["config"])}
        except Refused as refusal:
            about = {"version": message["version"], "message": str(refusal), "errors": refusal.errors}
            self._loop.channel.send({"kind": "rejected", **about})
            return None
