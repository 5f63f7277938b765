"""The one main screen: status on top, the panes of a job, the keys at the bottom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.reactive import var
from textual.screen import Screen
from textual.widgets import Footer, Static, TextArea

from tui import events
from tui.app.lines import plain
from tui.app.model import JobModel, Part
from tui.app.screens.dialog import Choice, Dialog
from tui.app.screens.diff import detail_screen
from tui.app.screens.help import HelpScreen
from tui.app.widgets.diff import DiffView
from tui.app.widgets.editor import ConfigEditor
from tui.app.widgets.job import JobView
from tui.app.widgets.log import LogView
from tui.app.widgets.status import StatusLine
from tui.app.widgets.tabs import JobTabs
from tui.app.widgets.timeline import TimelineView

if TYPE_CHECKING:
    from tui.app.app import DeckApp

RESTART = Choice("r", "restart", "restart it", "its state is lost; the file as it stands is used")
STOP = Choice("s", "stop", "stop it")


class MainScreen(Screen[None]):
    """Shows one job of the deck at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", tooltip="Write the config; the job takes it at its next step", id="save"),
        Binding("f7", "settle('mine')", "Keep mine", show=False, priority=True, id="conflict.mine"),
        Binding("f8", "settle('theirs')", "Take theirs", show=False, priority=True, id="conflict.theirs"),
        Binding(
            "f9", "settle('difference')", "Show the difference", show=False, priority=True, id="conflict.difference"
        ),
        Binding("ctrl+o", "next_pane", "Next pane", tooltip="Config, log, timeline in turn", id="pane.next"),
        Binding("f6", "next_pane", "Next pane", show=False, priority=True, id="pane.next.f6"),
        Binding(
            "ctrl+r", "restart", "Restart", tooltip="Start the job; a running one is ended first", id="job.restart"
        ),
        Binding("ctrl+t", "stop", "Stop", tooltip="End the job in order", id="job.stop"),
        Binding("f3", "cycle(-1)", "Previous job", show=False, id="job.previous"),
        Binding("f4", "cycle(1)", "Next job", show=False, tooltip="A click on its name does it too", id="job.next"),
        *(Binding(f"alt+{n}", f"pick({n})", "Job by its place", show=False, id=f"job.{n}") for n in range(1, 10)),
        Binding("f1", "help", "Help", tooltip="All keys", id="help"),
    ]

    current: var[str] = var("")

    def __init__(self, jobs: dict[str, JobModel]) -> None:
        super().__init__()
        self._jobs = jobs

    @property
    def deck(self) -> DeckApp:
        """The app, by its own type."""
        return cast("DeckApp", self.app)

    def compose(self) -> ComposeResult:
        """Yield the frame; the panes of a job come with the job."""
        yield JobTabs()
        yield StatusLine()
        yield Static(id="lost", markup=False)
        yield Container(id="views")
        yield Static("This terminal is too small for the deck. The job goes on; ctrl+q quits.", id="tiny")
        yield Footer()

    @property
    def whole(self) -> bool:
        """Whether there is something to draw on: at the end of the app the widgets go before the timers."""
        return self.is_running and bool(self.query(StatusLine))

    def views(self) -> Iterator[JobView]:
        """Return the views of the jobs that were looked at so far."""
        yield from self.query(JobView)

    def view(self, name: str) -> JobView | None:
        """Return the view of a job, if it was looked at before."""
        return next((view for view in self.views() if view.job.name == name), None)

    @property
    def job(self) -> JobModel | None:
        """The job on the screen."""
        return self._jobs.get(self.current)

    def show_job(self, name: str) -> None:
        """Bring a job to the screen."""
        if name not in self._jobs or name == self.current:
            return
        self.current = name
        now = self.deck.clock()
        for other in self.views():
            other.display = other.job.name == name
        view = self.view(name)
        if view is None:
            view = JobView(self._jobs[name], self.deck.request, now)
            self.query_one("#views").mount(view)
        elif view.ready:
            view.sync(Part.LOG | Part.TIMELINE | Part.DOCUMENT, now)
            view.config.editor.focus()
        self.sync({name: Part.STATUS}, now)

    def sync(self, changed: dict[str, Part], now: float) -> None:
        """Draw again what has changed, of the job on the screen and of those behind it."""
        for name, parts in changed.items():
            view = self.view(name)
            if view is not None and view.ready:
                view.sync(parts if name == self.current else parts & Part.DOCUMENT, now)
        if Part.STATUS in changed.get(self.current, Part.NOTHING) and self.job is not None:
            self.query_one(StatusLine).show(self.job, now)
        if len(self._jobs) > 1 and any(Part.STATUS in parts for parts in changed.values()):
            self.query_one(JobTabs).show(self._jobs.values(), self.current)

    def tick(self, now: float) -> None:
        """Let the clocks on the screen go on, if one of them runs."""
        view = self.view(self.current)
        if view is not None and view.ready:
            view.tick(now)
            if view.job.alive:
                self.query_one(StatusLine).show(view.job, now)

    def lose(self, short: str, message: str) -> None:
        """Say that the engine is gone; everything stays readable."""
        banner = self.query_one("#lost", Static)
        banner.update(message)
        banner.display = True
        self.query_one(StatusLine).lose(short)

    def unsaved(self) -> list[str]:
        """Return the config files with changes that were not saved."""
        return [plain(view.job.info.config) for view in self.views() if view.ready and view.config.dirty]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer the answers to a conflict only in one, and the change of jobs only where there are two."""
        if action == "settle":
            view = self.view(self.current)
            return view is not None and view.ready and view.config.draft.theirs is not None
        if action in ("cycle", "pick"):
            return len(self._jobs) > 1
        return True

    def action_save(self) -> None:
        """Save the config of the job on the screen."""
        if (view := self.view(self.current)) is not None:
            view.config.save()

    def action_settle(self, choice: str) -> None:
        """Answer a conflict with the disk."""
        if (view := self.view(self.current)) is not None:
            view.config.settle(choice)

    def action_next_pane(self) -> None:
        """Move the focus from pane to pane: config, log, timeline."""
        view = self.view(self.current)
        if view is None:
            return
        panes = [pane for pane in (view.config.editor, view.log_view, view.timeline) if pane.focusable]
        place = next((index for index, pane in enumerate(panes) if pane.has_focus), -1)
        if panes:
            panes[(place + 1) % len(panes)].focus()

    def action_cycle(self, by: int) -> None:
        """Show the next or the previous job."""
        names = list(self._jobs)
        if self.current in names:
            self.show_job(names[(names.index(self.current) + by) % len(names)])

    def action_pick(self, number: int) -> None:
        """Show a job by its place in the deck."""
        if number <= len(self._jobs):
            self.show_job(list(self._jobs)[number - 1])

    @on(JobTabs.Chosen)
    def _choose(self, message: JobTabs.Chosen) -> None:
        self.show_job(message.name)

    @work(exclusive=True, group="job")
    async def action_restart(self) -> None:
        """Start the job; ask first where that costs a running one its state."""
        job = self.job
        if job is None:
            return
        title = f"{plain(job.name)} is still {job.state.state if job.state else 'there'}"
        if job.alive and await self.app.push_screen_wait(Dialog(title, "", [RESTART])) != "restart":
            return
        await self.deck.order(events.Start(0, job.name), "Not started")

    @work(exclusive=True, group="job")
    async def action_stop(self) -> None:
        """Stop the job, after asking."""
        job = self.job
        if job is None or not job.alive:
            return
        title = f"Stop {plain(job.name)}?"
        if await self.app.push_screen_wait(Dialog(title, "The deck stays open; ctrl+r starts it again.", [STOP])):
            await self.deck.order(events.Stop(0, job.name), "Not stopped")

    @work(exclusive=True, group="detail")
    async def on_timeline_view_opened(self, message: TimelineView.Opened) -> None:
        """Show all of one reload."""
        job = self.job
        row = job.timeline.get(message.version) if job is not None else None
        if job is None or row is None:
            return
        reply = await self.deck.order(events.Detail(0, job.name, message.version), "No details")
        if reply is not None:
            self.app.push_screen(detail_screen(row, reply.data))

    def action_help(self) -> None:
        """Show all keys."""
        sections = [
            ("Everywhere", [*_bindings(type(self)), *_bindings(type(self.app))]),
            ("Config", _bindings(ConfigEditor)),
            ("Log", _bindings(LogView)),
            ("Timeline", _bindings(TimelineView)),
            ("Difference", _bindings(DiffView)),
            ("Editing text", _bindings(TextArea)),
        ]
        self.app.push_screen(HelpScreen(sections))


def _bindings(kind: type) -> list[Binding]:
    """Return the keys that a class itself defines."""
    return list(Binding.make_bindings(vars(kind).get("BINDINGS", ())))
