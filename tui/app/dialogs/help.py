"""All keys, read from the bindings themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

#: From so many cells on a column stands beside another.
COLUMN = 56

#: What a row has before and behind its words, and the bar at the side.
MARGIN = 6


class HelpScreen(ModalScreen[None]):
    """Lists the keys of every pane; `/` leaves those that have all the words that are typed.

    Args:
        sections: Where keys hold, and which; the first is in view when it opens.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close"),
        Binding("q,f1", "dismiss(None)", "Close"),
        Binding("slash", "filter", "Find"),
        Binding("ctrl+p", "commands", "Commands"),
    ]

    def __init__(self, sections: Iterable[tuple[str, Iterable[Binding]]]) -> None:
        super().__init__()
        self._sections = [(title, list(bindings)) for title, bindings in sections]
        self._words: list[str] = []

    def compose(self) -> ComposeResult:
        """Yield a table of keys and the line that filters it."""
        with Vertical(classes="sheet") as box:
            box.border_title = "keys"
            # The footer of a small screen has no room for it.
            box.border_subtitle = "/ find · [@click=screen.commands]^p all of it as commands[/] · esc close"
            with VerticalScroll():
                yield Static(id="keys")
            yield Input(placeholder="a key, or words of what it does", compact=True)

    def on_mount(self) -> None:
        """Begin with all keys; those of arrows scroll them."""
        self.query_one(Input).display = False
        self.query_one(VerticalScroll).focus()
        self._draw()

    def on_resize(self) -> None:
        """Use the width that there is."""
        self._draw()

    def action_filter(self) -> None:
        """Ask what to look for."""
        self.query_one(Input).display = True
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what fits."""
        self._words = event.value.casefold().split()
        self._draw()

    def on_input_submitted(self) -> None:
        """Have the arrows scroll again."""
        self.query_one(VerticalScroll).focus()

    def action_leave(self) -> None:
        """Leave the question and what it left out; without one, the keys."""
        if not self.query_one(Input).display:
            self.dismiss()
            return
        self.query_one(Input).value = ""
        self.query_one(Input).display = False
        self.query_one(VerticalScroll).focus()

    def action_commands(self) -> None:
        """Leave for the command palette."""
        self.dismiss()
        self.app.call_later(self.app.action_command_palette)

    def _draw(self) -> None:
        found = [(title, rows) for title, bindings in self._sections if (rows := list(self._rows(title, bindings)))]
        if not found:
            self.query_one("#keys", Static).update("no key fits")
            return
        room = max(self.app.size.width * 9 // 10 - MARGIN, COLUMN)
        columns = _columns(found, max(room // COLUMN, 1))
        table = Table.grid(padding=(0, 2))
        for _ in columns:
            table.add_column(width=room // len(columns) - 2)
        table.add_row(*(Text("\n").join(lines) for lines in columns))
        self.query_one("#keys", Static).update(table)

    def _rows(self, title: str, bindings: Iterable[Binding]) -> Iterator[tuple[str, Text]]:
        """Yield the keys of a section that are looked for, those with one meaning together, and that meaning."""
        meanings: dict[str, list[Binding]] = {}
        for binding in bindings:
            meanings.setdefault(binding.description, []).append(binding)
        for said, same in meanings.items():
            names = [self.app.get_key_display(binding) for binding in same]
            keys = ", ".join(names) if len(names) < 4 else f"{names[0]} … {names[-1]}"
            sought = " ".join((title, *names, *(one.key for one in same), said, same[0].tooltip)).casefold()
            if all(word in sought for word in self._words):
                yield keys, Text.assemble(said, "  ", (same[0].tooltip, "dim"))


def _columns(sections: list[tuple[str, list[tuple[str, Text]]]], most: int) -> list[list[Text]]:
    """Return the lines of some columns of about the same height; a section stays whole."""
    height = sum(len(rows) + 2 for _, rows in sections) / most
    columns: list[list[Text]] = [[]]
    for title, rows in sections:
        if len(columns) < most and columns[-1] and len(columns[-1]) + len(rows) / 2 > height:
            columns.append([])
        lines = columns[-1]
        lines += [Text()] * bool(lines)
        lines.append(Text(title, "underline"))
        widest = max(cell_len(keys) for keys, _ in rows)
        lines += [Text.assemble((f"  {keys:<{widest}}  ", "bold"), said) for keys, said in rows]
    return columns
