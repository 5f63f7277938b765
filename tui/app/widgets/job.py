"""Everything that is shown of one job: log, config and timeline; of a host, which has no config, the log."""

from __future__ import annotations

from collections.abc import Iterator

from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from tui.app.model import JobModel, Part
from tui.app.widgets.config import ConfigPane, Request
from tui.app.widgets.logpane import LogPane
from tui.app.widgets.timelinepane import TimelinePane


class JobView(Container):
    """The three panes of one job."""

    BLANK = True

    def __init__(self, job: JobModel, request: Request, now: float) -> None:
        super().__init__()
        self.job = job
        self.log_pane = LogPane(job)
        self.log_view = self.log_pane.view
        self.log_view.text.now = now
        self.config = ConfigPane(job, request)
        self.timeline_pane = TimelinePane(job, request, now)
        self.timeline = self.timeline_pane.view
        self.set_class(job.is_host, "-host")

    def compose(self) -> ComposeResult:
        """Yield the panes."""
        yield self.log_pane
        yield self.config
        yield self.timeline_pane

    def focus_first(self) -> None:
        """Focus the pane that a user comes for."""
        (self.log_view if self.job.is_host else self.config.editor).focus()

    def panes(self) -> Iterator[tuple[Widget, Widget]]:
        """Yield the panes that are on the screen, each with what takes the keys in it."""
        editor = self.config.editor
        for pane, goal in ((self.config, editor), (self.log_view, self.log_view), (self.timeline, self.timeline)):
            if goal.focusable and pane.region:
                yield pane, goal

    def on_descendant_focus(self) -> None:
        """Note which pane is in use: where the screen is small, it gets most of the room until another one is."""
        self.set_class(self.log_view.has_focus or self.log_pane.prompt.input.has_focus, "-at-log")
        self.set_class(self.timeline.has_focus or self.timeline_pane.prompt.input.has_focus, "-at-timeline")

    @property
    def ready(self) -> bool:
        """Whether the panes exist."""
        return self.config.ready

    def sync(self, parts: Part, now: float) -> None:
        """Draw again what has changed."""
        if Part.LOG in parts:
            self.log_view.text.now = now
            self.log_pane.sync()
        if Part.TIMELINE in parts:
            self.timeline_pane.sync(now)
        if Part.DOCUMENT in parts:
            self.config.sync()

    def tick(self, now: float) -> None:
        """Let the waiting times and the ages go on."""
        self.log_view.tick(now)
        if self.job.timeline.waiting():
            self.timeline.sync(now)
