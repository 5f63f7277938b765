"""All jobs of the deck at a glance: the table, what there is to say of the job in use, and what is done to jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.events import MouseEvent
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.app.deck import RunningDeck
from tui.app.model.job import JobModel, Part
from tui.app.overview import actions
from tui.app.overview.cells import COURSE, Cell, Figures, in_words
from tui.app.overview.deck_log import DeckLogScreen
from tui.app.overview.listing import Listing
from tui.app.overview.table import OverviewTable
from tui.app.styles import TONES, drawn, tone
from tui.app.textual_ext.key_bar import KeyBar
from tui.app.textual_ext.screen import FrugalScreen
from tui.app.widgets.prompt import Prompt
from tui.protocol import messages

#: Seconds from one question to the engine to the next: its figures are as old as that.
ASK = 2.0

#: The keys of everywhere in the line at the bottom, those that go last where there is little room first.
RANKS = (
    "overview.filter",
    "overview.stop",
    "overview.restart",
    "overview.start",
    "overview.pause",
    "overview.logs",
    "palette",
)


class JobWords(Widget):
    """All that there is to say of the job in use, in a few lines: what has no room in its row too."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[list[Cell]] = []

    def show(self, lines: list[list[Cell]]) -> None:
        """Say something else, if it is."""
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line; what has no room goes on in the next."""
        width = self.size.width
        rows: list[Text] = []
        for line in self._lines:
            rows += _wrapped([Text(cell.text, tone(self, cell.tone)) for cell in line], width)
        text = rows[y] if y < len(rows) else Text()
        if y == self.size.height - 1 and len(rows) > self.size.height:
            text = Text.assemble(text, " …")
        text.truncate(width, overflow="ellipsis")
        return drawn(self, text).crop_extend(0, width, self.rich_style)


def _wrapped(parts: Sequence[Text], width: int) -> list[Text]:
    """Return parts in lines, each part whole where it has room."""
    lines = [Text()]
    for part in parts:
        if lines[-1] and lines[-1].cell_len + 2 + part.cell_len > width:
            lines.append(Text("  "))
        elif lines[-1]:
            lines[-1].append("  ")
        lines[-1].append_text(part)
    return lines


class OverviewScreen(FrugalScreen):
    """Shows all jobs until one is opened, or the former comes back.

    It stays as it is meanwhile.

    Args:
        jobs: Those of the deck, by their names.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Find", tooltip="Words of name, state or task", id="overview.filter"),
        Binding("s", "start", "Start", tooltip="What does not run", id="overview.start"),
        Binding("ctrl+r", "restart", "Restart", tooltip="Start it; what runs is ended first", id="overview.restart"),
        Binding("ctrl+t", "stop", "Stop", tooltip="End it in order", id="overview.stop"),
        Binding("f5", "pause", "Pause", tooltip="Hold it at its next checkpoint; again: go on", id="overview.pause"),
        Binding("l", "logs", "Log of all", tooltip="The lines of all jobs; a search finds in all", id="overview.logs"),
        Binding("escape", "back", "Back", tooltip="Clear the words, then the marks; then leave", id="overview.back"),
        Binding("f9,q", "leave", "Leave", show=False, tooltip="Back to the panes of a job", id="overview.leave"),
        Binding("f1,question_mark", "help", "Help", tooltip="All keys", id="overview.help"),
    ]

    def __init__(self, jobs: Mapping[str, JobModel]) -> None:
        super().__init__()
        self._jobs = jobs
        self._banner = Static(id="lost", markup=False)
        self.table = OverviewTable(jobs, Listing(jobs), 0.0)
        self.words = JobWords()
        self.prompt = Prompt()

    @property
    def deck(self) -> RunningDeck:
        """The app, as a screen needs it."""
        return cast("RunningDeck", self.app)

    def compose(self) -> ComposeResult:
        """Yield the table, and what is below it."""
        self.table.now = self.deck.clock()
        yield self._banner
        yield self.table
        yield self.words
        yield self.prompt
        yield KeyBar(RANKS, ("overview.help", "quit"))

    def on_mount(self) -> None:
        """Ask now and then for what the events do not tell."""
        self.table.focus()
        self.set_interval(ASK, self.ask)

    def on_screen_resume(self) -> None:
        """Show what has happened meanwhile."""
        self.tick(self.deck.clock())
        self.ask()

    def takes(self, event: MouseEvent) -> bool:  # noqa: ARG002
        """Leave the mouse to the widgets."""
        return False

    # News

    def sync(self, changed: Mapping[str, Part], now: float) -> None:
        """Draw what has changed."""
        if not self.words.is_attached:
            return
        if any(parts & (Part.STATUS | Part.TIMELINE) for parts in changed.values()):
            self.table.reorder(now)
        else:
            self.table.sync(changed, now)
        self._say(now)

    def forget(self) -> None:
        """Show a job no longer that has gone."""
        if self.table.is_attached:
            self.tick(self.deck.clock())

    def tick(self, now: float) -> None:
        """Let the times go on, and the order follow the figures."""
        self.table.reorder(now)
        self._say(now)

    def _say(self, now: float) -> None:
        listing = self.table.listing
        job = self._jobs.get(listing.chosen)
        self.words.show(in_words(job, listing.figures_of(job.name), now) if job is not None else [])

    @work(exclusive=True, group="figures")
    async def ask(self) -> None:
        """Ask the engine how the jobs in view are, as long as somebody looks."""
        if not self.is_current:
            return
        names = tuple(dict.fromkeys([*self.table.in_view(), self.table.listing.chosen]))
        try:
            reply = await self.deck.request(messages.Summary(0, names, COURSE))
        except ConnectionError:
            return  # the whole screen says so
        if reply.ok:
            self.table.listing.figures |= {name: Figures.of(told) for name, told in reply.data.items()}
            self.tick(self.deck.clock())

    def lose(self, message: str) -> None:
        """Say that the engine is gone; everything stays readable."""
        self._banner.update(message)
        self._banner.display = True

    # What the user does

    @on(OverviewTable.Moved)
    def _show_words(self) -> None:
        self._say(self.table.now)

    @on(OverviewTable.Opened)
    def _open(self) -> None:
        self.deck.leave_overview(self.table.listing.chosen)

    def action_leave(self) -> None:
        """Go back to the panes."""
        self.deck.leave_overview("")

    def action_back(self) -> None:
        """Leave the question, then what it left out, then the marks, then all of it."""
        if self.prompt.display or self.table.listing.words:
            self.table.look_for("")
            self._close()
        elif self.table.listing.marked:
            self.table.clear_marks()
        else:
            self.action_leave()

    def action_filter(self) -> None:
        """Ask for words; the table follows what is typed."""
        self.prompt.ask("/", self.table.listing.words, "words of name, state or task")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.table.look_for(event.value)

    @on(Input.Submitted)
    def _close(self) -> None:
        self.table.focus()
        self.prompt.display = False

    @work(group="job")
    async def action_start(self) -> None:
        """Start the job in use, or the marked ones."""
        await self._act(actions.start)

    @work(group="job")
    async def action_restart(self) -> None:
        """Start the job in use or the marked ones, running ones anew."""
        await self._act(actions.restart)

    @work(group="job")
    async def action_stop(self) -> None:
        """End the job in use or the marked ones."""
        await self._act(actions.stop)

    @work(group="job")
    async def action_pause(self) -> None:
        """Hold the job in use or the marked ones, or let them go on."""
        await self._act(actions.pause)

    def action_logs(self) -> None:
        """Show the log of all jobs."""
        self.app.push_screen(DeckLogScreen(self._jobs))

    async def _act(self, act: Callable[[RunningDeck, Sequence[JobModel]], Awaitable[None]]) -> None:
        jobs = [job for job in self.table.listing.targets if not job.is_host]
        if jobs:
            await act(self.deck, jobs)
        elif self.table.listing.chosen:
            self.deck.notify("It begins and ends with the jobs in it.", title="A host", severity="warning")

    def action_help(self) -> None:
        """Show all keys, those of here first."""
        self.deck.show_keys("overview")

    def places(self) -> Iterator[tuple[str, DOMNode]]:
        """Yield what has keys here, each with its name on the screen."""
        yield from (("Overview", self.table), ("Overview", self), ("", self.app))
