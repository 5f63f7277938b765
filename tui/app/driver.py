"""The terminal with a title of its own for as long as the viewer has it, and the old one afterwards.

Meanwhile a row that the terminal takes for too long ends at the edge: else it would go on in the next one.
"""

from __future__ import annotations

from textual.drivers.linux_driver import LinuxDriver

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
