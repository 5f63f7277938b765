"""The log pane: draws the visible lines of a buffer, follows its end or stays where the reader is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events, work
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Size
from textual.message import Message
from textual.reactive import reactive
from textual.selection import Selection
from textual.strip import Strip

from tui.app.log.line_screen import LineScreen
from tui.app.log.line_text import LogText
from tui.app.log.row_map import RowMap, cuts
from tui.app.log.search import BREATH
from tui.app.model.job import JobModel
from tui.app.model.log_buffer import LogBuffer
from tui.app.model.log_line import Line
from tui.app.model.query import Query
from tui.app.sanitize import bare
from tui.app.styles import TONES, drawn, tone
from tui.app.textual_ext.row_view import RowView
from tui.app.textual_ext.ruled import Ruled

#: What a double click selects: a path with its line, an address, a number are one word.
_WORD = re.compile(r"[\w./:@%+~=-]+")

HOST_SILENT = "nothing yet: what C code and child processes of thread and asyncio jobs write comes here"


class LogView(RowView, Ruled, can_focus=True):
    """The output of one job. Lines are addressed by number, so that pruning never moves what is read."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "Follow", tooltip="Show the newest lines as they come", id="log.follow"),
        Binding(
            "space",
            "freeze",
            "Freeze",
            tooltip="Hold the view still; the output is kept",
            key_display="␣",
            id="log.freeze",
        ),
        Binding("w", "wrap", "Wrap", show=False, tooltip="Long lines on several rows, or cut off", id="log.wrap"),
        Binding("t", "times", "Times", show=False, tooltip="By the clock, as an age, not at all", id="log.times"),
        Binding("y", "copy", "Copy", tooltip="What is selected, the line in use, or all in view", id="log.copy"),
        Binding("enter", "open", "Whole line", show=False, tooltip="All of it; JSON unfolded", id="log.open"),
        Binding("up,k", "step(-1)", "Line above", show=False),
        Binding("down,j", "step(1)", "Line below; behind the last the log follows", show=False),
        Binding("home,g", "scroll_home", "Oldest line", show=False),
        Binding("end,G", "follow", "Newest line", show=False),
        Binding("left,h", "scroll_left", "Left", show=False),
        Binding("right,l", "scroll_right", "Right", show=False),
    ]

    class Looked(Message):
        """The reader looks at the lines of another version; None while the log follows."""

        def __init__(self, version: int | None) -> None:
            super().__init__()
            self.version = version

    follow = reactive(True, init=False)
    frozen = reactive(False, init=False)
    wrap = reactive(False, init=False)

    def __init__(self, job: JobModel) -> None:
        super().__init__("log")
        self._job = job
        self.shown: LogBuffer = job.lines
        self.rows = RowMap(0)
        self._test: Callable[[Line], bool] | None = None
        self.anchor_line: int | None = None
        self.cursor: int | None = None  # the line in use
        self.text = LogText(self, job)
        self._syncing = False
        self._ground: Style | None = None
        self._asked_for: int | None = None
        self._told: int | None = None
        self.border_title = "log"

    def on_mount(self) -> None:
        """Show what is there already."""
        self.sync()
        if self._job.is_host:
            self.focus()

    def sync(self) -> None:
        """Take over what came into the buffer since the last time, in one redraw."""
        self._settle(self.rows.sync(self.shown))

    def keep(self, test: Callable[[Line], bool] | None) -> None:
        """Show the lines that pass a test, or all."""
        self._test = test
        self._arrange()

    def _arrange(self) -> None:
        """Find out anew what stands on which row; the reader stays at the line on top."""
        if not self.follow and self.anchor_line is None:
            self.anchor_line = self.first_visible()
        width = max(self.room.width - self.text.margin, 1)
        self.rows.choose(self.shown, self._test, width if self.wrap else 0)
        self.drawn.clear()
        if not self.scan():
            self._go_on()

    def scan(self) -> bool:
        """Find the rows of older lines for a while; return whether all are found."""
        self._settle(-self.rows.scan(self.shown))
        if not self.rows.complete(self.shown):
            return False
        self.anchor_line = None
        return True

    @work(exclusive=True, group="rows")
    async def _go_on(self) -> None:
        """Find the rows of older lines, in slices."""
        while True:
            await asyncio.sleep(BREATH)
            if self.scan():
                return

    def _settle(self, gone: int) -> None:
        """Draw anew, where the reader is, after `gone` rows have gone from the front."""
        self._syncing = True
        try:
            width = 1 if self.rows.wrap else self.shown.width + self.text.margin
            self.become(Size(width, self.rows.height(self.shown) + self.rows.begun(self.shown)))
            # A reader who has begun to move away is not called back.
            if self.follow and not self.app.animator.is_being_animated(self, "scroll_y"):
                self.go_to(self.max_scroll_y)
            elif self.anchor_line is not None:
                self.go_to(min(self.rows.row(self.anchor_line, self.shown), self.max_scroll_y))
            elif gone:
                self.go_to(max(self.scroll_y - gone, 0))
        finally:
            self._syncing = False
        self.draw_bar()
        self._label()
        # The lines alone: without a region, frame and scrollbar would be drawn again with them.
        self.refresh(self.room.region)

    def _label(self) -> None:
        if self.frozen:
            text = f"‖ frozen, {self._job.lines.end - self.shown.end:,} more"
        elif self.follow:
            text = "following"
        else:
            text = f"▲ {max(self.virtual_size.height - self.scroll_offset.y - self.room.height, 0):,} below"
        if self.shown.lost:
            text += f" · {self.shown.lost:,} lines not kept"
        if self.border_subtitle != text:
            self.border_subtitle = text
        version = None if self.follow and not self.frozen else self.version_in_view()
        if version != self._told:
            self._told = version
            self.post_message(self.Looked(version))

    def action_follow(self) -> None:
        """Go to the newest line and stay there."""
        self.frozen = False
        self.cursor = None
        self.follow = True

    def action_freeze(self) -> None:
        """Hold the view still, or let it go on."""
        self.frozen = not self.frozen

    def action_wrap(self) -> None:
        """Put long lines on several rows, or cut them off."""
        self.wrap = not self.wrap

    def watch_wrap(self) -> None:
        """Begin at the left: wrapped lines have nothing to the right."""
        self._arrange()
        self.scroll_to(x=0, animate=False)

    def action_times(self) -> None:
        """Show when lines came: by the clock, then as an age, then not."""
        self.text.times = {"": "clock", "clock": "age"}.get(self.text.times, "")
        self._arrange()

    def tick(self, now: float) -> None:
        """Let the ages grow."""
        self.text.now = now
        if self.text.times == "age":
            self.drawn.clear()
            self.refresh(self.room.region)

    @property
    def line_in_use(self) -> int | None:
        """The number of the line under the cursor, if it is still here and is shown."""
        number = self.cursor
        if number is None or not self.shown.base <= number < self.shown.end:
            return None
        return number if self.rows.numbers(number, number, self.shown) else None

    def action_step(self, by: int) -> None:
        """Put the cursor on the line above or below; the first time on the last one, or the first, in view."""
        number = self.line_in_use
        if number is None or not self.can_see(number):
            number = min(self.last_visible(), self.shown.end - 1) if by < 0 else self.first_visible()
        elif by < 0:
            number = self.rows.at(max(self.rows.row(number, self.shown) - 1, 0), self.shown)[0]
        else:
            number = self.rows.at(self._row_behind(number), self.shown)[0]
        if number >= self.shown.end:
            self.action_follow()
        elif number >= self.shown.base:
            self._use(number)

    def _row_behind(self, number: int) -> int:
        """Return the first row below all of a line."""
        if number + 1 >= self.shown.end:
            return self.rows.height(self.shown)
        return self.rows.row(number + 1, self.shown)

    def _use(self, number: int) -> None:
        """Put the cursor on a line and bring it into view, which stays there."""
        self.cursor = number
        self._asked_for = None
        self.set_reactive(LogView.follow, False)
        top, behind = self.rows.row(number, self.shown), self._row_behind(number)
        self.go_to(min(max(self.scroll_y, behind - self.room.height), top))
        self._hold()
        self.sync()

    def action_copy(self) -> None:
        """Put what is selected into the clipboard; where nothing is, the line in use; without one those in view."""
        selection, number = self.text_selection, self.line_in_use
        chosen = self.get_selection(selection) if selection is not None else None
        seen = (number, number) if number is not None else (self.first_visible(), self.last_visible())
        lines = chosen[0].split("\n") if chosen else self.lines(*seen)
        if any(lines):
            self.app.copy_to_clipboard("\n".join(lines))
            self.app.notify(f"{len(lines):,} line{'s' * (len(lines) != 1)} copied", title="Log")
        else:
            self.app.notify("There is nothing to copy.", title="Log")

    def action_open(self) -> None:
        """Show all of the line in use, else of the newest in view."""
        number = self.line_in_use
        newest = self.lines(self.first_visible(), self.last_visible())[-1:]
        for line in self.lines(number, number) if number is not None else newest:
            self.app.push_screen(LineScreen(line))

    def lines(self, first: int = 0, last: int | None = None) -> list[str]:
        """Return the text of the lines that are shown, or of those from `first` to `last`, without colours."""
        shown = self.shown
        numbers = self.rows.numbers(first, shown.end if last is None else last, shown)
        ended = last is not None and last < shown.end
        begun = [] if ended else self.rows.begun_lines(shown)
        return [bare(line.text) for line in (*(shown[number] for number in numbers), *begun) if line.is_output]

    def highlight(self, query: Query | None, here: int | None) -> None:
        """Mark what `query` finds, in line `here` more than elsewhere."""
        self.text.query, self.text.here = query, here
        self.drawn.clear()
        self.refresh(self.room.region)

    def first_visible(self) -> int:
        """Return the number of the line on top."""
        return self.rows.at(self.scroll_offset.y, self.shown)[0]

    def last_visible(self) -> int:
        """Return the number of the line at the bottom."""
        bottom = min(self.scroll_offset.y + max(self.room.height, 1), self.virtual_size.height) - 1
        return self.rows.at(max(bottom, 0), self.shown)[0]

    def can_see(self, number: int) -> bool:
        """Tell whether a line is in view."""
        return self.first_visible() <= number <= self.last_visible()

    def reveal(self, number: int) -> None:
        """Bring a line into view, with as much above it as below; the view then stays there."""
        if not self.can_see(number):
            self.set_reactive(LogView.follow, False)
            self.go_to(min(max(self.rows.row(number, self.shown) - self.room.height // 2, 0), self.max_scroll_y))
            self._hold()
            self.sync()

    def go_to_version(self, version: int) -> bool:
        """Bring the rule where `version` took effect into view; return False where nothing is left of its lines."""
        number = self.shown.rule(version)
        if number is None:
            return False
        self._asked_for = version
        self.reveal(number)
        self._label()
        return True

    def version_in_view(self) -> int | None:
        """Return the version that the reader looks at.

        The one gone to last counts until the view is moved. Else it is that of the newest line while the view follows,
        and of the line on top while it does not.
        """
        if self._asked_for is not None:
            number = self.shown.rule(self._asked_for)
            if number is not None and self.can_see(number):
                return self._asked_for
        return self.shown.version_at(self.last_visible() if self.follow else self.first_visible())

    def watch_follow(self) -> None:
        """Hold on to what the reader looks at, or go to the end."""
        self._asked_for = None
        self._hold()
        self.sync()

    def watch_frozen(self, frozen: bool) -> None:
        """Show a copy of the buffer while frozen."""
        self.shown = self._job.lines.snapshot() if frozen else self._job.lines
        self.sync()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow when the reader reached the end, stop when they went up."""
        super().watch_scroll_y(old_value, new_value)
        if self._syncing or old_value == new_value:
            return
        self.anchor_line = self._asked_for = None
        # Without the watcher: it would scroll, in the middle of a scroll.
        if new_value < min(old_value, self.max_scroll_y):
            self.set_reactive(LogView.follow, False)
        elif new_value >= self.max_scroll_y and not self.frozen:
            self.set_reactive(LogView.follow, True)
        self._hold()
        self._label()

    def _hold(self) -> None:
        self._job.lines.held = None if self.follow else self.first_visible()

    def on_resize(self) -> None:
        """Stay at the end in a new size too, and wrap anew at a new width."""
        if self.wrap and self.rows.wrap != self.room.width - self.text.margin:
            self._arrange()
        elif self.follow:
            self.sync()

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        super().notify_style_update()
        self.drawn.clear()
        self._ground = None

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002
        """Draw a selection that changed."""
        self.drawn.clear()
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Select the word by a second click, the line by a third; by itself Textual would select all."""
        event.prevent_default()
        event.stop()
        _, at = self.screen.get_widget_and_offset_at(event.screen_x, event.screen_y)
        if at is None or not self.shown.base <= at.y < self.shown.end:
            return
        self.cursor = at.y
        self.refresh()
        if event.chain not in (2, 3):
            return
        line = self.shown[at.y]
        if line.is_output:
            text = bare(line.text)
            words = (match.span() for match in _WORD.finditer(text) if match.start() <= at.x < match.end())
            start, end = next(words, (at.x, at.x + 1)) if event.chain == 2 else (0, len(text))
            self.screen.selections = {self: Selection(Offset(start, at.y), Offset(end, at.y))}

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected output; offsets count in line numbers, not rows."""
        buffer = self.shown
        first = buffer.base if selection.start is None else max(selection.start.y, buffer.base)
        last = buffer.end - 1 if selection.end is None else min(selection.end.y, buffer.end - 1)
        taken = []
        for number in self.rows.numbers(first, last, buffer):
            span = selection.get_span(number)
            if span is not None and buffer[number].is_output:
                text = self.text.of(number, buffer[number], self.room.width).plain
                taken.append(text[span[0] : len(text) if span[1] == -1 else span[1]])
        return "\n".join(taken), "\n"

    def place(self, row: int) -> tuple[int, int] | None:
        """Return the line at a row, and which of its rows that is; a rule may still change, and the cursor go."""
        number, part = self.rows.at(row, self.shown)
        there = self.shown.base <= number < self.shown.end and not self.shown.is_rule(number)
        return (number, part) if there and number != self.cursor else None

    def render_line(self, y: int) -> Strip:
        """Draw one row inside the frame."""
        if self._ground is None:
            self._ground = self.rich_style
        width, style = self.room.width, self._ground
        scroll_x, scroll_y = self.scroll_offset
        number, part = self.rows.at(scroll_y + y, self.shown)
        if self.shown.base <= number < self.shown.end:
            line = self.shown[number]
        elif number == self.shown.end and (begun := self.rows.begun_at(part, self.shown)) is not None:
            line, part = begun
        else:
            below_all = number == self.shown.end and part == self.rows.begun(self.shown)
            said = self._silence() if below_all else ""
            if not said:
                return Strip.blank(width, style)
            return drawn(self, Text(said, tone(self, "dim"))).crop_extend(0, width, style)
        if number == self.cursor and number < self.shown.end:
            style = style + tone(self, "cursor" if self.has_focus else "cursor-blurred")
        margin = drawn(self, self.text.time(line, part), style)
        room = max(width - margin.cell_length, 1)
        text = self.text.of(number, line, room)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(number)) is not None:
            chosen = self.screen.get_component_rich_style("screen--selection")
            text.stylize(chosen, span[0], len(text) if span[1] == -1 else span[1])
        left, start = scroll_x, scroll_x
        if self.rows.wrap and line.is_output:
            starts = [*cuts(text.plain, self.rows.wrap), len(text)]
            left, start = 0, starts[part]
            text = text[start : starts[part + 1]]
        content = drawn(self, text, style)
        cut = not self.rows.wrap and line.is_output and room > 1
        before, after = cut and content.cell_length > 0 < left, cut and content.cell_length > left + room
        content = content.crop_extend(left, left + room, style).apply_offsets(start, number)
        if before:
            content = Strip.join([drawn(self, Text("‹", tone(self, "dim")), style), content.crop(1)])
        if after:
            content = Strip.join([content.crop(0, room - 1), drawn(self, Text("›", tone(self, "dim")), style)])
        return Strip.join([margin, content]) if margin.cell_length else content

    def _silence(self) -> str:
        """Say why there is no output to see, if there is none."""
        shown = self.shown
        if not shown.begun and not shown.written:
            return HOST_SILENT if self._job.is_host else "no output yet"
        if self._test is None or self.rows.begun(shown) or not self.rows.complete(shown):
            return ""
        numbers = self.rows.numbers(shown.base, shown.end - 1, shown)
        return "" if any(shown[number].is_output for number in numbers) else "no line passes the filter"
