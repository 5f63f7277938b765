"""Which charts are on the screen, where, and from which step to which: all that the keys of the pane change. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from textual.geometry import Region, Size

from tui.app.charts.plot import LEAST_HEIGHT
from tui.app.charts.scale import Scale

#: Weights of what came before, one of which smooths the curves.
WEIGHTS = (0.0, 0.6, 0.9, 0.97)

#: The cells that a chart of a grid has at least, and beyond which a second one stands beside it.
GRID_WIDTH, GRID_HEIGHT = 42, 9

#: How far one key zooms, and the part of the view that one moves it by.
ZOOM, PAN = 0.5, 0.25


@dataclass
class Board:
    """The state of a pane of charts.

    Attributes:
        names: The metrics that there are, the main one first.
        sought: Only names that hold this are shown.
        chosen: The metric in use.
        alone: It has all the room.
        over: All that are shown stand over each other, each on a scale of its own.
        logs: The metrics on a log scale.
        smoothing: Which of `WEIGHTS` is on.
        by_time: The axis is time, not steps.
        before: The run before is drawn too.
        whole: From where to where there is anything.
        view: From where to where is shown, None for the whole, which grows.
        cursor: Where values are read, None at the newest.
        flag: The version of the selected flag.
    """

    names: list[str] = field(default_factory=list)
    sought: str = ""
    chosen: str = ""
    alone: bool = False
    over: bool = False
    logs: set[str] = field(default_factory=set)
    smoothing: int = 0
    by_time: bool = False
    before: bool = False
    whole: tuple[float, float] = (0.0, 1.0)
    view: tuple[float, float] | None = None
    cursor: float | None = None
    flag: int | None = None

    @property
    def weight(self) -> float:
        """How much of what came before is in each smoothed value."""
        return WEIGHTS[self.smoothing]

    @property
    def shown(self) -> list[str]:
        """The metrics that fit what is sought."""
        words = self.sought.casefold().split()
        return [name for name in self.names if all(word in name.casefold() for word in words)]

    @property
    def current(self) -> str:
        """The metric in use: the chosen one, or the first where that is not shown."""
        shown = self.shown
        return self.chosen if self.chosen in shown else shown[0] if shown else ""

    @property
    def x(self) -> Scale:
        """The axis from left to right."""
        first, last = self.view or self.whole
        return Scale(first, last if last > first else first + 1)

    @property
    def follows(self) -> bool:
        """Whether the newest values are in view, and stay so."""
        return self.view is None

    def learn(self, names: Sequence[str], first: float, last: float) -> None:
        """Take over what there is now."""
        self.names = list(names)
        self.whole = first, max(last, first)

    def places(self, size: Size) -> dict[str, Region]:
        """Return where the charts stand that are on the screen; the one in use is one of them."""
        shown = self.shown
        if not shown or size.width <= 0 or size.height < LEAST_HEIGHT:
            return {}
        if self.alone or self.over or len(shown) == 1:
            return {self.current: size.region}
        across = min(max(size.width // GRID_WIDTH, 1), len(shown))
        down = min(max(size.height // GRID_HEIGHT, 1), -(-len(shown) // across))
        page = shown.index(self.current) // (across * down) * across * down
        names = shown[page : page + across * down]
        found = {}
        for index, name in enumerate(names):
            row, column = divmod(index, across)
            beside = min(across, len(names) - row * across)  # the last row shares all of the width too
            left, right = (size.width * part // beside for part in (column, column + 1))
            top, bottom = (size.height * part // down for part in (row, row + 1))
            found[name] = Region(left, top, right - left, bottom - top)
        return found

    def choose(self, by: int) -> None:
        """Use another metric, `by` places further on."""
        shown = self.shown
        if shown:
            self.chosen = shown[(shown.index(self.current) + by) % len(shown)]

    def zoom(self, factor: float) -> None:
        """Show `factor` times as much: around the cursor, or up to the newest value where there is none."""
        first, last = self.x.first, self.x.last
        middle = self.cursor if self.cursor is not None and first <= self.cursor <= last else last
        part = (middle - first) / (last - first)
        span = (last - first) * factor
        self._show(middle - span * part, middle + span * (1 - part))

    def pan(self, by: float) -> None:
        """Move the view by a part of its width."""
        first, last = self.x.first, self.x.last
        begin, end = self.whole
        step = (last - first) * by
        step = max(step, begin - first) if by < 0 else min(step, max(end - last, 0.0))
        self._show(first + step, last + step)

    def _show(self, first: float, last: float) -> None:
        begin, end = self.whole
        least = min(1.0, end - begin) if not self.by_time else min(0.1, end - begin)
        if last - first < least or first >= end or last <= begin:
            return
        first, last = max(first, begin), min(last, end)
        self.view = None if (first, last) == self.whole else (first, last)

    def show(self, place: float) -> None:
        """Move the view to a place, if that is outside of it."""
        first, last = self.x.first, self.x.last
        if not first <= place <= last:
            self.pan((place - (first + last) / 2) / (last - first))

    def show_all(self) -> None:
        """Show the whole, however it grows."""
        self.view = self.cursor = None

    def read(self, by: int, columns: int) -> None:
        """Move the cursor by some of `columns` columns; the view goes with it, and behind the last is none."""
        first, last = self.x.first, self.x.last
        step = (last - first) / max(columns, 1)
        place = (self.cursor if self.cursor is not None else last) + by * step
        if place > self.whole[1] or (self.view is None and place >= last):
            self.cursor = None
            return
        self.cursor = max(place, self.whole[0])
        if not first <= self.cursor <= last:
            self.pan((self.cursor - (first if self.cursor < first else last)) / (last - first))

    def smooth_more(self) -> None:
        """Smooth the curves more, or after the last step not at all."""
        self.smoothing = (self.smoothing + 1) % len(WEIGHTS)

    def toggle_log(self) -> None:
        """Draw the metric in use on the other kind of scale."""
        self.logs ^= {self.current}

    def turn(self, by_time: bool) -> None:
        """Draw by time or by steps; places on the other axis mean nothing on this one."""
        if by_time != self.by_time:
            self.by_time = by_time
            self.show_all()
