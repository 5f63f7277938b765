"""A view of many rows that costs no more than what changes on the screen: neither layout nor frame for each line.

Textual's `ScrollView` keeps what was drawn by its place on the screen, and draws all of it again when it scrolls by a
row (`watch_scroll_y` in `scroll_view.py`, `_styles_cache.py`, 1.0 to 8.2.8).
"""

from __future__ import annotations

from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip


class RowView(ScrollView):
    """Draws rows by `render_line` of a subclass.

    Attributes:
        drawn: Rows as they were drawn, by what `place` says of them; to be cleared when they look different.
    """

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.drawn: LRUCache[tuple[int, int], Strip] = LRUCache(256)
        self._look: tuple[int, int] | None = None
        self._sides = Strip([]), Strip([])
        self._thumb = (0, 0)

    def place(self, row: int) -> tuple[int, int] | None:
        """Return what stands at a row and will always look the same, None where that can't be said."""
        raise NotImplementedError

    @property
    def room(self) -> Size:
        """The size of the rows: what is inside the frame, without the scrollbar."""
        return self.size - (self.scrollbar_gutter.right, 0)

    def become(self, size: Size) -> None:
        """Become `size` inside, without laying out the whole screen again for every line."""
        # What has become too wide can be scrolled only once Textual has looked at it.
        same = (size.width > self.size.width) == self.show_horizontal_scrollbar
        if same and self.show_vertical_scrollbar and size.height > self.size.height:
            self.set_reactive(RowView.virtual_size, size)
        else:
            self.virtual_size = size

    def go_to(self, row: float) -> None:
        """Stand at a row, without what a user's scrolling sets off."""
        for name in ("scroll_x", "scroll_y"):
            self.app.animator.force_stop_animation(self, name)
        self.set_reactive(RowView.scroll_y, float(row))
        self.set_reactive(RowView.scroll_target_y, float(row))

    def draw_bar(self) -> None:
        """Bring the scrollbar up to date, and draw it only if that can be seen: mostly it can't."""
        if not self.show_vertical_scrollbar:
            return
        bar = self.vertical_scrollbar
        window, whole = self.room.height, self.virtual_size.height
        bar.set_reactive(ScrollBar.window_virtual_size, whole)
        bar.set_reactive(ScrollBar.position, self.scroll_y)
        length = max(1.0, window * window / max(whole, 1))
        start = (window - length) * self.scroll_y / max(whole - window, 1)
        thumb = round(start), round(start + length)
        if thumb != self._thumb:
            self._thumb = thumb
            bar.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw rows with the frame around them; a line that was drawn before is taken as it is, wherever it stands now.

        In a log that runs, all lines but the last are old ones. Textual keeps what was drawn by its place on the
        screen, and would draw them all again.
        """
        width, size, top = self.outer_size.width, self.room, self.gutter.top
        if crop.column_span != (0, width) or not size or self.text_selection is not None:
            return super().render_lines(crop)
        if self._look != (width, self.scroll_offset.x):
            self._look = width, self.scroll_offset.x
            self.drawn.clear()
        if not self.drawn:
            sample = super().render_lines(Region(0, top, width, 1))[0]
            self._sides = sample.crop(0, self.gutter.left), sample.crop(self.gutter.left + size.width)
        first = self.scroll_offset.y
        rows = []
        for y in crop.line_range:
            if top <= y < top + size.height:
                rows.append(self._row(first + y - top, y - top))
            else:
                rows += super().render_lines(Region(0, y, width, 1))
        return rows

    def _row(self, row: int, y: int) -> Strip:
        place = self.place(row)
        if place is not None and (known := self.drawn.get(place)) is not None:
            return known
        content = self.render_line(y)
        for line_filter in self.app.get_line_filters():
            content = content.apply_filter(line_filter, self.background_colors[1])
        whole = Strip.join([self._sides[0], content, self._sides[1]])
        if place is not None:
            self.drawn[place] = whole
        return whole
