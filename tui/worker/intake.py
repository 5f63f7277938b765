"""Where a job's messages come in, and where a config that the task must not get is turned away.

A reload is judged as soon as it arrives, not at the checkpoint, so that a task in a long step has its answer too, and
an idle checkpoint costs what it costs without. In a host, slow rules have a thread of their own, and whatever else the
engine says passes by. In a process of its own the receiving thread judges: a rule that never returns holds up what
comes after it, a stop too, which is then a matter of signals. What a config would be told that nobody has written yet
can be asked too.
"""

from __future__ import annotations

import pickle
import queue
import threading
from typing import Any, Callable

from tui.worker import annotation, task
from tui.worker.effective import differences
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
        hints: What an editor may hint at: the schema of the annotation, and the keys that can't change live.
    """

    def __init__(
        self,
        target: str = "",
        check: Callable[[Any, Any], Any] | None = None,
        convert: Callable[[Any], Any] | None = None,
        hints: dict[str, Any] | None = None,
    ) -> None:
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
        TaskError: There is no such function, no pydantic for the annotation, or the task takes no config.
        BaseException: Whatever its module raises when it is imported.
    """
    task.require_config(function, beside)
    wanted = annotation.wanted_by(function)
    convert = annotation.converter(wanted)
    hints = annotation.describe(wanted) if convert is not None else {}
    if target is None:
        return Rules(convert=convert, hints=hints)
    if target.rpartition(":")[0] != beside.rpartition(":")[0]:
        module = task.load_module(target)
        task.put_first(beside)  # what the task imports later comes from its own folder, not from the validator's
    check = task.find(module, target)
    if task.is_async(check):
        raise task.TaskError(f"{target} is async: a validator is a plain function, which answers at once")
    return Rules(target, check, convert, hints)


class Intake:
    """Takes the engine's messages for one job, and hands on to its loop what the task may have.

    Reloads and questions wait here until the task is loaded, and keep their order.

    Args:
        loop: The job's loop.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._rules = Rules()
        self._waiting: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._order = threading.Lock()
        self._at_once = False
        self._thread = threading.main_thread().ident or 0

    def put(self, message: dict[str, Any]) -> None:
        """Take a message, in the receiving thread."""
        if message["kind"] == "stack":
            self._tell_stack(message["id"])
            return
        if message["kind"] not in ("reload", "judge"):
            self._loop.put(message)
            return
        self._waiting.put(message)
        if self._at_once:
            self._work_off()

    def admit(self, rules: Rules) -> bool:
        """Return whether the task may start with its first config; if not, the engine is told."""
        self._rules = rules
        first = self._judged({"version": self._loop.version, "config": self._loop.config})
        if first is None:
            return False
        self._loop.config, self._loop.effective = first["config"], first["effective"]
        return True

    def open(self, *, hosted: bool) -> None:
        """Judge from now on what comes, and what has come; the engine is told that the task is loaded.

        Args:
            hosted: The receiving thread is that of other jobs too: slow rules get a thread of their own.
        """
        self._thread = threading.get_ident()
        self._loop.channel.send(self._rules.loaded)
        if hosted and self._rules:
            threading.Thread(target=self._work, name="tunedeck-validate", daemon=True).start()
        else:
            self._at_once = True  # first: a reload that comes just now is either seen by `put` or waits already
            self._work_off()

    def close(self) -> None:
        """End the thread, if there is one."""
        self._waiting.put(None)

    def _tell_stack(self, number: int) -> None:
        from tui.worker import stack  # a worker starts in a few ms, and is seldom asked

        self._loop.channel.send({"kind": "stack", "id": number, "text": stack.of(self._loop, self._thread)})

    def _work(self) -> None:
        while True:
            message = self._waiting.get()
            if message is None:
                return
            self._take(message)

    def _work_off(self) -> None:
        with self._order:
            while not self._waiting.empty():
                message = self._waiting.get()
                if message is not None:
                    self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        if message["kind"] == "judge":
            self._answer(message)
            return
        judged = self._judged(message)
        if judged is None:
            return
        if message.get("restart"):  # this worker's task does not get it, but the next one's
            self._loop.channel.send({"kind": "accepted", "version": message["version"]})
        else:
            self._loop.put(judged)

    def _judged(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return the message with what the task gets in it; None where it is refused, and the engine told so."""
        config = message["config"]
        try:
            made = self._rules.judge(config)
        except Refused as refusal:
            about = {"version": message["version"], "message": str(refusal), "errors": refusal.errors}
            self._loop.channel.send({"kind": "rejected", **about})
            return None
        return {**message, "config": made, "effective": self._rules.effective(config, made)}

    def _answer(self, question: dict[str, Any]) -> None:
        config = question["config"]
        verdict: dict[str, Any] = {"message": None, "errors": [], "effective": []}
        try:
            verdict["effective"] = self._rules.effective(config, self._rules.judge(config, dry=True))
        except Refused as refusal:
            verdict.update(message=str(refusal), errors=refusal.errors)
        self._loop.channel.send({"kind": "judged", "id": question["id"], **verdict})
