"""The picture of one chart: curves between their axes, flags where the config changed, and a cursor. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import NamedTuple

from tui.app.charts.canvas import Canvas
from tui.app.charts.points import PlotPoint, by_column
from tui.app.charts.scale import Scale, Tick, fitting, time_ticks

#: Parts of a line, each with its tone.
Line = list[tuple[str, str]]

#: What a chart needs to be one: fewer cells hold neither a label nor a curve.
LEAST_WIDTH, LEAST_HEIGHT = 20, 5

#: From this height on the axis of x has a line of its own above its labels.
_TALL = 9

ABOVE, BELOW, FLAG = "▲", "▼", "▾"


class Curve(NamedTuple):
    """The values of one metric, in one tone."""

    points: Sequence[PlotPoint]
    tone: str
    scale: Scale | None = None  # its own, where several metrics stand over each other


class Flag(NamedTuple):
    """A place at which the config changed.

    Attributes:
        x: The place.
        name: Its version, such as ``v9``.
        what: What changed.
        tone: Of its verdict.
        chosen: Whether it is the one that is selected.
    """

    x: float
    name: str
    what: str
    tone: str
    chosen: bool = False


@dataclass(frozen=True)
class Chart:
    """What there is to draw.

    Attributes:
        title: The line on top.
        curves: The one drawn last lies on top.
        x: From where to where.
        y: The scale of the labels at the left, None for one that fits the curves.
        log: Give equal factors equal room.
        origin: The time that an axis of time counts from, None for an axis of steps.
        flags: In the order of their places.
        cursor: A place that is read, None for none.
    """

    title: Line
    curves: Sequence[Curve]
    x: Scale
    y: Scale | None = None
    log: bool = False
    origin: float | None = None
    flags: Sequence[Flag] = field(default=())
    cursor: float | None = None


def draw(chart: Chart, width: int, height: int) -> list[Line]:
    """Return the lines of a chart, each exactly `width` cells, `height` of them.

    Args:
        chart: What to draw.
        width: In cells.
        height: In cells; below `LEAST_HEIGHT` there is only the title.
    """
    title = _fit(chart.title, width)
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return [title, *([(" " * width, "plain")] for _ in range(height - 1))]
    return [title, *_Plot(chart, width, height - 1).lines()]


def gutter(chart: Chart, width: int, height: int) -> int:
    """Return how many cells stand at the left of the curves of such a chart: its labels and its axis."""
    return _Plot(chart, width, height - 1).gutter if width >= LEAST_WIDTH and height >= LEAST_HEIGHT else 0


class _Plot:
    """All below the title: a line of flags, the curves with labels at their left, and the labels of x."""

    def __init__(self, chart: Chart, width: int, height: int) -> None:
        self._chart = chart
        self._axis = height >= _TALL
        rows = height - 2 - self._axis
        self._y = chart.y or fitting((curve.points for curve in chart.curves), chart.log)
        self._ticks = self._y.ticks(max(rows // 2, 2))
        self.gutter = min(max(len(tick.label) for tick in self._ticks) + 1, width // 3)
        self._canvas = Canvas(width - self.gutter, rows)
        self._marks: dict[int, str] = {}
        for curve in chart.curves:
            self._draw(curve)

    def lines(self) -> Iterator[Line]:
        """Yield the lines, from the flags down."""
        width = self._canvas.width
        flags = [(self._cell(flag.x), flag) for flag in self._chart.flags if 0 <= self._chart.x.part(flag.x) <= 1]
        yield [(" " * self.gutter, "plain"), *_flag_line(flags, width)]
        labels = {self._row(tick.value): tick.label for tick in reversed(self._ticks)}
        for row in range(self._canvas.height):
            label = labels.get(row, "")[: self.gutter - 1]
            yield [(f"{label:>{self.gutter - 1}}", "dim"), ("┤" if label else "│", "dim"), *self._cells(row, flags)]
        ticks = self._x_ticks()
        if self._axis:
            line = ["─"] * width
            for place, _ in ticks:
                line[place] = "┴"
            yield [(" " * (self.gutter - 1) + "└" + "".join(line), "dim")]
        yield [(" " * self.gutter + _label_line(ticks, width), "dim")]

    def _cells(self, row: int, flags: list[tuple[int, Flag]]) -> Line:
        signs, tones = self._canvas.row(row)
        behind = {column: ("│" if flag.chosen else "┊", flag.tone) for column, flag in flags}
        if self._chart.cursor is not None and 0 <= self._chart.x.part(self._chart.cursor) <= 1:
            behind[self._cell(self._chart.cursor)] = "│", "strong"
        for column, sign in behind.items():
            if signs[column] == " ":
                signs[column], tones[column] = sign
        for column, mark in self._marks.items():
            if row == (0 if mark == ABOVE else self._canvas.height - 1):
                signs[column], tones[column] = mark, "wait"
        return _runs(signs, tones)

    def _cell(self, x: float) -> int:
        return min(int(self._chart.x.part(x) * self._canvas.width), self._canvas.width - 1)

    def _row(self, value: float) -> int:
        return min(max(self._dot(self._y, value) // 4, 0), self._canvas.height - 1)

    def _dot(self, scale: Scale, value: float) -> int:
        """Return the row of dots of a value; far outside of the canvas for one that has no place."""
        part = scale.part(value) if not math.isinf(value) else value
        return round((1 - min(max(part, -9.0), 9.0)) * (self._canvas.rows - 1))

    def _draw(self, curve: Curve) -> None:
        scale = curve.scale or self._y
        before: tuple[int, int] | None = None
        for column, item in by_column(self._places(curve.points)):
            if item.is_gap and not math.isinf(item.mean):
                before = None
                continue
            self._mark(column, scale, item)
            self._canvas.bar(column, self._dot(scale, item.high), self._dot(scale, item.low), curve.tone)
            here = column, self._dot(scale, item.mean)
            if before is not None:
                self._connect(before, here, curve.tone)
            before = None if math.isinf(item.mean) else here

    def _places(self, points: Sequence[PlotPoint]) -> Iterator[tuple[int, PlotPoint]]:
        last = self._canvas.columns - 1
        for item in points:
            part = self._chart.x.part(item.x)
            if -1 <= part <= 2:  # what lies just outside leads the curve over the edge
                yield min(math.floor(part * self._canvas.columns), last) if part <= 1 else last + 1, item

    def _mark(self, column: int, scale: Scale, item: PlotPoint) -> None:
        if not 0 <= column < self._canvas.columns:
            return
        if scale.part(item.high) > 1 + 1e-9:
            self._marks[column // 2] = ABOVE
        elif scale.part(item.low) < -1e-9:
            self._marks.setdefault(column // 2, BELOW)

    def _connect(self, before: tuple[int, int], here: tuple[int, int], tone: str) -> None:
        """Draw a line from one column and row of dots to the next, so that a steep curve has no holes."""
        (first, begin), (last, end) = before, here
        row = begin
        for column in range(max(first, -1) + 1, min(last, self._canvas.columns) + 1):
            to = begin + round((end - begin) * (column - first) / (last - first))
            self._canvas.bar(column, row if abs(to - row) <= 1 else row + (1 if to > row else -1), to, tone)
            row = to

    def _x_ticks(self) -> list[tuple[int, Tick]]:
        most = max(self._canvas.width // 12, 2)
        x, origin = self._chart.x, self._chart.origin
        ticks = x.ticks(most, 1.0) if origin is None else time_ticks(x, origin, most)
        return [(self._cell(tick.value), tick) for tick in ticks]


def _label_line(ticks: list[tuple[int, Tick]], width: int) -> str:
    line = ""
    for place, tick in ticks:
        begin = min(max(place - len(tick.label) // 2, 0), width - len(tick.label))
        if begin > len(line) or not line:
            line = line.ljust(begin) + tick.label
    return line[:width].ljust(width)


def _flag_line(flags: list[tuple[int, Flag]], width: int) -> Line:
    """Return the line of flags: each with as many of its words as there is room for, the chosen one with all."""
    cells = [(" ", "plain")] * width
    places = [*(place for place, _ in flags), width]
    for (_, flag), (place, end) in zip(flags, pairwise(places), strict=True):
        if not flag.chosen:
            _write(cells, place, _words(flag, end - place - 1), flag.tone)
    for place, flag in flags:
        if flag.chosen:
            words = f"{FLAG}{flag.name} {flag.what}".rstrip()
            if len(words) > width - place and place >= len(words):  # on its other side
                _write(cells, place - len(words), f" {words[1:]}{FLAG}", "strong")
            else:
                _write(cells, place, f"{words} ", "strong")
    return _runs([sign for sign, _ in cells], [tone for _, tone in cells])


def _runs(signs: list[str], tones: list[str]) -> Line:
    """Return cells as parts of one tone each."""
    line: Line = []
    end = 0
    for tone, cells in groupby(tones):
        begin, end = end, end + len(list(cells))
        line.append(("".join(signs[begin:end]), tone or "plain"))
    return line


def _words(flag: Flag, room: int) -> str:
    whole = f"{FLAG}{flag.name} {flag.what}".rstrip()
    if len(whole) <= room:
        return whole
    short = f"{FLAG}{flag.name}"
    if room > len(short) + 6:
        return f"{whole[: room - 1]}…"
    return short if len(short) <= room else FLAG


def _write(cells: list[tuple[str, str]], place: int, words: str, tone: str) -> None:
    for index, sign in enumerate(words[: len(cells) - place], place):
        cells[index] = sign, tone


def _fit(line: Line, width: int) -> Line:
    """Return a line cut or filled to `width` cells."""
    found: Line = []
    rest = width
    for text, tone in line:
        if len(text) > rest:
            found.append((f"{text[: rest - 1]}…" if rest else "", tone))
            rest = 0
            break
        found.append((text, tone))
        rest -= len(text)
    return [*found, (" " * rest, "plain")]
