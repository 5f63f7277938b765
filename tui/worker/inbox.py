"""Where a job's messages come in, and are kept or turned away.

A reload is judged as soon as it arrives, not at the checkpoint, so that a task in a long step has its answer too, and
an idle checkpoint costs what it costs without. In a host, slow rules have a thread of their own, and whatever else the
engine says passes by. In a process of its own the receiving thread judges: a rule that never returns holds up what
comes after it, a stop too, which is then a matter of signals. What a config would be told that nobody has written yet
can be asked too.
"""

from __future__ import annotations

import queue
import threading
from typing import Any

from tui.worker.loop import Loop
from tui.worker.validation import Refused, Rules


class Inbox:
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
        if judged is not None:
            if self._rules:
                self._loop.channel.send({"kind": "passed", "version": message["version"]})
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
