"""One worker of a job as the engine sees it: what it was given, what it said, and what its end means.

Pure decisions, without processes and clocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tui import wording
from tui.engine.deck.spec import JobSpec
from tui.engine.reloads.candidate import Data
from tui.engine.reloads.reloads import Reloads


class End(Enum):
    """What the end of a worker means."""

    REPLACED = "we ended it: a new one takes the newest config"
    STOPPED = "we ended it by the user's wish"
    REFUSED = "it has refused the config that it was to start with"
    MISSED = "it ended before it could get a config that had come meanwhile: a new one gets that"
    DIED = "it died of a reload: back to the last good version"
    FELL = "it ended by itself"


@dataclass
class WorkerRun:
    """One worker, from its start to its end.

    Attributes:
        first: The version that it starts with.
        given: The version that it was given last.
        kept: A version that the worker keeps until it has taken its first, 0 for none.
        loaded: It has come up: its task is loaded, its program ready.
        answered: It has taken its first config.
        ending: Why it is being ended by us: ``stop``, ``replace``, or not at all.
        cause: Why it ended, in words.
        refusal: Why it does not start with the config that it was given.
        config: What it was given last to be taken live.
        renewed: It was started in the place of one that a reload has ended.
        asked: The version that it was asked last to judge for a new worker.
        accepted: The version of those that it has accepted last.
        unloadable: It could not even load its task.
        traceback: Of the exception that ended it, if it has told one.
        step: Checkpoints that it had completed then.
        since: Seconds since the epoch at which it was started.
        began: The same in monotonic seconds, which nobody sets.
    """

    first: int = 0
    given: int = 0
    kept: int = 0
    loaded: bool = False
    answered: bool = False
    ending: str = ""
    cause: str | None = None
    refusal: str | None = None
    config: Data | None = None
    renewed: bool = False
    asked: int = 0
    accepted: int = 0
    unloadable: bool = False
    traceback: str = ""
    step: int | None = None
    since: float | None = None
    began: float = 0.0

    def knows(self, version: int) -> bool:
        """Return whether it has been given this version, or will be."""
        return version in (self.given, self.kept)

    def give(self, version: int, config: Data | None) -> None:
        """It was handed a version, which it takes once it has answered for its first."""
        self.config = config
        if self.answered:
            self.given = version
        else:
            self.kept = version

    def take(self) -> None:
        """It has taken a config."""
        self.answered = True
        self.given, self.kept = self.kept or self.given, 0

    def blame(self, message: Mapping[str, Any]) -> None:
        """It says what will end it: it can't begin, its task can't be loaded or has raised, or its host has ended."""
        if message["kind"] == "host ended":
            self.cause = self.cause or f"its host ended, with all jobs in it: {wording.exit_words(message['code'])}"
            return
        self.unloadable = message["kind"] not in ("raised", "departed")
        self.cause = ("could not load the task: " if message["kind"] == "unloadable" else "") + message["message"]
        self.traceback, self.step = message.get("traceback", ""), message.get("step")

    def reason(self, code: int | None, spec: JobSpec, reloads: Reloads, *, began: bool) -> str | None:
        """Return why it failed, in words; None where it did not.

        Args:
            code: Its exit code or minus a signal; None when it was killed with its shim.
            spec: What the deck says of the job.
            reloads: Its reloads.
            began: The process has told its id.
        """
        if code == 0 and began:
            return wording.exit_words(code) if spec.serves and self._dies_of_reload(spec, reloads) else None
        if not began and self.cause is None:
            self.unloadable = True
            self.cause = f"{spec.python or 'the interpreter'} did not start the worker: {wording.exit_words(code)}"
        return self.cause or wording.exit_words(code)

    def end(self, spec: JobSpec, reloads: Reloads, *, failed: bool) -> End:
        """Return what its end means; what has ended in order is not blamed on a reload."""
        if self.ending:
            return End.REPLACED if self.ending == "replace" else End.STOPPED
        if self.refusal is not None:
            return End.REFUSED
        if self.kept and (spec.reload_may_end_worker or self.renewed):
            return End.MISSED
        return End.DIED if failed and self._dies_of_reload(spec, reloads) else End.FELL

    def _dies_of_reload(self, spec: JobSpec, reloads: Reloads) -> bool:
        pending = reloads.pending
        return (
            (spec.reload_may_end_worker or self.renewed)
            and pending is not None
            and pending[0] == self.given
            and pending[1].source not in ("guard", "start")
            and reloads.last is not None
        )
