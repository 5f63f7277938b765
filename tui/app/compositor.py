"""Puts the widgets of a screen together, drawing only those that can be seen where something has changed.

Textual's own compositor asks every widget of the screen for all its rows whenever one of them has changed, and throws
away what lies behind or beside. For a log that gets ten lines a second, that was two thirds of the whole work.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip


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
                parts.append((strip if end <= last else strip.crop(0, last - x)).render(console))
                cursor = end
        return "".join(parts)


class FrugalCompositor(Compositor):
    """Goes from front to back through what has changed, and stops where something hides all that lies behind."""

    def __init__(self) -> None:
        super().__init__()
        self._wanted: set[Region] = set()

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
