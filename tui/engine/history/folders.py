"""Where the history and the lock of each config live, one folder for all configs that lie side by side."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tui.engine import paths
from tui.engine.claims import Claim
from tui.engine.history import database, job_history
from tui.engine.history.database import HistoryError
from tui.engine.history.job_history import History
from tui.engine.locks import Lock
from tui.engine.paths import PlaceError


class News(NamedTuple):
    """Something that the user of a config should know."""

    config: Path
    message: str
    severity: str


class HistoryFolders:
    """The open histories and locks of one engine.

    Args:
        owner: Who holds the locks, for the message to another engine.
        presence: The owner's, empty if it has none.

    Attributes:
        problems: Why the history of a config is not kept, or not beside it, by config.
    """

    def __init__(self, owner: str, presence: str = "") -> None:
        self._owner = owner
        self._presence = presence
        self.claims: dict[Path, Claim] = {}
        self._shared: dict[Path, str] = {}  # configs whose file another engine has too, and what was told of it
        self.histories: dict[Path, _HistoryFolder] = {}
        self.in_memory = contextlib.ExitStack()
        self.problems: dict[Path, str] = {}

    def open(self, config: Path, job: str) -> History:
        """Lock `config` for this engine and return the job's history; one in memory where it can't be kept.

        Raises:
            place.PlaceError: Another engine holds the config.
        """
        if config not in self.claims:
            self.claims[config] = Claim(config, self._owner, self._presence)
        folder = None
        try:
            folder = database.folder_of(config)
            home = self.histories.setdefault(folder, _HistoryFolder(folder, self._lock, self.claims))
            home.lock(config)
            kept = home.open(config, job)
        except (HistoryError, OSError) as error:
            self.problems[config] = _unkept_words(config, str(error))
        except sqlite3.Error as error:
            self.problems[config] = _unkept_words(config, f"{folder} holds a history that can't be read: {error}")
        else:
            foreign = database.foreign(config.parent / ".tunedeck") if folder.parent != config.parent else None
            if foreign is not None:
                self.problems[config] = f"the history of {config.name} is kept in {folder}: {foreign}"
            return kept
        return self._unkept(config, job)

    def forget(self, config: Path, job: str) -> None:
        """Keep the history of a job no longer; a config without any is given back to other engines."""
        for home in list(self.histories.values()):
            if home.forget(config, job):
                home.close()
                del self.histories[home.folder]

    def release(self, config: Path) -> None:
        """Give back a config that no job has any more."""
        self.problems.pop(config, None)
        self._shared.pop(config, None)
        if config in self.claims:
            self.claims.pop(config).release()

    def _lock(self, folder: Path, config: Path) -> Lock:
        return Lock(folder, config, self._owner, self._presence)

    def _unkept(self, config: Path, job: str) -> History:
        """Return a history that is not kept: its numbers are, as far as there is a place for them."""
        locks: list[_Holders] = [self.claims, *(home.locks for home in self.histories.values())]
        kept = History(
            self.in_memory.enter_context(contextlib.closing(database.in_memory())),
            config.parent,
            config,
            job,
            job_history.taken(config, job, _left(locks, config)),
            lambda: _note(locks, config, kept.newest()),
        )
        return kept

    def repair(self) -> Iterator[News]:
        """Restore what has been deleted, write what could not be written before, and tell of both."""
        for config in self.claims:
            yield from self.follow(config)
        for home in self.histories.values():
            try:
                restored = home.restore()
            except (HistoryError, PlaceError, OSError, sqlite3.Error) as error:
                yield from self._fail(home.configs, str(error))
                continue
            for config in home.configs:
                yield from self._flush(home, config, restored)

    def follow(self, config: Path) -> Iterator[News]:
        """Lock the file that is there now, if it is still ours to lock, and tell if another engine has it."""
        claim = self.claims.get(config)
        if claim is None:
            return
        try:
            claim.follow()
        except PlaceError as error:
            if self._shared.get(config) != str(error):
                self._shared[config] = str(error)
                yield News(config, f"{error}; from now on both take what is saved in it", "warning")
        else:
            self._shared.pop(config, None)

    def _fail(self, configs: list[Path], reason: str) -> Iterator[News]:
        for config in configs:
            if config not in self.problems:
                self.problems[config] = _unkept_words(config, reason)
                yield News(config, f"the history of {config.name} is no longer kept: {reason}", "error")

    def _flush(self, home: _HistoryFolder, config: Path, restored: bool) -> Iterator[News]:
        late = False
        with contextlib.suppress(sqlite3.Error):  # told when it was to be written first
            late = home.flush(config)
        if restored:
            self.problems.pop(config, None)
            what = f"{home.folder} was deleted: it has been made anew, with the lock and the whole history in it"
            yield News(config, what, "warning")
        elif late:
            yield News(config, f"the history of {config.name} is complete again", "information")

    def close(self) -> None:
        """Write what can be written, close the histories and give the locks back."""
        for _ in self.repair():
            pass  # the viewers have gone
        for home in self.histories.values():
            home.close()
        self.in_memory.close()
        while self.claims:
            self.claims.popitem()[1].release()


def state_folder(config: Path, job: str) -> Path:
    """Return where a job may keep its state over restarts, beside its history; it is made by who uses it."""
    name = re.sub(r"[^\w.-]", "_", f"{config.name}-{job}")[:64]
    digest = hashlib.blake2b(os.fsencode(f"{config.name}\0{job}"), digest_size=4).hexdigest()
    try:
        folder = database.folder_of(config)
    except HistoryError:  # it is told that nothing can be kept there
        folder = paths.sockets_folder()
    return folder / "state" / f"{name}-{digest}"


class _HistoryFolder:
    """One folder: its database, and the locks and histories of the configs that are kept in it."""

    def __init__(self, folder: Path, lock: Callable[[Path, Path], Lock], claims: Mapping[Path, Claim]) -> None:
        self.folder = folder
        self.locks: dict[Path, Lock] = {}
        self._lock = lock
        self.claims = claims
        self._histories: dict[Path, list[History]] = {}
        self.connection: sqlite3.Connection | None = None
        self._opened: os.stat_result | None = None

    @property
    def configs(self) -> list[Path]:
        """The configs whose history is kept here."""
        return list(self._histories)

    def lock(self, config: Path) -> None:
        """Hold a lock of a config that others find: a new one, where there is none or its file has been deleted."""
        before = self.locks.get(config)
        if before is None or not before.intact:
            self.locks[config] = self._lock(self.folder, config)
            if before is not None:
                self.locks[config].note(before.kept)
                before.release()

    def open(self, config: Path, job: str) -> History:
        """Return the history of a job; no row of it is open."""
        if self.connection is None:
            self.connection = database.open_database(self.folder)
            self._opened = database.identity(self.folder)
        taken = job_history.taken(config, job, _left((self.locks, self.claims), config), besides=self.folder)
        kept = History(self.connection, self.folder, config, job, taken, lambda: self._note(config), self.reader)
        kept.newest(), kept.run()  # a damaged one is found here, if it matters
        self._inherit(config, job)
        self._histories.setdefault(config, []).append(kept)
        with contextlib.suppress(sqlite3.Error):  # told when the first row can't be written
            kept.close_open_rows()
        return kept

    def _inherit(self, config: Path, job: str) -> None:
        """Take over the rows that were written in another folder while this one could not be, or while that could."""
        assert self.connection is not None
        for folder in database.folders(config):
            if folder != self.folder and database.exists(folder):
                # What can't be read stays where it is; which numbers it has given is known.
                with contextlib.suppress(HistoryError, sqlite3.Error):
                    own = job_history.key(self.folder, config)
                    database.inherit(self.connection, own, job, folder, job_history.key(folder, config))

    def forget(self, config: Path, job: str) -> bool:
        """Let go the history of a job, and the lock with the last one of a config; return whether nothing is left."""
        kept = [one for one in self._histories.get(config, ()) if one.job != job]
        if kept:
            self._histories[config] = kept
        elif config in self._histories:
            self.flush(config)
            del self._histories[config]
            self.locks.pop(config).release()
        return not self._histories

    def reader(self) -> sqlite3.Connection | None:
        """Open our database once more, to read it in another thread; None while it is not in its place."""
        connection = database.open_database(self.folder, read_only=True)
        if self._gone:
            connection.close()
            return None
        return connection

    def restore(self) -> bool:
        """Make anew what has been deleted; return whether the history was."""
        if self.connection is None:
            return False
        gone = self._gone
        if gone and not self.folder.parent.is_dir():
            raise HistoryError(f"{self.folder.parent} is gone")
        paths.make_folder(self.folder)
        for config in self.locks:
            self.lock(config)
        if gone:
            self._move()
        return gone

    @property
    def _gone(self) -> bool:
        """Our database is no longer in its place."""
        found = database.identity(self.folder)
        return found is None or self._opened is None or not os.path.samestat(found, self._opened)

    def _move(self) -> None:
        """Go on in a new database, with all rows of the old one: as long as it is open it can be read."""
        assert self.connection is not None
        new = database.open_database(self.folder)
        try:
            database.copy(self.connection, new, [job_history.key(self.folder, config) for config in self._histories])
        except BaseException:
            new.close()
            raise
        for kept in self._all():
            kept.move(new)
        database.abandon(self.connection)
        self.connection, self._opened = new, database.identity(self.folder)

    def flush(self, config: Path) -> bool:
        """Write the rows that could not be written before; return whether there were any."""
        late = [kept for kept in self._histories[config] if kept.late]
        for kept in late:
            kept.flush()
        return bool(late)

    def _note(self, config: Path) -> None:
        newest = max(kept.unwritten for kept in self._histories[config])
        _note((self.locks, self.claims), config, newest)

    def _all(self) -> Iterator[History]:
        for histories in self._histories.values():
            yield from histories

    def close(self) -> None:
        """Close the database and give the locks back."""
        if self.connection is not None:
            if self._gone:
                database.abandon(self.connection)
            else:
                self.connection.close()
        for lock in self.locks.values():
            lock.release()


#: What may keep a number for the next holder of a config, by config.
_Holders = Mapping[Path, Lock] | Mapping[Path, Claim]


def _left(holders: Iterable[_Holders], config: Path) -> int:
    """Return the number that the last holder of a config has left in one of its locks."""
    return max((locks[config].left for locks in holders if config in locks), default=0)


def _note(holders: Iterable[_Holders], config: Path, number: int) -> None:
    """Leave a number in each lock of a config: one of the disks may be full."""
    for locks in holders:
        if config in locks:
            locks[config].note(number)


def _unkept_words(config: Path, reason: str) -> str:
    return f"the history of {config.name} is not kept: {reason}"
