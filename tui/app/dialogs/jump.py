"""Jump mode: a key over each place of the screen; pressing it goes there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.widgets import Static


class Target(NamedTuple):
    """A place to go to: the key that leads there, where that key is shown, and what takes the user there."""

    key: str
    at: Offset
    go: Callable[[], object]


class JumpScreen(ModalScreen[None]):
    """Shows the keys over what is there until one of them, escape or a click.

    Args:
        find: Finds the targets on the screen below, again when the terminal has another size.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,ctrl+o", "dismiss(None)", "Leave")]

    def __init__(self, find: Callable[[], Iterator[Target]]) -> None:
        super().__init__()
        self._find = find

    def compose(self) -> ComposeResult:
        """Yield a label for each target, and what to do with them."""
        for target in self._find():
            label = Static(f" {target.key} ", classes="key")
            label.styles.offset = target.at
            yield label
        yield Static("Press a key to jump there, escape to stay.", id="hint")

    def on_mount(self) -> None:
        """Find the places again whenever the screen below has another layout."""
        below = self.app.screen_stack[-2]
        below.screen_layout_refresh_signal.subscribe(self, lambda _: self.refresh(recompose=True))

    def on_key(self, event: events.Key) -> None:
        """Go to the target of the key; any other key does nothing."""
        target = next((target for target in self._find() if target.key == event.key), None)
        if target is not None:
            event.stop()
            self.dismiss()
            target.go()

    def on_click(self) -> None:
        """Leave as by escape."""
        self.dismiss()
