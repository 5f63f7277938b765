"""A screen over the main one: the difference of two texts."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from tui.app.widgets.diff import Diff, DiffView


class DiffScreen(ModalScreen[None]):
    """Shows a difference until escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss(None)", "Close")]

    def __init__(self, title: str, diff: Diff) -> None:
        super().__init__()
        self._title = title
        self._diff = diff

    def compose(self) -> ComposeResult:
        """Yield the difference."""
        with Vertical(classes="sheet") as box:
            box.border_title = Text(self._title).markup
            box.border_subtitle = "s side by side · esc close"
            yield DiffView(self._diff)
