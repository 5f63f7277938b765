"""The log of all jobs of a deck: who wrote a line stands before it, and a search goes through all of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from tui.app.log.pane import LogPane
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.app.textual_ext.key_bar import KeyBar
from tui.protocol import messages

#: Of so many new lines of a job at once the newest are shown; its own log has all of them.
MOST = 5_000

#: Seconds from one look for new lines to the next.
LOOK = 0.1

#: The colours that names have in turn, of the sixteen that every terminal has.
COLOURS = (36, 33, 35, 32, 34, 96, 93, 95)

#: Longer names are cut off.
WIDEST = 16


class DeckLog:
    """The lines of all jobs in the order in which they came.

    Args:
        jobs: Those of the deck.

    Attributes:
        job: What a log pane shows: no job, but its lines are those of all.
    """

    def __init__(self, jobs: Mapping[str, JobModel]) -> None:
        self.job = JobModel(messages.JobInfo("all jobs", "", ""))
        self._jobs = jobs
        self._seen: dict[str, int] = {}

    def sync(self) -> bool:
        """Take over what has come; return whether there was something."""
        width = min(max(map(len, self._jobs), default=0), WIDEST)
        new: list[tuple[float, str]] = []
        for name, colour in zip(self._jobs, COLOURS * len(self._jobs), strict=False):
            lines = self._jobs[name].lines
            first = max(self._seen.get(name, 0), lines.base, lines.end - MOST)
            self._seen[name] = lines.end
            head = f"\x1b[{colour}m{plain(name)[:WIDEST]:<{width}}\x1b[0m "
            new += [(line.time, head + line.text) for line in lines.part(first, lines.end) if line.is_output]
        new.sort(key=itemgetter(0))  # what came at the same time stays in the order of the jobs
        for time, group in groupby(new, itemgetter(0)):
            self.job.lines.extend(self.job.lines.expected, [text for _, text in group], time=time)
        return bool(new)


class DeckLogScreen(ModalScreen[None]):
    """Shows the log of all jobs until escape.

    Args:
        jobs: Those of the deck.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "Close", id="logs.close")]

    def __init__(self, jobs: Mapping[str, JobModel]) -> None:
        super().__init__()
        self._log = DeckLog(jobs)
        self._log.sync()
        self.pane = LogPane(self._log.job)

    def compose(self) -> ComposeResult:
        """Yield the log and the line of its keys."""
        yield self.pane
        yield KeyBar((), ("logs.close",))

    def on_mount(self) -> None:
        """Look for new lines now and then."""
        self.pane.view.focus()
        self.set_interval(LOOK, self._look)

    def _look(self) -> None:
        if self._log.sync():
            self.pane.sync()
