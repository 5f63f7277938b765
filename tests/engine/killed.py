"""What the system does when an engine is killed, within one process."""

from __future__ import annotations

import os

from tui.engine.history.folders import HistoryFolders
from tui.engine.locks import Lock


def kill(homes: HistoryFolders) -> None:
    """Give the locks of an engine back, as the end of its process does: their files stay."""
    locks: list[Lock] = [lock for claim in homes.claims.values() for lock in claim.locks.values()]
    for lock in [*locks, *(lock for home in homes.histories.values() for lock in home.locks.values())]:
        os.close(lock.descriptor)
    for claim in homes.claims.values():
        if claim.pin is not None:
            os.close(claim.pin)
    for home in homes.histories.values():
        if home.connection is not None:
            home.connection.close()
    homes.in_memory.close()
