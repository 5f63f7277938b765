"""The questions to somebody whose unsaved text clashes with what is on disk."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from tui.app import formatting
from tui.app.dialogs.dialog import Choice, Dialog
from tui.app.sanitize import plain
from tui.protocol.messages import Clash

MINE = Choice("m", "mine", "keep mine", "write your text over theirs")
THEIRS = Choice("t", "theirs", "take theirs", "load their text; undo brings yours back")
MY_VALUES = Choice("m", "mine", "keep mine", "and save; all else is merged")
THEIR_VALUES = Choice("t", "theirs", "take theirs", "into your text; undo brings yours back")
EACH = Choice("e", "each", "choose for each key")
DIFFERENCE = Choice("d", "difference", "show the difference")

_NAMES = ("", "before", "mine", "theirs")
_MOST = 14  # cells of a value, so that three stand beside the key


def ask_whose_text(name: str, clashes: Sequence[Clash]) -> Dialog:
    """Return the question what to do with a file that somebody else has changed."""
    title = f"{name} was changed on disk"
    if not any(clash.key for clash in clashes):
        body = "It was written by somebody else since you began to edit it. Nothing was overwritten."
        return Dialog(title, body, [MINE, THEIRS, DIFFERENCE])
    body = f"Nothing was overwritten. Both sides have changed:\n\n{table(clashes)}"
    each = [EACH] if len(clashes) > 1 else []
    return Dialog(title, body, [MY_VALUES, THEIR_VALUES, *each, DIFFERENCE])


def ask_whose_value(clash: Clash) -> Dialog:
    """Return the question whose value of one key counts."""
    choices = [
        Choice("m", "mine", f"mine    {_value(clash.mine)}"),
        Choice("t", "theirs", f"theirs  {_value(clash.theirs)}"),
    ]
    return Dialog(plain(clash.key), f"before  {_value(clash.base)}", choices)


def table(clashes: Sequence[Clash]) -> str:
    """Return the keys that clash, a line for each: what it was, and what each wants."""
    rows = [_NAMES, *((plain(clash.key), *map(_value, (clash.base, clash.mine, clash.theirs))) for clash in clashes)]
    widths = [max(cell_len(row[column]) for row in rows) for column in range(4)]
    widths[1:] = [min(width, _MOST) for width in widths[1:]]
    return "\n".join(
        "  ".join(_fit(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _fit(cell: str, width: int) -> str:
    return set_cell_size(cell, width) if cell_len(cell) <= width else f"{set_cell_size(cell, width - 1)}…"


def _value(value: object) -> str:
    return "–" if value is None else formatting.value(value)
