"""A pane whose frame says two things, also where only its upper line is drawn.

Textual draws a border's subtitle in its lower line only (`_styles_cache.py`, 1.0 to 8.2.8).
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

#: Cells beside the two: blanks around them, and what stays of the rule.
_BESIDE = 8

#: A subtitle that would have fewer cells is left out.
_LEAST = 3


class Ruled(Widget):
    """A widget with a title and a subtitle; without a lower border the subtitle stands at the end of the upper one.

    It comes last of the bases of a class: Textual takes the CSS of the first one alone.
    """

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw rows with the frame around them."""
        strips = super().render_lines(crop)
        if crop.y or not strips or self.styles.border_bottom[0] or not self.styles.border_top[0]:
            return strips
        width = self.outer_size.width
        if crop.column_span != (0, width):  # a piece of the rule: cut it from the whole
            whole = self._inscribed(super().render_lines(Region(0, 0, width, 1))[0])
            return [whole.crop(*crop.column_span), *strips[1:]]
        return [self._inscribed(strips[0]), *strips[1:]]

    def _inscribed(self, rule: Strip) -> Strip:
        """Return a rule with blanks around its title, and with the subtitle at its end as far as there is room."""
        corner = bool(self.styles.border_left[0])  # behind one, title and blank stand where they should
        start = 3 if corner else 1
        end = start + Content.from_markup(self.border_title or "").cell_length
        title = rule.crop(start, end)
        if not title.cell_length:
            return rule
        blank = Strip([Segment(" ", next(iter(title)).style)])
        line = rule.crop(rule.cell_length - 1)
        before = [rule.crop(0, start)] if corner else [line, line, blank]
        whole = Strip.join([*before, title, blank, rule.crop(end)]).crop(0, rule.cell_length)
        said = Content.from_markup(self.border_subtitle or "")
        room = whole.cell_length - end - _BESIDE
        if not said or room < _LEAST:
            return whole
        text = f" {said.truncate(room, ellipsis=True).plain} "
        ground = self.background_colors[1]
        style = Style(color=(ground + self.styles.border_subtitle_color).rich_color, bgcolor=ground.rich_color)
        last = whole.cell_length - 1
        return Strip.join([whole.crop(0, last - cell_len(text)), Strip([Segment(text, style)]), whole.crop(last)])
