"""How a line of the log looks: its colours, what was searched for in it, and the rules between versions."""

from __future__ import annotations

from rich.ansi import AnsiDecoder
from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from tui.app import formatting
from tui.app.log.json_text import colours, is_json
from tui.app.log.search import ERRORS
from tui.app.model.job import JobModel
from tui.app.model.log_line import Line
from tui.app.model.query import Query
from tui.app.styles import tone

#: How the rule between two versions begins.
_RULE = "──── "

#: A line without end may match everywhere; nobody can tell a thousand marks apart.
MOST_MARKS = 500


def colour_json(text: Text, widget: Widget) -> None:
    """Give the parts of JSON the colours that a widget has for them."""
    for start, end, name in colours(text.plain):
        text.stylize(tone(widget, name), start, end)


class LogText:
    """Makes texts of the lines of one job.

    Attributes:
        query: What is marked wherever it stands.
        here: The number of the line that the search has come to.
        error: The number of the line with the error that the reader went to.
        times: How the time of a line is shown: not at all, by the ``clock`` or as an ``age``.
        now: The time that an age counts up to.
    """

    def __init__(self, widget: Widget, job: JobModel) -> None:
        self.query: Query | None = None
        self.here: int | None = None
        self.error: int | None = None
        self.times = ""
        self.now = 0.0
        self._widget = widget
        self._job = job
        self._decoder = AnsiDecoder()

    def of(self, number: int, line: Line, width: int = 0) -> Text:
        """Return a line to draw; a rule is as long as `width`."""
        if line.mark is not None:
            timeline = self._job.timeline
            room = width - cell_len(_RULE) if width else None
            said = formatting.applied(timeline.get(line.mark), line.mark, timeline.gone_back_to(line.mark), room)
            rule = Text(f"{_RULE}{said} ".ljust(max(width, 24), "─"), tone(self._widget, "key"))
            if width and cell_len(f"{_RULE}{said}") > width:  # it does not scroll
                rule.truncate(width, overflow="ellipsis")
            return rule
        if line.dropped:
            return Text(f"┄┄┄┄ {line.dropped:,} lines were dropped here", tone(self._widget, "wait"))
        if "\x1b" in line.text:
            self._decoder.style = Style.null()
            text = self._decoder.decode_line(line.text)
        else:
            text = Text(line.text)
            if is_json(line.text):
                colour_json(text, self._widget)
        if self.query is not None:
            self._mark(text, self.query, number == self.here)
        if number == self.error:
            self._mark(text, ERRORS, here=True)
        return text

    @property
    def margin(self) -> int:
        """The width of the times."""
        return len(formatting.moment(0, self.times, 0)) if self.times else 0

    def time(self, line: Line, part: int) -> Text:
        """Return what stands in the margin of a line, on its first row."""
        shown = self.times and line.is_output and not part
        said = formatting.moment(line.time, self.times, self.now) if shown else " " * self.margin
        return Text(said, tone(self._widget, "dim"))

    def _mark(self, text: Text, query: Query, here: bool) -> None:
        # Underlined too, for a screen without colours.
        style = tone(self._widget, "here" if here else "found") + Style(underline=True, bold=here)
        for match in query.matches(text.plain, MOST_MARKS):
            text.stylize(style, *match.span())
