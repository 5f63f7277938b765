"""Find and replace in the config: two lines below the editor."""

from __future__ import annotations

from bisect import bisect_left
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input
from textual.widgets.text_area import Selection

from tui.app.editor.editor import ConfigEditor
from tui.app.model.query import TOO_LONG, Match, Query, query
from tui.app.widgets.prompt import Prompt
from tui.regexes import PatternError, expand


class Hit(NamedTuple):
    """A place in the text: row, first column, the column after the last, and how the pattern matched there."""

    row: int
    start: int
    end: int
    match: Match

    @property
    def selection(self) -> Selection:
        """The place as the editor selects it."""
        return Selection((self.row, self.start), (self.row, self.end))


def hits(text: str, sought: Query) -> list[Hit]:
    """Return all places in order; what a pattern finds in no characters is none."""
    return [
        Hit(row, *match.span(), match)
        for row, line in enumerate(text.split("\n"))
        for match in sought.matches(line)
        if match.end() > match.start()
    ]


class FindBar(Vertical):
    """Finds and replaces in one editor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "go(1)", "Next", show=False, tooltip="So does enter in the first line", id="find.next"),
        Binding("up", "go(-1)", "Previous", show=False, id="find.previous"),
        Binding("ctrl+l", "replace_all", "Replace all", tooltip="Enter in the second line replaces one", id="find.all"),
        Binding("escape", "close", "Close", show=False, id="find.close"),
    ]

    def __init__(self, editor: ConfigEditor) -> None:
        super().__init__()
        self._editor = editor
        self.prompt = Prompt()
        self._replacement = Prompt()
        self._origin = (0, 0)

    def compose(self) -> ComposeResult:
        """Yield the two lines."""
        yield self.prompt
        yield self._replacement

    def open(self) -> None:
        """Come to the screen; what is selected is what is sought."""
        editor = self._editor
        self._origin = min(editor.selection)
        selected = editor.selected_text
        value = selected if selected and "\n" not in selected else self.prompt.input.value
        self.display = True
        self._replacement.ask("replace by", self._replacement.input.value, "ctrl+l replaces all")
        self.prompt.ask("find", value, "plain text, or re: and a regular expression")
        self._seek(value)

    def action_close(self) -> None:
        """Go back to the text, the cursor where it was led."""
        self._editor.seek(None)
        self._editor.focus()
        self.display = False

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.input is self.prompt.input:
            self._seek(event.value)

    def _seek(self, text: str) -> None:
        try:
            sought = query(text)
        except ValueError as error:
            self.prompt.complain(str(error))
            return
        self._editor.seek(sought)
        found = self._hits()
        self._show(next((hit for hit in found if hit.selection.start >= self._origin), found[0]) if found else None)

    def _hits(self) -> list[Hit]:
        return hits(self._editor.text, self._editor.sought) if self._editor.sought is not None else []

    def _show(self, hit: Hit | None) -> None:
        if hit is not None:
            self._editor.selection = hit.selection
            self._editor.scroll_cursor_visible(center=True)
        self._count()

    def _count(self) -> None:
        found = self._hits()
        place = next((n for n, hit in enumerate(found, 1) if hit.selection == self._editor.selection), None)
        said = f"{place} of {len(found)}" if place else f"{len(found)} found" if found else "not found"
        if self._editor.sought is not None and self._editor.sought.stuck:
            said = TOO_LONG
        self.prompt.say(said if self._editor.sought is not None else "", bad=not found)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.input is self.prompt.input:
            self.action_go(1)
        else:
            self._replace()

    def action_go(self, by: int) -> None:
        """Select the next place, or the one before; behind the last comes the first."""
        found = self._hits()
        if not found:
            self._count()
            return
        start, end = sorted(self._editor.selection)
        place = bisect_left(found, end, key=lambda hit: hit.selection.start)
        if by < 0:
            place = bisect_left(found, start, key=lambda hit: hit.selection.start) - 1
        self._show(found[place % len(found)])

    def _replace(self) -> None:
        """Replace what is selected, if it was found, and go on to the next."""
        editor = self._editor
        hit = next((hit for hit in self._hits() if hit.selection == editor.selection), None)
        new = self._new(hit) if hit is not None else None
        if hit is not None and new is not None:
            editor.history.checkpoint()
            end = editor.replace(new, *hit.selection, maintain_selection_offset=False).end_location
            editor.history.checkpoint()
            editor.move_cursor(end)
        self.action_go(1)

    def action_replace_all(self) -> None:
        """Replace all places by one edit."""
        lines = self._editor.text.split("\n")
        found = self._hits()
        for hit in reversed(found):
            new = self._new(hit)
            if new is None:
                return
            lines[hit.row] = f"{lines[hit.row][: hit.start]}{new}{lines[hit.row][hit.end :]}"
        self._editor.rewrite("\n".join(lines))
        self._count()
        self._replacement.say(f"{len(found)} replaced")

    def _new(self, hit: Hit) -> str | None:
        """Return what takes the place of a hit: behind ``re:`` with its groups, else as it stands."""
        template = self._replacement.input.value
        self._replacement.complain("")
        if self._editor.sought is None or not self._editor.sought.regular:
            return template
        try:
            return expand(hit.match, template)
        except PatternError as error:
            self._replacement.complain(f"no replacement: {error}")
            return None
