"""A screen that draws only what it must, and that has the mouse before its widgets have it.

Textual makes the compositor of a screen by itself (`Screen.__init__` in `screen.py`, 1.0 to 8.2.8) and hands an event
of the mouse to the widget below it before anybody else sees it (`Screen._forward_event`, the same versions): a press
between two panes would be a focus and a selection too. One outside of the screen, as a terminal sends it that has just
become smaller, takes the focus from whoever has it, the wheel too (same place): what is typed next would be lost.
"""

from __future__ import annotations

from textual.events import Event, MouseEvent
from textual.screen import Screen

from tui.app.textual_ext.compositor import FrugalCompositor


class FrugalScreen(Screen[None]):
    """Puts its widgets together by the frugal compositor."""

    def __init__(self) -> None:
        super().__init__()
        self._compositor = FrugalCompositor()

    def takes(self, event: MouseEvent) -> bool:
        """Return whether the screen itself has taken an event of the mouse: then no widget gets it."""
        raise NotImplementedError

    def _forward_event(self, event: Event) -> None:
        if isinstance(event, MouseEvent):
            outside = not self.region.contains(event.x, event.y) and self.app.mouse_captured is None
            if outside or self.takes(event):
                return
        super()._forward_event(event)
