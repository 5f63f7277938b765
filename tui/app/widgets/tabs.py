"""The strip of jobs, shown when a deck has more than one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from tui.app import words
from tui.app.lines import plain
from tui.app.model import JobModel
from tui.app.widgets.tones import TONES, tone


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

    def render(self) -> Text:
        """Return the names, the current one marked."""
        line = Text(no_wrap=True, overflow="ellipsis")
        self._spans.clear()
        for number, job in enumerate(self._jobs, 1):
            sign = words.STATES.get(job.state.state, words.UNKNOWN) if job.state else words.UNKNOWN
            start = line.cell_len
            current = job.name == self._current
            line.append(f" {number} ", tone(self, "dim"))
            line.append(plain(job.name), tone(self, "strong") if current else tone(self, "dim"))
            line.append(f" {sign.glyph} ", tone(self, sign.tone))
            if current:
                line.stylize(tone(self, "cursor"), start, len(line.plain))
            self._spans.append((start, line.cell_len, job.name))
            line.append(" ")
        return line.append(" f4 next", tone(self, "dim"))

    def on_click(self, event: events.Click) -> None:
        """Choose the job under the pointer."""
        for start, end, name in self._spans:
            if start <= event.x < end:
                self.post_message(self.Chosen(name))
