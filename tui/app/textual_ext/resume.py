"""The terminal after the viewer was stopped and goes on.

Textual sees SIGTSTP come, but nobody can see SIGSTOP (`LinuxDriver._sigcont_application` in `drivers/linux_driver.py`,
0.48 to 8.2.8).
"""

from __future__ import annotations

from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver


def resume(driver: Driver | None) -> None:
    """Take the terminal again after SIGCONT.

    Textual alone would start its threads a second time, of which the first go on
    reading keys and never end, and leave the terminal raw in the end.
    """
    if isinstance(driver, LinuxDriver) and driver._auto_restart:
        if not driver._must_signal_resume:
            driver.suspend_application_mode()
            driver._must_signal_resume = True
        driver.resume_application_mode()
