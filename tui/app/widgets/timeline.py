"""The timeline: one row for each reload, newest first."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.app import words
from tui.app.model import JobModel
from tui.app.widgets.tones import TONES, drawn, tone
from tui.events import Reload


class Column(NamedTuple):
    """A column, shown from a width of `needs` cells on."""

    title: str
    width: int
    needs: int
    right: bool = False


COLUMNS = (
    Column("ver", 5, 0, right=True),
    Column("status", 13, 0),
    Column("time", 8, 44),
    Column("source", 8, 60),
    Column("took", 8, 52, right=True),
    Column("step", 9, 88, right=True),
    Column("what changed", 0, 30),
)


class TimelineView(ScrollView, can_focus=True):
    """The reloads of one job. The cursor stays on its row, whatever comes in above it."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Details", tooltip="The whole change and what became of it", id="timeline.open"),
        Binding("r", "roll_back", "Roll back", tooltip="Write this version back to the file", id="timeline.rollback"),
        Binding("up,k", "move(-1)", "Newer", show=False),
        Binding("down,j", "move(1)", "Older", show=False),
        Binding("pageup", "page(-1)", "A page newer", show=False),
        Binding("pagedown", "page(1)", "A page older", show=False),
        Binding("home,g", "move(-1000000)", "Newest", show=False),
        Binding("end,G", "move(1000000)", "Oldest", show=False),
    ]

    class Opened(Message):
        """The user wants to see all of a version."""

        def __init__(self, version: int) -> None:
            super().__init__()
            self.version = version

    class RolledBack(Message):
        """The user wants a version back."""

        def __init__(self, version: int) -> None:
            super().__init__()
            self.version = version

    def __init__(self, job: JobModel, now: float) -> None:
        super().__init__(id="timeline")
        self._job = job
        self._rows = job.timeline
        self._now = now
        self._count = 0
        self.cursor: int | None = None
        self.border_title = "timeline"

    def on_mount(self) -> None:
        """Show what is there already."""
        self.sync(self._now)

    def sync(self, now: float) -> None:
        """Draw the rows as they are `now`; a reader who has scrolled keeps the same rows in view."""
        self._now = now
        added = len(self._rows) - self._count
        self._count = len(self._rows)
        if added:
            self.virtual_size = Size(self.size.width, self._count + 1)
            if self.scroll_offset.y > 0 and added > 0:
                self.scroll_to(y=self.scroll_offset.y + added, animate=False)
            self.border_subtitle = f"{self._count:,} reloads" if self._count != 1 else "1 reload"
        self.refresh()

    @property
    def row(self) -> int:
        """Where the cursor stands, 0 for the newest reload."""
        index = None if self.cursor is None else self._rows.index(self.cursor)
        return index or 0

    def action_move(self, by: int) -> None:
        """Move the cursor by some rows."""
        if self._count:
            self._select(min(max(self.row + by, 0), self._count - 1))

    def action_page(self, direction: int) -> None:
        """Move the cursor by the height of the pane."""
        self.action_move(direction * max(self.size.height - 2, 1))

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self._count:
            self.post_message(self.Opened(self._rows.at(self.row).version))

    def action_roll_back(self) -> None:
        """Go back to the row under the cursor."""
        if self._count:
            self.post_message(self.RolledBack(self._rows.at(self.row).version))

    def on_focus(self) -> None:
        """Pin the cursor to its row before anything new can slip under it."""
        if self._count:
            self._select(self.row)

    def on_click(self, event: events.Click) -> None:
        """Choose a row; a second click opens it."""
        index = self.scroll_offset.y + event.get_content_offset_capture(self).y - 1
        if 0 <= index < self._count:
            self._select(index)
            if event.chain == 2:
                self.action_open()

    def _select(self, index: int) -> None:
        self.cursor = self._rows.at(index).version
        top, height = self.scroll_offset.y, self.size.height - 1
        if index < top:
            self.scroll_to(y=index, animate=False)
        elif index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the titles or one row."""
        width, style = self.size.width, self.rich_style
        index = self.scroll_offset.y + y - 1
        if y == 0:
            text = self._join([(column.title, "dim") for column in COLUMNS], width)
        elif index < self._count:
            row = self._rows.at(index)
            text = self._join(self._cells(row), width)
            if row.version == self.cursor or (self.cursor is None and index == 0):
                text.pad_right(max(width - text.cell_len, 0))
                text.stylize_before(tone(self, "cursor" if self.has_focus else "cursor-blurred"))
        else:
            text = Text("  no change yet" if y == 1 and not self._count else "", tone(self, "dim"))
        return drawn(self, text).crop_extend(0, width, style)

    def _cells(self, row: Reload) -> list[tuple[str, str]]:
        sign = words.STATUSES.get(row.status, words.UNKNOWN)
        status = f"{sign.glyph} {row.status}"
        if row.status == "sent":
            status += f" {words.duration(self._now - row.time)}"
        return [
            (f"v{row.version}", "strong"),
            (status, sign.tone),
            (words.clock(row.time), "dim"),
            (row.source, "plain"),
            (words.latency(row.latency_ms), "plain"),
            (f"{row.step:,}" if row.step is not None else "", "dim"),
            (words.outcome(row), "bad" if row.error is not None else "plain"),
        ]

    def _join(self, cells: list[tuple[str, str]], width: int) -> Text:
        line = Text(no_wrap=True)
        for column, (content, name) in zip(COLUMNS, cells, strict=True):
            if width < column.needs:
                continue
            room = column.width or max(width - line.cell_len - 1, 0)
            cell = Text(content, tone(self, name), overflow="ellipsis", no_wrap=True)
            cell.truncate(room, overflow="ellipsis")
            cell.align("right" if column.right else "left", room)
            line.append_text(cell)
            line.append("  ")
        return line
