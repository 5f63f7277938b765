"""A Textual app with the widgets of the viewer and nothing behind them: what startup is measured against."""

from __future__ import annotations

import sys
from pathlib import Path

from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.widgets import DataTable, Footer, Log, Static, TextArea


class BareApp(App[None]):
    """Shows a file in an editor, a log, a table, a status line and a footer."""

    CSS = "Horizontal { height: 2fr; } DataTable { height: 1fr; } Log, TextArea, DataTable { border: round $primary; }"

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """Yield the widgets."""
        yield Static("status")
        with Horizontal():
            yield Log()
            yield TextArea.code_editor(self._text, language="yaml")
        yield DataTable()
        yield Footer()

    def on_mount(self) -> None:
        """Fill the table and the log."""
        self.query_one(Log).write_line("started")
        table: DataTable[str] = self.query_one(DataTable)
        table.add_columns("version", "status", "source")
        table.add_row("1", "applied", "start")


if __name__ == "__main__":
    BareApp(Path(sys.argv[1]).read_text()).run()
