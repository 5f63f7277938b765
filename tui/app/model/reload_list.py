"""The reloads of a job as a viewer has them: the newest always, older ones while they are looked at."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from operator import neg
from typing import Any

from tui.protocol import messages
from tui.protocol.messages import Change, Effect, Reload

#: So many rows are kept: those that were looked at last, and the newest of all.
MOST_ROWS = 4_000
ALWAYS = 400


#: Where a key is not.
_ABSENT = object()


def _sides(change: Change) -> tuple[tuple[bool, Any], tuple[bool, Any]]:
    return (change.added, change.old), (change.removed, change.new)


class ReloadList:
    """The reloads of a job by version, each in its last status. What was not told yet has a place all the same.

    Attributes:
        oldest: The oldest version of the history, as far as that is known.
        newest_version: The newest version, 0 before the first.
        verdicts: So many were told as news.
        judged: Something is known of the effect of a change.
        touched: The versions that were told since somebody began to listen; None while nobody does.
    """

    def __init__(self) -> None:
        self.oldest = 1
        self.newest_version = 0
        self.verdicts = 0
        self.judged = False
        self.touched: set[int] | None = None
        self.by_version: dict[int, Reload] = {}
        self._gone: set[int] = set()

    @property
    def versions(self) -> range:
        """All versions, newest first."""
        return range(self.newest_version, self.oldest - 1, -1)

    def known(self) -> list[Reload]:
        """Return the rows that are here, oldest first."""
        return [self.by_version[version] for version in sorted(self.by_version)]

    def put(self, reload: Reload) -> None:
        """Add a reload or bring its row up to date."""
        self.newest_version = max(self.newest_version, reload.version)
        self.oldest = min(self.oldest, reload.version)
        self._touch(reload.version)
        self.by_version[reload.version] = reload
        self.judged = self.judged or bool(reload.effect)

    def take_page(self, first: int, last: int, rows: Iterable[Reload], oldest: int) -> None:
        """Take a page of older rows; a version without one in it is not in the history."""
        self.oldest = max(self.oldest, oldest)
        self._gone.update(range(first, last + 1))
        for row in rows:
            self._gone.discard(row.version)
            # What came as news meanwhile is newer.
            self.by_version.setdefault(row.version, row)
            self.judged = self.judged or bool(row.effect)

    def forget(self, kept: int) -> None:
        """Forget the rows that are farthest from version `kept`, if they have become too many."""
        if len(self.by_version) > MOST_ROWS:
            lowest = self.newest_version - ALWAYS
            far = sorted(
                (version for version in self.by_version if version <= lowest), key=lambda one: -abs(one - kept)
            )
            for version in far[: MOST_ROWS // 2]:
                del self.by_version[version]

    def missing(self, versions: Iterable[int]) -> list[int]:
        """Return those of which no row was told yet."""
        return [version for version in versions if version not in self.by_version and version not in self._gone]

    def add(self, said: messages.Noted | messages.Judged) -> bool:
        """Take in what is said of a version, by somebody or by its metrics; return whether its row is here."""
        return self.note(said) if isinstance(said, messages.Noted) else self.judge(said)

    def note(self, noted: messages.Noted) -> bool:
        """Take in what somebody says of a version; return whether its row is here."""
        self._touch(noted.version)
        row = self.by_version.get(noted.version)
        if row is not None:
            self.by_version[row.version] = replace(row, note=noted.note, tag=noted.tag)
        return row is not None

    def judge(self, found: messages.Judged) -> bool:
        """Take in what is found of the effect of a version; return whether its row is here."""
        self._touch(found.version)
        self.judged = True
        self.verdicts += found.verdict is not None
        row = self.by_version.get(found.version)
        if row is None:
            return False
        effect = Effect(**{item.name: getattr(found, item.name) for item in fields(Effect)})
        at = next((place for place, known in enumerate(row.effect) if known.metric == effect.metric), len(row.effect))
        self.by_version[row.version] = replace(row, effect=(*row.effect[:at], effect, *row.effect[at + 1 :]))
        return True

    def _touch(self, version: int) -> None:
        if self.touched is not None:
            self.touched.add(version)

    def get(self, version: int | None) -> Reload | None:
        """Return the reload with that version, if it is here."""
        return None if version is None else self.by_version.get(version)

    def is_gone(self, version: int) -> bool:
        """Tell whether the history has no such version."""
        return version in self._gone

    def gone_back_to(self, version: int) -> int | None:
        """Return the newest version with the values of a rollback, as far as the rows that are here tell."""
        row = self.get(version)
        if row is None or row.source not in ("rollback", "guard"):
            return None
        moved: dict[str, list[Any]] = {}  # what each key was then, and is in `version`
        while row is not None and row.base is not None:
            for change in row.changes:
                then, now = (_ABSENT if gone else value for gone, value in _sides(change))
                moved.setdefault(change.key, [then, now])[0] = then
                if moved[change.key][0] == moved[change.key][1]:
                    del moved[change.key]
            row = self.get(row.base)
            if not moved and row is not None:
                return row.version
        return None

    @property
    def newest(self) -> Reload | None:
        """The newest reload."""
        return self.get(self.newest_version)

    def waiting(self) -> Reload | None:
        """Return the newest reload that is on its way to the task, if there is one."""
        newest = (self.get(version) for version in self.versions[:20])
        return next((row for row in newest if row is not None and row.status == "sent"), None)


def index_of(versions: Sequence[int], version: int) -> int:
    """Return where a version stands among these, newest first, or where it would."""
    return bisect_left(versions, -version, key=neg)
