"""Everything that is shown of one job: log, config and timeline; of a host, which has no config, the log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.geometry import Offset, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, TextArea

from tui.app import pane_layout
from tui.app.charts.fetch import engine_source
from tui.app.charts.pane import ChartsPane
from tui.app.charts.view import ChartsView
from tui.app.client import Request
from tui.app.editor.pane import ConfigPane
from tui.app.knobs.pane import KnobsPane
from tui.app.knobs.view import KnobsView
from tui.app.log.pane import LogPane
from tui.app.log.view import LogView
from tui.app.model.job import JobModel, Part
from tui.app.pane_layout import CHARTS, CONFIG, GUESTS, KNOBS, LOG, LOW, TIMELINE, Divider, Sizes
from tui.app.timeline.pane import TimelinePane
from tui.app.timeline.view import TimelineView
from tui.protocol import messages


class PaneLayout(Layout):
    """Places the panes; one that has no room is not on the screen."""

    name = "panes"

    def __init__(self, view: JobView) -> None:
        self._view = view

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:  # noqa: ARG002
        """Return where the panes stand."""
        parent.pre_layout(self)
        return [
            WidgetPlacement(region, Offset(), pane.styles.margin, pane)
            for pane, region in self._view.places(size).items()
            if pane in children
        ]


class JobView(Container):
    """The panes of one job, and the dividers between them."""

    BLANK = True

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "f10,alt+m",
            "enlarge",
            "Enlarge",
            show=False,
            tooltip="All the room for the pane in use; escape brings the others back",
            priority=True,  # an editor takes alt and a letter for the letter
            id="pane.enlarge",
        ),
        Binding("f7", "knobs", "Knobs", tooltip="Show or hide the values as knobs", id="pane.knobs"),
        Binding("f8", "charts", "Charts", tooltip="Show or hide the charts of the metrics", id="pane.charts"),
        # Before the log and the timeline, where escape clears a search or a filter.
        Binding("escape", "restore", "All panes", tooltip="After f10", priority=True, id="pane.restore"),
        *(
            Binding(f"alt+{key}", f"resize({x}, {y})", f"Divider {key}", show=False, id=f"pane.{key}")
            for key, x, y in (("left", -1, 0), ("right", 1, 0), ("up", 0, -1), ("down", 0, 1))
        ),
    ]

    class Preferred(Message):
        """The user made a choice that holds for all jobs and is kept."""

        def __init__(self, **what: object) -> None:
            super().__init__()
            self.what = what

    def __init__(self, job: JobModel, request: Request, now: float, sizes: Sizes = Sizes()) -> None:  # noqa: B008
        super().__init__()
        self.job = job
        self._request = request
        self._terminal = (0, 0)  # its size as it was told last
        self.log_pane = LogPane(job)
        self.log_view = self.log_pane.view
        self.log_view.text.now = now
        self.config = ConfigPane(job, request)
        self.timeline_pane = TimelinePane(job, request, now)
        self.timeline = self.timeline_pane.view
        self.charts_pane = ChartsPane(job, engine_source(job.name, request))
        self.charts = self.charts_pane.view
        self.charts_pane.display = False
        self.knobs_pane = KnobsPane(job, request)
        self.knobs = self.knobs_pane.view
        self.knobs_pane.display = False
        self.used = LOG if job.is_host else CONFIG
        self.whole = False
        self._sizes = sizes
        self._panes: dict[str, Widget] = {LOG: self.log_pane}
        if not job.is_host:
            self._panes |= {CONFIG: self.config, TIMELINE: self.timeline_pane}
            self._panes |= {CHARTS: self.charts_pane, KNOBS: self.knobs_pane}
        self._layout = PaneLayout(self)
        self._stands: dict[str, Region] = {}
        self._held: Divider | None = None
        self._grip = Offset()
        self._moved = False
        self._followed = False  # until the timeline led the log elsewhere
        self.set_class(job.is_host, "-host")

    @property
    def layout(self) -> Layout:
        """How the panes are placed."""
        return self._layout

    def compose(self) -> ComposeResult:
        """Yield the panes."""
        yield self.charts_pane
        yield self.log_pane
        yield self.config
        yield self.knobs_pane
        yield self.timeline_pane

    def on_mount(self) -> None:
        """Listen to what is chosen in the log."""
        self.watch(self.log_view, "wrap", self._keep_wrap, init=False)

    def _keep_wrap(self, wrap: bool) -> None:
        self.post_message(self.Preferred(wrap=wrap))

    def focus_first(self) -> None:
        """Focus the pane that a user comes for."""
        (self.log_view if self.job.is_host else self.config.editor).focus()

    def goals(self) -> list[Widget]:
        """Return what takes the keys in each pane, in the order of `f6`: as they are read, from the config on."""
        shown = self._shown()
        return [self._goal(pane) for pane in (CONFIG, KNOBS, TIMELINE, CHARTS, LOG) if pane in shown]

    def panes(self) -> Iterator[tuple[Widget, Widget]]:
        """Yield the panes that are on the screen, each with what takes the keys in it."""
        if self.region:
            for name in self._regions():
                goal = self._goal(name)
                yield (self.config if name == CONFIG else goal), goal

    def _goal(self, name: str) -> Widget:
        if name == CONFIG:
            return self.config.editor
        goals = {LOG: self.log_view, TIMELINE: self.timeline, CHARTS: self.charts, KNOBS: self.knobs}
        return goals[name]

    def _shown(self) -> list[str]:
        return [name for name in self._panes if name not in GUESTS or self._panes[name].display]

    # The room of each pane

    def places(self, size: Size) -> dict[Widget, Region]:
        """Return where the panes stand that can be seen in a room of this size."""
        self._stands = self._regions(size)
        return {self._panes[name]: region for name, region in self._stands.items()}

    def _regions(self, size: Size | None = None) -> dict[str, Region]:
        size = self.size if size is None else size
        return pane_layout.arrange(size, self._sizes, self._shown(), self.used, self.whole, self._needs())

    @property
    def _ruled(self) -> bool:
        """Whether one rule stands between two panes, not two frames."""
        return self.app.size.height < LOW

    def _needs(self) -> dict[str, int]:
        """Return how high the panes would be with all of their content; a log has room for what is still to come."""
        if not self.ready:
            return {}
        frame = 1 if self._ruled else 2
        return {CONFIG: frame + self.config.rows, TIMELINE: frame + self.timeline_pane.rows}

    def fit(self) -> None:
        """Give the panes the room that their content takes now, and a line to those that stand beside another."""
        regions = self._regions()
        for name, region in regions.items():
            self._panes[name].set_class(bool(region.x), "-beside")
        if regions != self._stands:
            self._place()

    @on(events.Resize)
    @on(TextArea.Changed)
    def _fit(self) -> None:
        self.fit()

    def resize(self, sizes: Sizes) -> None:
        """Give the panes other sizes."""
        if sizes != self._sizes:
            self._sizes = sizes
            self.fit()

    def show_charts(self, shown: bool) -> None:
        """Show the charts or hide them; of a host there are none."""
        if shown != self.charts_pane.display and not self.job.is_host:
            self.charts_pane.display = shown
            self.fit()

    def action_charts(self) -> None:
        """Show the charts and use them, or hide them."""
        shown = not self.charts_pane.display
        if not shown and self.used == CHARTS:
            self.log_view.focus()
        self.show_charts(shown)
        if shown:
            self.charts.focus()
        self.post_message(self.Preferred(charts=shown))

    def action_knobs(self) -> None:
        """Show the knobs and use them, or hide them."""
        shown = not self.knobs_pane.display
        if not shown and self.used == KNOBS:
            self.config.editor.focus()
        self.knobs_pane.display = shown
        self.fit()
        if shown:
            self.knobs_pane.sync()
            self.knobs.focus()

    def on_knobs_view_live_chosen(self, message: KnobsView.LiveChosen) -> None:
        """Keep when knobs are sent."""
        self.post_message(self.Preferred(live_knobs=message.live))

    def _place(self) -> None:
        self._clear_arrangement_cache()
        self.refresh(layout=True)

    def on_descendant_focus(self) -> None:
        """Note which pane is in use: it can be seen at every size, and has most of the room where there is little."""
        used = next((name for name, pane in self._panes.items() if pane.has_focus_within), self.used)
        if used != self.used:
            self.used = used
            self.fit()

    @on(events.Show)
    @on(events.Resize)
    def _focus_again(self) -> None:
        """Have the keys go somewhere again when the screen has been too small for the panes."""
        if self.ready and self.screen.focused is None:
            self._goal(self.used).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer to bring back the other panes where they are gone, and escape ends nothing else."""
        if action in ("charts", "knobs"):
            return not self.job.is_host
        if action != "restore":
            return True
        pane = self._panes[self.used]
        clears = isinstance(pane, LogPane | TimelinePane | ChartsPane | KnobsPane) and pane.check_action("clear", ())
        return self.whole and not clears and not isinstance(self.screen.focused, Input)

    def action_enlarge(self) -> None:
        """Give the pane in use all of the room, or only its own."""
        self.whole = not self.whole
        self.fit()
        self.refresh_bindings()

    def action_restore(self) -> None:
        """Bring the other panes back."""
        if self.whole:
            self.action_enlarge()

    def action_resize(self, x: int, y: int) -> None:
        """Move the divider beside the pane in use."""
        self._choose(pane_layout.moved(self.size, self._sizes, self._regions(), self.used, x, y))

    def _choose(self, sizes: Sizes) -> None:
        self.resize(sizes)
        self.post_message(self.Preferred(sizes=sizes))

    def drag(self, event: events.MouseEvent) -> bool:
        """Let a divider be dragged; return whether the event was for it."""
        at = event.screen_offset - self.region.offset
        if isinstance(event, events.MouseDown) and self._held is None and event.button == 1:
            self._hold(self._divider(at), at)
        elif self._held is None:
            return False
        elif isinstance(event, events.MouseMove):
            self._moved = True
            self.resize(pane_layout.dragged(self.size, self._sizes, self.used, self._held, at + self._grip))
        elif isinstance(event, events.MouseUp):
            if self._moved:
                self.post_message(self.Preferred(sizes=self._sizes))
            else:  # a click on a frame is one on its pane
                self._click(self._held, at)
            self._hold(None)
            return True
        return self._held is not None

    def _hold(self, divider: Divider | None, at: Offset = Offset()) -> None:  # noqa: B008
        self._held, self._moved = divider, False
        if divider is not None:  # it is two cells wide
            self._grip = self._regions()[divider.behind].offset - at
        self.set_class(divider is not None, "-held")

    def _divider(self, at: Offset) -> Divider | None:
        if self.log_pane.prompt.display and at.y == self.log_pane.region.bottom - self.region.y - 1:
            return None  # the line to type in stands there
        return pane_layout.divider_at(self._regions(), at, self._ruled)

    def _click(self, divider: Divider, at: Offset) -> None:
        found = pane_layout.slots(self._regions())
        for name in (divider.before, divider.behind):
            if found[name].contains_point(at):
                self._goal(name).focus()

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
            if self.knobs_pane.display:
                self.knobs_pane.sync()
        if parts & (Part.METRICS | Part.TIMELINE):
            self.charts.sync()
        if parts & (Part.DOCUMENT | Part.TIMELINE):
            self.fit()

    def tick(self, now: float) -> None:
        """Let the waiting times and the ages go on."""
        self.log_view.tick(now)
        self._fit_terminal()
        if self.job.timeline.waiting():
            self.timeline.sync(now)

    def _fit_terminal(self) -> None:
        """Have the job's terminal be as large as its log, unless that is hidden; a drag is told by its end."""
        rows, columns = self.log_view.room.height, self.log_view.room.width - self.log_view.text.margin
        if self.job.info.tty and min(rows, columns) > 0 and self._terminal != (rows, columns):
            self._terminal = rows, columns
            self._send_size(rows, columns)

    @work(exclusive=True, group="terminal")
    async def _send_size(self, rows: int, columns: int) -> None:
        with contextlib.suppress(ConnectionError):  # the engine is gone, and so is the job
            await self._request(messages.Resize(0, self.job.name, rows, columns))

    def on_timeline_view_moved(self, message: TimelineView.Moved) -> None:
        """Lead the log to where a version took effect; at the newest row it goes on following, if it did before."""
        self.charts.select(message.version)
        log = self.log_view
        self._followed = self._followed or log.follow
        if self._followed and message.version == self.job.timeline.newest_version:
            self._followed = False
            log.action_follow()
        else:
            log.go_to_version(message.version)

    def on_log_view_looked(self, message: LogView.Looked) -> None:
        """Mark the version whose lines the reader looks at."""
        self.timeline.mark(message.version)
        self.charts.select(message.version)

    def on_charts_view_flagged(self, message: ChartsView.Flagged) -> None:
        """Lead the timeline and the log to the change whose flag was selected."""
        self.timeline.go_to_version(message.version)
        self.log_view.go_to_version(message.version)
