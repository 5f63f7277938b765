"""The one main screen: status on top, the panes of a job, the keys at the bottom."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.dom import DOMNode
from textual.events import Key, MouseEvent
from textual.reactive import var
from textual.widgets import Static

from tui.app import job_actions, key_places
from tui.app.advice import NO_JOBS, NOT_SAVED, advice
from tui.app.charts.view import ChartsView
from tui.app.deck import RunningDeck
from tui.app.dialogs.jump import JumpScreen, Target
from tui.app.editor.find_bar import FindBar
from tui.app.job_view import JobView
from tui.app.log.view import LogView
from tui.app.model.job import JobModel, Part
from tui.app.sanitize import plain
from tui.app.textual_ext.key_bar import KeyBar
from tui.app.textual_ext.screen import FrugalScreen
from tui.app.timeline.detail import DetailScreen
from tui.app.timeline.view import TimelineView
from tui.app.widgets.status import StatusLine
from tui.app.widgets.tabs import JobTabs

#: What can't be done to a host.
_OF_JOBS = frozenset({"save", "preview", "edit_outside", "settle", "restart", "stop", "pause"})

#: The keys of everywhere in the line at the bottom, those that go last where there is little room first.
RANKS = (
    "pane.restore", "write_back", "save", "palette", "jump", "pane.knobs", "job.restart", "job.stop", "pane.charts",
    "overview", "pane.next", "job.next", "preview", "job.pause", "edit", "pane.enlarge", "job.previous",
)  # fmt: skip

#: What leads to the jobs in jump mode: their numbers, then the letters that lead to no pane.
JOB_KEYS = "123456789abdefghijkmnopqrsuvwxyz"


class MainScreen(FrugalScreen):
    """Shows one job of the deck at a time."""

    BLANK = True

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", tooltip="Write the config; the job takes it at its next step", id="save"),
        Binding("f2", "preview", "Preview", show=False, tooltip="What a save would do, without doing it", id="preview"),
        Binding(
            "ctrl+e",
            "edit_outside",
            "Own editor",
            show=False,
            tooltip="The config in $VISUAL or $EDITOR",
            id="edit",
        ),
        Binding(
            "ctrl+g",
            "write_back",
            "Write back",
            tooltip="Where the file differs from what runs: write what runs back into it",
            id="write_back",
        ),
        Binding("ctrl+o", "jump", "Jump", tooltip="A key over each pane and job leads there", id="jump"),
        Binding(
            "f6",
            "next_pane",
            "Next pane",
            show=False,
            priority=True,
            tooltip="Config, timeline, log",
            id="pane.next",
        ),
        Binding(
            "ctrl+r", "restart", "Restart", tooltip="Start the job; a running one is ended first", id="job.restart"
        ),
        Binding("ctrl+t", "stop", "Stop", tooltip="End the job in order", id="job.stop"),
        Binding(
            "f5",
            "pause",
            "Pause",
            show=False,
            tooltip="Hold the job at its next checkpoint; once more resumes it",
            id="job.pause",
        ),
        Binding("f3", "cycle(-1)", "Previous job", show=False, id="job.previous"),
        Binding("f4", "cycle(1)", "Next job", show=False, tooltip="A click on its name does it too", id="job.next"),
        *(
            # Before an editor, which takes alt and a digit for the digit.
            Binding(f"alt+{n}", f"pick({n})", "Job by its place", show=False, priority=True)
            for n in range(1, 10)
        ),
        Binding("f9", "overview", "All jobs", tooltip="How all jobs are, at a glance", id="overview"),
        Binding("f1", "help", "Help", tooltip="All keys", id="help"),
        Binding("question_mark", "help", "Help in log and timeline", show=False),  # the editor takes it for text
    ]

    current: var[str] = var("")

    #: Nothing of it can be seen: the overview stands before it.
    covered = False

    def __init__(self, jobs: dict[str, JobModel]) -> None:
        super().__init__()
        self._jobs = jobs
        self._views: dict[str, JobView] = {}
        self._tabs = JobTabs()
        self._status = StatusLine()
        self._differs = False
        self._advice = Static(id="advice", markup=False)

    @property
    def deck(self) -> RunningDeck:
        """The app, as a screen needs it."""
        return cast("RunningDeck", self.app)

    def compose(self) -> ComposeResult:
        """Yield the frame; the panes of a job come with the job."""
        yield self._tabs
        yield self._status
        yield Static(id="lost", markup=False)
        yield self._advice
        yield Container(*self._views.values(), id="views")
        yield Static("This terminal is too small for the deck. The job goes on; ctrl+q quits.", id="tiny")
        yield KeyBar(RANKS, ("help", "quit"))

    def on_mount(self) -> None:
        """Say how the jobs are that were known before anything could be drawn."""
        self.sync(dict.fromkeys(self._jobs, Part.STATUS), self.deck.clock())
        self.deck.name_window()

    @property
    def whole(self) -> bool:
        """Whether there is something to draw on: at the end of the app the widgets go before the timers."""
        return self.is_running and self._status.is_attached

    def view(self, name: str) -> JobView | None:
        """Return the view of a job, if it was looked at before."""
        return self._views.get(name)

    @property
    def awaits_focus(self) -> bool:
        """Whether the pane that the user comes for is still to come."""
        view = self.view(self.current)
        return not (view.ready if view is not None else self.deck.greeted)

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
        for other in self._views.values():
            other.display = other.job.name == name
        view = self.view(name)
        if view is None:
            view = self._views[name] = self._new_view(self._jobs[name], now)
        elif view.ready:
            view.resize(self.deck.preferences.sizes)
            view.show_charts(self.deck.preferences.charts)
            view.sync(Part.LOG | Part.TIMELINE | Part.DOCUMENT, now)
            view.focus_first()
        self.sync(dict.fromkeys(self._jobs, Part.STATUS), now)
        self.refresh_bindings()

    def forget(self, name: str) -> None:
        """Show a job no longer that is none of the deck; what is not saved of its config stays to be copied."""
        view = self.view(name)
        if view is not None and view.ready and view.config.dirty:
            self.notify(NOT_SAVED, title=plain(name), severity="warning", markup=False)
            return
        self._jobs.pop(name, None)
        if name == self.current:
            self.current = ""
            self.show_job(next(iter(self._jobs), ""))
        if view is not None:
            self._views.pop(name).remove()
        self._tabs.show(self._jobs.values(), self.current)

    def _new_view(self, job: JobModel, now: float) -> JobView:
        view = JobView(job, self.deck.request, now, self.deck.preferences.sizes)
        view.log_view.set_reactive(LogView.wrap, self.deck.preferences.wrap)
        view.show_charts(self.deck.preferences.charts)
        view.knobs.rack.live = self.deck.preferences.live_knobs
        if self.whole:
            self._mount_view(view)
        return view

    @work(group="views")
    async def _mount_view(self, view: JobView) -> None:
        # Drawn once, when all of it is there: its parts come one in the other, and each would be laid out by itself.
        with self.app.batch_update():
            await self.query_one("#views").mount(view)

    def on_job_view_preferred(self, message: JobView.Preferred) -> None:
        """Keep what the user chose in a pane."""
        self.deck.choose(**message.what)

    def takes(self, event: MouseEvent) -> bool:
        """Let the dividers have the mouse before the panes: a press there is neither a focus nor a selection."""
        view = self.view(self.current)
        return view is not None and view.ready and view.drag(event)

    def sync(self, changed: dict[str, Part], now: float) -> None:
        """Draw again what has changed, of the job on the screen and of those behind it."""
        if not self.whole:
            return
        for name, parts in changed.items():
            view = self.view(name)
            if view is not None and view.ready:
                seen = name == self.current and not self.covered
                view.sync(parts if seen else parts & Part.DOCUMENT, now)
        if self.covered:
            return
        if changed.get(self.current, Part.NOTHING) & (Part.STATUS | Part.METRICS) and self.job is not None:
            self._status.show(self.job, now)
            differs = self.job.strays
            if differs != self._differs:
                self._differs = differs
                self.refresh_bindings()
        self.advise(now)
        if len(self._jobs) > 1 and any(Part.STATUS in parts for parts in changed.values()):
            self._tabs.show(self._jobs.values(), self.current)

    def advise(self, now: float) -> None:
        """Say what to do next, where a user might not know it."""
        said = advice(self.job, now) if self.job is not None else "" if self._jobs or not self.deck.greeted else NO_JOBS
        before = str(self._advice.content)
        if said != before:
            # A clock in it may go on without the whole screen being laid out again each second.
            self._advice.update(said, layout=len(said) != len(before))
            self._advice.display = bool(said)

    def uncover(self, name: str) -> None:
        """Show a job, or the one from before, as it is now."""
        self.covered = False
        if name and name != self.current:
            self.show_job(name)
            return
        now, view = self.deck.clock(), self.view(self.current)
        if view is not None and view.ready:
            view.sync(Part.LOG | Part.TIMELINE | Part.DOCUMENT | Part.METRICS, now)
        self.sync(dict.fromkeys(self._jobs, Part.STATUS), now)

    def tick(self, now: float) -> None:
        """Let the clocks on the screen go on, if one of them runs."""
        if self.covered:
            return
        self.advise(now)
        view = self.view(self.current)
        if view is not None and view.ready:
            view.tick(now)
            if view.job.alive:
                self.deck.frames.note(self.current, Part.METRICS)  # with what else there is to draw

    def lose(self, short: str, message: str) -> None:
        """Say that the engine is gone; everything stays readable."""
        banner = self.query_one("#lost", Static)
        banner.update(message)
        banner.display = True
        self._status.lose(short)

    def unsaved(self) -> list[str]:
        """Return the config files with changes that were not saved."""
        return [plain(view.job.info.config) for view in self._views.values() if view.ready and view.config.dirty]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer only what makes sense: the answers to a conflict in one, other jobs where there are some."""
        if action in _OF_JOBS and self.job is not None and self.job.is_host:
            return False
        if action == "settle":
            view = self.view(self.current)
            return view is not None and view.ready and view.config.draft.theirs is not None
        if action == "write_back":
            return self.job is not None and self.job.strays
        if action in ("cycle", "pick", "overview"):
            return len(self._jobs) > 1
        return True

    def action_save(self) -> None:
        """Save the config of the job on the screen."""
        if (view := self.view(self.current)) is not None:
            view.config.save()

    def action_preview(self) -> None:
        """Show what a save would do."""
        if (view := self.view(self.current)) is not None:
            view.config.preview()

    def action_edit_outside(self) -> None:
        """Open the config in the user's own editor."""
        if (view := self.view(self.current)) is not None:
            view.config.edit_outside()

    def action_settle(self, choice: str) -> None:
        """Answer a conflict with the disk."""
        if (view := self.view(self.current)) is not None:
            view.config.settle_conflict(choice)

    def action_overview(self) -> None:
        """Show all jobs at a glance."""
        self.deck.open_overview()

    def action_jump(self) -> None:
        """Show a key over each pane and job."""
        if any(self.targets()):
            self.app.push_screen(JumpScreen(self.targets))

    def targets(self) -> Iterator[Target]:
        """Yield the panes and the jobs that can be jumped to."""
        view = self.view(self.current)
        for pane, goal in view.panes() if view is not None else ():
            yield Target(str(pane.id)[0], pane.region.offset, partial(self.set_focus, goal))
        keys = dict(zip(self._jobs, JOB_KEYS, strict=False))
        for name, place in self._tabs.places():
            if name in keys:
                yield Target(keys[name], place, partial(self.show_job, name))

    def action_next_pane(self) -> None:
        """Move the focus from pane to pane, as they are read."""
        view = self.view(self.current)
        if view is None:
            return
        goals = view.goals()
        place = next((index for index, goal in enumerate(goals) if goal.has_focus), -1)
        if goals:
            # At once: `focus()` waits, and a second key would start from the same pane again.
            self.set_focus(goals[(place + 1) % len(goals)])

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
        """Start the job, or end it and start it again."""
        if self.job is not None:
            await job_actions.restart(self.deck, self.job)

    @work(exclusive=True, group="job")
    async def action_stop(self) -> None:
        """End the job in order."""
        if self.job is not None:
            await job_actions.stop(self.deck, self.job)

    @work(exclusive=True, group="pause")
    async def action_pause(self) -> None:
        """Hold the job, or let it go on."""
        if self.job is not None:
            await job_actions.pause(self.deck, self.job)

    @on(TimelineView.Opened)
    @on(ChartsView.Opened)
    def _open(self) -> None:
        """Show all of one reload."""
        view = self.view(self.current)
        if view is not None:
            acts = {
                "roll_back": view.timeline.action_roll_back,
                "note": view.timeline_pane.action_note,
                "tag": view.timeline_pane.action_tag,
            }

            def act(wanted: str | None) -> None:
                if wanted:
                    acts[wanted]()

            self.app.push_screen(DetailScreen(view.timeline, view.job, self.deck.request), act)

    @work(exclusive=True, group="stack")
    async def on_timeline_pane_stack_asked(self) -> None:
        """Show where the task is."""
        if self.job is not None:
            await job_actions.show_stack(self.deck, self.job)

    @work(exclusive=True, group="rollback")
    async def on_timeline_view_rolled_back(self, message: TimelineView.RolledBack) -> None:
        """Write a version back to the file."""
        view = self.view(self.current)
        if view is not None and view.ready:
            version = await job_actions.roll_back(self.deck, view.job, message.version, unsaved=view.config.dirty)
            if version is not None:
                view.timeline.choose(version)

    @work(exclusive=True, group="rollback")
    async def action_write_back(self) -> None:
        """Write the version that runs back to the file."""
        view = self.view(self.current)
        if view is not None and view.ready and view.job.running is not None and view.job.running.version is not None:
            version = view.job.running.version
            await job_actions.roll_back(self.deck, view.job, version, unsaved=view.config.dirty)

    def places(self) -> Iterator[tuple[str, DOMNode]]:
        """Yield what has keys of its own, each with its name on the screen: the pane in use, everywhere, the others."""
        view = self.view(self.current)
        found = list(self._pane_places(view)) if view is not None and view.ready else []
        yield from (place for place in found if view is not None and place[0].lower() == view.used)
        yield from (("", self), ("", self.app))
        if view is not None and found:
            yield "Panes", view
            yield from (place for place in found if place[0].lower() != view.used)

    def _pane_places(self, view: JobView) -> Iterator[tuple[str, DOMNode]]:
        yield from (("Log", view.log_pane), ("Log", view.log_view))
        if not view.job.is_host:
            yield from (("Config", view.config.editor), ("Config", view.query_one(FindBar)))
            yield from (("Timeline", view.timeline_pane), ("Timeline", view.timeline))
            if view.charts_pane.display:
                yield from (("Charts", view.charts_pane), ("Charts", view.charts))
            if view.knobs_pane.display:
                yield from (("Knobs", view.knobs_pane), ("Knobs", view.knobs))

    def action_help(self) -> None:
        """Show all keys, those of the pane in use first."""
        view = self.view(self.current)
        self.deck.show_keys(view.used if view is not None else "")

    def on_key(self, event: Key) -> None:
        """Say of a key that means nothing here where it does."""
        if event.key in self.active_bindings:
            return
        said = key_places.means(event.key, self.deck.keymap)
        if said:
            shown = self.app.get_key_display(next(iter(said.values())))
            self.query_one(KeyBar).say(f"{shown} {' · '.join(said)}")
