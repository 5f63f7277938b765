"""The engine: owns the jobs of one deck, their files and histories, and serves the viewers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from tui import events
from tui.config import store, watch
from tui.engine import place
from tui.engine.deck import Deck, JobSpec
from tui.engine.files import ConfigFile
from tui.engine.homes import Homes
from tui.engine.job import Job
from tui.engine.server import Server
from tui.events import ENDED, Document, Event, Message, Notice, Problem, Reply
from tui.runners.process import ProcessRunner
from tui.worker import processes

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class BadStart(Exception):  # noqa: N818
    """The deck can't be started; the message has a line for each reason."""


class Engine:
    """One deck, from its start until all is over.

    Args:
        deck: What to run.
        headless: No viewer is there to correct a config: a bad one ends the start, and the end of the last job
            ends the engine.
        listener: Takes every event of every job, after the viewers.
    """

    def __init__(self, deck: Deck, *, headless: bool, listener: Callable[[Event], None] | None = None) -> None:
        self.deck = deck
        self.headless = headless
        self.jobs: dict[str, Job] = {}
        self._listener = listener
        self._files: dict[Path, ConfigFile] = {}
        self._homes = Homes(f"the deck {deck.path or deck.name} (process {os.getpid()})")
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._started = False
        self._signal: int | None = None
        self._watcher = watch.Watcher([spec.config for spec in deck.jobs], self._on_disk)
        hello = events.Hello(events.PROTOCOL, deck.name, str(deck.path or ""), os.getpid())
        self._server = Server(hello, self._snapshot, self._obey)

    async def run(self, ready: Callable[[Path], None] = lambda _: None) -> int:
        """Run the deck until all is over.

        Args:
            ready: Called with the socket's path once viewers can connect.

        Returns:
            The exit code.

        Raises:
            BadStart: The deck runs already, or (headless) a config can't be loaded; nothing was started.
        """
        processes.adopt_orphans()
        try:
            await self._open()
            ready(await self._listen())
            self._catch_signals()
            self._tell_problems()
            await asyncio.gather(*(job.start() for job in self.jobs.values()))
            self._started = True
            self._end_if_idle()
            await self._over.wait()
            await asyncio.gather(*(job.close() for job in self.jobs.values()))
        finally:
            await self._close()
        return self._exit_code()

    async def _open(self) -> None:
        problems = []
        for spec in self.deck.jobs:
            file = self._files.get(spec.config) or await self._open_file(spec)
            if file.problem is not None and self.headless:
                problems.append(describe(spec.config, file.problem))
            try:
                history = self._homes.open(spec.config, spec.name)
            except place.PlaceError as error:
                raise BadStart(str(error)) from error
            self.jobs[spec.name] = Job(spec, file, history, self._launcher(spec), self._emit)
        if problems:
            raise BadStart("\n".join(dict.fromkeys(problems)))
        try:
            await self._watcher.start()
        except OSError as error:
            raise BadStart(f"the config files can't be watched: {error.strerror}") from error

    async def _open_file(self, spec: JobSpec) -> ConfigFile:
        file = ConfigFile(spec.config, self._watcher.known)
        await file.load()
        self._watcher.known(spec.config, file.digest)
        self._files[spec.config] = file
        file.on_document = lambda: self._tell_document(file)
        return file

    async def _listen(self) -> Path:
        try:
            socket = place.socket_of(str(self.deck.path or self.deck.jobs[0].config))
            await self._server.open(socket, {name: job.scrollback for name, job in self.jobs.items()})
        except (OSError, place.PlaceError) as error:
            raise BadStart(str(error)) from error
        return socket

    async def _close(self) -> None:
        self._server.refuse()
        await self._watcher.close()
        for task in self._tasks:
            task.cancel()
        # Before the connections end: who waits for that may start the deck again at once.
        self._homes.close()
        await self._server.close()

    def _launcher(self, spec: JobSpec) -> Callable[[Any], ProcessRunner]:
        return lambda owner: ProcessRunner(owner, python=spec.python, cwd=spec.cwd)

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: int) -> None:
        self._signal = number
        self._over.set()

    def _exit_code(self) -> int:
        if self._signal is not None:
            return 128 + self._signal
        if self.headless and any(job.unloadable for job in self.jobs.values()):
            return 2
        return 1 if any(job.state.state == "crashed" for job in self.jobs.values()) else 0

    def _emit(self, event: Event) -> None:
        self._server.post(event)
        if self._listener is not None:
            self._listener(event)
        if isinstance(event, events.State):
            self._end_if_idle()

    def _end_if_idle(self) -> None:
        """Headless, the end of the last job is the end of the engine."""
        if (
            self.headless
            and self._started
            and all(job.state.state in ENDED and not job.expected for job in self.jobs.values())
        ):
            self._over.set()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_raise)

    def _on_disk(self, path: Path, found: store.Content | store.StoreError, settled: bool, seen: float) -> None:
        self._run(self._files[path].changed(found, settled, seen))

    def _documents(self, file: ConfigFile) -> Iterator[Document]:
        for job in self.jobs.values():
            if job.file is file:
                yield Document(job.name, file.text, file.digest, file.problem)

    def _tell_document(self, file: ConfigFile) -> None:
        for document in self._documents(file):
            job = self.jobs[document.job]
            self._emit(document)
            job.show_running()
            if document.text is None and document.error is not None:
                goes_on = f"; the job goes on with v{job.running.version}" if job.running.version else ""
                self._emit(Notice(job.name, document.error.message + goes_on, "warning"))

    def _snapshot(self) -> Iterator[Message]:
        for job in self.jobs.values():
            spec = job.spec
            yield events.Job(job.name, spec.task or " ".join(spec.command or ()), str(spec.config), spec.runner)
            yield job.state
            yield from (item for item in self._documents(job.file) if item.job == job.name)
            yield job.running
            yield from job.history.rows()
            if job.metrics is not None:
                yield job.metrics
            if spec.config in self._homes.problems:
                yield self._problem(job)

    def _tell_problems(self) -> None:
        for job in self.jobs.values():
            if job.spec.config in self._homes.problems:
                self._emit(self._problem(job))

    def _problem(self, job: Job) -> Notice:
        reason = self._homes.problems[job.spec.config]
        return Notice(job.name, f"the history of {job.spec.config.name} is not kept: {reason}", "warning")

    async def _obey(self, command: events.Command) -> Reply:
        if isinstance(command, events.Shutdown):
            self._over.set()
            return Reply(command.id, ok=True)
        name = getattr(command, "job", "")
        job = self.jobs.get(name)
        if job is None:
            return Reply(command.id, ok=False, message=f"there is no job {name!r}", code="unknown")
        if isinstance(command, events.Save):
            return await self._save(job, command)
        if isinstance(command, events.Detail):
            return self._detail(job, command)
        if isinstance(command, events.Start):
            if self._over.is_set():
                return Reply(command.id, ok=False, message="the deck is being stopped", code="stopping")
            await job.start()
        elif isinstance(command, events.Stop):
            await job.stop()
        return Reply(command.id, ok=True)

    async def _save(self, job: Job, command: events.Save) -> Reply:
        try:
            await job.file.save(command.text, command.base, command.in_place, seen=time.monotonic())
        except store.Conflict as conflict:
            theirs = conflict.current
            data = {
                "text": theirs.raw.decode("utf-8", "replace") if theirs else None,
                "digest": theirs.digest if theirs else None,
            }
            return Reply(command.id, ok=False, message=str(conflict), code="conflict", data=data)
        except store.StoreError as error:
            code = "irreplaceable" if isinstance(error, store.Irreplaceable) else "unwritable"
            return Reply(command.id, ok=False, message=str(error), code=code)
        return Reply(command.id, ok=True, data={"digest": job.file.digest, "version": job.reloads.newest})

    def _detail(self, job: Job, command: events.Detail) -> Reply:
        text = job.history.text(command.version)
        if text is None:
            return Reply(command.id, ok=False, message=f"there is no version {command.version}", code="unknown")
        base = job.history.ran_before(command.version)
        data = {
            "text": text,
            "base": base,
            "base_text": job.history.text(base) if base else None,
            "running": job.reloads.running,
        }
        return Reply(command.id, ok=True, data=data)


def describe(path: Path, problem: Problem) -> str:
    """Return a problem as ``FILE:LINE:COL: message``."""
    if problem.message.startswith(f"{path} "):
        return problem.message
    place_ = "".join(f":{number}" for number in (problem.line, problem.column) if number is not None)
    return f"{path}{place_}: {problem.message}"


def _raise(task: asyncio.Task[None]) -> None:
    """Let a failure of our own come to the loop's exception handler, not vanish with its task."""
    if not task.cancelled():
        task.result()
