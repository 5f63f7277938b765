"""The life of a reload, as an explicit state machine without processes, clocks or files.

::

    (new) --> invalid                      the text does not parse
    (new) --> applied                      the data equals what runs: nothing to send
    (new) --> failed                       no worker to send it to
    (new) --> sent --> applied             the worker took it
                   --> superseded          the worker took a newer one instead
                   --> rejected            the worker refused it
                   --> failed              the worker ended before it answered
    applied -------> reverted              an automatic rollback took it back
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tui.config.diff import changes, same
from tui.events import Problem, Reload

_NEXT: dict[str, frozenset[str]] = {
    "sent": frozenset({"applied", "superseded", "rejected", "failed"}),
    "applied": frozenset({"reverted"}),
}

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Candidate:
    """New content on its way to become a version: its text and, where that parses, its data.

    Attributes:
        text: The text of the whole file; what could be read of it where it is no text.
        data: The parsed config, or None with a `problem`.
        problem: Why it is invalid.
        source: Where it came from: ``start``, ``disk``, ``editor`` and so on.
        seen: Monotonic seconds of the engine's first sight of it.
    """

    text: str
    data: Data | None
    problem: Problem | None
    source: str
    seen: float


class Reloads:
    """All reloads of one job that still matter to the engine: what runs and what is on its way.

    Attributes:
        running: The version that the worker runs, None before the first and after the worker's end.
        text: The text of the version that runs, or ran last.
        newest: The newest version, 0 before the first.
    """

    def __init__(self, job: str, newest: int = 0) -> None:
        self.job = job
        self.newest = newest
        self.running: int | None = None
        self.text: str | None = None
        self._data: Data | None = None
        self._sent: dict[int, tuple[Reload, Candidate]] = {}

    @property
    def waiting(self) -> Reload | None:
        """The newest reload that the worker has not answered."""
        return next(reversed(self._sent.values()))[0] if self._sent else None

    def begin(self, candidate: Candidate, *, live: bool, step: int | None = None, time: float) -> Reload:
        """Give `candidate` the next version and decide what becomes of it.

        Args:
            candidate: The new content.
            live: There is, or is about to be, a worker that can answer.
            step: The last step known, for a row that is applied without being sent.
            time: Seconds since the epoch.

        Returns:
            The new row. When its status is ``sent`` the caller records it and then sends it.
        """
        self.newest += 1
        row = Reload(self.job, self.newest, "", candidate.source, time=time)
        if candidate.data is None:
            return replace(row, status="invalid", error=candidate.problem)
        row = replace(row, changes=changes(self._data, candidate.data) if self._data is not None else ())
        if not live:
            problem = Problem("the job is not running; its next start takes the file as it is then")
            return replace(row, status="failed", error=problem)
        if self.running is not None and not self._sent and self._data is not None and same(self._data, candidate.data):
            self._run(row.version, candidate)
            return replace(row, status="applied", step=step, latency_ms=0.0)
        row = replace(row, status="sent")
        self._sent[row.version] = (row, candidate)
        return row

    def applied(self, version: int, step: int, at: float, superseded: Iterable[int] = ()) -> list[Reload]:
        """Take the worker's receipt for `version`.

        Args:
            version: What the task took.
            step: Checkpoints completed.
            at: Monotonic seconds at which the task took it.
            superseded: Versions that the worker dropped for it.

        Returns:
            The rows that changed, oldest first.
        """
        rows = [self._answer(old, "superseded", by=version) for old in sorted(superseded) if old in self._sent]
        if version not in self._sent:
            return rows
        candidate = self._sent[version][1]
        assert candidate.data is not None
        now = changes(self._data, candidate.data) if self._data is not None else ()
        latency = round((at - candidate.seen) * 1000, 3)
        rows.append(self._answer(version, "applied", step=step, latency_ms=latency, changes=now))
        self._run(version, candidate)
        return rows

    def ended(self, reason: str) -> list[Reload]:
        """The worker ended: nothing runs, and what it has not answered has failed."""
        rows = [self._answer(version, "failed", error=Problem(reason)) for version in list(self._sent)]
        self.running = None
        return rows

    def _run(self, version: int, candidate: Candidate) -> None:
        self.running = version
        self.text = candidate.text
        self._data = candidate.data

    def _answer(self, version: int, status: str, **fields: Any) -> Reload:
        row = self._sent.pop(version)[0]
        return move(row, status, **fields)


def move(row: Reload, status: str, **fields: Any) -> Reload:
    """Return `row` in its next status.

    Raises:
        ValueError: No reload goes from the one status to the other.
    """
    if status not in _NEXT.get(row.status, frozenset()):
        raise ValueError(f"version {row.version} is {row.status} and can't become {status}")
    return replace(row, status=status, **fields)
