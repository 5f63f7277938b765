"""A unified diff, or a whole text, to scroll through."""

from __future__ import annotations

from difflib import unified_diff
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.app.lines import sanitize
from tui.app.text import FileText, visible
from tui.app.widgets.tones import TONES, drawn, tone


class DiffLine(NamedTuple):
    """One line and the tone that it is drawn in."""

    text: str
    tone: str


_TONES = {"+": "good", "-": "bad", "@": "key", " ": "plain"}


def diff_lines(old: str | None, new: str | None, old_name: str, new_name: str) -> list[DiffLine]:
    """Return the lines that lead from `old` to `new`; None is a text that does not exist."""
    if new is None:
        return [DiffLine("there is no text of this version", "dim")]
    if old is None:
        return [DiffLine(f"+{_clean(line)}", "good") for line in FileText(new).shown.split("\n")]
    old_lines, new_lines = (FileText(text).shown.split("\n") for text in (old, new))
    found = [
        DiffLine(_clean(line), "strong" if line.startswith(("---", "+++")) and index < 2 else _TONES[line[0]])
        for index, line in enumerate(unified_diff(old_lines, new_lines, old_name, new_name, lineterm=""))
    ]
    if not found and old != new:
        return [DiffLine("the texts differ in line ends or invisible characters only", "dim")]
    return found or [DiffLine("no difference", "dim")]


def _clean(line: str) -> str:
    return sanitize(visible(line))


class DiffView(ScrollView, can_focus=True):
    """The lines of a diff; only what is visible is drawn."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("left,h", "scroll_left", "Left", show=False),
        Binding("right,l", "scroll_right", "Right", show=False),
    ]

    def __init__(self, lines: list[DiffLine] | None = None) -> None:
        super().__init__()
        self._lines: list[DiffLine] = []
        self.show(lines or [])

    def show(self, lines: list[DiffLine]) -> None:
        """Show other lines."""
        self._lines = lines
        self.virtual_size = Size(max((cell_len(line.text) for line in lines), default=0), len(lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one row of the screen."""
        scroll_x, scroll_y = self.scroll_offset
        width, style = self.size.width, self.rich_style
        if scroll_y + y >= len(self._lines):
            return Strip.blank(width, style)
        line = self._lines[scroll_y + y]
        strip = drawn(self, Text(line.text, tone(self, line.tone)))
        return strip.crop_extend(scroll_x, scroll_x + width, style)
