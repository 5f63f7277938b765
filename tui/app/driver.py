"""The terminal with a title of its own for as long as the viewer has it, and the old one afterwards.

Meanwhile a row that the terminal takes for too long ends at the edge: else it would go on in the next one.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, cast

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.drivers.linux_driver import LinuxDriver

#: What most terminals send for alt with a digit. Textual takes it for the characters of a Mac's keyboard, which would
#: stand in the config then.
_Alt = Enum("_Alt", {f"DIGIT_{digit}": f"alt+{digit}" for digit in range(1, 10)})  # type: ignore[misc]
cast("dict[str, Any]", ANSI_SEQUENCES_KEYS).update({f"\x1b{digit}": (key,) for digit, key in enumerate(_Alt, 1)})

#: Has the terminal lay its title on a stack, and take it back from there.
PUSH, POP = "\x1b[22;0t", "\x1b[23;0t"
CUT, WRAP = "\x1b[?7l", "\x1b[?7h"


class TitledDriver(LinuxDriver):
    """Textual's own way to the terminal; the title comes and goes with the screen, over suspends too."""

    _title = ""

    def name_window(self, title: str) -> None:
        """Give the terminal a title, harmless text of one line."""
        if title != self._title:
            self._title = title
            self.write(f"\x1b]2;{title}\x07")

    def start_application_mode(self) -> None:
        """Take the terminal."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.write(PUSH + CUT)
        title, self._title = self._title, ""
        if title:
            self.name_window(title)

    def stop_application_mode(self) -> None:
        """Give it back."""
        self.write(POP + WRAP)
        super().stop_application_mode()
