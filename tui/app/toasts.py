"""What is said in toasts: each by itself where there is room, all of it together where there are few rows."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from textual.driver import Driver
from textual.notifications import SeverityLevel

from tui.app.pane_layout import LOW
from tui.app.textual_ext.key_queue import KeyQueueApp

#: The most rows that the one toast of a low screen takes; it takes no more than its words.
MOST_ROWS = 3

#: Seconds that it stays, where it is not said for how long.
SECONDS = 6.0

#: How much of a line a toast shows; the whole of it is where it belongs.
MOST_SAID = 240

#: How bad it is, from the harmless on.
SEVERITIES: tuple[SeverityLevel, ...] = ("information", "warning", "error")


@dataclass(frozen=True)
class Said:
    """One thing that the user is told."""

    at: float
    message: str
    title: str
    severity: SeverityLevel
    timeout: float
    markup: bool

    @property
    def whole(self) -> str:
        """All of it, in one line."""
        return (f"{self.title}: {self.message}" if self.title else self.message).replace("\n", " · ")


class ToastApp(KeyQueueApp):
    """Says things in toasts, of which several do not cover a small screen."""

    def __init__(self, driver_class: type[Driver]) -> None:
        super().__init__(driver_class)
        self._new: list[Said] = []
        self._lately: list[Said] = []

    def say(self, message: str, severity: str, title: str) -> None:
        """Say something that somebody else has worded, perhaps at great length; what is bad stays for longer."""
        known = next((one for one in SEVERITIES if one == severity), SEVERITIES[0])
        message = "\n".join(line if len(line) <= MOST_SAID else f"{line[:MOST_SAID]}…" for line in message.split("\n"))
        self.notify(message, title=title, severity=known, timeout=6 if known == SEVERITIES[0] else 12, markup=False)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Say something in a toast, with what is said at the same moment; the size of the screen is known by then."""
        if not self._new:
            self.call_later(self._say)
        self._new.append(Said(time.monotonic(), message, title, severity, timeout or SECONDS, markup))

    def _say(self) -> None:
        new, self._new = self._new, []
        if self.size.height >= LOW:
            for one in new:
                super().notify(
                    one.message, title=one.title, severity=one.severity, timeout=one.timeout, markup=one.markup
                )
            return
        now = time.monotonic()
        self._lately = [one for one in [*self._lately, *new] if now - one.at < one.timeout]
        words = self._lately[0].whole
        if len(self._lately) > 1:
            words = " · ".join(one.title or one.whole for one in self._lately)
        room = MOST_ROWS * (self.size.width - 4)
        words = words if cell_len(words) <= room else f"{set_cell_size(words, room - 1)}…"
        worst = max((one.severity for one in self._lately), key=SEVERITIES.index)
        left = max(one.at + one.timeout for one in self._lately) - now
        self.clear_notifications()
        super().notify(words, severity=worst, timeout=left, markup=False)
