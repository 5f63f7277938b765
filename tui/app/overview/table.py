"""The table of all jobs: a row for each, drawn again only where it says something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from tui.app import formatting
from tui.app.model.job import JobModel
from tui.app.overview.cells import COLUMNS, Cell, TableColumn, cells
from tui.app.overview.listing import Listing
from tui.app.sanitize import plain
from tui.app.styles import TONES, drawn, tone
from tui.app.textual_ext.row_view import RowView

#: Blanks between two columns.
GAP = 1

#: The room of a name, at least and at most, and of the mark before it.
SHORT, LONG = 14, 32
MARK = 2


class OverviewTable(RowView, can_focus=True):
    """The rows of all jobs.

    Args:
        jobs: Those of the deck, by their names.
        listing: Which of them are shown, and how.
        now: The time that is counted from.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", tooltip="Show the panes of this job", id="overview.open"),
        Binding("space", "mark", "Mark", tooltip="What comes next is for all that are marked", id="overview.mark"),
        Binding("a", "mark_all", "Mark all", show=False, tooltip="All that are shown; again: none", id="overview.all"),
        Binding("o", "sort", "Sort", tooltip="The next order; a click on a title too", id="overview.sort"),
        Binding("O", "turn", "Turn round", show=False, tooltip="The same order from its end", id="overview.turn"),
        Binding("up,k", "move(-1)", "Job above", show=False),
        Binding("down,j", "move(1)", "Job below", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "move(-1000000)", "First job", show=False),
        Binding("end,G", "move(1000000)", "Last job", show=False),
    ]

    class Opened(Message):
        """The user wants to see the job in use."""

    class Moved(Message):
        """Another job is in use, or others are shown."""

    def __init__(self, jobs: Mapping[str, JobModel], listing: Listing, now: float) -> None:
        super().__init__("overview")
        self._jobs = jobs
        self.listing = listing
        self.now = now
        self._longest = 0  # of the names
        self._cells: dict[str, tuple[Cell, ...]] = {}
        self._spans: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Show what is known."""
        self.reorder(self.now)

    # What has changed

    def reorder(self, now: float) -> None:
        """Put the rows into their order, and draw what is another then."""
        before, chosen = self.listing.shown, self.listing.chosen
        self.listing.arrange()
        self._label()
        if self.listing.shown == before and self._cells:
            self.sync(self.listing.shown, now)
        else:
            self.draw_again(now)
        if self.listing.chosen != chosen:
            self._moved()

    def draw_again(self, now: float | None = None) -> None:
        """Draw all rows."""
        self.now = self.now if now is None else now
        self._cells.clear()
        self._longest = max((cell_len(plain(name)) for name in self.listing.shown), default=0)
        self.become(Size(self.room.width, len(self.listing.shown) + 1))
        self.draw_bar()
        self.refresh()

    def sync(self, names: Iterable[str], now: float) -> None:
        """Draw those rows of some jobs that are in view and say something else than before."""
        self.now = now
        names = set(names)
        top = self.scroll_offset.y
        for y, name in enumerate(self.listing.shown[top : top + self.room.height - 1], 1):
            if name in names and name in self._cells and self._cells[name] != (found := self._said(name)):
                self._cells[name] = found
                self.refresh(Region(0, y, self.room.width, 1))

    def _said(self, name: str) -> tuple[Cell, ...]:
        return cells(self._jobs[name], self.listing.figures_of(name), self.now)

    def in_view(self) -> tuple[str, ...]:
        """Return the names of the jobs whose rows can be seen."""
        top = self.scroll_offset.y
        return tuple(self.listing.shown[top : top + max(self.room.height - 1, 1)])

    def states(self) -> str:
        """Return how many jobs are in which state, the worst first."""
        states = Counter(job.state.state for job in self._jobs.values() if job.state is not None)
        counts = [f"{states[state]} {state}" for state in ("crashed", "backoff", *formatting.STATES) if states[state]]
        return " · ".join([f"{len(self._jobs)} job{'s' * (len(self._jobs) != 1)}", *dict.fromkeys(counts)])

    def _label(self) -> None:
        title, listing = self.states(), self.listing
        said = [listing.sorted_by]
        if listing.words:
            said.insert(0, f"{len(listing.shown)} of {len(self._jobs)} with {plain(listing.words)}")
        if listing.marked:
            said.insert(0, f"{len(listing.marked)} marked")
        subtitle = Text(" · ".join(said)).markup
        if (self.border_title, self.border_subtitle) != (title, subtitle):
            self.border_title, self.border_subtitle = title, subtitle

    # What the user does

    def action_open(self) -> None:
        """Show the panes of the job in use."""
        if self.listing.chosen:
            self.post_message(self.Opened())

    def action_mark(self) -> None:
        """Mark the row in use, or no longer."""
        self.listing.mark()
        self._label()
        self._moved()

    def action_mark_all(self) -> None:
        """Mark all rows, or none."""
        self.listing.mark_all()
        self._label()
        self.refresh()

    def clear_marks(self) -> None:
        """Mark no row."""
        self.listing.marked.clear()
        self._label()
        self.refresh()

    def action_sort(self) -> None:
        """Take the next order."""
        self.listing.sort_next()
        self._rearranged()

    def action_turn(self) -> None:
        """Turn the order round."""
        self.listing.turned = not self.listing.turned
        self._rearranged()

    def look_for(self, words: str) -> None:
        """Show only the jobs that have some words."""
        self.listing.words = words.strip()
        self._rearranged()

    def _rearranged(self) -> None:
        self.reorder(self.now)
        self._moved()

    def action_move(self, by: int) -> None:
        """Use a row further down or up."""
        self.listing.choose(self.listing.place + by)
        self._moved()

    def action_page(self, direction: int) -> None:
        """Use the row a page further."""
        self.action_move(direction * max(self.room.height - 2, 1))

    def _moved(self) -> None:
        self.reveal()
        self.refresh()
        self.post_message(self.Moved())

    def reveal(self) -> None:
        """Have the row in use in view."""
        at, height = self.listing.place, max(self.room.height - 1, 1)
        top = min(max(self.scroll_offset.y, at - height + 1), at)
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, immediate=True)

    def on_resize(self) -> None:
        """Keep the row in use in view."""
        self.draw_again()
        self.reveal()

    def on_click(self, event: events.Click) -> None:
        """Use the row under the pointer, a second click opens it; a click on a title sorts by it."""
        at = event.get_content_offset_capture(self)
        place = self.scroll_offset.y + at.y - 1
        if at.y == 0:
            title = next((title for begin, end, title in self._spans if begin <= at.x < end), "")
            self.listing.sort_by(title)
            self._rearranged()
        elif place < len(self.listing.shown):
            self.listing.choose(place)
            self._moved()
            if event.chain == 2:
                self.action_open()

    # Drawing

    def place(self, row: int) -> tuple[int, int] | None:  # noqa: ARG002
        """Return None: a row may change at any time."""
        return None

    def render_line(self, y: int) -> Strip:
        """Draw the titles or one row."""
        width, style = self.room.width, self.rich_style
        place = self.scroll_offset.y + y - 1
        if y == 0:
            text = self._titles(width)
        elif place < len(self.listing.shown):
            text = self._job_row(self.listing.shown[place], width)
        else:
            text = Text("  no job fits" if y == 1 and not self.listing.shown else "", tone(self, "dim"))
        return drawn(self, text).crop_extend(0, width, style)

    def _job_row(self, name: str, width: int) -> Text:
        if name not in self._cells:
            self._cells[name] = self._said(name)
        marked = name in self.listing.marked
        line = Text("◆ " if marked else "  ", tone(self, "key"), no_wrap=True)
        room = self._room_of_names(width)
        line.append_text(_fitted(Text(plain(name), tone(self, "key" if marked else "strong")), room, right=False))
        for column, room, cell in self._shown(width, self._cells[name]):
            line.append(" " * GAP).append_text(_fitted(Text(cell.text, tone(self, cell.tone)), room, column.right))
        if name == self.listing.chosen:
            line.pad_right(max(width - line.cell_len, 0))
            line.stylize_before(tone(self, "cursor" if self.has_focus else "cursor-blurred"))
        return line

    def _titles(self, width: int) -> Text:
        line = Text(" " * MARK, tone(self, "dim"), no_wrap=True)
        room = self._room_of_names(width)
        self._spans = [(MARK, MARK + room, "job")]
        line.append_text(_fitted(Text("job"), room, right=False))
        for column, room, _ in self._shown(width, [Cell("")] * len(COLUMNS)):
            self._spans.append((line.cell_len + GAP, line.cell_len + GAP + room, column.title))
            line.append(" " * GAP).append_text(_fitted(Text(column.title), room, column.right))
        return line

    def _room_of_names(self, width: int) -> int:
        spare = width - MARK - SHORT - sum(column.width + GAP for column in shown_columns(width))
        return min(max(self._longest, 3), max(SHORT + spare // 2, SHORT), LONG)

    def _shown(self, width: int, found: Iterable[Cell]) -> list[tuple[TableColumn, int, Cell]]:
        """Return the columns that have room, each with its room and its cell; the last one takes all that is left."""
        kept = shown_columns(width)
        used = MARK + self._room_of_names(width) + sum(column.width + GAP for column in kept)
        rows = [(column, column.width, cell) for column, cell in zip(COLUMNS, found, strict=True) if column in kept]
        if rows:
            last, room, cell = rows[-1]
            rows[-1] = last, max(room + width - used, 0), cell
        return rows


@cache
def shown_columns(width: int) -> tuple[TableColumn, ...]:
    """Return the columns for which a width has room, by their ranks, in their order on the screen."""
    left = width - MARK - SHORT
    kept = []
    for column in sorted(COLUMNS, key=lambda column: column.rank):
        left -= column.width + GAP
        if left < 0:
            break
        kept.append(column)
    return tuple(column for column in COLUMNS if column in kept)


def _fitted(text: Text, room: int, right: bool) -> Text:
    text.truncate(room, overflow="ellipsis")
    text.align("right" if right else "left", room)
    return text
