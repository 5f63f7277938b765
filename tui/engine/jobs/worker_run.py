"""One worker of a job as the engine sees it: what it was given, what it said, and what its end means.

Pure decisions, without processes and clocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from tui import wording
from tui.engine.deck.spec import JobSpec
from tui.engine.jobs.lifecycle import MOST_TRIES, Intent, RestartPolicy
from tui.engine.reloads.candidate import Data
from tui.engine.reloads.reloads import Reloads


class Then(Enum):
    """What follows the end of a worker."""

    REPLACE = "whoever has ended it starts a new one"
    START = "a new one, at once, with the newest config"
    RETRY = "another one, after a while"
    REVERT = "another one, with the last good config"
    WAIT = "nothing, until there is a valid config"
    END = "nothing: the job has ended"


class Next(NamedTuple):
    """What follows the end of a worker, and why.

    Attributes:
        then: What.
        reason: Why, in words.
        state: What a job is that has ended.
        delay: Seconds until the next try.
        trial: The config that ran last is no good one either: it is on trial.
    """

    then: Then
    reason: str | None = None
    state: str = "stopped"
    delay: float = 0.0
    trial: bool = False


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
        accepted: The newest of those that it has accepted.
        over: Why its task takes nothing any more, though its process goes on; empty as long as it does.
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
    over: str = ""
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

    def take_config(self) -> None:
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


@dataclass(frozen=True)
class WorkerEnd:
    """The end of a worker, and how it was about the job then.

    Attributes:
        run: The worker.
        code: Its exit code or minus a signal; None when it was killed with its shim.
        began: The process had told its id.
        at: Monotonic seconds.
        step: Checkpoints that it had completed, as far as is known.
        spec: What the deck says of the job.
        reloads: Its reloads.
        intent: What the user wants of it.
    """

    run: WorkerRun
    code: int | None
    began: bool
    at: float
    step: int
    spec: JobSpec
    reloads: Reloads
    intent: Intent

    def next(self, policy: RestartPolicy) -> Next:
        """Return what follows; what was ended in order is not blamed on a reload."""
        run, reason = self.run, self._reason()
        if self.spec.guest is not None:  # no other comes after it
            state = "stopped" if run.ending == "stop" else "finished" if self.code == 0 else "crashed"
            return Next(Then.END, run.cause, state)
        if run.ending:
            return Next(Then.REPLACE if run.ending == "replace" else Then.END)
        if run.refusal is not None:
            return self._without(run.refusal)
        if run.kept and (self.spec.reload_may_end_worker or run.renewed):
            return Next(Then.RETRY, f"{reason or 'it ended'}; trying v{run.kept}, which came meanwhile")
        if reason is not None and self._dies_of_reload:
            return Next(Then.REVERT, reason)
        if reason is not None and self.reloads.trial.goes_on(self.at, self.step):
            return self._on_trial(reason, policy)
        return self._fallen(reason, policy)

    def _reason(self) -> str | None:
        """Return why it failed, in words; None where it did not."""
        run, spec = self.run, self.spec
        if self.code == 0 and self.began:
            return wording.exit_words(0) if spec.serves and self._dies_of_reload else None
        if not self.began and run.cause is None:
            run.unloadable = True
            run.cause = f"{spec.python or 'the interpreter'} did not start the worker: {wording.exit_words(self.code)}"
        return run.cause or wording.exit_words(self.code)

    @property
    def _dies_of_reload(self) -> bool:
        pending, run = self.reloads.pending, self.run
        return (
            (self.spec.reload_may_end_worker or run.renewed)
            and pending is not None
            and pending[0] == run.given
            and pending[1].source not in ("guard", "start", "code")
            and self.reloads.last is not None
        )

    def _without(self, refusal: str) -> Next:
        """It has refused to start: try a newer config, go back to the one that ran, or wait for a good one."""
        last = self.reloads.last
        if self.reloads.pending is not None:
            return Next(Then.START)
        if self.intent is Intent.RUN and last is not None and last[0] != self.run.first:
            return Next(Then.RETRY, f"{refusal}; going back to v{last[0]}")
        return Next(Then.WAIT, f"waiting for a valid config: {refusal}")

    def _on_trial(self, reason: str, policy: RestartPolicy) -> Next:
        """It ended soon after a reload: go back, unless there is a newer one that it has not taken yet."""
        pending = self.reloads.pending
        if pending is not None and self.run.answered:
            return Next(Then.RETRY, f"{reason}; trying v{pending[0]}, which came meanwhile")
        if pending is not None and pending[1].source == "guard":
            return self._fallen(reason, policy)  # what a guard has gone back to is no better
        return Next(Then.REVERT, reason, trial=True)

    def _fallen(self, reason: str | None, policy: RestartPolicy) -> Next:
        """It ended by itself: try again, if the policy says so."""
        self.reloads.trial.close()
        known = not self.run.unloadable or self.reloads.last is not None
        delay = policy.delay(failed=reason is not None, up=self.at - self.run.began) if known else None
        if delay is not None:
            return Next(Then.RETRY, reason or "finished", delay=delay)
        if policy.looping:
            reason = f"crash loop: {MOST_TRIES} ends in a row, the last one: {reason or 'finished'}"
        return Next(Then.END, reason, "crashed" if reason is not None else "finished")
