"""Puts the widgets of a screen together, drawing only those that can be seen where something has changed.

Textual's own compositor asks every widget of the screen for all its rows whenever one of them has changed, and throws
away what lies behind or beside (`Compositor._get_renders` in `_compositor.py`, 1.0 to 8.2.8). For a log that gets ten
lines a second, that was two thirds of the whole work. It also takes each terminal to give a character the width that it
gives it itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from textual._compositor import ChopsUpdate, Compositor, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

#: Runs of characters that not every terminal gives the same width; frames and the signs of the viewer are none.
_UNSURE = re.compile("([^\x00-\xac\xae-\u02ff\u0370-\u0482\u2010-\u2027\u2190-\u21ff\u2500-\u25fc]+)")


def straight(strip: Strip, x: int, y: int, console: Console) -> str:
    """Return what draws a strip at the cursor, which is at `x`, `y`.

    After what a terminal may take for wider or narrower than we do, the cursor is moved to where it should be.
    """
    if strip.text.isascii() or not _UNSURE.search(strip.text):
        return strip.render(console)
    parts = []
    for text, style, _ in strip:
        for index, run in enumerate(_UNSURE.split(text)):
            unsure = index % 2
            width = cell_len(run)
            if unsure:
                # Nothing old may stay beside what is narrower there.
                parts.append(Strip([Segment(" " * width, style)]).render(console) + f"\x1b[{y + 1};{x + 1}H")
            x += width
            parts.append(Strip([Segment(run, style)]).render(console) if run else "")
            if unsure:
                parts.append(f"\x1b[{y + 1};{x + 1}H")
    return "".join(parts)


class WholeUpdate(LayoutUpdate):
    """The whole screen, as text for the terminal."""

    def render_segments(self, console: Console) -> str:
        """Return all rows, each drawn from where it begins."""
        parts = []
        for y, row in enumerate(self.strips, self.region.y):
            x = self.region.x
            parts.append(f"\x1b[{y + 1};{x + 1}H")
            for strip in row:
                parts.append(straight(strip, x, y, console))
                x += strip.cell_length
        return "".join(parts)


class FrugalUpdate(ChopsUpdate):
    """What has changed, as text for the terminal."""

    def render_segments(self, console: Console) -> str:
        """Return the pieces that lie in the spans; the cursor is moved only where two do not adjoin."""
        parts = []
        for y, first, last in self.spans:
            cursor = -1
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= last or end <= first:
                    continue
                if x != cursor:
                    parts.append(f"\x1b[{y + 1};{x + 1}H")
                parts.append(straight(strip if end <= last else strip.crop(0, last - x), x, y, console))
                cursor = end
        return "".join(parts)


class FrugalCompositor(Compositor):
    """Goes from front to back through what has changed, and stops where something hides all that lies behind."""

    def __init__(self) -> None:
        super().__init__()
        self._wanted: set[Region] = set()

    def render_full_update(self, simplify: bool = False) -> LayoutUpdate:
        """Draw the whole screen."""
        update = super().render_full_update(simplify)
        return WholeUpdate(update.strips, update.region)

    def render_partial_update(self) -> ChopsUpdate | None:
        """Draw what has changed; Textual would hand over only the one region that surrounds all of it."""
        self._wanted = self._dirty_regions.copy()
        try:
            update = super().render_partial_update()
        finally:
            self._wanted.clear()
        return update and FrugalUpdate(update.chops, update.spans, update.chop_ends)

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        """Yield region, clip and strips of each widget that can be seen in `crop`, the rows that are needed only."""
        wanted = self._wanted or {crop or self.size.region}
        for widget, (region, clip) in self.visible_widgets.items():
            seen = region.intersection(clip)
            touched = [part for part in wanted if seen.overlaps(part)]
            if not touched:
                continue
            top = max(seen.y, min(part.y for part in touched))
            bottom = min(seen.bottom, max(part.bottom for part in touched))
            rows = Region(seen.x, top, seen.width, bottom - top)
            yield region, rows, widget.render_lines(rows.translate(-region.offset))
            wanted = {part for part in wanted if not seen.contains_region(part)}
            if not wanted:
                return
