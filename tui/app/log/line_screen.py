"""One line of the log with all that is in it: as long as it is, and JSON unfolded."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.app.log.json_text import is_json, unfolded
from tui.app.log.line_text import colour_json
from tui.app.styles import TONES


class Parts(Static):
    """The line, in its colours."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    def show(self, line: str) -> None:
        """Show a line."""
        text = Text(line)
        if is_json(line):
            text = Text(unfolded(line))
            colour_json(text, self)
        self.update(text)


class LineScreen(ModalScreen[None]):
    """Shows a line of the log until escape.

    Args:
        line: Its text.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close"),
        Binding("y", "copy", "Copy", tooltip="The line as it was printed", id="line.copy"),
    ]

    def __init__(self, line: str) -> None:
        super().__init__()
        self._line = line

    def compose(self) -> ComposeResult:
        """Yield the line."""
        with Vertical(classes="sheet") as box:
            box.border_title = f"log · a line of {len(self._line):,} characters"
            box.border_subtitle = "y copy · esc close"
            with VerticalScroll():
                yield Parts(markup=False)

    def on_mount(self) -> None:
        """Show it; its colours are known by now."""
        self.query_one(Parts).show(self._line)

    def action_copy(self) -> None:
        """Put the line into the clipboard as it was printed."""
        self.app.copy_to_clipboard(self._line)
        self.app.notify("1 line copied", title="Log")
