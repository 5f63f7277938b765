"""Whose code runs here: known to `tui`, which a task asks, and to the worker, which says it.

It is all that `import tui` takes with it, and imports nothing that takes its time.
"""

from __future__ import annotations

import os as _os

TYPE_CHECKING = False  # `typing` takes five times as long to import as all of this
if TYPE_CHECKING:
    from contextvars import ContextVar as _ContextVar
    from typing import Any

    from tui.worker.loop import Loop
else:
    from _contextvars import ContextVar as _ContextVar  # what `contextvars` is made of, without its import

#: The reload loop of this process, where the process is one job's: any thread of a framework may come to it.
loop: Loop | None = None
#: The reload loop of the job whose code runs here, where one process hosts many jobs.
hosted: _ContextVar[Loop | None] = _ContextVar("tunedeck", default=None)
# The worker sets them; a process forked from the worker clears them.

#: Where the deck listens of which this process is to become a part by its first checkpoint; None for none.
address: str | None = _os.environ.get("TUNEDECK") or None

#: The module by which this process joins, imported where it may: not by the first checkpoint, since a process that is
#: forked just then could never import it.
joining: Any = None

#: There may be an address, or jobs that this process hosts.
inside = address is not None


class Done(Exception):  # noqa: N818 - it is no error
    """Raised by a task to end the job as finished."""

    __module__ = "tui"
