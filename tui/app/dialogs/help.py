"""All keys, read from the bindings themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static


class HelpScreen(ModalScreen[None]):
    """Lists the keys of every pane."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f1", "dismiss(None)", "Close"),
        Binding("ctrl+p", "commands", "Commands"),
    ]

    def __init__(self, sections: Iterable[tuple[str, Iterable[Binding]]]) -> None:
        super().__init__()
        self._sections = [(title, list(bindings)) for title, bindings in sections]

    def compose(self) -> ComposeResult:
        """Yield a table of keys."""
        with Vertical(classes="sheet") as box:
            box.border_title = "keys"
            # The footer of a small screen has no room for it.
            box.border_subtitle = "[@click=screen.commands]^p all of it as commands[/] · esc close"
            with VerticalScroll():
                yield Static(self._table())

    def action_commands(self) -> None:
        """Leave for the command palette."""
        self.dismiss()
        self.app.call_later(self.app.action_command_palette)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        for title, bindings in self._sections:
            table.add_row(Text(f"\n{title}" if table.row_count else title, "underline"))
            meanings: dict[str, list[Binding]] = {}
            for binding in bindings:
                meanings.setdefault(binding.description, []).append(binding)
            for same in meanings.values():
                names = [self.app.get_key_display(binding) for binding in same]
                keys = ", ".join(names) if len(names) < 4 else f"{names[0]} … {names[-1]}"
                table.add_row(f"  {keys}", Text.assemble(same[0].description, "  ", (same[0].tooltip, "dim")))
        return table
