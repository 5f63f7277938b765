"""What the system does when an engine is killed, within one process."""

from __future__ import annotations

import os

from tui.engine.history.folders import HistoryFolders
from tui.engine.locks import Lock


def kill(homes: HistoryFolders) -> None:
    """Give the locks of an engine back, as the end of its process does: their files stay."""
    locks: list[Lock] = [lock for claim in homes._claims.values() for lock in claim._locks.values()]
    for lock in [*locks, *(lock for home in homes._homes.values() for lock in home.locks.values())]:
        os.close(lock._descriptor)
    for claim in homes._claims.values():
        if claim._pin is not None:
            os.close(claim._pin)
    for home in homes._homes.values():
        if home._connection is not None:
            home._connection.close()
    homes._in_memory.close()
