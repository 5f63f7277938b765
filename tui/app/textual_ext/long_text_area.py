"""A TextArea in which a key costs what can be seen of the text, not what there is of it.

Textual's own joins the whole text for each line that it draws, parses and colours all of it, and measures each of its
lines at every key: in a config of ten thousand lines that takes a fifth of a second (`TextArea` in
`widgets/_text_area.py`: `_refresh_size` and `_build_highlight_map` since 1.0 at least, the joining since 7.0, for its
placeholder; to 8.2.8).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual._tree_sitter import get_language
from textual.document._document import EditResult
from textual.document._document_navigator import DocumentNavigator
from textual.document._edit import Edit
from textual.document._syntax_aware_document import SyntaxAwareDocument
from textual.document._wrapped_document import WrappedDocument
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widgets import TextArea

if TYPE_CHECKING:
    from tree_sitter import Language, Query

#: So many lines above and below the screen get their colours too, so that not each step of a scroll asks for more.
MARGIN = 40

#: The colours of a part need its context: it begins where something does that is not indented, if that is this near.
CONTEXT = 400

#: What a line begins with that is part of something before it.
WITHIN = (" ", "\t", "#", "-", "]", "}")

#: The room for the widest line grows in steps of so many cells: each time that it does all panes are laid out anew.
STEP = 16


def knows_yaml() -> bool:
    """Tell whether the grammar of YAML is installed."""
    return find_spec("tree_sitter") is not None and find_spec("tree_sitter_yaml") is not None


@cache
def yaml_grammar() -> tuple[Language, Query]:
    """Return the grammar, and the query for what has colours."""
    from tree_sitter import Query

    language = get_language("yaml")
    assert language is not None
    return language, Query(language, TextArea._get_builtin_highlight_query("yaml"))


class _WrappedRows(WrappedDocument):
    """The rows of the text; their number is known."""

    @property
    def height(self) -> int:
        """How many there are."""
        return len(self._offset_to_line_info)


class LongTextArea(TextArea):
    """A TextArea for a long text whose lines are not wrapped."""

    #: Counts the changes of the text.
    revision = 0

    _text: str | None = None
    _widest = 0
    _colored = range(0)
    _is_yaml = False

    @property
    def text(self) -> str:
        """The whole text."""
        if self._text is None:
            self._text = self.document.text
        return self._text

    @text.setter
    def text(self, value: str) -> None:
        self.load_text(value)

    def color_as_yaml(self, yaml: bool) -> None:
        """Show the text in the colours of YAML, or in one."""
        self._is_yaml = yaml and knows_yaml()
        self._build_highlight_map()

    def _set_document(self, text: str, language: str | None) -> None:
        self._text = None
        self._widest = 0
        super()._set_document(text, language)
        self.wrapped_document = _WrappedRows(self.document, tab_width=self.indent_width)
        self.navigator = DocumentNavigator(self.wrapped_document)
        self._measure(0, self.document.line_count)

    def edit(self, edit: Edit) -> EditResult:
        """Apply an edit."""
        result = super().edit(edit)
        self._measure(edit.top[0], result.end_location[0] + 1)
        return result

    def _undo_batch(self, edits: Sequence[Edit]) -> None:
        super()._undo_batch(edits)
        self._measure(0, self.document.line_count)

    def _redo_batch(self, edits: Sequence[Edit]) -> None:
        super()._redo_batch(edits)
        self._measure(0, self.document.line_count)

    def _measure(self, first: int, end: int) -> None:
        """Take lines into account that may be wider than all before; one that has become narrower leaves the room."""
        lines = self.document.lines[first:end]
        widest = max((cell_len(line.expandtabs(self.indent_width)) for line in lines), default=0)
        if widest > self._widest:
            self._widest = -(-widest // STEP) * STEP
            self._refresh_size()

    def _refresh_size(self) -> None:
        self.virtual_size = Size(self._widest + self.gutter_width + 1, self.document.line_count)
        self._refresh_scrollbars()

    def _build_highlight_map(self) -> None:
        """Forget what was known of the text; all changes of it end here."""
        self.revision += 1
        self._text = None
        self._colored = range(0)
        self._highlights.clear()
        self._line_cache.clear()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw lines; their colours are found first."""
        top, count = self.scroll_offset.y, self.document.line_count
        bottom = min(top + self.size.height, count)
        if self._is_yaml and top < bottom and not (top in self._colored and bottom - 1 in self._colored):
            self._color(range(max(top - MARGIN, 0), min(bottom + MARGIN, count)))
        return super().render_lines(crop)

    def _color(self, rows: range) -> None:
        """Find the colours of some rows; they are parsed alone."""
        self._colored = rows
        self._highlights.clear()
        lines = self.document.lines
        start = rows.start
        while start > max(rows.start - CONTEXT, 0) and (not lines[start] or lines[start].startswith(WITHIN)):
            start -= 1
        language, query = yaml_grammar()
        part = SyntaxAwareDocument("\n".join(lines[start : rows.stop]), language)
        for name, nodes in part.query_syntax_tree(query).items():
            for node in nodes:
                (first, left), (last, right) = node.start_point, node.end_point
                for row in range(first, last + 1):
                    place = left if row == first else 0, right if row == last else None, name
                    self._highlights[start + row].append(place)
