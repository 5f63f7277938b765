"""The log with all that is asked of it: search, filter, and the line in which the question is typed."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from tui.app.dialogs.save_file import PathDialog, save_lines
from tui.app.log.search import BREATH, ERRORS, HIDE, Filter, FilteredLines, line_filter
from tui.app.log.view import LogView
from tui.app.model.job import JobModel
from tui.app.model.log_line import Line
from tui.app.model.query import TOO_LONG, Query, query
from tui.app.sanitize import plain
from tui.app.widgets.prompt import Prompt

SEARCH = "/"
FILTER = "&"
HINTS = {
    SEARCH: "plain text, or re: and a regular expression",
    FILTER: "lines to keep, or to hide: !text; a regular expression: re:…, !re:…",
}


class LogPane(Vertical):
    """Searches and filters the log of one job."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search", tooltip="Find text; a capital letter makes case count", id="log.search"),
        Binding(
            "ampersand",
            "filter",
            "Filter",
            show=False,
            tooltip="Show only lines with a text; !text hides them",
            id="log.filter",
        ),
        Binding("n", "find(1)", "Next match", show=False, id="log.next"),
        Binding("N", "find(-1)", "Previous match", show=False, id="log.previous"),
        Binding("e", "error(1)", "Next error", show=False, tooltip="Or traceback", id="log.error"),
        Binding("E", "error(-1)", "Previous error", show=False, id="log.previous_error"),
        Binding("s", "save_log", "Save to a file", show=False, tooltip="The lines that are shown", id="log.save"),
        Binding("ctrl+l", "clear_view", "Empty the view", show=False, id="log.empty"),
        Binding("escape", "clear", "Clear the search, then the filter", show=False, id="log.clear"),
    ]

    def __init__(self, job: JobModel) -> None:
        super().__init__(id="log-pane")
        self.view = LogView(job)
        self.prompt = Prompt()
        self._job = job
        self._errors: FilteredLines | None = None
        self._asked = SEARCH
        self._filter: Filter | None = None
        self._sought: Query | None = None
        self._found: FilteredLines | None = None
        self._origin = 0
        self._followed = True

    def compose(self) -> ComposeResult:
        """Yield the log and, below it, the line that is hidden until it is needed."""
        yield self.view
        yield self.prompt

    def sync(self) -> None:
        """Take over what came into the buffer."""
        self.view.sync()
        if self._found is not None:
            self._found.sync(self.view.shown)
            self._label()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Leave escape to others where there is nothing to clear."""
        if action == "clear":
            return self._sought is not None or self._filter is not None or self.prompt.display
        return True

    def _label(self) -> None:
        title = "log"
        if self._sought is not None and self._found is not None:
            title += f" · {self._count(self._found)} · {self._sought.text}"
        if self._filter is not None:
            title += f" · {self._filter}"
        title = Text(title).markup
        if self.view.border_title != title:
            self.view.border_title = title

    def _count(self, found: FilteredLines) -> str:
        more = "" if found.complete(self.view.shown) else "…"
        if place := found.place(self.view.text.here):
            return f"{place:,} of {len(found):,}{more}"
        return f"{len(found):,} found{more}" if found.numbers or more else "not found"

    # Search

    def action_search(self) -> None:
        """Ask what to look for; the text that was looked for last stands there to be changed."""
        self._followed = self.view.follow
        self._origin = self.view.last_visible()
        self._ask(SEARCH, self._sought.text if self._sought is not None else "")

    def _ask(self, what: str, value: str) -> None:
        self._asked = what
        self.prompt.ask(what, value, HINTS[what])

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._take(event.value)

    def _take(self, words: str) -> bool:
        """Show what is asked for; a complaint stands beside what can't be."""
        try:
            if self._asked == SEARCH:
                self._look_for(query(words))
            else:
                self._show_only(line_filter(words))
        except ValueError as error:
            self.prompt.complain(str(error))
            return False
        self.prompt.complain("")
        return True

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._take(event.value):
            self._close()

    def _close(self) -> None:
        self.view.focus()
        self.prompt.display = False

    def action_clear(self) -> None:
        """Leave the question, and what was asked for in it; without a question, the search and then the filter."""
        asked = self._asked if self.prompt.display else ""
        if asked == FILTER or (not asked and self._sought is None):
            self._show_only(None)
        else:
            self._look_for(None)
        if asked:
            self._close()
        if asked == SEARCH:
            self.view.follow = self._followed

    def _give_up(self, stuck: Query) -> None:
        """Leave a search or a filter whose expression takes too long."""
        if stuck is self._sought:
            self._look_for(None)
        elif self._filter is not None and stuck is self._filter.query:
            self._show_only(None)
        else:
            return  # it was changed meanwhile
        if self.prompt.display:
            self.prompt.complain(TOO_LONG)
        else:
            self.app.notify(
                f"{stuck.text} {TOO_LONG}; a repeat within a repeat does.",
                title="Log",
                severity="warning",
                markup=False,
            )

    def _look_for(self, sought: Query | None) -> None:
        if sought is not None:
            sought.given_up = partial(self.call_later, self._give_up, sought)
        self._sought = sought
        self._found = FilteredLines(self._matches, self.view.shown.end) if sought is not None else None
        self.view.highlight(sought, None)
        self._label()
        self._go_through()

    def _matches(self, line: Line) -> bool:
        sought = self._sought is not None and self._sought.finds(line)
        return sought and (self._filter is None or self._filter.shows(line))

    @work(exclusive=True, group="search")
    async def _go_through(self) -> None:
        """Look at the whole log, in slices; come to the first match above where the search began."""
        found = self._found
        while found is not None:
            found.scan(self.view.shown)
            complete = found.complete(self.view.shown)
            match = found.beside(self._origin + 1, -1)
            if self.view.text.here is None and match is not None and (complete or match <= self._origin):
                self._come_to(match)
            self._label()
            if complete:
                return
            await asyncio.sleep(BREATH)

    def _come_to(self, number: int) -> None:
        self.view.highlight(self._sought, number)
        self.view.reveal(number)
        self._label()

    def action_find(self, by: int) -> None:
        """Go to the next match, or the one before; behind the last comes the first."""
        if self._found is None:
            self.action_search()
            return
        match = self._found.beside(self._start(self.view.text.here, by), by)
        if match is not None:
            self._come_to(match)

    def _start(self, number: int | None, by: int) -> int:
        """Return from where to go on: from `number` if it is in view, else from the edge of the view."""
        if number is not None and self.view.can_see(number):
            return number
        return self.view.first_visible() - 1 if by > 0 else self.view.last_visible() + 1

    # Filter

    def action_filter(self) -> None:
        """Ask which lines to show."""
        current = self._filter
        self._ask(FILTER, f"{HIDE * current.hide}{current.query.text}" if current is not None else "")

    def _show_only(self, chosen: Filter | None) -> None:
        if chosen == self._filter:
            return
        if chosen is not None:
            chosen.query.given_up = partial(self.call_later, self._give_up, chosen.query)
        self._filter = chosen
        self.view.keep(chosen.shows if chosen is not None else None)
        if self._sought is not None:
            self._found = FilteredLines(self._matches, self.view.shown.end)
            self._go_through()
        self._errors = None
        self._label()

    # Errors

    @work(exclusive=True, group="errors")
    async def action_error(self, by: int) -> None:
        """Go to the next line that tells of an error, or the one before."""
        errors = self._errors
        if errors is None:
            errors = self._errors = FilteredLines(self._tells_of_error, self.view.shown.end)
        errors.sync(self.view.shown)
        while not errors.complete(self.view.shown):
            errors.scan(self.view.shown)
            errors.sync(self.view.shown)
            await asyncio.sleep(BREATH)
        match = errors.beside(self._start(self.view.text.error, by), by)
        if match is None:
            self.app.notify("No line here tells of an error.", title="Log")
            return
        self.view.text.error = match
        self.view.highlight(self._sought, self.view.text.here)
        self.view.reveal(match)

    def _tells_of_error(self, line: Line) -> bool:
        return ERRORS.finds(line) and (self._filter is None or self._filter.shows(line))

    # The whole log

    def action_clear_view(self) -> None:
        """Begin with an empty log; what comes from now on is shown."""
        self.view.action_follow()
        self.view.shown.clear()
        self.sync()

    @work(exclusive=True, group="save")
    async def action_save_log(self) -> None:
        """Ask for a path, and write the lines that are shown to it."""
        name = plain(self._job.name).replace("/", "_")
        path = await self.app.push_screen_wait(PathDialog("save the log", f"{name}.log"))
        if path:
            await save_lines(self.app, Path(path).expanduser(), self.view.lines())
