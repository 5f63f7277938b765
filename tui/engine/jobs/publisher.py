"""What a job tells: its events, the lines of its log, and its reloads to the history."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tui.engine.history.job_history import History
from tui.engine.jobs import lifecycle
from tui.engine.jobs.log_file import LogFile
from tui.engine.reloads.secrets import Secrets
from tui.engine.scrollback import Output, Scrollback
from tui.protocol import messages
from tui.protocol.messages import Effect, Reload, Running, State

Emit = Callable[[messages.Event], None]


class Publisher:
    """What was told of a job, or of a host, and who is told.

    Args:
        name: What it is called in events.
        emit: Takes every event.
        reason: Why it does not run yet.

    Attributes:
        scrollback: The newest lines of its output.
        state: The last `State` event.
    """

    def __init__(self, name: str, emit: Emit, reason: str) -> None:
        self.name = name
        self.scrollback = Scrollback()
        self.state = State(name, "stopped", reason=reason)
        self.emit = emit

    def move(self, state: str, **fields: Any) -> None:
        """Bring it into a state.

        Raises:
            ValueError: It can't come into that one.
        """
        lifecycle.move(self.name, self.state.state, state)
        self.be(State(self.name, state, **fields))

    def be(self, state: State) -> None:
        """Tell the state with all that is known of it."""
        self.state = state
        self.emit(state)

    def write(self, data: bytes, version: int | None) -> None:
        """Take output, and tell the lines that it completes."""
        self.emit(Output(self.name, self.scrollback.write(data, version, time.time())))

    def end_lines(self, version: int | None) -> None:
        """Tell what is left of the output: it has ended."""
        self.emit(Output(self.name, self.scrollback.finish(version, time.time())))


class JobPublisher(Publisher):
    """The same of a job, whose reloads are kept too.

    Args:
        job: Its name.
        history: Where its reloads are kept.
        emit: Takes every event.

    Attributes:
        metrics: The last `Metrics` event of the worker that runs.
        ranks: Its last `Ranks` event.
        restarts: How often a worker was started again by itself since the user has started the job.
        secrets: What of the config is told to nobody.
        log: Where its output is kept too.
    """

    def __init__(self, job: str, history: History, emit: Emit) -> None:
        super().__init__(job, emit, "not started yet")
        self.metrics: messages.Metrics | None = None
        self.ranks: messages.Ranks | None = None
        self.restarts = 0
        self.secrets = Secrets(history.secrets())
        self._history = history
        self._running: Running | None = None
        self.log: LogFile | None = None

    def keep_log(self, path: Path | None) -> None:
        """Keep the output in this file too from now on, or in none."""
        if path != (self.log.path if self.log is not None else None):
            self.log = LogFile(path, lambda said: self.notice(said, "warning")) if path is not None else None

    def write(self, data: bytes, version: int | None) -> None:
        """Take output, and keep it on disk too where the deck wants that."""
        super().write(data, version)
        if self.log is not None:
            self.log.write(data)

    def move(self, state: str, **fields: Any) -> None:
        """Bring it into a state, and count how often that is another try."""
        super().move(state, **fields)
        self.restarts += state == "backoff"

    def measure(self, step: int, values: Any) -> None:
        """Tell the metrics of a step."""
        self.metrics = messages.Metrics(self.name, step, values)
        self.emit(self.metrics)

    def rank(self, standing: Mapping[str, Any]) -> None:
        """Tell how far a version has come on its way to the ranks."""
        self.ranks = messages.Ranks(self.name, **standing)
        self.emit(self.ranks)

    def run(self, running: Running) -> None:
        """Tell which version runs, if that is news."""
        before = self._running
        if before is None or (running.version, running.since, running.differs) != (
            before.version,
            before.since,
            before.differs,
        ):
            self._running = running
            self.emit(running)

    def add(self, row: Reload, text: str) -> None:
        """Keep and tell a new reload."""
        row = self.secrets.reload(row)
        self.restarts *= row.source != "start"
        self._keep(lambda: self._history.add(row, text))
        self.emit(row)

    def update(self, rows: list[Reload]) -> None:
        """Keep and tell what has become of reloads."""
        for row in map(self.secrets.reload, map(self._history.noted, rows)):
            self._keep(lambda row=row: self._history.update(row))  # type: ignore[misc]
            self.emit(row)

    def count(self, version: int, ranks: Mapping[str, int]) -> None:
        """Keep and tell how many processes have a version that one has answered for."""
        self._history.count(version, ranks)
        found: list[Reload] = []
        self._keep(lambda: found.extend(self._history.rows(version, version)))
        self.update(found)

    def learn(self, schema: Mapping[str, Any] | None) -> None:
        """Take what the worker says of the config that its task wants; the next worker's first row heeds it too."""
        before = self.secrets.schema
        self.secrets = Secrets(schema)
        if self.secrets.schema != before:
            self._keep(lambda: self._history.keep_secrets(self.secrets.schema))

    def judge(self, version: int, effect: tuple[Effect, ...], news: Iterable[Effect]) -> None:
        """Keep what a version did, and tell what is news of it."""
        self._keep(lambda: self._history.judge(version, effect))
        for found in news:
            self.emit(messages.Judged(self.name, version, **vars(found)))

    def annotate(self, version: int, note: str | None = None, tag: str | None = None) -> bool:
        """Keep and tell what the user says of a version; return whether there is such a version.

        Raises:
            sqlite3.Error: It could not be kept.
        """
        noted = self._history.annotate(version, note, tag)
        if noted is not None:
            self.emit(noted)
        return noted is not None

    def notice(self, message: str, severity: str = "information") -> None:
        """Tell the user a sentence."""
        self.emit(messages.Notice(self.name, message, severity))

    def _keep(self, write: Callable[[], None]) -> None:
        """Write to the history; where that fails the job goes on and the user is told."""
        try:
            write()
        except Exception as error:  # whatever it is, the job is not to blame
            self.notice(f"the history could not be written: {error}", "error")
