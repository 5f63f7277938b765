"""The timeline with all that is asked of it: the filter, notes and tags, and the line in which they are typed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from tui.app.client import Request
from tui.app.dialogs.save_file import PathDialog, save_lines
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.app.timeline.compare import CompareScreen
from tui.app.timeline.filter import FilteredReloads
from tui.app.timeline.view import TimelineView
from tui.app.widgets.prompt import Prompt
from tui.export import FORMATS, write
from tui.protocol import messages
from tui.wording import figure

FILTER = "/"
HINT = "text, or key:lr status:invalid source:disk tag:best note:… who:… run:3; ! in front: without"


class TimelinePane(Vertical):
    """Filters the timeline of one job, and takes down what the user says of its versions."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", tooltip="By text, key:lr, status:invalid and more", id="timeline.filter"),
        Binding("b", "best", "Best", tooltip="Go to the version under which the metric was best", id="timeline.best"),
        Binding(
            "o",
            "order",
            "By effect",
            show=False,
            tooltip="The best change first; again: the newest",
            id="timeline.order",
        ),
        Binding("e", "note", "Note", show=False, tooltip="Say something about this version", id="timeline.note"),
        Binding("t", "tag", "Tag", show=False, tooltip="One word, to find this version by", id="timeline.tag"),
        Binding(
            "m",
            "compare",
            "Compare",
            show=False,
            tooltip="Mark this version; on another one: both side by side",
            id="timeline.compare",
        ),
        Binding(
            "s",
            "export",
            "Save to a file",
            show=False,
            tooltip="The reloads that are shown: NAME.csv, NAME.md, or JSON lines",
            id="timeline.save",
        ),
        Binding(
            "x",
            "stack",
            "Where the task is",
            show=False,
            tooltip="Its Python stack, for a reload that waits",
            id="timeline.stack",
        ),
        Binding("escape", "clear", "Clear the filter", show=False, id="timeline.clear"),
    ]

    class StackAsked(Message):
        """The user wants to know where the task is."""

    def __init__(self, job: JobModel, request: Request, now: float) -> None:
        super().__init__(id="timeline-pane")
        self.view = TimelineView(job, request, now)
        self.prompt = Prompt()
        self._job = job
        self._request = request
        self._asked = FILTER
        self._version = 0
        self._ordered = 0  # so many verdicts were known then

    @property
    def rows(self) -> int:
        """How many rows all of it takes, whatever is filtered out of it."""
        return 1 + max(len(self._job.timeline.versions), 1) + self.prompt.display

    def compose(self) -> ComposeResult:
        """Yield the rows and, below them, the line that is hidden until it is needed."""
        yield self.view
        yield self.prompt

    def sync(self, now: float) -> None:
        """Take over what has changed; whether it still fits the filter, the engine says."""
        rows, chosen = self._job.timeline, self.view.chosen
        if chosen is not None and rows.touched:
            idle = chosen.complete
            chosen.look_at(rows.touched)
            rows.touched.clear()
            if idle:
                self._go_through(chosen)
        if self.view.order is not None and rows.verdicts != self._ordered:
            self._order()
        self.view.sync(now)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Leave escape to others where there is nothing to clear."""
        marked = self.view.compared is not None
        return action != "clear" or marked or self.view.chosen is not None or self.prompt.display

    # The filter

    def action_filter(self) -> None:
        """Ask which reloads to show."""
        self._asked = FILTER
        self.prompt.ask(FILTER, self.view.chosen.words if self.view.chosen is not None else "", HINT)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.prompt.complain("")
        if self._asked == FILTER:
            self.show_only(event.value.strip())

    def show_only(self, words: str) -> None:
        """Show the reloads that fit some words, all where there are none."""
        rows, view = self._job.timeline, self.view
        rows.touched = set() if words else None
        view.chosen = FilteredReloads(self._job.name, words, rows.versions) if words else None
        if view.chosen is not None:
            self._go_through(view.chosen)
        view.sync_at_cursor()
        self._label()

    @work(exclusive=True, group="filter")
    async def _go_through(self, chosen: FilteredReloads) -> None:
        """Have the engine look at all versions; what was found is shown as it comes."""
        try:
            while not chosen.complete and chosen is self.view.chosen:
                await chosen.step(self._request)
                self._label()
                self.view.sync_at_cursor()
        except (ValueError, ConnectionError) as error:
            self.prompt.complain(plain(str(error)))
            if chosen is self.view.chosen:
                self.view.chosen = None
                self.view.sync_at_cursor()
        self._label()

    def _label(self) -> None:
        title, chosen = "timeline", self.view.chosen
        if chosen is not None:
            more = "" if chosen.complete else "…"
            title += f" · {len(chosen.versions):,}{more} of {len(self._job.timeline.versions):,} · {chosen.words}"
        title += " · by effect" if self.view.order is not None else ""
        title = Text(title).markup
        if self.view.border_title != title:
            self.view.border_title = title

    # By effect

    @work(exclusive=True, group="best")
    async def action_best(self) -> None:
        """Go to the version under which the main metric was best, or say why there is none."""
        data = await self._ask_engine(messages.Best(0, self._job.name), "No best version")
        if data is None:
            return
        version = data["version"]
        if version not in self.view.versions:
            self.show_only("")
        self.view.choose(version)
        said = f"{data['metric']} {figure(data['mean'])} over its last {data['points']} points"
        self.app.notify(plain(f"{said}. r rolls back to it."), title=f"v{version} is the best", markup=False)

    def action_order(self) -> None:
        """Order the rows by effect, or by age again."""
        if self.view.order is None:
            self._order()
        else:
            self._put_in_order(None)

    @work(exclusive=True, group="order")
    async def _order(self) -> None:
        self._ordered = self._job.timeline.verdicts
        data = await self._ask_engine(messages.Order(0, self._job.name), "Not ordered")
        if data is not None and not data["versions"]:
            self.app.notify("No change has a verdict yet.", title="Not ordered", severity="warning", markup=False)
        elif data is not None:
            self._put_in_order(data["versions"])

    def _put_in_order(self, order: list[int] | None) -> None:
        self.view.order = order
        self.view.sync_at_cursor()
        self._label()

    async def _ask_engine(self, command: messages.Command, failure: str) -> Mapping[str, Any] | None:
        """Return what the engine answers; where it can't, say why."""
        try:
            reply = await self._request(command)
            trouble = "" if reply.ok else reply.message
        except ConnectionError as error:
            trouble = str(error)
        if not trouble:
            return reply.data
        self.app.notify(plain(trouble), title=failure, severity="warning", markup=False)
        return None

    def action_clear(self) -> None:
        """Leave the question; without one, the mark; without that, show all reloads again."""
        if self.view.compared is not None and not self.prompt.display:
            self._mark(None)
            return
        asked = self._asked if self.prompt.display else FILTER
        if asked == FILTER:
            self.show_only("")
        self._close()

    def _close(self) -> None:
        self.view.focus()
        self.prompt.display = False

    def action_compare(self) -> None:
        """Mark the version under the cursor; where another is marked, show both."""
        version, marked = self.view.current, self.view.compared
        if version is None or marked is None or version == marked:
            self._mark(version if version != marked else None)
            return
        both = min(version, marked), max(version, marked)
        self.app.push_screen(CompareScreen(self._job, both, self.view, self._request))

    def _mark(self, version: int | None) -> None:
        self.view.compared = version
        self.view.sync(self.view.now)

    # Notes and tags

    def action_note(self) -> None:
        """Ask what to say about the version under the cursor."""
        self._ask("note")

    def action_tag(self) -> None:
        """Ask for a word on the version under the cursor."""
        self._ask("tag")

    def _ask(self, what: str) -> None:
        row = self._job.timeline.get(self.view.current)
        if row is not None:
            self._asked, self._version = what, row.version
            self.prompt.ask(f"{what} of v{row.version}", row.note if what == "note" else row.tag, "empty: none")

    @on(Input.Submitted)
    async def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._asked == FILTER:
            self._close()
        else:
            self._put(event.value)

    @work(exclusive=True, group="note")
    async def _put(self, said: str) -> None:
        """Have the engine keep a note or a tag; a refusal stands beside the text, which stays."""
        name, version = self._job.name, self._version
        kind = messages.Note if self._asked == "note" else messages.Tag
        try:
            reply = await self._request(kind(0, name, version, said))
        except ConnectionError as error:
            self.prompt.complain(plain(str(error)))
            return
        if reply.ok:
            self._close()
        else:
            self.prompt.complain(plain(reply.message))

    # All of it

    def action_stack(self) -> None:
        """Ask where the task is."""
        self.post_message(self.StackAsked())

    @work(exclusive=True, group="export")
    async def action_export(self) -> None:
        """Ask for a path, and write the reloads that are shown to it, oldest first, as its ending says."""
        name = plain(self._job.name).replace("/", "_")
        path = await self.app.push_screen_wait(PathDialog("save the timeline: .csv, .md or .jsonl", f"{name}.csv"))
        if not path:
            return
        form = next((form for form, (ending, *_) in FORMATS.items() if path.endswith(f".{ending}")), "jsonl")
        try:
            rows = await self.view.rows(list(self.view.versions))
        except (ValueError, ConnectionError) as error:
            self.app.notify(plain(str(error)), title="Not saved", severity="error", markup=False)
            return
        await save_lines(self.app, Path(path).expanduser(), list(write(rows, form)), "Timeline")
