"""What follows the end of a job's worker: another one, with which config and when, or the end of the job."""

from __future__ import annotations

import time

from tui.engine.deck.spec import JobSpec
from tui.engine.jobs import lifecycle
from tui.engine.jobs.publisher import Publisher
from tui.engine.jobs.worker_run import End
from tui.engine.jobs.worker_slot import WorkerSlot
from tui.engine.reloads.reloads import Reloads


class Supervisor:
    """Decides it for one job.

    Args:
        spec: What the deck says of the job.
        reloads: Its reloads.
        record: Told of every state and of what becomes of reloads.
        slot: Where its worker was.
    """

    def __init__(self, spec: JobSpec, reloads: Reloads, record: Publisher, slot: WorkerSlot) -> None:
        self._spec = spec
        self._reloads = reloads
        self._record = record
        self._slot = slot

    def take_end(self, code: int | None) -> None:
        """The worker ended: decide what that means.

        Args:
            code: Its exit code or minus a signal; None when it was killed with its shim.
        """
        attempt = self._slot.attempt
        reason = attempt.reason(code, self._spec, self._reloads, began=self._record.state.pid is not None)
        end = attempt.end(self._spec, self._reloads, failed=reason is not None)
        if self._spec.guest is not None:  # no other comes after it
            self.end("stopped" if end is End.STOPPED else "finished" if code == 0 else "crashed", code, attempt.cause)
        elif end is End.REPLACED:
            self._reloads.lost()
        elif end is End.STOPPED:
            self.end("stopped", code)
        elif end is End.REFUSED:
            self._go_without(code)
        elif end is End.MISSED:
            self._reloads.lost()
            self._slot.retry(0.0, code, f"{reason or 'it ended'}; trying v{attempt.kept}, which came meanwhile")
        elif end is End.DIED:
            assert reason is not None
            self._revert(code, reason)
        elif reason is not None and self._on_trial:
            self._fall_on_trial(code, reason)
        else:
            self._fall(code, reason)

    def start_after_refusal(self) -> None:
        """Start with the newest config once the worker that has refused an older one is gone."""
        self._reloads.lost()
        self._slot.wanted = False
        self._slot.attempt.given = 0
        self._record.move("starting")
        self._slot.replace()

    def end(self, state: str, code: int | None = None, reason: str | None = None) -> None:
        """The job has ended: nothing is tried again.

        Args:
            state: ``stopped``, ``finished`` or ``crashed``.
            code: The exit code of its last worker.
            reason: Why, in words.
        """
        self._record.update(self._reloads.ended(f"the worker ended before it answered: {reason or state}"))
        self._slot.held = self._slot.held and self._slot.restarting
        self._record.move(state, exit_code=code, reason=reason)

    def _go_without(self, code: int | None) -> None:
        """The worker has refused to start: try a newer config, go back to the one that ran, or wait for a good one."""
        last, attempt = self._reloads.last, self._slot.attempt
        if self._reloads.pending is not None:
            self.start_after_refusal()
        elif self._slot.ran and last is not None and last[0] != attempt.first:
            self._reloads.lost()
            self._slot.retry(0.0, code, f"{attempt.refusal}; going back to v{last[0]}")
        else:
            self._slot.wanted = True
            self.end("stopped", code, f"waiting for a valid config: {attempt.refusal}")

    @property
    def _on_trial(self) -> bool:
        """The worker has taken a reload so short a time ago that it may end because of it."""
        attempt, metrics = self._slot.attempt, self._record.metrics
        step = attempt.step if attempt.step is not None else metrics.step if metrics is not None else 0
        return self._reloads.trial.goes_on(time.monotonic(), step)

    def _fall_on_trial(self, code: int | None, reason: str) -> None:
        """The worker ended soon after a reload: go back, unless there is a newer one that it has not taken yet."""
        pending, attempt = self._reloads.pending, self._slot.attempt
        if pending is not None and attempt.answered:
            self._reloads.lost()
            self._slot.retry(0.0, code, f"{reason}; trying v{pending[0]}, which came meanwhile")
        elif pending is not None and pending[1].source == "guard":
            self._fall(code, reason)  # what a guard has gone back to is no better
        else:
            self._revert(code, reason, trial=True)

    def _revert(self, code: int | None, reason: str, *, trial: bool = False) -> None:
        """Start the last good version again, whatever the policy says, once."""
        why = "\n".join(filter(None, (reason, self._slot.attempt.traceback)))
        good = self._reloads.trial.back if trial else self._reloads.last
        assert good is not None
        *rows, new = self._reloads.revert(why, seen=time.monotonic(), time=time.time(), trial=trial)
        self._record.update(rows)
        self._record.add(new, self._reloads.pending_text)
        self._slot.retry(0.0, code, f"{reason}; going back to v{good[0]} as v{new.version}")

    def _fall(self, code: int | None, reason: str | None) -> None:
        """The worker ended by itself: try again, if the policy says so."""
        self._reloads.trial.close()
        up = time.monotonic() - self._slot.attempt.began
        known = not self._slot.attempt.unloadable or self._reloads.last is not None
        delay = self._slot.restarts.delay(failed=reason is not None, up=up) if known else None
        if delay is None:
            if self._slot.restarts.looping:
                reason = f"crash loop: {lifecycle.MOST_TRIES} ends in a row, the last one: {reason or 'finished'}"
            self.end("crashed" if reason is not None else "finished", code, reason)
        else:
            self._reloads.lost()
            self._slot.retry(delay, code, reason or "finished")
