"""The few tones that text is drawn in; app.tcss takes them from the theme."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.strip import Strip
from textual.widget import Widget

_FILLED = ("cursor", "cursor-blurred", "badge")

#: The component classes of a widget that draws in tones. A mixin would cut off the CSS of its other bases.
TONES = {f"tone--{name}" for name in ("good", "wait", "bad", "dim", "key", "strong", *_FILLED)}


def tone(widget: Widget, name: str) -> Style:
    """Return the style of one of the tones; `plain` is no style of its own."""
    if name == "plain":
        return Style.null()
    # The whole style, because a colour with transparency is blended in no other.
    style = widget.get_component_rich_style(f"tone--{name}")
    return Style(
        color=None if name.startswith("cursor") else style.color,
        bgcolor=style.bgcolor if name in _FILLED else None,
        bold=style.bold or None,
    )


def drawn(widget: Widget, text: Text) -> Strip:
    """Return `text` on the widget's own ground."""
    text.stylize_before(text.style)
    text.stylize_before(widget.rich_style)
    text.end = ""
    return Strip(text.render(widget.app.console), text.cell_len)
