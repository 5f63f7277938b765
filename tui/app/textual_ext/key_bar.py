"""The line at the bottom: the keys of the pane in use.

Textual's own `Footer` (`bindings_changed` in `widgets/_footer.py`, 1.0 to 8.2.8) makes a widget for each key anew
whenever the focus moves, which takes as long as all else that happens then.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rich.style import Style
from rich.text import Text
from textual import events
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from tui.app.styles import TONES, drawn, tone

_BOLD = Style(bold=True)


class _Key(NamedTuple):
    """A key and what it says.

    Attributes:
        key: As its binding names it.
        shown: As it is shown.
        label: What it does.
        tip: More about it.
        enabled: Whether it does that now.
    """

    key: str
    shown: str
    label: str
    tip: str
    enabled: bool

    @property
    def width(self) -> int:
        """In cells; all of it is plain text."""
        return len(self.shown) + 1 + len(self.label)


class KeyBar(Widget):
    """The keys that do something where the focus is, on one line; a click presses one."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[_Key] = []
        self._last: _Key | None = None  # the palette's, at the right end
        self._spans: list[tuple[int, int, _Key]] = []
        self._under: _Key | None = None  # the one under the pointer

    def on_mount(self) -> None:
        """Follow the focus."""
        self.screen.bindings_updated_signal.subscribe(self, self._take)

    def _take(self, screen: Screen[object]) -> None:
        actions: dict[str, _Key] = {}
        last = None
        for _, binding, enabled, tooltip in screen.active_bindings.values():
            key = _Key(binding.key, self.app.get_key_display(binding), binding.description, tooltip, enabled)
            if binding.key == self.app.COMMAND_PALETTE_BINDING:
                last = key
            elif binding.show:
                actions.setdefault(binding.action, key)
        keys = list(actions.values())
        if (keys, last) != (self._keys, self._last):
            self._keys, self._last = keys, last
            self.refresh()

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """Return the line: where there is little room, the keys stand closer, then the palette's is left out.

        After it those before the last two, help and quit: the help has them all.
        """
        room = self.size.width
        keys, last = self._keys.copy(), self._last

        def width(gap: int) -> int:
            return sum(key.width + gap for key in keys) + (last.width if last is not None else -gap)

        gap = 2 if width(2) <= room else 1
        if width(gap) > room:
            last = None
        while width(gap) > room and len(keys) > 2:
            del keys[-3]
        line = Text()
        self._spans.clear()
        for key in keys:
            self._add(line, key)
            line.append(" " * gap)
        if last is not None:
            line.append(" " * (room - last.width - line.cell_len))
            self._add(line, last)
        line.truncate(room)
        line.pad_right(room - line.cell_len)
        return drawn(self, line)

    def _add(self, line: Text, key: _Key) -> None:
        begin = line.cell_len
        dim, bright = tone(self, "dim"), tone(self, "key") + _BOLD
        ground = tone(self, "cursor-blurred") if key == self._under else Style.null()
        line.append(key.shown, (bright if key.enabled else dim) + ground)
        line.append(f" {key.label}", dim + ground)
        self._spans.append((begin, line.cell_len, key))

    def _at(self, x: int) -> _Key | None:
        x -= self.gutter.left
        return next((key for begin, end, key in self._spans if begin <= x < end), None)

    def _point(self, key: _Key | None) -> None:
        if key != self._under:
            self._under = key
            self.tooltip = key.tip if key is not None and key.tip else None
            self.refresh()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Mark the key under the pointer."""
        self._point(self._at(event.x))

    def on_leave(self) -> None:
        """Mark none."""
        self._point(None)

    def on_click(self, event: events.Click) -> None:
        """Press the key under the pointer."""
        key = self._at(event.x)
        if key is not None and key.enabled:
            self.app.simulate_key(key.key)
