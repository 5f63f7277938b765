"""The terminal with a title of its own for as long as the viewer has it, and the old one afterwards.

Meanwhile a row that the terminal takes for too long ends at the edge: else it would go on in the next one. Textual has
no way to either, and goes on reading a terminal that is gone (`LinuxDriver.run_input_thread` in
`drivers/linux_driver.py`, Textualize/textual#6690, 1.0 to 8.2.8).
"""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from threading import Thread, main_thread

from textual.drivers.linux_driver import LinuxDriver

from tui.app.textual_ext.terminal_input import TerminalInput

#: Has the terminal lay its title on a stack, and take it back from there.
PUSH, POP = "\x1b[22;0t", "\x1b[23;0t"
CUT, WRAP = "\x1b[?7l", "\x1b[?7h"

#: Seconds after which the thread that reads keys looks whether it is to end.
LOOK = 0.1

#: Seconds that the viewer has to end by itself once its terminal is gone.
GRACE = 1.0


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

    def run_input_thread(self) -> None:
        """Read what the user does until the viewer wants no more, or the terminal is gone.

        Textual's own reads a terminal that is gone for ever, at the cost of a core, and holds up the end of the
        process.
        """
        source = TerminalInput()
        while not self.exit_event.is_set() and main_thread().is_alive():
            for message in source.expire(time.monotonic()):
                self.process_message(message)
            due = source.deadline
            wait = LOOK if due is None else max(0.0, min(LOOK, due - time.monotonic()))
            if not select.select([self.fileno], [], [], wait)[0]:
                continue
            data = self._read()
            if data == b"":
                Thread(target=_hang_up, name="hang-up", daemon=True).start()
                return
            for message in source.feed(data or b"", time.monotonic()):
                self.process_message(message)

    def _read(self) -> bytes | None:
        """Return what has come, empty where nothing ever will, None where another process has taken it."""
        try:
            return os.read(self.fileno, 1 << 12)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in (errno.EIO, errno.ENXIO):
                raise
            return b""


def _hang_up() -> None:
    """End the viewer, which nobody sees any more: the terminal sends SIGHUP to its own session only.

    A viewer owns no job and no file, and may be in the middle of anything: what does not end by itself is ended.
    """
    os.kill(os.getpid(), signal.SIGHUP)
    time.sleep(GRACE)
    os._exit(128 + signal.SIGHUP)
