"""The deck's own themes, dark and light, and the editor's colours for whatever theme is on."""

from __future__ import annotations

from rich.style import Style
from textual.theme import Theme
from textual.widgets.text_area import TextAreaTheme


def _theme(name: str, dark: bool, *, ground: str, panel: str, text: str, quiet: str, line: str, **tones: str) -> Theme:
    """Return a theme: one accent, calm surfaces; all else that is drawn follows from these colours."""
    accent, chosen = tones["accent"], tones["chosen"]
    return Theme(
        name=name,
        primary=accent,
        secondary=tones["secondary"],
        accent=accent,
        foreground=text,
        background=ground,
        surface=ground,
        panel=panel,
        success=tones["success"],
        warning=tones["warning"],
        error=tones["error"],
        dark=dark,
        variables={
            "border": accent,
            "border-blurred": line,
            "block-cursor-background": tones["cursor"],
            "block-cursor-foreground": text,
            "block-cursor-text-style": "none",
            "input-cursor-background": text,
            "input-cursor-foreground": ground,
            "input-selection-background": chosen,
            "scrollbar": line,
            "scrollbar-hover": quiet,
            "scrollbar-active": accent,
            "scrollbar-background": ground,
            "scrollbar-background-hover": ground,
            "scrollbar-background-active": ground,
            "screen-selection-background": chosen,
        },
    )


DARK = _theme(
    "tunedeck",
    dark=True,
    ground="#0d1117",
    panel="#161c25",
    text="#c8d0da",
    quiet="#8a96a5",
    line="#2b3442",
    accent="#4fc1c9",
    secondary="#7f9bd1",
    success="#7bc275",
    warning="#e0af4f",
    error="#ef6b73",
    cursor="#1f3a44",
    chosen="#2a4a68",
)

LIGHT = _theme(
    "tunedeck-light",
    dark=False,
    ground="#fbfbf9",
    panel="#efefea",
    text="#24292f",
    quiet="#636c76",
    line="#cfd3d8",
    accent="#0b6b75",
    secondary="#3f5fa8",
    success="#2c6e2f",
    warning="#8a5a00",
    error="#b3261e",
    cursor="#d5eaec",
    chosen="#bcd7f2",
)


def editor_theme(variables: dict[str, str]) -> TextAreaTheme:
    """Return the colours of YAML for a theme with these variables, so that the editor suits all of them."""

    def style(name: str, italic: bool = False) -> Style:
        color = variables[name].split()[0]
        return Style(color=color if color.startswith("#") else None, italic=italic)

    quiet = (
        Style(color=variables["foreground"].split()[0], dim=True) if "#" in variables["foreground"] else Style(dim=True)
    )
    return TextAreaTheme(
        name="deck",
        syntax_styles={
            "yaml.field": style("text-primary"),
            "string": style("text-success"),
            "string.escape": style("text-warning"),
            "number": style("text-warning"),
            "boolean": style("text-warning"),
            "constant.builtin": style("text-warning", italic=True),
            "comment": quiet + Style(italic=True),
            "type": style("text-secondary"),
            "preproc": style("text-secondary"),
            "punctuation.delimiter": quiet,
            "punctuation.bracket": quiet,
            "punctuation.special": style("text-secondary"),
            "error": style("text-error"),
        },
    )
