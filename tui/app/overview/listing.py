"""Which jobs the overview shows, in which order, which of them are marked and which one is in use; without a screen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tui import better
from tui.app.model.job import JobModel
from tui.app.overview.cells import Figures

#: How bad the state of a job is, the worst first; one whose newest config is wrong comes between them.
_STATES = {"crashed": 0, "backoff": 1, "paused": 3, "starting": 4, "running": 4, "stopped": 5, "finished": 6}
_WRONG = 2


class Listing:
    """The rows of the overview.

    Args:
        jobs: Those of the deck, by their names; there may be others at any time.

    Attributes:
        shown: The names of the jobs that are shown, in their order.
        marked: The names of those that were marked.
        chosen: The name of the one in use; it stays so, wherever its row moves.
        words: What the shown ones are to have.
        sort: The place of their order in `SORTS`; the other way round if `turned`.
        figures: What the engine said of each.
    """

    def __init__(self, jobs: Mapping[str, JobModel]) -> None:
        self._jobs = jobs
        self.shown: list[str] = []
        self.marked: set[str] = set()
        self.chosen = ""
        self.words = ""
        self.sort = 0
        self.turned = False
        self.figures: dict[str, Figures] = {}

    def arrange(self) -> None:
        """Put the jobs into their order as they are now."""
        at = self.place
        self.marked &= self._jobs.keys()
        words = self.words.casefold().split()
        jobs = [job for job in self._jobs.values() if all(word in _haystack(job) for word in words)]
        key = SORTS[self.sort][1]
        jobs.sort(key=lambda job: key(job, self.figures_of(job.name)), reverse=self.turned)
        self.shown = [job.name for job in jobs]
        if self.chosen not in self.shown:
            self.chosen = self.shown[min(at, len(self.shown) - 1)] if self.shown else ""

    def figures_of(self, name: str) -> Figures:
        """Return what the engine said of a job."""
        return self.figures.get(name, Figures())

    @property
    def place(self) -> int:
        """Where the row in use stands."""
        return self.shown.index(self.chosen) if self.chosen in self.shown else 0

    def choose(self, place: int) -> None:
        """Use the row at a place, or the nearest one."""
        if self.shown:
            self.chosen = self.shown[min(max(place, 0), len(self.shown) - 1)]

    def mark(self) -> None:
        """Mark the row in use, or no longer, and use the next one."""
        if self.chosen:
            self.marked ^= {self.chosen}
            self.choose(self.place + 1)

    def mark_all(self) -> None:
        """Mark all rows that are shown; where they are marked, none of them."""
        shown = set(self.shown)
        self.marked = self.marked - shown if shown <= self.marked else self.marked | shown

    @property
    def targets(self) -> list[JobModel]:
        """The jobs that a key is for: the marked ones, also where a filter hides them; without any the one in use."""
        names = [name for name in self._jobs if name in self.marked] or [self.chosen]
        return [self._jobs[name] for name in names if name in self._jobs]

    @property
    def sorted_by(self) -> str:
        """The order, in words."""
        return SORTS[self.sort][0] + (", turned round" if self.turned else "")

    def sort_next(self) -> None:
        """Take the next order."""
        self.sort, self.turned = (self.sort + 1) % len(SORTS), False

    def sort_by(self, title: str) -> None:
        """Take the order of a column; once more turns it round."""
        place = next((place for place, (_, _, column) in enumerate(SORTS) if column == title), None)
        if place is not None:
            self.sort, self.turned = place, self.sort == place and not self.turned


def _haystack(job: JobModel) -> str:
    state = job.state.state if job.state is not None else ""
    return f"{job.name} {state} {job.info.task} {job.info.config}".casefold()


def _badness(job: JobModel) -> int:
    state = _STATES.get(job.state.state, 4) if job.state is not None else 4
    return min(state, _WRONG) if job.problem is not None else state


def _natural(name: str) -> list[Any]:
    """Return what has ``job-2`` before ``job-10``."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name.casefold())]


def _most(value: float | None) -> tuple[bool, float]:
    """Return what has the largest first, and last what has none."""
    return value is None or value != value, -(value or 0.0)


def _metric(job: JobModel) -> tuple[bool, float]:
    name = job.main_metric
    value = job.metrics.values[name] if name is not None and job.metrics is not None else None
    if name is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return _most(None)
    return _most(-value if better.way(name, job.info.metrics) == "min" else value)


#: The orders: what each is called, what it goes by, and the column on whose title a click chooses it.
SORTS: tuple[tuple[str, Callable[[JobModel, Figures], Any], str], ...] = (
    ("failing first", lambda job, _: _badness(job), "state"),
    ("by name", lambda job, _: _natural(job.name), "job"),
    ("best metric first", lambda job, _: _metric(job), "metric"),
    ("newest change first", lambda job, _: _most(_changed(job)), "last change"),
    ("fastest first", lambda job, _: _most(job.rate), "rate"),
    ("most cpu first", lambda _, told: _most(told.cpu), "cpu"),
    ("most memory first", lambda _, told: _most(told.memory), "memory"),
    ("newest start first", lambda job, _: _most(job.started), "up"),
    ("most restarts first", lambda _, told: -told.restarts, "restarts"),
)


def _changed(job: JobModel) -> float | None:
    newest = job.timeline.newest
    return newest.time if newest is not None else None
