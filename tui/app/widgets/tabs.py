"""The strip of jobs, shown when a deck has more than one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.geometry import Offset
from textual.message import Message
from textual.widget import Widget

from tui.app import formatting
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.app.styles import TONES, tone

#: The room for those on the left that are not shown.
BEFORE = len("‹+99 ✗ ")

#: The keys that lead to other jobs, where there is room to say so.
NEXT, ALL = " f4 next", "  f9 all"


class JobTabs(Widget):
    """One line with the name and state of every job; a click shows the job."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    class Chosen(Message):
        """The user clicked on a job."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self) -> None:
        super().__init__()
        self._jobs: list[JobModel] = []
        self._current = ""
        self._spans: list[tuple[int, int, str]] = []

    def show(self, jobs: Iterable[JobModel], current: str) -> None:
        """Draw the strip again."""
        self._jobs, self._current = list(jobs), current
        self.display = len(self._jobs) > 1
        self.refresh()

    def places(self) -> Iterator[tuple[str, Offset]]:
        """Yield the jobs whose names are on the screen, each with where it begins."""
        if self.display:
            for start, end, name in self._spans:
                if end <= self.size.width:
                    yield name, self.content_region.offset + Offset(start, 0)

    def render(self) -> Text:
        """Return the names, the current one marked."""
        tabs = [self._tab(number, job) for number, job in enumerate(self._jobs, 1)]
        line = Text(no_wrap=True, overflow="ellipsis")
        self._spans.clear()
        first = self._first([tab.cell_len for tab in tabs])
        if first:
            line.append("‹", tone(self, "dim")).append_text(self._count(self._jobs[:first]))
        shown = self._fitting(tabs, first, line.cell_len)
        for job, tab in zip(self._jobs[first:shown], tabs[first:shown], strict=True):
            self._spans.append((line.cell_len, line.cell_len + tab.cell_len, job.name))
            line.append_text(tab).append(" ")
        if shown < len(tabs):
            line.append_text(self._more(self._jobs[shown:]))
        for hint in (NEXT, ALL) if shown == len(tabs) else (ALL,):
            if line.cell_len + len(hint) <= self.size.width:
                line.append(hint, tone(self, "dim"))
        return line

    def _fitting(self, tabs: list[Text], first: int, begin: int) -> int:
        """Return behind which tab there is no room for another, beside the words for those that are not shown."""
        end = begin
        for place in range(first, len(tabs)):
            end += tabs[place].cell_len + 1
            behind = self._more(self._jobs[place + 1 :]).cell_len if place + 1 < len(tabs) else 0
            if end + behind > self.size.width and place > first:
                return place
        return len(tabs)

    def _more(self, hidden: list[JobModel]) -> Text:
        return self._count(hidden).append("›", tone(self, "dim"))

    def _count(self, hidden: list[JobModel]) -> Text:
        """Return how many jobs have no room, and the worst of their states where that needs a look."""
        states = {job.state.state for job in hidden if job.state is not None}
        worst = next((state for state in ("crashed", "backoff") if state in states), None)
        more = Text(f"+{len(hidden)} ", tone(self, "dim"))
        if worst is not None:
            sign = formatting.STATES[worst]
            more.append(f"{sign.glyph} ", tone(self, sign.tone))
        return more

    def _tab(self, number: int, job: JobModel) -> Text:
        sign = formatting.STATES.get(job.state.state, formatting.UNKNOWN) if job.state else formatting.UNKNOWN
        current = job.name == self._current
        tab = Text.assemble(
            (f" {number} ", tone(self, "dim")),
            (plain(job.name), tone(self, "strong" if current else "dim")),
            (f" {sign.glyph} ", tone(self, sign.tone)),
        )
        if current:
            tab.stylize(tone(self, "cursor"))
        return tab

    def _first(self, widths: list[int]) -> int:
        """Return the first tab to draw, so that the current one can be seen whole with what comes after it."""
        current = next((index for index, job in enumerate(self._jobs) if job.name == self._current), 0)
        room = self.size.width - 2 - BEFORE
        first = 0
        while first < current and sum(width + 1 for width in widths[first : current + 2]) > room:
            first += 1
        return first

    def on_click(self, event: events.Click) -> None:
        """Choose the job under the pointer."""
        for start, end, name in self._spans:
            if start <= event.x < end:
                self.post_message(self.Chosen(name))
