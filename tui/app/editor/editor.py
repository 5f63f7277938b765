"""The editor of a config: TextArea with YAML colours, marks for what is wrong, and changes from outside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.document._document import EditResult, Location, Selection
from textual.document._edit import Edit
from textual.message import Message
from textual.strip import Strip
from textual.widgets import TextArea

from tui.app.editor.line_marks import CHANGED, GONE, NEW, LineMarks
from tui.app.editor.nudge import nudged
from tui.app.editor.schema_hints import fragment
from tui.app.editor.values import Value, next_value, value_at, value_before
from tui.app.model.file_text import changed_rows, changed_span, moved_row, visible
from tui.app.model.query import Query
from tui.app.sanitize import plain
from tui.app.styles import TONES, tone
from tui.app.textual_ext.long_text_area import LongTextArea
from tui.app.theme import editor_theme
from tui.protocol.messages import Problem

#: What stands between the number of a line and its text.
_SIGNS = {NEW: ("▎", "good"), CHANGED: ("▎", "wait"), GONE: ("▔", "bad"), None: (" ", "plain")}
_WRONG, _RESTARTING, _NOTHING = ("✗", "bad"), ("↻", "wait"), (" ", "plain")

#: Less of a message than this many cells is no help.
_LEAST = 16


def toggled(lines: list[str]) -> list[str]:
    """Return lines as comments, or, if all of them are that already, without the sign; empty ones stay."""
    filled = [line for line in lines if line.strip()]
    if filled and all(line.lstrip().startswith("#") for line in filled):
        return [re.sub(r"^(\s*)# ?", r"\1", line) for line in lines]
    indent = min((len(line) - len(line.lstrip()) for line in filled), default=0)
    return [f"{line[:indent]}# {line[indent:]}" if line.strip() else line for line in lines]


class ConfigEditor(LongTextArea):
    """Edits one config as text; it never touches what the user did not."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+f", "find", "Find", show=False, tooltip="And replace, in the config", id="editor.find"),
        Binding(
            "ctrl+underscore,ctrl+slash",  # the first is what most terminals send for the second
            "toggle_comment",
            "Comment",
            show=False,
            key_display="^/",
            tooltip="Make the selected lines comments, or undo that",
            id="editor.comment",
        ),
        Binding("ctrl+e", "screen.edit_outside", "Own editor", show=False),  # the end of a line in other inputs
        Binding("ctrl+home", "cursor_document(0)", "To the start", show=False),
        Binding("ctrl+end", "cursor_document(-1)", "To the end", show=False),
        Binding("alt+a", "select_all", "Select all", show=False, id="editor.all"),
        Binding("ctrl+z", "undo", "Undo", show=False, id="editor.undo"),
        Binding("ctrl+y", "redo", "Redo", show=False, id="editor.redo"),
        Binding("alt+n", "next_value", "Next value", show=False, tooltip="Select it", id="editor.next_value"),
        Binding("alt+p", "value_before", "Value before", show=False, tooltip="Select it", id="editor.value_before"),
        Binding(
            "ctrl+up,alt+equals_sign",
            "nudge(1)",
            "Turn up",
            show=False,
            tooltip="The digit under the cursor, or the value by a step of its own scale",
            id="editor.up",
        ),
        Binding(
            "ctrl+down,alt+minus",
            "nudge(-1)",
            "Turn down",
            show=False,
            tooltip="The digit under the cursor, or the value by a step of its own scale",
            id="editor.down",
        ),
    ]

    class FindAsked(Message):
        """The user wants to find something in the text."""

    class Said(Message):
        """What a key of the editor could not do."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class TakenBack(Message):
        """The user has taken back the last change, which was made to the text `before`."""

        def __init__(self, before: str) -> None:
            super().__init__()
            self.before = before

    def __init__(self) -> None:
        super().__init__(
            id="editor", soft_wrap=False, show_line_numbers=True, tab_behavior="indent", max_checkpoints=500
        )
        # Textual's "select line" and "select all": here f6 leads on, and who keeps his text after a conflict that has
        # gone meanwhile must not type over all of it.
        for key in ("f6", "f7"):
            self._bindings.key_to_bindings.pop(key, None)
        self.indent_width = 2
        # A blinking cursor would redraw an idle screen twice a second.
        self.cursor_blink = False
        self.sought: Query | None = None
        self.marks = LineMarks()
        self.schema: Mapping[str, Any] = {}
        self._height = 0

    def on_mount(self) -> None:
        """Take the colours of the app's theme, now and when it changes."""
        self._recolor()
        self.app.theme_changed_signal.subscribe(self, lambda _: self._recolor())

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor in view in a pane that has become smaller."""
        if event.size.height < self._height:
            self.scroll_cursor_visible()
        self._height = event.size.height

    def _recolor(self) -> None:
        self.register_theme(editor_theme(self.app.theme_variables))
        self.theme = "deck"

    def load(self, text: str, yaml: bool) -> None:
        """Start with `text`, without anything to undo."""
        self.color_as_yaml(yaml)
        with self._quietly():
            self.load_text(text)

    def follow(self, text: str) -> None:
        """Become `text`, which is not the user's doing."""
        with self._quietly():
            self.rewrite(text)

    def rewrite(self, text: str) -> None:
        """Become `text` by one edit that can be undone; the cursor stays on its line, the view where it is."""
        old = self.text
        if old == text:
            return
        span = changed_span(old, text)
        start, end = self._location(span.start), self._location(span.old_end)
        selection = Selection(*(self._moved(old, text, place) for place in self.selection))
        top = moved_row(old, text, self.scroll_offset.y)
        scroll_x = self.scroll_offset.x
        self.history.checkpoint()
        self.edit(Edit(text[span.start : span.new_end], start, end, maintain_selection_offset=True))
        self.history.checkpoint()
        self.selection = selection
        self.scroll_to(x=scroll_x, y=top, animate=False)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Change the text without the message that a user's edit sends."""
        with self.prevent(TextArea.Changed):
            yield

    def _moved(self, old: str, new: str, place: Location) -> Location:
        row = moved_row(old, new, place[0])
        return row, min(place[1], len(new.split("\n")[row]))

    def _location(self, offset: int) -> Location:
        before = self.text[:offset]
        return before.count("\n"), offset - before.rfind("\n") - 1

    def edit(self, edit: Edit) -> EditResult:
        """Apply an edit; a control character in a paste becomes its picture."""
        edit.text = visible(edit.text.replace("\r\n", "\n").replace("\r", "\n"))
        result = super().edit(edit)
        self.marks.follow(edit.top[0], edit.bottom[0] + 1, result.end_location[0] + 1)
        return result

    def _undo_batch(self, edits: Sequence[Edit]) -> None:
        with self._followed():
            super()._undo_batch(edits)

    def _redo_batch(self, edits: Sequence[Edit]) -> None:
        with self._followed():
            super()._redo_batch(edits)

    @contextmanager
    def _followed(self) -> Iterator[None]:
        """Let the marks go with whatever is done to the text."""
        before = list(self.document.lines)
        yield
        self.marks.follow(*changed_rows(before, self.document.lines))

    async def on_key(self, event: events.Key) -> None:
        """Carry out the editor's own keys at once; `enter`, or ctrl+j, keeps the indentation of the line before.

        By itself Textual passes a key up to the app before it looks for its binding, while letters are inserted at
        once: in a burst, letters would overtake the movement before them. And it takes `escape` for the way to the next
        pane, where a letter may mean a rollback.
        """
        if event.key in ("enter", "ctrl+j") and not self.read_only:
            event.stop()
            event.prevent_default()
            self._break_line()
        elif event.key == "escape":
            event.prevent_default()
        elif bindings := self._bindings.key_to_bindings.get(event.key):
            event.stop()
            event.prevent_default()
            await self.run_action(bindings[0].action)

    def _break_line(self) -> None:
        start, end = self.selection
        row, column = min(start, end)
        line = self.document.get_line(row)
        indent = line[: len(line) - len(line.lstrip(" "))][:column]
        self.replace(f"\n{indent}", start, end, maintain_selection_offset=False)

    def action_find(self) -> None:
        """Ask what to find."""
        self.post_message(self.FindAsked())

    def action_cursor_document(self, place: int) -> None:
        """Go to the start of the text, or with -1 to its end."""
        self.move_cursor(self.document.end if place else (0, 0))

    def action_toggle_comment(self) -> None:
        """Make the selected lines comments, or take the signs away where all of them are comments."""
        if self.read_only:
            return
        start, end = sorted(self.selection)
        last = end[0] - (end[1] == 0 and end[0] > start[0])
        lines = self.text.split("\n")
        lines[start[0] : last + 1] = toggled(lines[start[0] : last + 1])
        self.rewrite("\n".join(lines))

    def action_undo(self) -> None:
        """Take back the last change."""
        before = self.text
        super().action_undo()
        self.post_message(self.TakenBack(before))

    def action_next_value(self) -> None:
        """Go to the next value and select it."""
        self._go_to(next_value(self.document.lines, max(self.selection)), "There is no value below; alt+p goes back.")

    def action_value_before(self) -> None:
        """Go to the value before and select it."""
        self._go_to(value_before(self.document.lines, min(self.selection)), "There is no value above; alt+n goes on.")

    def _go_to(self, value: Value | None, otherwise: str) -> None:
        if value is None:
            self.post_message(self.Said(otherwise))
        else:
            self.selection = Selection(value.start, value.end)
            self.scroll_cursor_visible()

    def action_nudge(self, direction: int) -> None:
        """Turn the digit under the cursor, or else the value at the cursor by a step of its own scale."""
        start, end = sorted(self.selection)
        value = value_at(self.document.lines, start)
        if self.read_only or value is None:
            self.post_message(self.Said("There is no value in this line; alt+n goes to the next one."))
            return
        at = start[1] - value.start[1] if start == end else None
        found = nudged(value.text, fragment(self.schema, value.path), direction, at)
        if found is None:
            self.post_message(self.Said(f"{value.text} has no step {'up' if direction > 0 else 'down'} from here."))
            return
        self.history.checkpoint()
        self.replace(found.text, value.start, value.end, maintain_selection_offset=False)
        self.history.checkpoint()
        row, column = value.start
        if start != end:
            self.selection = Selection(value.start, (row, column + len(found.text)))
        else:
            inside = min(start[1], column + len(found.text))
            self.move_cursor((row, column + found.at if found.at is not None else inside))

    def seek(self, query: Query | None) -> None:
        """Mark what `query` finds."""
        self.sought = query
        self.notify_style_update()
        self.refresh()

    def blame(self, problems: Iterable[Problem]) -> None:
        """Mark what is wrong, each at its place."""
        self.marks.blame(problems, self.document.line_count)
        self.redraw()

    def redraw(self) -> None:
        """Draw all that can be seen again, with its marks as they are now."""
        self._line_cache.clear()
        self.refresh()

    def jump(self, problem: Problem) -> None:
        """Put the cursor where `problem` is."""
        if problem.line is None:
            return
        row = min(problem.line, self.document.line_count) - 1
        column = min((problem.column or 1) - 1, len(self.document.get_line(row)))
        self.move_cursor((row, column), center=True)
        self.focus()

    def get_line(self, line_index: int) -> Text:
        """Return a line to draw, underlined from the place of each problem on."""
        line = super().get_line(line_index)
        for problem in self.marks.problems.get(line_index, ()):
            column = min(max((problem.column or 1) - 1, 0), max(len(line) - 1, 0))
            color = self.app.theme_variables["error-muted"].split()[0]
            line.stylize(Style(underline=True, bgcolor=color if color.startswith("#") else "red"), column)
        if self.sought is not None:
            color = self.app.theme_variables["warning-muted"].split()[0]
            style = Style(underline=True, bold=True, bgcolor=color if color.startswith("#") else None)
            for match in self.sought.matches(line.plain):
                line.stylize(style, *match.span())
        return line

    def _render_line(self, y: int) -> Strip:
        """Draw a line with its marks: signs beside its number, and what is wrong behind it."""
        strip = super()._render_line(y)
        row, gutter = y + self.scroll_offset.y, self.gutter_width
        if row >= self.document.line_count:
            return strip
        strip = self._with_message(self._with_cuts(strip, row), row)
        wrong, differs = row in self.marks.problems, (self.marks.changed or {}).get(row)
        signs = [_WRONG if wrong else _RESTARTING if row in self.marks.restarting else _NOTHING, _SIGNS[differs]]
        if signs == [_NOTHING, _NOTHING]:
            return strip
        ground = next(iter(strip)).style or Style.null()
        cells = [Segment(sign, ground + tone(self, name)) for sign, name in signs]
        return Strip.join([strip.crop(0, gutter - 2), Strip(cells, 2), strip.crop(gutter)])

    def _with_cuts(self, strip: Strip, row: int) -> Strip:
        """Return a line with a sign at each end where it goes on out of sight; the cursor lies over it."""
        line, tab = self.document.get_line(row), self.indent_width
        begin, gutter, end = self.scroll_offset.x, self.gutter_width, self.size.width - 1
        width = cell_len(line.expandtabs(tab))
        cursor = cell_len(line[: self.cursor_location[1]].expandtabs(tab)) if row == self.cursor_location[0] else -1
        hidden = {gutter: ("‹", width > 0 and begin > 0), end: ("›", width > begin + end + 1 - gutter)}
        for place, (sign, is_cut) in hidden.items():
            if is_cut and gutter + cursor - begin != place:
                ground = next(iter(strip.crop(place, place + 1))).style or Style.null()
                cell = Strip([Segment(sign, ground + tone(self, "dim"))], 1)
                strip = Strip.join([strip.crop(0, place), cell, strip.crop(place + 1)])
        return strip

    def _with_message(self, strip: Strip, row: int) -> Strip:
        """Return a line with the first of what is wrong in it, where there is room behind it."""
        problems = self.marks.problems.get(row)
        if not problems:
            return strip
        line = self.document.get_line(row).expandtabs(self.indent_width)
        start = max(self.gutter_width + cell_len(line) + 2 - self.scroll_offset.x, self.gutter_width)
        room = self.size.width - start - 1
        if room < _LEAST:
            return strip
        ground = next(iter(strip.crop(start, start + 1))).style or Style.null()
        said = Text(f"✗ {plain(problems[0].message)}")
        said.truncate(room, overflow="ellipsis")
        words = Strip([Segment(said.plain, ground + tone(self, "bad"))], said.cell_len)
        return Strip.join([strip.crop(0, start), words, strip.crop(start + words.cell_length)])
