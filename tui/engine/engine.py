"""The engine: owns the jobs of one deck, their files and histories, and serves the viewers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from tui.config.disk import store
from tui.config.problems import in_file
from tui.engine import locks, paths
from tui.engine.background import BackgroundTasks
from tui.engine.deck.live import LiveDeck
from tui.engine.deck.spec import Deck
from tui.engine.history.folders import HistoryFolders
from tui.engine.jobs.host import HostJob
from tui.engine.jobs.job import Job
from tui.engine.metrics import recorder
from tui.engine.reloads.candidate import Unanswered
from tui.engine.reloads.config_file import ConfigFile
from tui.engine.roster import Roster
from tui.engine.service import (
    dry_run,
    event_command,
    history_commands,
    save_commands,
    snapshot,
    summary,
    write_commands,
)
from tui.engine.service.event_command import EventCommand
from tui.engine.service.server import Server
from tui.protocol import messages
from tui.protocol.messages import ENDED, Event, Message, Notice, Problem, Reply
from tui.runners import fd_limits, process_tree
from tui.runners.base import StuckError

#: Seconds between two looks at the folders of the histories: somebody may have deleted them.
_LOOK = 1.0

#: Seconds between two writes of the metrics: so much of them is lost with an engine that is killed.
_KEEP = 2.0

#: So often meanwhile it is looked what changes have done, and half as often what the processes use.
_LOOKS = 4

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


#: What writes a config, or says what that would do, to all jobs that have it.
_WRITING: dict[type[messages.Command], Callable[[Job, Iterable[Job], Any], Awaitable[Reply]]] = {
    messages.Save: save_commands.save,
    messages.Merge: save_commands.merge,
    messages.Set: write_commands.set_values,
    messages.Preview: dry_run.preview,
    messages.Rollback: write_commands.roll_back,
}


class BadStart(Exception):  # noqa: N818
    """The deck can't be started; the message has a line for each reason."""


class Engine:
    """One deck, from its start until all is over.

    Args:
        deck: What to run.
        headless: No viewer is there to correct a config: a bad one ends the start, and the end of the last job
            ends the engine.
        listener: Takes every event of every job, after the viewers.

    Attributes:
        asked: It was asked to end, by a signal or a viewer: its jobs have not all ended by themselves.
    """

    def __init__(self, deck: Deck, *, headless: bool, listener: Callable[[Event], None] | None = None) -> None:
        self.deck = deck
        self.headless = headless
        self.asked = False
        self._roster = Roster([spec.name for spec in deck.jobs], self._emit, self._tell_document)
        self.jobs = self._roster.jobs
        self._launcher = self._roster.launcher
        self._live = LiveDeck(deck.path, self._roster, self._emit, self._at_stake) if deck.path is not None else None
        self._listener = listener
        self._told: EventCommand | None = None
        self._left: dict[Path, str] = {}  # what is told of a text that a killed save has left
        self._histories: HistoryFolders  # once it runs
        self._tasks = BackgroundTasks()
        self._over = asyncio.Event()
        self._started = self._refused = False
        self._between = 0  # commands that may start again what they have ended
        self._signal: int | None = None
        hello = messages.Hello(messages.PROTOCOL, deck.name, str(deck.path or ""), os.getpid())
        self.server = Server(hello, self._snapshot, self._obey)

    async def run(self, ready: Callable[[Path], None] = lambda _: None) -> int:
        """Run the deck until all is over.

        Args:
            ready: Called with the socket's path once viewers can connect.

        Returns:
            The exit code.

        Raises:
            BadStart: The deck runs already, or (headless) a config can't be loaded; nothing was started.
        """
        asyncio.get_running_loop().set_exception_handler(self._on_fault)
        process_tree.adopt_orphans()
        try:
            presence = locks.Presence()
        except paths.PlaceError as error:
            raise BadStart(str(error)) from error
        process_tree.keep(presence.descriptor)
        self._launcher.joins = presence.joins
        self._histories = self._roster.histories = HistoryFolders(
            f"the deck {self.deck.path or self.deck.name} (process {os.getpid()})", presence.name
        )
        try:
            self._catch_signals()
            await self._open()
            self._tasks.start(self._look_after_homes())
            self._tasks.start(self._clear_up())
            self._tasks.start(self._keep_metrics())
            ready(await self._listen())
            self._tell_problems()
            self._told = await event_command.begun(self.deck, self._emit)
            self._tasks.start(self._start_jobs())
            await self._over.wait()
            self._roster.closed = True
            await asyncio.gather(*map(_close, self.jobs.values()))
            await asyncio.gather(*(job.recorder.close() for job in self.jobs.values()))
            await asyncio.gather(*(host.end() for host in self._launcher.hosts.values()))
        finally:
            await self._close()
            presence.release()
        return self._exit_code()

    async def _start_jobs(self) -> None:
        await self._roster.start_all()
        self._started = True
        # Refused by its check: headless there is nobody to correct it.
        self._refused = self.headless and any(
            job.supervisor.expected and not job.supervisor.live for job in self.jobs.values()
        )
        if self._refused:
            self._over.set()
        self._end_if_idle()

    async def _open(self) -> None:
        fd_limits.raise_own()
        shortage = self._roster.shortage(list(self.deck.jobs))
        if shortage is not None:
            raise BadStart(shortage)
        problems = []
        for spec in self.deck.jobs:
            schemas = {job.schema for job in self.deck.jobs if job.config == spec.config and job.schema is not None}
            try:
                job = await self._roster.open(spec, schemas)
            except paths.PlaceError as error:
                raise BadStart(str(error)) from error
            if job.problem is not None and self.headless:
                problems.append(describe(spec.config, job.problem))
        if problems:
            raise BadStart("\n".join(dict.fromkeys(problems)))
        if self._live is not None:
            self._roster.watch_deck(self._live.path, self.deck.digest, self._on_deck)
        self._roster.on_come, self._roster.on_go = self._introduce, self.server.remove
        self._roster.on_change = lambda job: self.server.post(snapshot.info(job))
        try:
            await self._roster.watcher.start()
        except OSError as error:
            raise BadStart(f"the config files can't be watched: {error.strerror}") from error

    async def _on_deck(self, found: store.Content | store.StoreError, settled: bool) -> None:
        """The deck file says something else: have it done. The end of a job is not that of the engine meanwhile."""
        assert self._live is not None
        self._between += 1
        try:
            await self._live.changed(found, settled)
        finally:
            self._between -= 1
            self._end_if_idle()

    def _at_stake(self, names: Collection[str]) -> Collection[str]:
        """Return of the jobs whose workers would end those about which somebody who sees it should be asked."""
        return [name for name in names if self.jobs[name].supervisor.live] if self.server.watched else ()

    def _introduce(self, talker: Job | HostJob) -> None:
        """Tell viewers all that is known of a job, or a host, that has come."""
        self.server.add(talker.name, talker.scrollback)
        for message in snapshot.of_job(talker) if isinstance(talker, Job) else snapshot.of_host(talker):
            self.server.post(message)

    async def _listen(self) -> Path:
        try:
            socket = self._socket
            await self.server.open(socket, {talker.name: talker.scrollback for talker in self._roster.talkers})
        except (OSError, paths.PlaceError) as error:
            raise BadStart(str(error)) from error
        return socket

    @property
    def _socket(self) -> Path:
        """Where viewers look for the engine."""
        return paths.socket_of(str(self.deck.path or self.deck.jobs[0].config))

    async def _close(self) -> None:
        self.server.refuse()
        if self._told is not None:
            await self._told.close()
        await self._roster.watcher.close()
        await self._roster.code.close()
        self._tasks.cancel()
        # Before the connections end: who waits for that may start the deck again at once.
        self._histories.close()
        await self.server.close()

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` has it
                loop.add_signal_handler(number, self._on_signal, number)

    def _on_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell of what went wrong in the engine itself; nobody else has."""
        loop.default_exception_handler(context)  # into our log
        what = repr(context["exception"]) if "exception" in context else context["message"]
        message = f"something went wrong in the engine: {what}; if a save does not arrive, save once more"
        for job in self.jobs.values():
            self._emit(Notice(job.name, message, "error"))

    def _on_signal(self, number: int) -> None:
        self._signal = number
        self.end()

    def end(self) -> None:
        """End in order; asked a second time, in a hurry."""
        for job in self.jobs.values() if self.asked else ():
            job.supervisor.hurry()
        self.asked = True
        self._over.set()

    def _exit_code(self) -> int:
        if self._signal is not None:
            return 128 + self._signal
        if self._refused or (self.headless and any(job.supervisor.run.unloadable for job in self.jobs.values())):
            return 2
        return 1 if any(job.state.state == "crashed" for job in self.jobs.values()) else 0

    def _emit(self, event: Event) -> None:
        self.server.post(event)
        if self._listener is not None:
            self._listener(event)
        if self._told is not None:
            self._told.put(event)
        if isinstance(event, messages.State):
            self._roster.order.take(event)
            self._end_if_idle()

    def _end_if_idle(self) -> None:
        """Headless, the end of the last job is the end of the engine."""
        # A worker that refuses the first config of all is one too: nobody is there to correct it.
        first = [job for job in self.jobs.values() if job.name not in self._roster.newcomers]
        if self.headless and self._started and any(job.supervisor.refused_at_start for job in first):
            self._refused = True
            self._over.set()
        if (
            self.headless
            and self._started
            and not self._between
            and not self._roster.order.moves
            and all(job.state.state in ENDED and not job.supervisor.expected for job in self.jobs.values())
        ):
            self._over.set()

    def _tell_document(self, file: ConfigFile) -> None:
        for job in [job for job in self.jobs.values() if job.file is file]:
            document = job.document
            self._emit(document)
            job.show_running()
            if file.remark is not None:
                self._emit(Notice(job.name, file.remark, "warning"))
            if document.text is None and document.error is not None:
                goes_on = f"; the job goes on with v{job.running.version}" if job.running.version else ""
                self._emit(Notice(job.name, document.error.message + goes_on, "warning"))

    def _snapshot(self) -> Iterator[Message]:
        for job in self.jobs.values():
            yield from snapshot.of_job(job)
            yield from self._problems(job)
        for host in self._launcher.hosts.values():
            yield from snapshot.of_host(host)
        if self._live is not None and self._live.problem:
            yield Notice("", self._live.problem, "warning")
        if self._live is not None and self._live.waiting is not None:
            yield self._live.waiting

    def _tell_problems(self) -> None:
        for job in self.jobs.values():
            for problem in self._problems(job):
                self._emit(problem)

    def _problems(self, job: Job) -> Iterator[Notice]:
        """Yield what is wrong around a job for longer than a moment."""
        config = job.spec.config
        if config in self._histories.problems:
            yield Notice(job.name, self._histories.problems[config], "warning")
        if job.file.remark is not None:
            yield Notice(job.name, job.file.remark, "warning")
        if config in self._left:
            yield Notice(job.name, self._left[config], "warning")

    def _tell(self, config: Path, message: str, severity: str) -> None:
        for job in self.jobs.values():
            if job.spec.config == config:
                self._emit(Notice(job.name, message, severity))

    async def _clear_up(self) -> None:
        """Remove what killed writers have left beside the configs, once it is old enough to be sure."""
        while True:
            for config in list(self._roster.files):
                kept = await asyncio.to_thread(store.sweep, Path(os.path.realpath(config)).parent)
                if kept and config not in self._left:
                    what = "what somebody wrote into a config in the moment in which a save was killed"
                    self._left[config] = f"{kept[0]} holds {what}: look at it, then delete it"
                    self._tell(config, self._left[config], "warning")
            await asyncio.sleep(store.STALE)

    async def _look_after_homes(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            for news in self._histories.repair():
                self._tell(*news)
            with contextlib.suppress(OSError, paths.PlaceError):  # it is tried again
                await self.server.restore(self._socket)

    async def _keep_metrics(self) -> None:
        while True:
            for turn in range(_LOOKS):
                await asyncio.sleep(_KEEP / _LOOKS)
                for job in list(self.jobs.values()):
                    await job.verdicts.judge_due()
                    if turn % 2:
                        await job.measure()
            for job in list(self.jobs.values()):
                await job.recorder.save()

    async def _obey(self, command: messages.Command) -> Reply:
        if isinstance(command, messages.Shutdown):
            self.end()
            return Reply(command.id, ok=True)
        if isinstance(command, messages.Apply):
            why = await self._live.confirm(command.digest) if self._live is not None else "there is no deck file"
            return Reply(command.id, ok=not why, message=why, code="stale" if why else "")
        if isinstance(command, messages.Summary):
            return Reply(command.id, ok=True, data=summary.of(self.jobs, command))
        name = getattr(command, "job", "")
        job = self.jobs.get(name)
        if job is None:
            return Reply(command.id, ok=False, message=f"there is no job {name!r}", code="unknown")
        if type(command) in _WRITING:
            return await _WRITING[type(command)](job, list(self.jobs.values()), command)
        if isinstance(command, messages.Stack):
            return await _stack(job, command)
        if isinstance(command, recorder.COMMANDS):
            return await job.recorder.obey(command)
        if isinstance(command, history_commands.COMMANDS):
            return await history_commands.obey(job, command)
        if isinstance(command, messages.Pause):
            why = job.supervisor.pause() if command.paused else job.supervisor.resume()
            return Reply(command.id, ok=not why, message=why, code="idle" if why else "")
        if isinstance(command, messages.Resize):
            job.resize(command.rows, command.columns)
        if isinstance(command, (messages.Start, messages.Stop)):
            return await self._start_or_stop(job, command)
        return Reply(command.id, ok=True)

    async def _start_or_stop(self, job: Job, command: messages.Start | messages.Stop) -> Reply:
        if isinstance(command, messages.Start) and self._over.is_set():
            return Reply(command.id, ok=False, message="the deck is being stopped", code="stopping")
        if isinstance(command, messages.Start) and job.spec.guest is not None:
            return Reply(command.id, ok=False, message=job.spec.guest.no_restart, code="guest")
        self._between += 1
        others: dict[Job, bool] = {}  # and whether each was paused
        try:
            if command.host and job.spec.hosted:
                beside = [self.jobs[name] for name in self._beside(job)]
                others = {other: other.state.state == "paused" for other in beside}
                await self._end_host(job, others)
            await (job.start() if isinstance(command, messages.Start) else job.stop())
        except StuckError as error:
            return Reply(command.id, ok=False, message=str(error), code="stuck", data={"with": self._beside(job)})
        finally:
            await asyncio.gather(*(other.start(held=paused) for other, paused in others.items()))
            self._between -= 1
            self._end_if_idle()
        return Reply(command.id, ok=True)

    def _beside(self, job: Job) -> list[str]:
        """Return the live jobs in the host of `job`, itself left out."""
        return [
            other.name
            for other in self.jobs.values()
            if other is not job and other.supervisor.live and other.spec.hosted and other.spec.python == job.spec.python
        ]

    async def _end_host(self, job: Job, others: Iterable[Job]) -> None:
        """End the host that `job` is in, and the other jobs that run in it."""
        await asyncio.gather(*map(_stop, others))
        await self._launcher.hosts[job.spec.python].end()


def describe(path: Path, problem: Problem) -> str:
    """Return a problem as ``FILE:LINE:COL: message``."""
    if problem.message.startswith(f"{path} "):
        return problem.message
    return in_file(str(path), problem)


async def _stack(job: Job, command: messages.Stack) -> Reply:
    try:
        return Reply(command.id, ok=True, data={"stack": await job.supervisor.slot.stack(live=job.supervisor.live)})
    except Unanswered as why:
        return Reply(command.id, ok=False, message=str(why), code="unanswered")


async def _stop(job: Job) -> None:
    """Ask a job to end; what does not will end with its host."""
    with contextlib.suppress(StuckError):
        await job.stop()


async def _close(job: Job) -> None:
    with contextlib.suppress(StuckError):
        await job.close()
