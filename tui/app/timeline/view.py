"""The timeline: one row for each reload, newest first. The start of a job is the rule above the run before."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from rich.text import Text
from textual import events, work
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from tui import wording
from tui.app import formatting
from tui.app.client import Request
from tui.app.model.job import JobModel
from tui.app.model.reload_list import index_of
from tui.app.sanitize import plain
from tui.app.styles import TONES, drawn, tone
from tui.app.textual_ext.row_view import RowView
from tui.app.textual_ext.ruled import Ruled
from tui.app.timeline.filter import FilteredReloads
from tui.protocol.codec import reload_of
from tui.protocol.messages import Page, Reload

#: Rows above and below the visible ones that are fetched with them, and the most that one answer has.
AROUND = 80
PAGE = 200

#: Seconds after which a waiting reload says how to find out what it waits for.
LONG = 2.0


class Column(NamedTuple):
    """A column, shown from a width of `needs` cells on; one of width 0 takes what it needs, the last all the rest."""

    title: str
    width: int
    needs: int
    right: bool = False


STEP, EFFECT = "step", "effect"

COLUMNS = (
    Column("ver", 0, 0, right=True),
    Column("status", 13, 0),
    Column("time", 8, 44),
    Column("source", 8, 60),
    Column("took", 8, 52, right=True),
    Column(STEP, 9, 88, right=True),
    Column(EFFECT, 30, 100),
    Column("what changed", 0, 30),
)

#: From this width on there is room for effects and steps.
BOTH = 130

#: Blanks between two columns.
GAP = 2


class TimelineView(RowView, Ruled, can_focus=True):
    """The reloads of one job. The cursor stays on its row, whatever comes in above it.

    Attributes:
        cursor: The version under the cursor, None for the newest.
        chosen: What is shown instead of all reloads.
        order: The versions that come first, whatever their age; None where all are newest first.
        marked: The version that the log shows, where that is not the newest.
        compared: The version that was marked to be compared with another one.
        now: The time that waiting times count up to.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Diff", tooltip="The whole change, and all that became of it", id="timeline.open"),
        Binding("r", "roll_back", "Rollback", tooltip="Write this version back to the file", id="timeline.rollback"),
        Binding("up,k", "move(-1)", "Newer", show=False),
        Binding("down,j", "move(1)", "Older", show=False),
        Binding("pageup", "page(-1)", "A page newer", show=False),
        Binding("pagedown", "page(1)", "A page older", show=False),
        Binding("home,g", "end(0)", "Newest", show=False),
        Binding("end,G", "end(1)", "Oldest", show=False),
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

    class Moved(Message):
        """The user has moved the cursor to a version."""

        def __init__(self, version: int) -> None:
            super().__init__()
            self.version = version

    def __init__(self, job: JobModel, request: Request, now: float) -> None:
        super().__init__("timeline")
        self._job = job
        self._rows = job.timeline
        self._request = request
        self.now = now
        self._top: int | None = None
        self._fetching = False
        self.cursor: int | None = None
        self.chosen: FilteredReloads | None = None
        self.order: list[int] | None = None
        self._arranged: list[int] = []
        self.marked: int | None = None
        self.compared: int | None = None
        self.trouble = ""
        self.border_title = "timeline"

    def on_mount(self) -> None:
        """Show what is there already."""
        self.sync(self.now)

    @property
    def versions(self) -> Sequence[int]:
        """The versions that are shown, newest first or in their order."""
        return self._by_age if self.order is None else self._arranged

    @property
    def _by_age(self) -> Sequence[int]:
        return self.chosen.versions if self.chosen is not None else self._rows.versions

    def _index(self, version: int) -> int:
        """Return where a version stands, or where it would."""
        if self.order is None:
            return index_of(self._by_age, version)
        return self._arranged.index(version) if version in self._arranged else 0

    def _arrange(self, order: Sequence[int]) -> None:
        shown, ordered = set(self._by_age), set(order)
        first = [version for version in order if version in shown]
        self._arranged = [*first, *(version for version in self._by_age if version not in ordered)]

    def sync(self, now: float) -> None:
        """Draw the rows as they are `now`; a reader who has scrolled keeps the same rows in view."""
        self.now = now
        if self.order is not None:
            self._arrange(self.order)
        count = len(self.versions)
        self.become(Size(self.room.width, count + 1))
        if self._top is not None:
            self.go_to(min(self._index(self._top), self.max_scroll_y))
        self.draw_bar()
        self._label()
        self.refresh()
        self.fetch()

    def sync_at_cursor(self) -> None:
        """Draw other rows than before, with the cursor in view."""
        self._top = None
        self.sync(self.now)
        self._show(self.row)

    def _label(self) -> None:
        whole = len(self._rows.versions)
        text = f"{whole:,} reloads" if whole != 1 else "1 reload" if whole else ""
        if self.trouble:
            text = self.trouble
        elif self.compared is not None:
            text = f"↑ ↓, then m: compare with v{self.compared} · {text}"
        elif self.marked is not None:
            text = f"log at v{self.marked} · {text}"
        text = Text(text).markup
        if self.border_subtitle != text:
            self.border_subtitle = text

    def mark(self, version: int | None) -> None:
        """Say which version the log shows; None while that goes without saying."""
        self.marked = version
        if version is not None and not self.has_focus:
            self.reveal(version)
        self._label()
        self.refresh()

    @property
    def row(self) -> int:
        """Where the cursor stands, 0 for the newest row."""
        if self.cursor is None:
            return 0
        return max(min(self._index(self.cursor), len(self.versions) - 1), 0)

    @property
    def current(self) -> int | None:
        """The version under the cursor, None where there is no row."""
        return self.versions[self.row] if self.versions else None

    def action_move(self, by: int) -> None:
        """Move the cursor by some rows."""
        if self.versions:
            self._select(min(max(self.row + by, 0), len(self.versions) - 1))

    def action_page(self, direction: int) -> None:
        """Move the cursor by the height of the pane."""
        self.action_move(direction * max(self.room.height - 2, 1))

    def action_end(self, oldest: int) -> None:
        """Move the cursor to the newest row, or the oldest."""
        self.action_move(len(self.versions) if oldest else -len(self.versions))

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.current is not None:
            self.post_message(self.Opened(self.current))

    def action_roll_back(self) -> None:
        """Go back to the row under the cursor."""
        if self.current is not None:
            self.post_message(self.RolledBack(self.current))

    def on_focus(self) -> None:
        """Pin the cursor to its row before anything new can slip under it."""
        self.cursor = self.current
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Choose a row; a second click opens it."""
        index = self.scroll_offset.y + event.get_content_offset_capture(self).y - 1
        if 0 <= index < len(self.versions):
            self._select(index)
            if event.chain == 2:
                self.action_open()

    def choose(self, version: int) -> None:
        """Put the cursor on a version, if its row is one of those that are shown, and let the log come along."""
        index = self._index(version)
        if index < len(self.versions) and self.versions[index] == version:
            self._select(index)

    def _select(self, index: int) -> None:
        before, self.cursor = self.cursor, self.versions[index]
        self._show(index)
        self.refresh()
        if self.cursor != before:
            self.post_message(self.Moved(self.cursor))

    def go_to_version(self, version: int) -> None:
        """Put the cursor on a version, without the log coming along."""
        self.cursor = version
        self.reveal(version)
        self.refresh()

    def reveal(self, version: int) -> None:
        """Bring the row of a version into view, if it is one of those that are shown."""
        index = self._index(version)
        if index < len(self.versions) and self.versions[index] == version:
            self._show(index)

    def _show(self, index: int) -> None:
        top, height = self.scroll_offset.y, self.room.height - 1
        if index < top:
            self.scroll_to(y=index, animate=False, immediate=True)
        elif index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False, immediate=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Hold on to the rows in view, and fetch those that are not here yet."""
        super().watch_scroll_y(old_value, new_value)
        top = self.scroll_offset.y
        self._top = self.versions[top] if 0 < top < len(self.versions) else None
        self.fetch()

    # Older rows

    @property
    def _is_whole(self) -> bool:
        return self.chosen is None and self.order is None

    def _near(self) -> list[int]:
        top = self.scroll_offset.y
        return list(self.versions[max(top - AROUND, 0) : top + self.room.height + AROUND])

    def fetch(self) -> None:
        """Fetch the rows in view and around it that are not here yet, the ones in view first."""
        if not self._fetching and self.room.height and self._rows.missing(self._near()):
            self._fetching = True
            self._fetch()

    @work(exclusive=True, group="pages")
    async def _fetch(self) -> None:
        try:
            while missing := self._rows.missing(self._near()):
                top = self.scroll_offset.y
                seen = self._rows.missing(self.versions[top : top + self.room.height])
                last = seen[0] if seen else missing[0]
                last = min(last + AROUND, max(missing)) if self._is_whole else last
                near = [version for version in missing if last - PAGE < version <= last]
                if not await self._take(min(near), max(near)):
                    return
        finally:
            self._fetching = False

    async def _take(self, first: int, last: int) -> bool:
        try:
            data = await self._page(first, last)
        except (ValueError, ConnectionError) as error:
            self.trouble = plain(str(error))
            self._label()
            return False
        self.trouble = ""
        self._rows.take_page(data["first"], last, map(reload_of, data["rows"]), data["oldest"])
        self._rows.forget(kept=last)
        self.sync(self.now)
        return True

    async def _page(self, first: int, last: int) -> Mapping[str, Any]:
        reply = await self._request(Page(0, self._job.name, first, last))
        if not reply.ok:
            raise ValueError(reply.message)
        return reply.data

    async def rows(self, versions: Collection[int]) -> list[Reload]:
        """Return the reloads with these versions, oldest first, of the engine: none is kept here.

        Raises:
            ValueError: The history can't be read.
            ConnectionError: The engine is gone.
        """
        wanted = sorted(versions)
        found: list[Reload] = []
        while wanted:
            last = wanted[0] + PAGE - 1
            data = await self._page(wanted[0], last)
            rows = map(reload_of, data["rows"])
            ours, wanted = set(wanted[:PAGE]), wanted[bisect_right(wanted, last) :]
            found += [row for row in rows if row.version in ours]
        return found

    # Drawing

    def place(self, row: int) -> tuple[int, int] | None:  # noqa: ARG002
        """Return None: a row may change at any time."""
        return None

    def render_line(self, y: int) -> Strip:
        """Draw the titles or one row."""
        width, style = self.room.width, self.rich_style
        index = self.scroll_offset.y + y - 1
        rooms = self._rooms(width)
        if y == 0:
            text = self._join([Text(column.title, tone(self, "dim")) for column in COLUMNS], rooms)
        elif index < len(self.versions):
            version = self.versions[index]
            text = self._join(self._cells(version, rooms[-1]), rooms)
            if version == self.cursor or (self.cursor is None and index == 0):
                text.pad_right(max(width - text.cell_len, 0))
                text.stylize_before(tone(self, "cursor" if self.has_focus else "cursor-blurred"))
        else:
            text = Text(self._nothing() if y == 1 and not self.versions else "", tone(self, "dim"))
        return drawn(self, text).crop_extend(0, width, style)

    def _nothing(self) -> str:
        if self.chosen is None:
            return "  no change yet"
        return "  no reload fits" if self.chosen.complete else "  looking …"

    def _rooms(self, width: int) -> list[int]:
        """Return the width of each column, 0 for one that is not shown."""
        # The mark and the newest version, but never less than versions of three digits.
        widest = max(len(f"▸v{self._rows.newest_version}"), 5)
        rooms = [(column.width or widest) * self._is_shown(column, width) for column in COLUMNS[:-1]]
        rest = width - sum(room + GAP for room in rooms if room) - 1
        return [*rooms, max(rest, 0) * (width >= COLUMNS[-1].needs)]

    def _is_shown(self, column: Column, width: int) -> bool:
        """Whether there is room for a column: once a change was judged, the effect comes before the step."""
        judged = self._rows.judged
        if column.title == EFFECT:
            return judged and width >= column.needs
        return width >= column.needs and (column.title != STEP or not judged or width >= BOTH)

    @property
    def _says_effect(self) -> bool:
        """Whether there is room for the column of effects; else the sign alone stands beside the status."""
        return any(column.title == EFFECT and self._is_shown(column, self.room.width) for column in COLUMNS)

    def _cells(self, version: int, room: int) -> list[Text]:
        row = self._rows.get(version)
        mark = "◆" if version == self.compared else "▸" if version == self.marked else ""
        name = f"{mark}v{version}"
        if row is None:
            said = "not in the history" if self._rows.is_gone(version) else "…"
            return [Text(cell, tone(self, "dim")) for cell in (name, said, *[""] * (len(COLUMNS) - 2))]
        sign = formatting.STATUSES.get(row.status, formatting.UNKNOWN)
        status = f"{sign.glyph} {row.status}"
        if row.status == "sent":
            status += f" {wording.duration(self.now - row.time)}"
        effect = row.effect[0] if row.effect else None
        verdict = formatting.VERDICTS.get(effect.verdict or "", "dim") if effect is not None else "dim"
        # What is worse is as loud as what has failed, also where there is room for its words.
        loud = effect is not None and (effect.verdict == "worse" or not self._says_effect)
        if effect is not None and effect.verdict is not None and loud:
            status, sign = f"{status} {wording.VERDICTS.get(effect.verdict, '?')}", sign._replace(tone=verdict)
        cells = [
            (name, "strong"),
            (status, sign.tone),
            (formatting.clock(row.time), "dim"),
            (row.source, "plain"),
            (formatting.latency(row.latency_ms), "plain"),
            (f"{row.step:,}" if row.step is not None else "", "dim"),
            (plain(wording.effect(effect)) if effect is not None else "", verdict),
        ]
        return [*(Text(content, tone(self, name)) for content, name in cells), self._what(row, room)]

    def _what(self, row: Reload, room: int) -> Text:
        """Return what the last column says: what the reload was about, the user's words, and the rule of a start."""
        parts = [(f"#{plain(row.tag)}", "key")] if row.tag else []
        if row.source == "start":
            parts.append((f"── {formatting.run(row)} ──", "strong"))
        waits = row.status == "sent" and row.error is not None
        parts.append((formatting.outcome(row), "wait" if waits else "bad" if row.error is not None else "plain"))
        parts.append((wording.ranks(row.ranks), "dim"))
        if row.note:
            parts.append((f"· {plain(row.note)}", "dim"))
        if row.status == "sent" and self.now - row.time > LONG:
            parts.append(("· x: where the task is", "wait"))
        if row.source == "start":
            parts.append((formatting.day(row.time), "dim"))
        what = Text(" ").join(Text(said, tone(self, name)) for said, name in parts if said)
        if row.source == "start" and what.cell_len < room:
            what.append(f" {'─' * (room - what.cell_len - 1)}", tone(self, "strong"))
        return what

    @staticmethod
    def _join(cells: list[Text], rooms: list[int]) -> Text:
        line = Text(no_wrap=True)
        for column, cell, room in zip(COLUMNS, cells, rooms, strict=True):
            if room:
                cell.truncate(room, overflow="ellipsis")
                cell.align("right" if column.right else "left", room)
                line.append_text(cell)
                line.append(" " * GAP)
        return line
