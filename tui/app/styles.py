"""The few tones that text is drawn in; app.tcss takes them from the theme."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from rich.style import Style
from rich.text import Text
from textual.css.styles import RenderStyles
from textual.strip import Strip
from textual.widget import Widget

_FILLED = ("cursor", "cursor-blurred", "badge", "found", "here")

#: The component classes of a widget that draws in tones. A mixin would cut off the CSS of its other bases.
TONES = {f"tone--{name}" for name in ("good", "wait", "bad", "dim", "key", "strong", *_FILLED)}

#: The tones of each widget with the styles that they come from. Textual makes new styles objects whenever a style has
#: changed; its own store of styles is emptied by each refresh.
_known: WeakKeyDictionary[Widget, dict[str, tuple[RenderStyles, Style]]] = WeakKeyDictionary()


def tone(widget: Widget, name: str) -> Style:
    """Return the style of one of the tones; `plain` is no style of its own."""
    if name == "plain":
        return Style.null()
    source = widget._component_styles[f"tone--{name}"]
    tones = _known.setdefault(widget, {})
    if name in tones and tones[name][0] is source:
        return tones[name][1]
    # The whole style, because a colour with transparency is blended in no other.
    style = widget.get_component_rich_style(f"tone--{name}")
    made = Style(
        color=None if name.startswith("cursor") else style.color,
        bgcolor=style.bgcolor if name in _FILLED else None,
        bold=style.bold or None,
    )
    tones[name] = source, made
    return made


def drawn(widget: Widget, text: Text, ground: Style | None = None) -> Strip:
    """Return `text` on the widget's own ground, which need not be found out again where it is known."""
    text.stylize_before(text.style)
    text.stylize_before(ground or widget.rich_style)
    text.end = ""
    # Rich gives an empty text no style, and Textual's filter for NO_COLOR needs one.
    return Strip([segment for segment in text.render(widget.app.console) if segment.text], text.cell_len)
