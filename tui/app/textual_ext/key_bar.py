"""The line at the bottom: the keys of the pane in use.

Textual's own `Footer` (`bindings_changed` in `widgets/_footer.py`, 1.0 to 8.2.8) makes a widget for each key anew
whenever the focus moves, which takes as long as all else that happens then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.screen import Screen
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from tui.app.styles import TONES, drawn, tone

#: Of the keys of everywhere so many come before those of the pane that their bindings do not want shown.
SURE = 10

#: From this rank on, keys are shown only where there is room to spare.
SPARE = 500

_BOLD = Style(bold=True)


#: Seconds for which something is said in the place of the keys.
SAID = 4.0


class _Key(NamedTuple):
    """A key and what it says.

    Attributes:
        key: As its binding names it.
        shown: As it is shown.
        label: What it does.
        tip: More about it.
        enabled: Whether it does that now.
        rank: The one with the highest goes first where there is little room.
    """

    key: str
    shown: str
    label: str
    tip: str
    enabled: bool
    rank: int

    @property
    def width(self) -> int:
        """In cells; all of it is plain text."""
        return len(self.shown) + 1 + len(self.label)


class KeyBar(Widget):
    """The keys that do something where the focus is, on one line; a click presses one.

    The keys of the pane come first, then those of everywhere; what a binding does not want shown comes after them,
    where there is room.

    Args:
        ranks: The ids of the keys of everywhere, those that matter most first.
        last: The ids of those at the end, which are always there.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    def __init__(self, ranks: Sequence[str], last: Sequence[str]) -> None:
        super().__init__()
        self._ranks = ranks
        self._last = last
        self._keys: list[_Key] = []
        self._spans: list[tuple[int, int, _Key]] = []
        self._under: _Key | None = None  # the one under the pointer
        self._said = ""
        self._ends: Timer | None = None

    def on_mount(self) -> None:
        """Follow the focus."""
        self.screen.bindings_updated_signal.subscribe(self, self._take)

    def say(self, words: str) -> None:
        """Say something in the place of the keys, for a moment."""
        self._said = words
        if self._ends is not None:
            self._ends.stop()
        self._ends = self.set_timer(SAID, self._hush)
        self.refresh()

    def _hush(self) -> None:
        if self._said:
            self._said = ""
            self.refresh()

    def _take(self, screen: Screen[object]) -> None:
        actions: dict[str, _Key] = {}
        for _, binding, enabled, tooltip in screen.active_bindings.values():
            if binding.description and (binding.show or binding.id is not None):
                shown = self.app.get_key_display(binding)
                key = _Key(binding.key, shown, binding.description, tooltip, enabled, self._rank(binding))
                actions.setdefault(binding.action, key)
        keys = sorted(actions.values(), key=lambda key: key.rank)
        self._hush()
        if keys != self._keys:
            self._keys = keys
            self.refresh()

    def _rank(self, binding: Binding) -> int:
        if binding.id in self._last:
            return -1
        if binding.id in self._ranks:
            place = self._ranks.index(binding.id)
            return place + (100 if place < SURE else 1000)
        return 0 if binding.show else SPARE

    def _fitting(self, room: int) -> tuple[list[_Key], int]:
        """Return the keys that have room, by their ranks, and the gap between them: closer, before one is left out."""
        for gap in (2, 1):
            kept, width = [], -gap
            for key in self._keys:
                if width + gap + key.width > room:
                    break
                kept.append(key)
                width += gap + key.width
            if len(kept) == len(self._keys) or (kept and kept[-1].rank >= SPARE):
                break
        return kept, gap

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """Return the line."""
        room = self.size.width
        line = Text()
        self._spans.clear()
        if self._said:
            line.append(self._said, tone(self, "wait"))
            line.truncate(room, overflow="ellipsis")
            return drawn(self, line)
        keys, gap = self._fitting(room)
        last = [key for key in keys if key.rank < 0]
        for key in [*(key for key in keys if key.rank >= 0), *last]:
            self._add(line, key)
            line.append(" " * gap)
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
