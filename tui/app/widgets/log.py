"""The log pane: draws the visible lines of a buffer, follows its end or stays where the reader is."""

from __future__ import annotations

from typing import ClassVar

from rich.ansi import AnsiDecoder
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from tui.app import words
from tui.app.lines import Line, LineBuffer
from tui.app.model import JobModel
from tui.app.widgets.tones import TONES, drawn, tone


class LogView(ScrollView, can_focus=True):
    """The output of one job. Lines are addressed by number, so that pruning never moves what is read."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "Follow", tooltip="Show the newest lines as they come", id="log.follow"),
        Binding("space", "freeze", "Freeze", tooltip="Hold the view still; the output is kept", id="log.freeze"),
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("home,g", "scroll_home", "Oldest line", show=False),
        Binding("end,G", "follow", "Newest line", show=False),
        Binding("left,h", "scroll_left", "Left", show=False),
        Binding("right,l", "scroll_right", "Right", show=False),
    ]

    follow = reactive(True, init=False)
    frozen = reactive(False, init=False)

    def __init__(self, job: JobModel) -> None:
        super().__init__(id="log")
        self._job = job
        self._shown: LineBuffer = job.lines
        self._base = 0
        self._strips: LRUCache[int, Strip] = LRUCache(1024)
        self._decoder = AnsiDecoder()
        self._syncing = False
        self._ground: Style | None = None
        self.border_title = "log"

    def on_mount(self) -> None:
        """Show what is there already."""
        self.sync()

    def sync(self) -> None:
        """Take over what came into the buffer since the last time, in one redraw."""
        buffer = self._shown
        self._syncing = True
        try:
            pruned = buffer.base - self._base
            self._base = buffer.base
            self._measure(Size(buffer.width, len(buffer)))
            if self.follow:
                self.scroll_to(y=self.max_scroll_y, animate=False)
            elif pruned:
                self.scroll_to(y=max(self.scroll_y - pruned, 0), animate=False)
        finally:
            self._syncing = False
        self._label()
        self.refresh()

    def _measure(self, size: Size) -> None:
        """Become `size` inside, without laying out the whole screen again for every line."""
        if self.show_vertical_scrollbar and size.height > self.size.height:
            self.set_reactive(LogView.virtual_size, size)
            self.vertical_scrollbar.window_virtual_size = size.height
        else:
            self.virtual_size = size

    def _label(self) -> None:
        buffer = self._job.lines
        if self.frozen:
            text = f"‖ frozen, {buffer.end - self._shown.end:,} more"
        elif self.follow:
            text = "following"
        else:
            text = f"▲ {max(len(buffer) - self.scroll_offset.y - self.size.height, 0):,} below"
        if self.border_subtitle != text:
            self.border_subtitle = text

    def action_follow(self) -> None:
        """Go to the newest line and stay there."""
        self.frozen = False
        self.follow = True

    def action_freeze(self) -> None:
        """Hold the view still, or let it go on."""
        self.frozen = not self.frozen

    def watch_follow(self) -> None:
        """Hold on to what the reader looks at, or go to the end."""
        self._hold()
        self.sync()

    def watch_frozen(self, frozen: bool) -> None:
        """Show a copy of the buffer while frozen."""
        self._shown = self._job.lines.snapshot() if frozen else self._job.lines
        self.sync()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow when the reader reached the end, stop when they went up."""
        super().watch_scroll_y(old_value, new_value)
        if self._syncing or old_value == new_value:
            return
        # Without the watcher: it would scroll, in the middle of a scroll.
        if new_value < min(old_value, self.max_scroll_y):
            self.set_reactive(LogView.follow, False)
        elif new_value >= self.max_scroll_y and not self.frozen:
            self.set_reactive(LogView.follow, True)
        self._hold()
        self._label()

    def _hold(self) -> None:
        self._job.lines.held = None if self.follow else self._base + self.scroll_offset.y

    def on_resize(self) -> None:
        """Stay at the end in a new size too."""
        if self.follow:
            self.sync()

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        super().notify_style_update()
        self._strips.clear()
        self._ground = None

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002
        """Draw a selection that changed."""
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text; offsets count in line numbers, not rows."""
        buffer = self._shown
        first = buffer.base if selection.start is None else max(selection.start.y, buffer.base)
        last = buffer.end - 1 if selection.end is None else min(selection.end.y, buffer.end - 1)
        taken = []
        for number in range(first, last + 1):
            span = selection.get_span(number)
            if span is not None:
                text = self._text(buffer[number]).plain
                taken.append(text[span[0] : len(text) if span[1] == -1 else span[1]])
        return "\n".join(taken), "\n"

    def render_line(self, y: int) -> Strip:
        """Draw one row of the screen."""
        if self._ground is None:
            self._ground = self.rich_style
        width, style = self.size.width, self._ground
        scroll_x, scroll_y = self.scroll_offset
        number = self._base + scroll_y + y
        if number >= self._shown.end or number < self._shown.base:
            if not len(self._shown) and y == 0:
                return drawn(self, Text("no output yet", tone(self, "dim"))).crop_extend(0, width, style)
            return Strip.blank(width, style)
        strip = self._strip(number).crop_extend(scroll_x, scroll_x + width, style)
        return strip.apply_offsets(scroll_x, number)

    def _strip(self, number: int) -> Strip:
        line = self._shown[number]
        selection = self.text_selection
        if selection is None and line.mark is None and (cached := self._strips.get(number)) is not None:
            return cached
        text = self._text(line)
        if selection is not None and (span := selection.get_span(number)) is not None:
            chosen = self.screen.get_component_rich_style("screen--selection")
            text.stylize(chosen, span[0], len(text) if span[1] == -1 else span[1])
        strip = drawn(self, text)
        if selection is None and line.mark is None:
            self._strips[number] = strip
        return strip

    def _text(self, line: Line) -> Text:
        if line.mark is not None:
            said = words.applied(self._job.timeline.get(line.mark), line.mark)
            return Text(f"──── {said} ".ljust(max(self.size.width, 24), "─"), tone(self, "key"))
        if line.dropped:
            return Text(f"┄┄┄┄ {line.dropped:,} lines were dropped here", tone(self, "wait"))
        if "\x1b" in line.text:
            self._decoder.style = Style.null()
            return self._decoder.decode_line(line.text)
        return Text(line.text)
