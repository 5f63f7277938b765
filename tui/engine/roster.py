"""The jobs of an engine, with their files and histories: who opens them, and gives them back when they go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

from tui.config.disk import store, watch
from tui.config.disk.code_folders import CodeFolders
from tui.engine import paths
from tui.engine.background import BackgroundTasks
from tui.engine.deck.spec import JobSpec
from tui.engine.history.folders import HistoryFolders
from tui.engine.jobs.host import HostJob
from tui.engine.jobs.job import Job
from tui.engine.jobs.launcher import Launcher
from tui.engine.jobs.publisher import Emit
from tui.engine.jobs.start_order import StartOrder
from tui.engine.reloads.config_file import ConfigFile
from tui.engine.reloads.schema_watch import SchemaWatch
from tui.protocol.messages import Gone, Notice
from tui.runners import fd_limits
from tui.runners.base import StuckError

#: Seconds after a save until the locks follow it: that takes longer than its way to a job, whose ranks may wait.
_FOLLOW = 0.05

Talker = Job | HostJob
Found = store.Content | store.StoreError


class Roster:
    """Opens jobs and closes them, at the start and while the engine runs.

    Args:
        names: Of the jobs that there will be at the start.
        emit: Takes every event of every job.
        on_document: Called when there is something else to say of a config file.
        histories: Where the reloads are kept.

    Attributes:
        jobs: The jobs, by name.
        files: Their config files.
        launcher: Starts their workers.
        watcher: Watches the files.
        code: Watches the code of their tasks.
        order: Has those start that wait for others.
        newcomers: Names of the jobs that have come after the start.
        on_come: Called with a job or a host that has come.
        on_change: Called with a job that is described otherwise by now.
        on_go: Called with one that has gone.
        closed: The engine ends: no job comes any more.
    """

    def __init__(self, names: list[str], emit: Emit, on_document: Callable[[ConfigFile], None]) -> None:
        self.jobs: dict[str, Job] = {}
        self.files: dict[Path, ConfigFile] = {}
        self.launcher = Launcher(names, emit)
        self.watcher = watch.Watcher([], self._on_disk)
        self.code = CodeFolders()
        self.histories: HistoryFolders  # once the engine runs
        self.order = StartOrder(self.jobs)
        self.newcomers: set[str] = set()
        self.closed = False
        self.on_come: Callable[[Talker], None] = lambda _: None
        self.on_change: Callable[[Job], None] = lambda _: None
        self.on_go: Callable[[Talker], None] = lambda _: None
        self._schemas: dict[Path, SchemaWatch] = {}
        self._following: set[Path] = set()  # whose locks are about to
        self._names = names
        self._emit = emit
        self._on_document = on_document
        self._tasks = BackgroundTasks()
        self._opening = asyncio.Lock()
        self._deck: tuple[Path, Callable[[Found, bool], Coroutine[None, None, None]]] | None = None

    @property
    def talkers(self) -> list[Talker]:
        """All that has output: the jobs and their hosts."""
        return [*self.jobs.values(), *self.launcher.hosts.values()]

    def specs(self) -> list[JobSpec]:
        """Return how the jobs are described that there are."""
        return [job.spec for job in self.jobs.values()]

    def shortage(self, specs: list[JobSpec]) -> str | None:
        """Return why so many jobs can't run under the limits of this process, None if they can."""
        alone = [spec for spec in specs if not spec.hosted]
        commands = sum(spec.command is not None for spec in alone)
        return fd_limits.shortage(len(alone) - commands, commands, len({spec.config for spec in specs}))

    async def open(self, spec: JobSpec, schemas: set[Path]) -> Job:
        """Open a job with its file and its history; it is not started.

        Args:
            spec: What the deck says of it.
            schemas: What all jobs with its config want that checked against.

        Raises:
            PlaceError: Another engine has its config.
        """
        file = self.files.get(spec.config)
        if file is None:
            file = ConfigFile(spec.config, self.watcher.known, schemas)
            await file.load()
        history = self.histories.open(spec.config, spec.name)
        if spec.config not in self.files:
            self.files[spec.config] = file
            self.watcher.add(spec.config, file.digest)
            self._schemas[spec.config] = SchemaWatch(file, self.code, lambda said: self._remark(file, said))
            file.on_document = lambda: self._tell_document(file)
        job = self.jobs[spec.name] = Job(spec, file, history, self.launcher.of(spec), self._emit, self.code)
        return job

    # What a save of the deck file leads to; see `tui.engine.deck.live.Jobs`.

    async def add(self, spec: JobSpec) -> None:
        """Start a job that is new."""
        async with self._opening:
            if self.closed:
                return
            hosts = set(self.launcher.hosts.values())
            shortage = self.shortage([*self.specs(), spec])
            if any(host.name == spec.name for host in hosts):
                shortage = f"the host of thread and asyncio jobs is called {spec.name}: give the job another name"
            try:
                if shortage is not None:
                    raise paths.PlaceError(shortage)
                job = await self.open(spec, {spec.schema} if spec.schema is not None else set())
            except paths.PlaceError as error:
                self._emit(Notice("", f"{spec.name} was not added: {error}", "error"))
                self._let_go(spec.config)
                return
            await self._check_by_schemas(job.file)
            self._names.append(spec.name)
            self.newcomers.add(spec.name)
            self._show_hosts(hosts)
            self.on_come(job)
        if spec.depends_on:
            self._tasks.start(self.order.start(job))
        else:
            await job.start()

    async def remove(self, name: str) -> bool:
        """Stop a job, and forget it; return whether it has ended."""
        job = self.jobs[name]
        try:
            await job.close()
        except StuckError as error:
            job.supervisor.close(final=False)
            self._emit(Notice(name, f"{name} is no longer in the deck file, but goes on: {error}", "error"))
            return False
        await job.recorder.close()
        async with self._opening:
            del self.jobs[name]
            self._names.remove(name)
            self.newcomers.discard(name)
            job.file.listeners.remove(job.offer)
            self.histories.forget(job.spec.config, name)
            self._let_go(job.spec.config)
            self.on_go(job)
            self._emit(Gone(name))
            await self._end_idle_hosts()
        return True

    async def adopt(self, spec: JobSpec, *, restart: bool) -> None:
        """Treat a job as it is described now, by another worker if it must be."""
        job = self.jobs[spec.name]
        hosts = set(self.launcher.hosts.values())
        schema = job.spec.schema
        job.adopt(spec, self.launcher.of(spec))
        self._show_hosts(hosts)
        if schema != spec.schema:
            await self._check_by_schemas(job.file)
        self.on_change(job)
        if restart and job.supervisor.live:
            try:
                await job.start(held=job.state.state == "paused")
            except StuckError as error:
                self._emit(Notice(spec.name, f"{spec.name} goes on as it was started: {error}", "error"))

    def _show_hosts(self, before: set[HostJob]) -> None:
        for host in set(self.launcher.hosts.values()) - before:
            self.on_come(host)

    async def start_all(self) -> None:
        """Start all jobs; those that wait for others do so by themselves, whenever these have come so far."""
        for job in self.jobs.values():
            if job.spec.depends_on:
                self._tasks.start(self.order.start(job))
        await asyncio.gather(*(job.start() for job in self.jobs.values() if not job.spec.depends_on))

    async def _check_by_schemas(self, file: ConfigFile) -> None:
        schemas = {job.spec.schema for job in self.jobs.values() if job.file is file and job.spec.schema is not None}
        await file.check_by(schemas)

    def _tell_document(self, file: ConfigFile) -> None:
        self._schemas[file.path].follow()
        self._on_document(file)
        if file.path not in self._following:
            self._following.add(file.path)
            asyncio.get_running_loop().call_later(_FOLLOW, self._follow, file)

    def _follow(self, file: ConfigFile) -> None:
        self._following.discard(file.path)
        for _, message, severity in self.histories.follow(file.path):
            self._remark(file, message, severity)

    def _remark(self, file: ConfigFile, said: str, severity: str = "information") -> None:
        for job in self.jobs.values():
            if job.file is file:
                job.record.notice(said, severity)

    def _let_go(self, config: Path) -> None:
        """Watch and lock a config no longer that no job has."""
        if any(job.spec.config == config for job in self.jobs.values()):
            return
        if self.files.pop(config, None) is not None:
            self._schemas.pop(config).end()
            if self._deck is None or config != self._deck[0]:
                self.watcher.drop(config)
        self.histories.release(config)

    async def _end_idle_hosts(self) -> None:
        used = {spec.python for spec in self.specs() if spec.hosted}
        for python in [python for python in self.launcher.hosts if python not in used]:
            host = self.launcher.hosts.pop(python)
            await host.end()
            self.on_go(host)
            self._emit(Gone(host.name))

    def watch_deck(
        self, path: Path, digest: str, changed: Callable[[Found, bool], Coroutine[None, None, None]]
    ) -> None:
        """Watch the deck file, which may be the config of a job too."""
        self._deck = path, changed
        self.watcher.add(path, digest)

    def _on_disk(self, path: Path, found: Found, settled: bool, seen: float) -> None:
        if self._deck is not None and path == self._deck[0]:
            self._tasks.start(self._deck[1](found, settled))
        if path in self.files:
            self._tasks.start(self.files[path].changed(found, settled, seen))
