"""Saving lines to a file: a question for the path, and another one before a file is overwritten."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.app.dialogs.dialog import Choice, Dialog
from tui.app.sanitize import plain


class PathDialog(ModalScreen[str]):
    """Asks for a path; the result is empty for escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "Cancel")]

    def __init__(self, title: str, path: str) -> None:
        super().__init__()
        self._title = title
        self._path = path

    def compose(self) -> ComposeResult:
        """Yield the line to type in."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._title
            yield Input(self._path, compact=True)
            yield Static(f"in {Path.cwd()}; enter saves, esc cancels", classes="note", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer with the path."""
        self.dismiss(event.value.strip())


async def save_lines(app: App[Any], path: Path, lines: list[str], what: str = "Log") -> None:
    """Write lines to a file, and say so; what exists is overwritten only if the user wants that."""
    try:
        try:
            await asyncio.to_thread(_write, path, lines, "x")
        except FileExistsError:
            choices = [Choice("o", "overwrite", "overwrite it", "what it holds now is lost")]
            if not await app.push_screen_wait(Dialog(f"{plain(path.name)} exists", "Nothing was written.", choices)):
                return
            await asyncio.to_thread(_write, path, lines, "w")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        app.notify(plain(f"{path}: {reason}"), title="Not saved", severity="error", markup=False)
        return
    app.notify(f"{len(lines):,} lines in {plain(str(path))}", title=f"{what} saved", markup=False)


def _write(path: Path, lines: list[str], mode: str) -> None:
    with path.open(mode, encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
