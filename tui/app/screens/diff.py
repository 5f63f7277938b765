"""Two screens over the main one: a difference of two texts, and all there is to know of one reload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.app import words
from tui.app.lines import plain
from tui.app.widgets.diff import DiffLine, DiffView, diff_lines
from tui.events import Reload


class DiffScreen(ModalScreen[None]):
    """Shows lines of a diff until escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss(None)", "Close")]

    def __init__(self, title: str, lines: list[DiffLine], head: Text | None = None) -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._head = head

    def compose(self) -> ComposeResult:
        """Yield the facts, if any, and the diff."""
        with Vertical(classes="sheet") as box:
            box.border_title = Text(self._title).markup
            box.border_subtitle = "esc close"
            if self._head is not None:
                yield Static(self._head, id="facts")
            yield DiffView(self._lines)


def facts(row: Reload) -> Text:
    """Return what is known of a reload, a line for each fact."""
    sign = words.STATUSES.get(row.status, words.UNKNOWN)
    found = [("status", f"{sign.glyph} {row.status}" + (f" by v{row.by}" if row.by is not None else ""))]
    found.append(("source", f"{row.source} at {words.clock(row.time)}"))
    if row.latency_ms is not None or row.step is not None:
        took = f"after {words.latency(row.latency_ms)}" if row.latency_ms is not None else ""
        step = f"at step {row.step:,}" if row.step is not None else ""
        found.append(("taken", f"{step} {took}".strip()))
    if row.changes:
        found.append(("changed", "\n           ".join(words.change(item) for item in row.changes)))
    if row.error is not None:
        place = f"line {row.error.line}" + (f", column {row.error.column}" if row.error.column else "")
        found += [("place", place)] if row.error.line is not None else []
        found += [("key", plain(row.error.key))] if row.error.key else []
        found.append(("reason", "\n           ".join(plain(line) for line in row.error.message.splitlines())))
    return Text("\n").join(Text.assemble((f"{name:<11}", "dim"), said) for name, said in found)


def detail_screen(row: Reload, data: Mapping[str, Any]) -> DiffScreen:
    """Return the screen of one reload, given the engine's answer about it."""
    base, running = data.get("base"), data.get("running")
    old_name = f"v{base}" if base is not None else "nothing"
    lines = diff_lines(data.get("base_text"), data.get("text"), old_name, f"v{row.version}")
    title = f"v{row.version}" + (", which runs" if running == row.version else f", v{running} runs" if running else "")
    return DiffScreen(title, lines, facts(row))
