"""Where the history and the lock of each config live, one folder for all configs that lie side by side."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import IO

from tui.engine import history, place
from tui.engine.history import History, HistoryError


class Homes:
    """The open histories and locks of one engine.

    Args:
        owner: Who holds the locks, for the message to another engine.

    Attributes:
        problems: Why the history of a config is not kept, by config.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._databases: dict[Path, sqlite3.Connection] = {}
        self._folders: dict[Path, Path | None] = {}
        self._locks: list[IO[str]] = []
        self.problems: dict[Path, str] = {}

    def open(self, config: Path, job: str) -> History:
        """Lock `config` for this engine and return the job's history; one in memory where it can't be kept.

        Raises:
            place.PlaceError: Another engine holds the config.
        """
        if config not in self._folders:
            self._folders[config] = self._lock(config)
        folder = self._folders[config]
        try:
            if folder is None:
                raise HistoryError(self.problems[config])
            if folder not in self._databases:
                self._databases[folder] = history.open_database(folder)
            kept = History(self._databases[folder], folder, config, job)
            kept.close_open_rows()
        except (HistoryError, sqlite3.Error) as error:
            self.problems[config] = str(error)
            kept = History(history.in_memory(), config.parent, config, job)
        return kept

    def close(self) -> None:
        """Close the histories and give the locks back."""
        for connection in self._databases.values():
            connection.close()
        for lock in self._locks:
            lock.close()

    def _lock(self, config: Path) -> Path | None:
        try:
            folder = history.folder_of(config)
            self._locks.append(place.lock(folder, config, self._owner))
        except (HistoryError, OSError) as error:
            self.problems[config] = str(error)
            return None
        return folder
