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
            line.append("‹", tone(self, "dim"))
        for job, tab in zip(self._jobs[first:], tabs[first:], strict=True):
            self._spans.append((line.cell_len, line.cell_len + tab.cell_len, job.name))
            line.append_text(tab).append(" ")
        return line.append(" f4 next", tone(self, "dim"))

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
        room = self.size.width - 2
        first = 0
        while first < current and sum(width + 1 for width in widths[first : current + 2]) > room:
            first += 1
        return first

    def on_click(self, event: events.Click) -> None:
        """Choose the job under the pointer."""
        for start, end, name in self._spans:
            if start <= event.x < end:
                self.post_message(self.Chosen(name))
