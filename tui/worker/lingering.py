"""What is told of a process that is still here a while after its task has ended."""

from __future__ import annotations

import threading

#: Seconds after the end of a task from which on its process counts as one that does not end.
LINGER = 1.0


def reason(what: str) -> str:
    """Return why a process is still here: what of it has ended, and for what it waits."""
    left = [thread for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread()]
    waits = f"{len(left)} thread{'s' * (len(left) > 1)}" if left else "what it does at its exit"
    return f"{what} has ended, its process waits for {waits}"
