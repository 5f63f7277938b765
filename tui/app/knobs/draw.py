"""How a knob looks in its row: parts of text, each with the name of its tone."""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from tui.app.knobs.rack import Knob, Rack
from tui.app.sanitize import plain

Parts = list[tuple[str, str]]

#: A slider has at most so many cells, and is left out where it would have less than the second.
SLIDER, LEAST = 24, 6

#: Cells for a value, unless it is shorter.
MOST_VALUE = 14


class ColumnWidths(NamedTuple):
    """How wide the names, the values and the sliders are."""

    name: int
    value: int
    slider: int


def columns(knobs: list[Knob], width: int) -> ColumnWidths:
    """Return the widths for some rows."""
    name = min(max((cell_len(knob.key) for knob in knobs), default=0), max(width * 2 // 5, 8))
    value = max((cell_len(knob.text) for knob in knobs), default=0)
    value = min(max(value, 4), MOST_VALUE, max(width - name - 8, 1))
    rest = width - name - value - 8
    slider = min(rest * 2 // 5, SLIDER)
    return ColumnWidths(name, value, slider if slider >= LEAST else 0)


def row(rack: Rack, knob: Knob, widths: ColumnWidths, width: int) -> Parts:
    """Return the row of a knob."""
    text = rack.text(knob)
    turned = knob.key in rack.wanted
    marks = [("↻" if knob.restarts else " ", "wait"), ("●" if turned else "▎" if rack.changed(knob) else " ", "wait")]
    value = "wait" if turned else "strong"
    parts = [*marks, (f" {_fit(plain(knob.key), widths.name)}  ", "key"), (_fit(plain(text), widths.value), value)]
    parts.append(("  ", "plain"))
    parts += _control(knob, text, widths.slider)
    note, how = _note(rack, knob)
    room = width - sum(cell_len(part) for part, _ in parts) - 1
    if note and room > 0:
        parts.append((f" {_fit(note, room)}", how))
    return parts


def said(rack: Rack, knob: Knob) -> str:
    """Return all that has become of a turned knob, for where there is more room than in its row; empty for nothing."""
    key, text = knob.key, plain(knob.text)
    if key in rack.news:
        return f"changed on disk to {text}: enter sends yours, escape takes it"
    if key in rack.refused:
        return f"✗ {plain(rack.refused[key])}"
    if key in rack.wanted and rack.waits(key):
        return f"the file has {text}, enter {'restarts the job with it' if knob.restarts else 'sends it'}"
    return ""


def _note(rack: Rack, knob: Knob) -> tuple[str, str]:
    """Return what is to be said of a knob in its row: the worst first."""
    key, text = knob.key, plain(knob.text)
    if key in rack.news:
        return f"▲ now {text}", "bad"
    if key in rack.refused:
        return f"✗ {plain(rack.refused[key])}", "bad"
    if key in rack.sent:
        return f"was {text} …", "dim"
    if key in rack.wanted:
        return f"was {text}{' ⏎ restarts' if knob.restarts else ' ⏎ sends' if rack.waits(key) else ''}", "wait"
    return (f"began {plain(rack.start[key])}", "dim") if rack.changed(knob) else ("", "dim")


def _control(knob: Knob, text: str, size: int) -> Parts:
    """Return what shows where a value stands among those that it can have."""
    choices = knob.schema.get("enum")
    if not size:
        return []
    if isinstance(choices, list) and choices:
        return [(_fit(f"one of {len(choices)}", size), "dim")]
    if text.lower() in ("true", "false"):
        on = text.lower() == "true"
        return [("━●" if on else "●━", "good" if on else "dim"), (_fit(" on" if on else " off", size - 2), "dim")]
    part = knob.part(text)
    if part is None:
        return [(" " * size, "plain")]
    at = round(part * (size - 1))
    return [("━" * at, "key"), ("●", "strong"), ("─" * (size - 1 - at), "dim")]


def _fit(text: str, width: int) -> str:
    """Return a text of exactly that width; one that is cut has a sign."""
    return set_cell_size(text, width) if cell_len(text) <= width else f"{set_cell_size(text, max(width - 1, 0))}…"
