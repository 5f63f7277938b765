"""The charts of one job on the screen: drawn from what the engine has summed up, a flag for each reload."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.text import Text
from textual import events, work
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

from tui import wording
from tui.app import formatting
from tui.app.charts.board import PAN, ZOOM, Board
from tui.app.charts.plot import Chart, Curve, Flag, Line, draw, gutter
from tui.app.charts.points import PlotPoint, at, smoothed
from tui.app.charts.scale import Scale, fitting, number, span
from tui.app.charts.source import Answer, CurveQuery, Source
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.app.styles import TONES, drawn, tone
from tui.app.textual_ext.ruled import Ruled
from tui.protocol.messages import Reload

#: The tones of curves that stand over each other; the first is that of a curve alone.
LINES = tuple(f"line-{number}" for number in range(1, 7))

#: Seconds from one look at the newest values to the next.
FRESH = 0.5


class ChartsView(Ruled, can_focus=True):
    """Charts in a grid, over each other, or one alone.

    Args:
        job: Whose metrics.
        source: Asked for values.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES | {f"tone--{name}" for name in (*LINES, "faint")}

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "alone", "One / all", tooltip="All the room for the chart in use", id="charts.alone"),
        Binding("left", "read(-1)", "Read", tooltip="A cursor that reads all values at its place", id="charts.left"),
        Binding("right", "read(1)", "Read to the right", show=False, id="charts.right"),
        Binding("shift+left", "read(-10)", "Read faster", show=False),
        Binding("shift+right", "read(10)", "Read faster to the right", show=False),
        Binding("up,k", "choose(-1)", "Chart before", show=False, id="charts.before"),
        Binding("down,j", "choose(1)", "Next chart", show=False, id="charts.next"),
        Binding("plus,equals_sign", "zoom(1)", "Zoom", tooltip="- zooms out, 0 shows all", id="charts.in"),
        Binding("minus", "zoom(-1)", "Zoom out", show=False, id="charts.out"),
        Binding("h", "pan(-1)", "To the left", show=False, id="charts.pan_left"),
        Binding("l", "pan(1)", "To the right", show=False, id="charts.pan_right"),
        Binding("0,f,end", "whole", "All, and follow", show=False, id="charts.whole"),
        Binding("o", "over", "Over each other", show=False, tooltip="Each on its own scale", id="charts.over"),
        Binding("y", "log", "Log scale", tooltip="For the chart in use", id="charts.log"),
        Binding("s", "smooth", "Smooth", tooltip="The raw values stay behind the curve", id="charts.smooth"),
        Binding("x", "time", "By time", show=False, tooltip="Or by steps", id="charts.time"),
        Binding("p", "previous", "Run before", show=False, tooltip="As a faint line", id="charts.previous"),
        Binding("n", "flag(1)", "Next change", tooltip="N goes back; log and timeline go along", id="charts.change"),
        Binding("d", "open", "Details", show=False, tooltip="Of the selected change", id="charts.details"),
        Binding("N", "flag(-1)", "Change before", show=False, id="charts.change_before"),
    ]

    class Flagged(Message):
        """The user has selected the flag of a version."""

        def __init__(self, version: int) -> None:
            super().__init__()
            self.version = version

    class Opened(Message):
        """The user wants to see all of the change whose flag is selected."""

    def __init__(self, job: JobModel, source: Source) -> None:
        super().__init__(id="charts")
        self.board = Board()
        self._job = job
        self._source = source
        self._answer: Answer | None = None
        self._rows: list[Reload] = []
        self._strips: list[Strip] = []
        self._loaded = 0.0
        self._waits: Timer | None = None
        self._trouble = ""
        self.border_title = "charts"

    # News

    def sync(self) -> None:
        """Take over what is new, no more often than the eye needs."""
        if not self.region or self._waits is not None:
            return
        wait = self._loaded + FRESH - time.monotonic()
        if wait > 0:
            self._waits = self.set_timer(wait, self.load)
        else:
            self.load()

    def on_show(self) -> None:
        """Look at once."""
        self.load()

    def on_resize(self) -> None:
        """Ask for as many columns as there is room for now."""
        self._strips.clear()
        self.load()

    @work(exclusive=True, group="charts")
    async def load(self) -> None:
        """Ask for what is on the screen, and draw it."""
        self._loaded = time.monotonic()
        if self._waits is not None:
            self._waits.stop()
            self._waits = None
        if not self.size:
            return
        try:
            answer = await self._source(self._query())
            if self._answer is None:  # only now is it known what there is
                self.board.learn(answer.names, *answer.whole)
                answer = await self._source(self._query())
            self._trouble = answer.trouble
        except (ValueError, ConnectionError) as error:
            self._trouble = str(error)
        else:
            self._answer = answer
            self.board.learn(answer.names, *answer.whole)
        self._redraw()

    def _query(self) -> CurveQuery:
        board = self.board
        places = board.places(self.size)
        names = board.shown[: len(LINES)] if board.over else list(places)
        width = max((region.width for region in places.values()), default=self.size.width)
        return CurveQuery(names, board.view, 2 * width, board.by_time, board.before)

    def _redraw(self) -> None:
        self._strips.clear()
        self._label()
        self.refresh()

    def _label(self) -> None:
        board, shown = self.board, self.board.shown
        title = "charts"
        if board.sought:
            title += f" · {len(shown)} of {len(board.names)} · {plain(board.sought)}"
        if board.weight:
            title += f" · smoothed {board.weight:g}"
        title += " · by time" * board.by_time + " · with the run before" * board.before
        title += "" if board.follows else " · zoomed, 0 shows all"
        hidden = len(shown) - len(board.places(self.size))
        said = plain(self._trouble) or (f"+{hidden} more, ↑ ↓" if hidden > 0 and not board.over else "")
        self.border_title = Text(title).markup
        self.border_subtitle = Text(said).markup

    def look_for(self, words: str) -> None:
        """Show only the metrics whose names hold these words."""
        if words != self.board.sought:
            self.board.sought = words
            self.load()

    # Keys

    def action_alone(self) -> None:
        """Give the chart in use all the room, or go back to all of them."""
        self.board.alone = not self.board.alone
        self.load()

    def action_over(self) -> None:
        """Draw the curves over each other, or apart."""
        self.board.over = not self.board.over
        self.load()

    def action_choose(self, by: int) -> None:
        """Use the next chart, or the one before."""
        self.board.choose(by)
        self.load()

    def action_read(self, by: int) -> None:
        """Move the cursor; at the end there is none."""
        self.board.read(by, next(iter(self.board.places(self.size).values()), self.size).width)
        self.load()

    def action_zoom(self, direction: int) -> None:
        """Show half as much, or twice as much."""
        self.board.zoom(ZOOM if direction > 0 else 1 / ZOOM)
        self.load()

    def action_pan(self, direction: int) -> None:
        """Move the view."""
        self.board.pan(direction * PAN)
        self.load()

    def action_whole(self) -> None:
        """Show all, and what comes."""
        self.board.show_all()
        self.load()

    def action_log(self) -> None:
        """Draw the chart in use on the other kind of scale."""
        self.board.toggle_log()
        self._redraw()

    def action_smooth(self) -> None:
        """Smooth the curves more, or after the last step not at all."""
        self.board.smooth_more()
        self._redraw()

    def action_time(self) -> None:
        """Draw by time, or by steps."""
        self.board.turn(not self.board.by_time)
        self.load()

    def action_previous(self) -> None:
        """Draw the run before too, or not."""
        self.board.before = not self.board.before
        self.load()

    def action_flag(self, by: int) -> None:
        """Select the next flag, or the one before."""
        versions = [row.version for row in self._flagged()]
        if not versions:
            self.app.notify("No change of this run has a step yet.", title="Charts")
            return
        if self.board.flag in versions:
            chosen = versions[min(max(versions.index(self.board.flag) + by, 0), len(versions) - 1)]
        else:
            chosen = versions[-1 if by < 0 else 0]
        self.select(chosen)
        self.post_message(self.Flagged(chosen))

    def action_open(self) -> None:
        """Show all that is known of the selected change."""
        if self.board.flag is not None:
            self.post_message(self.Opened())
        else:
            self.app.notify("n selects the flag of a change first.", title="Charts")

    def select(self, version: int | None) -> None:
        """Mark the flag of a version, and bring it into view."""
        if version == self.board.flag:
            return
        self.board.flag = version
        place = next((self._place(row) for row in self._flagged() if row.version == version), None)
        if place is not None:
            self.board.show(place)
        self.load()

    # The mouse

    def on_click(self, event: events.Click) -> None:
        """Use the chart under the pointer and read its values there; on a flag, select it."""
        offset = event.get_content_offset_capture(self)
        for name, region in self.board.places(self.size).items():
            if region.contains_point(offset):
                self.board.chosen = name if not self.board.over else self.board.chosen
                self._point(region, offset.x, flags=offset.y == region.y + 1)
        self.load()

    def _point(self, region: Region, x: int, flags: bool) -> None:
        gutter = self._gutter(region)
        part = (x - region.x - gutter + 0.5) / max(region.width - gutter, 1)
        place = self.board.x.value(min(max(part, 0.0), 1.0))
        cell = (self.board.x.last - self.board.x.first) / max(region.width - gutter, 1)
        near = [row for row in self._flagged() if -1.5 * cell <= place - self._place(row) <= 12 * cell]
        if flags and near:
            version = max(near, key=self._place).version
            self.select(version)
            self.post_message(self.Flagged(version))
        else:
            self.board.cursor = place

    def _gutter(self, region: Region) -> int:
        return gutter(self._chart(self.board.current), region.width, region.height)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in."""
        event.stop()
        self.action_zoom(1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out."""
        event.stop()
        self.action_zoom(-1)

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Draw a line of all charts that it goes through."""
        if not self._strips:
            self._strips = [drawn(self, text) for text in self._lines(self.size)]
        width = self.size.width
        return self._strips[y].crop_extend(0, width, self.rich_style) if y < len(self._strips) else Strip.blank(width)

    def _lines(self, size: Size) -> list[Text]:
        places = self.board.places(size)
        if not places or self._answer is None:
            return [Text(self._nothing(), tone(self, "dim"))]
        lines: list[list[tuple[int, Line]]] = [[] for _ in range(size.height)]
        for name, region in places.items():
            for y, line in enumerate(self._draw(self._chart(name), region.size), region.y):
                lines[y].append((region.x, line))
        return [
            Text.assemble(*((part, tone(self, name)) for _, line in sorted(parts) for part, name in line))
            for parts in lines
        ]

    def _draw(self, chart: Chart, size: Size) -> list[Line]:
        width = size.width - (size.width < self.size.width)  # a blank between two charts
        return [[*line, (" " * (size.width - width), "plain")] for line in draw(chart, width, size.height)]

    def _nothing(self) -> str:
        if self._answer is None:
            return "  looking …" if not self._trouble else ""
        if self.board.names:
            return "  no metric fits" if self.board.sought else ""
        return "  no metric yet: yield {…} or tui.checkpoint(config, loss=loss) reports one"

    def _chart(self, name: str) -> Chart:
        names = self.board.shown[: len(LINES)] if self.board.over else [name]
        curves: list[Curve] = []
        scales: dict[str, Scale] = {}
        for number_, one in enumerate(names):
            points = self._curve(one)
            scales[one] = fitting([self._in_view(points)], one in self.board.logs)
            curves += self._curves(one, points, LINES[number_], scales[one])
        return Chart(
            list(self._title(name, names)),
            curves,
            self.board.x,
            y=scales.get(name),
            origin=self.board.whole[0] if self.board.by_time else None,
            flags=list(self._flags(name)),
            cursor=self.board.cursor,
        )

    def _curves(self, name: str, points: Sequence[PlotPoint], line: str, scale: Scale) -> Iterator[Curve]:
        assert self._answer is not None
        if self.board.before and not self.board.over:
            yield Curve(self._answer.before.get(name, ()), "faint", scale)
        if self.board.weight:
            yield Curve(points, "faint", scale)
            points = smoothed(points, self.board.weight)
        yield Curve(points, line, scale)

    def _curve(self, name: str) -> Sequence[PlotPoint]:
        return self._answer.curves.get(name, ()) if self._answer is not None else ()

    def _in_view(self, points: Sequence[PlotPoint]) -> Sequence[PlotPoint]:
        x = self.board.x
        return [point for point in points if x.first <= point.x <= x.last] or points

    def _title(self, name: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        cursor = self.board.cursor
        for number_, one in enumerate(names):
            mark = "▸" if one == self.board.current and len(self.board.shown) > 1 else " "
            label = "key" if not self.board.over else LINES[number_]
            yield f"{mark}{plain(one)} ", "strong" if one == self.board.current and not self.board.over else label
            yield f"{self._value(one)}  ", label
        if name in self.board.logs:
            yield "log  ", "dim"
        if cursor is not None:
            yield self._here(cursor), "strong"

    def _value(self, name: str) -> str:
        """Return the value at the cursor, else the newest."""
        points = self._curve(name)
        here = at(points, self.board.cursor) if self.board.cursor is not None else points[-1] if points else None
        if here is None:
            return "–"
        if here.is_gap:
            return "no number"
        if here.size > 1 and here.low < here.high and self.board.cursor is not None:
            return f"{number(here.mean)} ({number(here.low)} … {number(here.high)})"
        return number(here.mean)

    def _here(self, place: float) -> str:
        return f"at {span(place - self.board.whole[0])}" if self.board.by_time else f"step {round(place):,}"

    # Flags

    def _flagged(self) -> list[Reload]:
        """The reloads of the newest run that have a place, in their order."""
        rows = self._job.timeline.known()
        run = max((row.run or 0 for row in rows), default=0)
        return sorted(
            (row for row in rows if (row.run or 0) == run and row.step is not None and row.changes), key=self._place
        )

    def _place(self, row: Reload) -> float:
        return row.time if self.board.by_time else float(row.step or 0)

    def _flags(self, name: str) -> Iterator[Flag]:
        """Yield a flag for each change, in the tone of what it did to a metric, if that is known."""
        for row in self._flagged():
            effect = next((found for found in row.effect if found.metric == name), None)
            verdict = effect.verdict if effect is not None else None
            sign = f"{wording.VERDICTS.get(verdict, '?')} " if verdict is not None else ""
            what = sign + ", ".join(formatting.change(change) for change in row.changes)
            tone_name = formatting.VERDICTS.get(verdict or "", "key")
            yield Flag(self._place(row), f"v{row.version}", what, tone_name, row.version == self.board.flag)
