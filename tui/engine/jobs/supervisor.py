"""The life of a job's one worker, from the user's wish to its end: nobody else decides when one starts or ends.

What it was given and said is noted in its `WorkerRun`, which also says what its end means; the process itself is in
the `WorkerSlot`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from tui.config.key_patterns import Patterns
from tui.engine.background import BackgroundTasks
from tui.engine.deck.spec import JobSpec
from tui.engine.jobs import lifecycle, worker_slot
from tui.engine.jobs.lifecycle import Intent
from tui.engine.jobs.publisher import JobPublisher
from tui.engine.jobs.worker_run import Then, WorkerEnd, WorkerRun
from tui.engine.jobs.worker_slot import Launch, WorkerSlot
from tui.engine.reloads.candidate import Data, Unanswered
from tui.engine.reloads.reloads import Reloads
from tui.protocol.messages import LIVE
from tui.runners.base import Owner, StuckError

#: Seconds after which it is told that a task is still being imported.
SLOW_IMPORT = 2.0


class Supervisor:
    """Holds the worker of a job, if there is one.

    Args:
        spec: What the deck says of the job.
        reloads: Its reloads: which config a new worker is given.
        record: Told of every state and of what becomes of reloads.
        launch: Starts a worker that reports to the given owner; raises LaunchError or OSError.
        owner: Told what becomes of the worker.

    Attributes:
        slot: Where the worker is.
        run: What that one, or the last one, was given and said.
        patterns: Of the keys that can't change live.
        tasks: What goes on in the background: the worker is asked or replaced, or another one tried.
    """

    def __init__(self, spec: JobSpec, reloads: Reloads, record: JobPublisher, launch: Launch, owner: Owner) -> None:
        self.slot = WorkerSlot(spec, launch, owner)
        self.run = WorkerRun()
        self.patterns = Patterns(spec.restart_keys)
        self.spec = spec
        self._reloads = reloads
        self._record = record
        self._owner = owner
        self._intent = Intent.NOTHING
        self._held = False  # the job is paused: so is the next worker, should this one be replaced
        self.policy = lifecycle.RestartPolicy(spec.restart)
        self._turn = asyncio.Lock()  # held by who starts or ends a worker: two viewers may press keys at once
        self._wishes = 0  # of the user, that wait for their turn or have it: no reload starts a worker meanwhile
        self._hurry = asyncio.Event()  # ends a backoff
        self.tasks = BackgroundTasks()

    @property
    def live(self) -> bool:
        """A worker exists."""
        return self._record.state.state in LIVE

    @property
    def expected(self) -> bool:
        """The job is about to start, or waits for a valid config to start with."""
        return self._intent in (Intent.RESTART, Intent.WAIT)

    @property
    def receptive(self) -> bool:
        """There is, or is about to be, a worker that can answer a reload."""
        return self.live or self._intent is Intent.WAIT or self._record.state.state == "backoff"

    @property
    def refused_at_start(self) -> bool:
        """The worker has refused the config, and none has run before: the job waits for a better one."""
        return self._intent is Intent.WAIT and self.run.refusal is not None and self._reloads.last is None

    @property
    def _outdated(self) -> bool:
        """The worker is to be replaced: no stop came before, nor a worker with the newest config."""
        pending = self._reloads.pending
        newer = pending is not None and pending[0] != self.run.given
        return self.live and self._intent is not Intent.CLOSE and newer

    def needs_restart(self, data: Data) -> bool:
        """Return whether a new worker is needed for a config to be taken."""
        command = self.spec.command
        return self._renews(data) or (command is not None and command.changed(self.run.config, data))

    def _renews(self, data: Data) -> bool:
        return self.spec.on_change == "restart" or self.patterns.differ(self.run.config, data)

    # What the user wants.

    @contextlib.asynccontextmanager
    async def restart(self, *, held: bool) -> AsyncIterator[bool]:
        """End the worker for a new one, `held` or not, which the next valid config starts once `expect` was called.

        It yields whether there may be a new one.

        Raises:
            StuckError: The old one did not end.
        """
        async with self._wish():
            if self._intent is Intent.CLOSE:
                yield False
                return
            before, self._held = self._intent, held
            self._want(Intent.RESTART)
            try:
                await self._quit()
                yield True
            finally:
                if self._intent is Intent.RESTART:  # it has failed
                    self._want(before if self.live and before is not Intent.WAIT else Intent.NOTHING)

    def expect(self) -> bool:
        """Have the next valid config start a worker; return whether it may."""
        self._want(Intent.WAIT)
        self.policy.reset()
        return self._intent is Intent.WAIT

    async def stop(self) -> None:
        """End the worker in order, and wait until nothing of it is left; see `Job.stop`."""
        self.hurry()
        self._wait_no_longer(Intent.NOTHING)
        async with self._wish():
            self._wait_no_longer(Intent.NOTHING)
            await self._quit()
            state = self._record.state
            if state.state == "stopped" and state.reason is not None and self._intent is not Intent.CLOSE:
                self._record.move("stopped")  # it waits for nothing any more

    def close(self, *, final: bool = True) -> None:
        """Start no worker any more; or, where it could not be ended, go on with it."""
        self._intent = Intent.CLOSE if final else Intent.RUN

    def hurry(self) -> None:
        """Wait no longer, in a stop that goes on, for a task that ends by its own means."""
        if self.slot.worker is not None and self.run.ending:
            self.slot.worker.hurry()

    def pause(self) -> str:
        """Hold the job: no checkpoint returns until it is resumed, whichever worker comes to it.

        Return why that can't be done, nothing where it was.
        """
        state, ends = self._record.state.state, self.run.ending == "stop" and self._intent is not Intent.RESTART
        if self.slot.worker is not None and state in ("starting", "running") and not ends:
            self._hold()
        return "" if self._record.state.state == "paused" else self._without_worker

    def resume(self) -> str:
        """Let a paused job go on, with the config that came meanwhile; return why that can't be done."""
        if self._record.state.state == "paused":
            self._held = False
            if self.slot.worker is not None and not self.run.ending:
                self.slot.worker.resume()
            self._tell("running" if self.run.loaded else "starting", None if self.run.loaded else self.slot.awaited)
            if self._outdated and self.slot.worker is not None:
                self._give()
        return "" if self.live else self._without_worker

    @contextlib.asynccontextmanager
    async def _wish(self) -> AsyncIterator[None]:
        self._wishes += 1
        try:
            async with self._turn:
                yield
        finally:
            self._wishes -= 1

    def _want(self, intent: Intent) -> None:
        if self._intent is not Intent.CLOSE:
            self._intent = intent

    def _wait_no_longer(self, then: Intent) -> None:
        if self._intent is Intent.WAIT:
            self._want(then)

    @property
    def _without_worker(self) -> str:
        if self._record.state.state == "backoff":
            return "it waits for its next try: ctrl+r ends the wait, ctrl+t stops it"
        return f"it is {self._record.state.state}" if not self.live else "it is being stopped"

    def _hold(self) -> None:
        self._held = True
        worker = self.slot.worker if not self.run.ending else None
        self._tell("paused", worker.pause() if worker is not None else "the worker that follows will be held")

    def _tell(self, state: str, reason: str | None) -> None:
        self._record.move(state, pid=self._record.state.pid, reason=reason)

    # What a reload leads to.

    def deliver(self) -> None:
        """Give the newest reload to the worker, or to a new one."""
        if self._intent is Intent.WAIT and self.slot.worker is None:
            self._start()
        elif self._intent is Intent.WAIT:
            self._start_after_refusal()
        elif self._record.state.state == "backoff":  # the user has changed the config
            self.policy.reset()
            self._hurry.set()
        elif self.slot.worker is not None:
            self._give()

    def lack(self, problem: str) -> None:
        """There is new content, but it is no config; whoever waits for one waits on."""
        if self._intent is Intent.WAIT:
            self._record.move("stopped", reason=f"waiting for a valid config: {problem}")

    def _give(self) -> None:
        """Give the newest reload to a worker that lives, or replace it; it judges first what another is to have."""
        assert self._reloads.pending is not None
        run, (version, candidate) = self.run, self._reloads.pending
        assert candidate.data is not None
        renew = self._renews(candidate.data) or self._reloads.awaits_code
        if self._record.state.state == "paused" and (self.spec.reload_may_end_worker or renew):
            return  # until it is resumed
        if run.knows(version) or (run.ending == "replace" and self.spec.task is not None):
            return  # it came up with it, and has not answered yet, or the next one comes up with it
        if renew and self.slot.rules and run.accepted != version and candidate.source != "code":
            # A new worker has not the state of this one: this one judges before it is ended.
            if run.asked != version:
                run.asked = version
                self.tasks.start(self._judge(run, version, candidate.data))
        elif run.over and not renew:
            self._record.update(self._reloads.missed(run.over))
        elif renew or not self.slot.send(version, candidate):
            run.ending = run.ending or "replace"  # from now on its end is no answer to what it was given before
            self.tasks.start(self._replace())
        else:
            run.give(version, candidate.data)

    async def _judge(self, run: WorkerRun, version: int, data: Data) -> None:
        """Have the worker say whether the next one may take a version; where it does not say so, that one will."""
        try:
            verdict: Mapping[str, Any] | None = await self.slot.judge(data)
        except Unanswered:
            verdict = None
        pending = self._reloads.pending
        if run is not self.run or not self.live or run.ending:
            return
        if verdict is not None and verdict["message"] is not None:
            refusal = {"message": verdict["message"], "errors": verdict["errors"]}
            self._owner.worker_said({"kind": "rejected", "version": version, **refusal})
            return
        if verdict is None and pending is not None and pending[0] == version:
            patience = f"{worker_slot.ANSWER_PATIENCE:g} s"
            reason = f"has not said within {patience} whether it takes v{version}: it is ended for it"
            self._tell(self._record.state.state, reason)
        run.accepted = max(run.accepted, version)
        self._renew()

    def _renew(self) -> None:
        """Start a new worker, if it is that for which the newest config that nobody has refused was accepted."""
        pending = self._reloads.pending
        if self.live and pending is not None and (pending[0] == self.run.accepted or self._reloads.awaits_code):
            self._give()

    async def _replace(self) -> None:
        """End the worker and start a new one with the newest config."""
        async with self._turn:
            if not self._outdated:
                return
            self.run.ending = "replace"
            self.policy.reset()
            if await self._end_worker():
                if not self._wishes:  # else the user has asked for something else by now
                    self._start(renewed=True)
                return
        await self.slot.wait_gone()  # it could not be killed, but may end some time
        async with self._turn:
            if self.run.ending == "replace" and self._outdated and not self._wishes:
                self._start(renewed=True)

    # The worker itself.

    def _start(self, *, renewed: bool = False) -> None:
        """Start a worker with the newest config that is to be taken, or with the one that ran last."""
        self._wait_no_longer(Intent.TRY)
        self._record.metrics = self._record.ranks = None
        chosen = self._reloads.pending or self._reloads.last
        assert chosen is not None
        version, candidate = chosen
        self.run = WorkerRun(first=version, given=version, config=candidate.data, renewed=renewed)
        self.run.since, self.run.began = time.time(), time.monotonic()
        self._record.move("starting", reason=self.slot.awaited)
        cause = self.slot.start(version, candidate)
        if cause is not None:
            self.run.unloadable, self.run.cause = True, cause
            self._owner.worker_exited(None)
            return
        if self._held:
            self._hold()
        if self.spec.task is not None:
            asyncio.get_running_loop().call_later(SLOW_IMPORT, self._tell_import, self.run)

    def _tell_import(self, run: WorkerRun) -> None:
        """Say what takes so long, once its interpreter has begun."""
        state = self._record.state
        if run is not self.run or run.loaded or run.ending or state.state != "starting":
            return
        if state.pid is None:
            asyncio.get_running_loop().call_later(SLOW_IMPORT, self._tell_import, run)
        elif self.spec.task is not None:
            self._tell("starting", f"imports {self.spec.task.rpartition(':')[0]}")

    async def _quit(self) -> None:
        """End the worker by the user's wish, or the wait for the next one."""
        self.run.ending = "stop"
        if self._record.state.state == "backoff":
            self.tasks.cancel()
            self._end("stopped")
        if not await self._end_worker():
            raise StuckError(self._record.state.reason)
        if self.live:  # it ended by itself, while a reload was about to replace it
            self._end("stopped")

    async def _end_worker(self) -> bool:
        """End the worker, and return whether it is gone: one that shares its process with others may not be."""
        try:
            await self.slot.end(live=self.live)
        except StuckError as error:
            self._tell(self._record.state.state, str(error))
            return False
        self.run.ending = ""
        return True

    # What the worker says.

    def hear(self, message: Mapping[str, Any]) -> bool:
        """Take a message of the worker about itself; return whether it is one."""
        kind, state = message["kind"], self._record.state.state
        if kind in ("judged", "stack"):
            self.slot.answered(message)
        elif kind == "paused":
            if state == "paused":
                self._tell(state, f"held at step {message['step']:,}")
        elif kind in ("blocking", "lingers"):
            self._tell(state, lifecycle.blocking_words(message) if kind == "blocking" else message["message"])
            if message.get("over"):
                self._lose_task(message["message"])
        elif kind in ("unloadable", "refused", "raised", "host ended", "departed"):
            self.run.blame(message)
        else:
            return False
        return True

    def _lose_task(self, why: str) -> None:
        """The task has ended, though its process goes on: no change reaches it any more."""
        self.run.over = why
        pending = self._reloads.pending
        if pending is not None and pending[1].data is not None and not self._renews(pending[1].data):
            self._record.update(self._reloads.missed(why))

    def loaded(self, rules: bool, patterns: Patterns) -> None:
        """The worker has loaded its task, and has `rules` to judge a config by, or none."""
        self.run.loaded = True
        self.patterns = patterns
        self.slot.rules = rules
        if self._record.state.state != "paused":
            self._tell("running", None)

    def applied(self) -> None:
        """The worker has taken a config."""
        self.run.take_config()
        if self._intent is Intent.TRY:
            self._want(Intent.RUN)

    def refused(self, version: int, why: str) -> None:
        """The worker goes on with what it has, or ends if that was its first."""
        if version == self.run.first:
            self.run.refusal = why
        self._renew()

    # What follows the worker's end.

    def take_end(self, code: int | None) -> None:
        """The worker ended, with its exit code or minus a signal: do what follows."""
        self.slot.lost()
        metrics, began = self._record.metrics, self._record.state.pid is not None
        step = self.run.step if self.run.step is not None else metrics.step if metrics is not None else 0
        end = WorkerEnd(self.run, code, began, time.monotonic(), step, self.spec, self._reloads, self._intent)
        then, reason, state, delay, trial = end.next(self.policy)
        if then is Then.REPLACE:
            self._reloads.lost()
        elif then is Then.START:
            self._start_after_refusal()
        elif then is Then.RETRY:
            self._retry(delay, code, reason)
        elif then is Then.REVERT:
            self._revert(code, reason, trial=trial)
        else:
            self._want(Intent.WAIT if then is Then.WAIT else self._intent)
            self._end(state, code, reason)

    def _start_after_refusal(self) -> None:
        """Start with the newest config once the worker that has refused an older one is gone."""
        self._reloads.lost()
        self._wait_no_longer(Intent.TRY)
        self.run.given = 0
        self._record.move("starting")
        self.tasks.start(self._replace())

    def _end(self, state: str, code: int | None = None, reason: str | None = None) -> None:
        """The job has ended: nothing is tried again."""
        self._record.update(self._reloads.ended(f"the worker ended before it answered: {reason or state}"))
        self._held = self._held and self._intent is Intent.RESTART
        self._record.move(state, exit_code=code, reason=reason)

    def _revert(self, code: int | None, reason: str | None, *, trial: bool) -> None:
        """Start the last good version again, whatever the policy says, once."""
        why = "\n".join(filter(None, (reason, self.run.traceback)))
        good = self._reloads.trial.back if trial else self._reloads.last
        assert good is not None
        *rows, new = self._reloads.revert(why, seen=time.monotonic(), time=time.time(), trial=trial)
        self._record.update(rows)
        self._record.add(new, self._reloads.pending_text)
        self._retry(0.0, code, f"{reason}; going back to v{good[0]} as v{new.version}")

    def _retry(self, delay: float, code: int | None, reason: str | None) -> None:
        """Start another worker after `delay` seconds, once nothing is left of this one."""
        self._reloads.lost()
        self._hurry.clear()
        self._record.move("backoff", exit_code=code, reason=reason, retry_at=time.time() + delay)
        self.tasks.start(self._try_again(delay))

    async def _try_again(self, delay: float) -> None:
        # Not by `asyncio.wait_for`: before Python 3.12 it goes on if it is cancelled just as its wait has ended.
        timer = asyncio.get_running_loop().call_later(delay, self._hurry.set)
        try:
            await self.slot.wait_gone()
            await self._hurry.wait()
        finally:
            timer.cancel()
        self._start()
