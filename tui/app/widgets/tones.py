"""The few tones that text is drawn in, taken from the theme by component classes."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.strip import Strip
from textual.widget import Widget

_FILLED = ("cursor", "cursor-blurred", "badge")


class Toned(Widget):
    """A widget that draws its own text in the deck's tones."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tone--good",
        "tone--wait",
        "tone--bad",
        "tone--dim",
        "tone--key",
        "tone--strong",
        "tone--cursor",
        "tone--cursor-blurred",
        "tone--badge",
    }

    DEFAULT_CSS = """
    Toned {
        .tone--good { color: $text-success; }
        .tone--wait { color: $text-warning; }
        .tone--bad { color: $text-error; }
        .tone--dim { color: $foreground 55%; }
        .tone--key { color: $text-primary; }
        .tone--strong { color: $foreground; text-style: bold; }
        .tone--cursor { background: $block-cursor-background; text-style: bold; }
        .tone--cursor-blurred { background: $foreground 8%; }
        .tone--badge { color: $background; background: $primary; text-style: bold; }
    }
    """

    def tone(self, name: str) -> Style:
        """Return the style of one of the tones; `plain` is no style of its own."""
        if name == "plain":
            return Style.null()
        # The whole style, because a colour with transparency is blended in no other.
        style = self.get_component_rich_style(f"tone--{name}")
        filled = style.bgcolor if name in _FILLED else None
        color = None if name.startswith("cursor") else style.color
        return Style(color=color, bgcolor=filled, bold=style.bold or None)

    def strip(self, text: Text) -> Strip:
        """Return `text` on the widget's own ground."""
        text.stylize_before(text.style)
        text.stylize_before(self.rich_style)
        text.end = ""
        return Strip(text.render(self.app.console), text.cell_len)
