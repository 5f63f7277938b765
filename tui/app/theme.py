"""The deck's own theme, and the editor's colours for whatever theme is on."""

from __future__ import annotations

from rich.style import Style
from textual.theme import Theme
from textual.widgets.text_area import TextAreaTheme

DECK = Theme(
    name="tunedeck",
    primary="#4fc1c9",
    secondary="#7f9bd1",
    accent="#4fc1c9",
    foreground="#c8d0da",
    background="#0d1117",
    surface="#0d1117",
    panel="#161c25",
    success="#7bc275",
    warning="#e0af4f",
    error="#ef6b73",
    dark=True,
    variables={
        "border": "#4fc1c9",
        "border-blurred": "#2b3442",
        "block-cursor-background": "#1f3a44",
        "block-cursor-foreground": "#e6edf3",
        "block-cursor-text-style": "none",
        "footer-background": "#0d1117",
        "footer-foreground": "#8a96a5",
        "footer-description-foreground": "#8a96a5",
        "footer-key-foreground": "#4fc1c9",
        "input-cursor-background": "#e6edf3",
        "input-cursor-foreground": "#0d1117",
        "input-selection-background": "#2a4a68",
        "scrollbar": "#2b3442",
        "scrollbar-hover": "#3b4759",
        "scrollbar-active": "#4fc1c9",
        "scrollbar-background": "#0d1117",
        "scrollbar-background-hover": "#0d1117",
        "scrollbar-background-active": "#0d1117",
        "screen-selection-background": "#2a4a68",
    },
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
