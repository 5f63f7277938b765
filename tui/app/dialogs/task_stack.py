"""Where the task is while a reload waits for its checkpoint, and the offer to restart it."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.app.model.file_text import visible
from tui.app.sanitize import sanitize

RESTART = "restart"
AGAIN = "again"


class TaskStackScreen(ModalScreen[str]):
    """Shows a stack; the result is `RESTART`, `AGAIN`, or empty for escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss('')", "Close"),
        Binding("x", f"dismiss('{AGAIN}')", "Look again", id="stack.again"),
        Binding("r", f"dismiss('{RESTART}')", "Restart the job", tooltip="Its state is lost", id="stack.restart"),
    ]

    def __init__(self, title: str, stack: str) -> None:
        super().__init__()
        self._title = title
        self._stack = stack

    def compose(self) -> ComposeResult:
        """Yield the stack, its innermost frame in view."""
        with Vertical(classes="sheet") as box:
            box.border_title = Text(self._title).markup
            box.border_subtitle = "x look again · r restart the job · esc close"
            with VerticalScroll():
                yield Static("\n".join(sanitize(visible(line)) for line in self._stack.split("\n")), markup=False)

    def on_mount(self) -> None:
        """Begin at the end."""
        self.query_one(VerticalScroll).scroll_end(animate=False)
