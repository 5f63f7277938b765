"""What a viewer knows of each job: built from events alone, without a screen."""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from statistics import linear_regression
from typing import Any

from tui import better
from tui.app.model.log_buffer import LogBuffer
from tui.app.model.reload_list import ReloadList
from tui.protocol import messages

#: Seconds over which the step rate is averaged.
RATE_WINDOW = 5.0

#: Seconds over which the trend of the main metric is looked at; of one that comes seldom, so many values at least.
TREND_WINDOW = 10.0
TREND_LEAST = 10


class Part(enum.Flag):
    """What an event changed, and so which panes have to be drawn again."""

    NOTHING = 0
    STATUS = enum.auto()
    METRICS = enum.auto()
    LOG = enum.auto()
    TIMELINE = enum.auto()
    DOCUMENT = enum.auto()


class JobModel:
    """One job as the engine has described it so far."""

    def __init__(self, info: messages.JobInfo, lines: LogBuffer | None = None) -> None:
        self.info = info
        self.name = info.job
        self.lines = lines or LogBuffer()
        self.timeline = ReloadList()
        self.state: messages.State | None = None
        self.running: messages.Running | None = None
        self.document: messages.Document | None = None
        self.hints: messages.Hints | None = None
        self.metrics: messages.Metrics | None = None
        self.ranks: messages.Ranks | None = None
        self.started: float | None = None
        self.live_updates = False
        self._steps: deque[tuple[float, int]] = deque()
        self._course: deque[tuple[float, float]] = deque()

    @property
    def alive(self) -> bool:
        """Whether the job has a worker, or will have one again without anybody's doing."""
        return self.state is not None and self.state.state not in messages.ENDED

    @property
    def is_host(self) -> bool:
        """Whether this is no job of the user's, but the process that holds some of them."""
        return self.info.runner == "host"

    @property
    def fell_with_host(self) -> bool:
        """Whether the job ended because its host did: by itself, a job in a host ends with an exit code."""
        code = self.state.exit_code if self.state is not None else 0
        return self.info.runner in ("thread", "asyncio") and (code is None or code < 0)

    @property
    def has_worker(self) -> bool:
        """Whether a worker exists, whose state a restart would cost."""
        return self.state is not None and self.state.state in messages.LIVE

    @property
    def schema(self) -> Mapping[str, Any]:
        """What is known of the config's values, as JSON Schema; empty for nothing."""
        return (self.hints.schema or {}) if self.hints is not None else {}

    @property
    def problem(self) -> messages.Problem | None:
        """What is wrong with the newest content of the file."""
        if self.document is not None and self.document.error is not None:
            return self.document.error
        newest = self.timeline.newest
        return newest.error if newest is not None and newest.status in ("invalid", "rejected") else None

    @property
    def problems(self) -> tuple[messages.Problem, ...]:
        """All that is wrong with it, each at its own place."""
        if self.problem is None:
            return ()
        told = self.document if self.document is not None and self.document.error is not None else self.timeline.newest
        return (told.errors if told is not None else ()) or (self.problem,)

    @property
    def rate(self) -> float | None:
        """Steps a second, averaged over the last few seconds; None while that can't be told."""
        if not self.alive or len(self._steps) < 2:
            return None
        (first_time, first), (last_time, last) = self._steps[0], self._steps[-1]
        return (last - first) / (last_time - first_time) if last_time > first_time else None

    @property
    def main_metric(self) -> str | None:
        """The main metric of those that were reported."""
        return better.main(self.metrics.values, self.info.metrics) if self.metrics is not None else None

    @property
    def trend(self) -> str:
        """Where the main metric goes: ``↗`` or ``↘`` where it moves more than it scatters, else ``→``."""
        if len(self._course) < TREND_LEAST:
            return ""
        middle = self._course[0][0]
        times, values = [at - middle for at, _ in self._course], [value for _, value in self._course]
        if times[-1] <= 0:
            return ""
        line = linear_regression(times, values)
        moved = line.slope * times[-1]
        errors = [value - line.intercept - line.slope * at for at, value in zip(times, values, strict=True)]
        scatter = math.hypot(*errors) / math.sqrt(len(errors))
        return "→" if abs(moved) <= 2 * scatter or not moved else "↗" if moved > 0 else "↘"

    def uptime(self, now: float) -> float | None:
        """Return how long the worker has been up, or was when it ended."""
        if self.started is None or self.state is None:
            return None
        return (now if self.has_worker else self.state.time) - self.started

    @property
    def strays(self) -> bool:
        """Whether the file says something else than what runs, and nothing is on its way to change that."""
        running = self.running
        return (
            running is not None and running.version is not None and running.differs and self.timeline.waiting() is None
        )

    @property
    def steps_done(self) -> int:
        """Checkpoints that this worker has completed, as far as is known."""
        told = self.metrics is not None and self.started is not None and self.metrics.time >= self.started
        return self.metrics.step if told and self.metrics is not None else 0

    def apply(self, event: messages.Event) -> Part:
        """Take in an event and return what it changed."""
        match event:
            case messages.Lines() | messages.Begun():
                return self._log(event)
            case messages.Metrics():
                return self._measure(event)
            case messages.Measured():
                return Part.METRICS
            case messages.Reload():
                return self._reload(event)
            case messages.Noted() | messages.Judged():
                return Part.TIMELINE if self.timeline.add(event) else Part.NOTHING
            case messages.Ranks():
                self.ranks = event
                return Part.STATUS
            case messages.State():
                return self._enter(event)
            case messages.Document():
                self.document = event
                return Part.DOCUMENT | Part.STATUS
            case messages.Hints():
                self.hints = event
                return Part.DOCUMENT
            case messages.Running():
                self.running = event
                return Part.STATUS | Part.DOCUMENT
            case messages.JobInfo():
                self.info = event
                return Part.STATUS
        return Part.NOTHING

    def _log(self, event: messages.Lines | messages.Begun) -> Part:
        if isinstance(event, messages.Lines):
            self.lines.extend(event.first, event.lines, event.version, event.time)
        else:
            self.lines.begin(event.text)
        return Part.LOG

    def _measure(self, event: messages.Metrics) -> Part:
        # What a step does not report is as it was reported last.
        known = self.metrics.values if self.metrics is not None and event.step >= self.metrics.step else {}
        self.metrics = replace(event, values={**known, **event.values})
        if self._steps and event.step < self._steps[-1][1]:
            self._steps.clear()
            self._course.clear()
        self._steps.append((event.time, event.step))
        while len(self._steps) > 2 and self._steps[1][0] < event.time - RATE_WINDOW:
            self._steps.popleft()
        self._follow(event)
        return Part.METRICS

    def _follow(self, event: messages.Metrics) -> None:
        value = event.values.get(self.main_metric or "")
        if isinstance(value, (int, float)) and math.isfinite(value):
            self._course.append((event.time, float(value)))
            while len(self._course) > TREND_LEAST and self._course[0][0] < event.time - TREND_WINDOW:
                self._course.popleft()

    def _reload(self, event: messages.Reload) -> Part:
        self.timeline.put(event)
        if self.live_updates and event.status == "applied" and (event.changes or event.source == "start"):
            self.lines.mark(event.version)
            return Part.TIMELINE | Part.DOCUMENT | Part.LOG | Part.STATUS
        return Part.TIMELINE | Part.DOCUMENT | Part.STATUS

    def _enter(self, event: messages.State) -> Part:
        was_alive = self.alive
        new_worker = self.state is None or self.state.pid != event.pid
        self.state = event
        if self.alive and (not was_alive or (new_worker and event.state in messages.LIVE)):
            self.started = event.time
            self.ranks = None
            self._steps.clear()
            self._course.clear()
            self.lines.lift_pen()
        return Part.STATUS
