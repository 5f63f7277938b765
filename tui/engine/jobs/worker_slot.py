"""The place of a job's one worker: it is started, replaced, ended and tried again here, and there are never two."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

from tui.engine.background import BackgroundTasks
from tui.engine.deck.spec import JobSpec
from tui.engine.jobs import lifecycle
from tui.engine.jobs.publisher import Publisher
from tui.engine.jobs.worker_run import WorkerRun
from tui.engine.reloads.candidate import Candidate
from tui.engine.reloads.reloads import Reloads
from tui.protocol.messages import LIVE
from tui.runners import fd_limits
from tui.runners.base import LaunchError, Owner, Payload, StuckError, Worker

#: Seconds after which it is told that a task is still being imported.
SLOW_IMPORT = 2.0

Launch = Callable[[Owner, Payload], Worker]


class WorkerSlot:
    """Holds the worker of a job, if there is one.

    Args:
        spec: What the deck says of the job.
        reloads: Which config a new worker is given.
        record: Told of every state.
        launch: Starts a worker that reports to the given owner; raises LaunchError or OSError.
        owner: Told what becomes of the worker.

    Attributes:
        worker: The worker, until nothing is left of it.
        tasks: What it waits for in the background.
        attempt: What that one, or the last one, was given and said.
        restarts: Whether one that ended by itself is followed by another.
        turn: Held by who starts or ends a worker: two viewers may press keys at once.
        wishes: Starts and stops by the user that wait for their turn, or have it: no reload starts a worker meanwhile.
        wanted: The job is to start with the next valid config.
        ran: A worker has taken a config since the user started the job.
        held: The job is paused: so is the next worker, should this one be replaced.
        restarting: The user starts the job: the end of the old worker is not that of the job.
        closed: No worker is started any more.
        size: Rows and columns of a log pane, as a viewer has said last.
    """

    def __init__(self, spec: JobSpec, reloads: Reloads, record: Publisher, launch: Launch, owner: Owner) -> None:
        self.worker: Worker | None = None
        self.attempt = WorkerRun()
        self.restarts = lifecycle.RestartPolicy(spec.restart)
        self.turn = asyncio.Lock()
        self.wishes = 0
        self.wanted = False
        self.ran = False
        self.held = False
        self.restarting = False
        self.closed = False
        self.size: tuple[int, int] | None = None
        self._spec = spec
        self._reloads = reloads
        self._record = record
        self._launch = launch
        self._owner = owner
        self._hurry = asyncio.Event()  # ends a backoff
        self.tasks = BackgroundTasks()

    @property
    def live(self) -> bool:
        """A worker exists."""
        return self._record.state.state in LIVE

    @property
    def outdated(self) -> bool:
        """The worker is to be replaced: no stop came before, nor a worker with the newest config."""
        pending = self._reloads.pending
        return self.live and not self.closed and pending is not None and pending[0] != self.attempt.given

    def start(self, *, renewed: bool = False) -> None:
        """Start a worker with the newest config that is to be taken, or with the one that ran last.

        Args:
            renewed: A reload has ended the one before.
        """
        self.ran = self.ran and not self.wanted
        self.wanted = False
        self._record.metrics = None
        chosen = self._reloads.pending or self._reloads.last
        assert chosen is not None
        self.attempt = WorkerRun(
            first=chosen[0],
            given=chosen[0],
            config=chosen[1].data,
            renewed=renewed,
            since=time.time(),
            began=time.monotonic(),
        )
        self._record.move("starting", reason=self._awaited)
        try:
            self.worker = self._launch(self._owner, payload(*chosen))
        except (OSError, ValueError, LaunchError) as error:
            why = fd_limits.explained(error) if isinstance(error, OSError) else str(error)
            self.attempt.unloadable = True
            self.attempt.cause = f"the worker could not be started: {why}"
            self.worker = None
            self._owner.worker_exited(None)
            return
        if self.size is not None:
            self.worker.resize(*self.size)
        if self.held:
            self.hold()
        if self._spec.task is not None:
            asyncio.get_running_loop().call_later(SLOW_IMPORT, self._tell_import, self.attempt)

    def _tell_import(self, attempt: WorkerRun) -> None:
        """Say what takes so long, once its interpreter has begun."""
        state = self._record.state
        if attempt is not self.attempt or attempt.loaded or attempt.ending or state.state != "starting":
            return
        if state.pid is None:
            asyncio.get_running_loop().call_later(SLOW_IMPORT, self._tell_import, attempt)
            return
        assert self._spec.task is not None
        self._record.move("starting", pid=state.pid, reason=f"imports {self._spec.task.rpartition(':')[0]}")

    @property
    def _awaited(self) -> str | None:
        """What a worker that starts has to wait for, in words."""
        ready = self._spec.command.ready if self._spec.command is not None else None
        if ready is None and self._spec.python is not None:
            return f"waits for {self._spec.python} to begin"
        return f"waits for {ready.words}" if ready is not None else None

    def hold(self) -> None:
        """Hold the worker, or the one that is to follow it."""
        self.held = True
        how = "stopped by SIGSTOP" if self._spec.command else "from its next checkpoint on"
        if self.attempt.ending:
            how = "the worker that follows will be held"
        elif self.worker is not None:
            self.worker.pause()
        self._record.move("paused", pid=self._record.state.pid, reason=how)

    def release(self) -> None:
        """Let a held worker go on."""
        self.held = False
        if self.worker is not None and not self.attempt.ending:
            self.worker.resume()
        if self.attempt.loaded:
            self._record.move("running", pid=self._record.state.pid)
        else:
            self._record.move("starting", pid=self._record.state.pid, reason=self._awaited)

    def replace(self) -> None:
        """End the worker and start a new one with the newest config, in the background."""
        self.tasks.start(self._replace())

    async def _replace(self) -> None:
        async with self.turn:
            if not self.outdated:
                return
            worker, self.attempt.ending = self.worker, "replace"
            self.restarts.reset()
            if await self.end():
                if not self.wishes:  # else the user has asked for something else by now
                    self.start(renewed=True)
                return
        assert worker is not None
        await worker.wait_gone()  # it could not be killed, but may end some time
        async with self.turn:
            if self.attempt.ending == "replace" and self.outdated and not self.wishes:
                self.start(renewed=True)

    async def end(self) -> bool:
        """End the worker, and return whether it is gone: one that shares its process with others may not be."""
        worker = self.worker
        if worker is not None and self.live:
            try:
                await worker.stop(signal.Signals[self._spec.stop_signal], self._spec.grace)
            except StuckError as error:
                state = self._record.state
                self._record.move(state.state, pid=state.pid, reason=str(error))
                return False
        elif worker is not None:
            await worker.wait_gone()
        self.attempt.ending = ""
        return True

    def retry(self, delay: float, code: int | None, reason: str) -> None:
        """Start another worker after `delay` seconds, once nothing is left of this one."""
        self._hurry.clear()
        self._record.move("backoff", exit_code=code, reason=reason, retry_at=time.time() + delay)
        self.tasks.start(self._try_again(delay))

    async def _try_again(self, delay: float) -> None:
        # Not by `asyncio.wait_for`: before Python 3.12 it goes on if it is cancelled just as its wait has ended.
        timer = asyncio.get_running_loop().call_later(delay, self._hurry.set)
        try:
            if self.worker is not None:
                await self.worker.wait_gone()
            await self._hurry.wait()
        finally:
            timer.cancel()
        self.start()

    def hurry(self) -> None:
        """End the wait for the next try: the user has changed the config."""
        self.restarts.reset()
        self._hurry.set()

    def give_up(self) -> None:
        """Call off the next try."""
        self.tasks.cancel()


def payload(version: int, candidate: Candidate, *, restart: bool = False) -> Payload:
    """Return a version as a worker is given it, or is asked whether another may be."""
    assert candidate.data is not None
    return Payload(version, candidate.data, candidate.text, restart)
