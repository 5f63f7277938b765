"""Long work in Python beside the event loop, in a thread, so that the loop is never kept waiting for long.

Two things would make it wait. A thread gives the interpreter away only after the switch interval, and the loop needs
it several times for one message. And a collection of garbage keeps it for as long as all objects take to be looked
at; a parse makes hundreds of thousands, none of which is garbage before its end.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
A = TypeVar("A")

#: Seconds after which a thread gives way to the loop; by itself Python takes 5 ms.
SWITCH = 0.001

_usual = 0.0  # the switch interval before such work
_running = 0  # how much of such work there is; counted on the loop


async def run(work: Callable[[A], T], text: A) -> T:
    """Return what `work` makes of a text, in a thread of its own."""
    global _running, _usual
    if not _running:
        _usual = sys.getswitchinterval()
    _running += 1
    sys.setswitchinterval(SWITCH)
    gc.disable()
    try:
        return await asyncio.to_thread(work, text)
    finally:
        _running -= 1
        if not _running:
            sys.setswitchinterval(_usual)
            gc.enable()
