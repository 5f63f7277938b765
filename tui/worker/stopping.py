"""How a task ends that is asked to: by its own means where it has any, else at its next checkpoint.

In this order: one that asks `tui.stopping` ends by itself. Where the process has a handler of its own for the stop
signal, that is the first step, and the engine sends it. Else the next checkpoint raises SystemExit.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` takes longer to import than all of this
import os
import sys

from tui.worker import current, native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

#: A task that has not asked for so many checkpoints does not ask.
CHECKPOINTS = 100

ASKS = "asks"
HANDLER = "handler"
LEAVES = "leaves"


class Stopping:
    """What is known of the stop of one task.

    Args:
        tell: Told how the task ends, whenever that is news.

    Attributes:
        begun: The job is to stop, or to start anew.
        over: Its end has come, and any thread of it that comes to a checkpoint ends there.
        how: One of the three ways, nothing before.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.begun = False
        self.over = False
        self.how = ""
        self._tell = tell
        self._asked: int | None = None

    def ask(self, step: int) -> bool:
        """The task asks whether it is to stop."""
        self._asked = step
        if self.begun and self.how != ASKS:
            self._be(ASKS)
        return self.begun

    def begin(self, number: int | None, step: int) -> None:
        """The job is to stop, by this signal in the end; None where none can be sent."""
        self.begun = True
        if self._asked is not None and step - self._asked <= CHECKPOINTS:
            self._asked = step
            self._be(ASKS)
        else:
            self._be(HANDLER if number is not None and is_handled(number) else LEAVES)

    def force(self, *, over: bool = False) -> None:
        """It has had the time to end by its own means."""
        self.begun = True
        self.over = self.over or over
        self.how = LEAVES

    def leaves(self, step: int) -> bool:
        """Return whether the task ends at this checkpoint."""
        if self.how == ASKS and self._asked is not None and step - self._asked > CHECKPOINTS:
            self._be(LEAVES)
        return self.how in ("", LEAVES)

    def _be(self, how: str) -> None:
        self.how = how
        self._tell(how)


def is_handled(number: int) -> bool:
    """Return whether this process has a handler of its own for a signal, in C too, of which Python does not know."""
    known = _signal.getsignal(number)
    if known in (_on_signal, _signal.default_int_handler):
        return native.is_cooperative()  # gevent has put its own over ours, and Python does not know
    if sys.platform != "linux":
        return known not in (_signal.SIG_DFL, _signal.SIG_IGN)
    with open("/proc/self/status") as file:
        caught = next(line for line in file if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def install(number: int) -> None:
    """Have the stop signal end the main thread as SystemExit, where nobody handles it; in that thread."""
    if native.this_thread() == native.main_thread() and _signal.getsignal(number) == _signal.SIG_DFL:
        _signal.signal(number, _on_signal)


def uninstall() -> None:
    """A process was forked: its signals are its own."""
    for number in range(1, 32):
        if _signal.getsignal(number) is _on_signal:
            _signal.signal(number, _signal.SIG_DFL)


def _on_signal(number: int, _: Any) -> None:
    loop = current.loop if current.joining is None else current.joining.asked_loop()
    if loop is None or not loop.stop.begun:
        _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)  # somebody else's: what it would have done
    elif loop.stop.how != HANDLER:  # else a program that has handled it raises it again, and goes on to its end
        raise SystemExit(0)
