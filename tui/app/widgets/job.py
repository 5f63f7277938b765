"""Everything that is shown of one job: log, config and timeline."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container

from tui.app.model import JobModel, Part
from tui.app.widgets.config import ConfigPane, Request
from tui.app.widgets.log import LogView
from tui.app.widgets.timeline import TimelineView


class JobView(Container):
    """The three panes of one job."""

    def __init__(self, job: JobModel, request: Request, now: float) -> None:
        super().__init__()
        self.job = job
        self._request = request
        self._now = now

    def compose(self) -> ComposeResult:
        """Yield the panes."""
        yield LogView(self.job)
        yield ConfigPane(self.job, self._request)
        yield TimelineView(self.job, self._now)

    @property
    def log_view(self) -> LogView:
        """The log pane."""
        return self.query_one(LogView)

    @property
    def config(self) -> ConfigPane:
        """The config pane."""
        return self.query_one(ConfigPane)

    @property
    def timeline(self) -> TimelineView:
        """The timeline pane."""
        return self.query_one(TimelineView)

    @property
    def ready(self) -> bool:
        """Whether the panes exist."""
        return any(pane.ready for pane in self.query(ConfigPane))

    def sync(self, parts: Part, now: float) -> None:
        """Draw again what has changed."""
        if Part.LOG in parts:
            self.log_view.sync()
        if Part.TIMELINE in parts:
            self.timeline.sync(now)
        if Part.DOCUMENT in parts:
            self.config.sync()

    def tick(self, now: float) -> None:
        """Let the waiting times go on."""
        if self.job.timeline.waiting():
            self.timeline.sync(now)
