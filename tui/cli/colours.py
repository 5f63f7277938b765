"""Colours for people: on a terminal only, and not where NO_COLOR is set; a pipe gets the plain text."""

from __future__ import annotations

import os
import sys

GREEN, RED, YELLOW, CYAN, DIM, BOLD = "32", "31", "33", "36", "2", "1"

STATUSES = {"applied": GREEN, "sent": YELLOW, "reverted": YELLOW, "superseded": DIM}


class Colours:
    """Colours text for standard output, if that shows colours."""

    def __init__(self) -> None:
        self.on = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def __call__(self, text: str, code: str | None) -> str:
        """Return `text` in a colour, None for none."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and code and text else text

    def diff(self, line: str) -> str:
        """Return a line of a unified diff in its colour; a newline stays at its end."""
        codes = {"+++": BOLD, "---": BOLD, "@@": CYAN, "+": GREEN, "-": RED}
        code = next((code for start, code in codes.items() if line.startswith(start)), None)
        content = line.removesuffix("\n")
        return self(content, code) + line[len(content) :]
