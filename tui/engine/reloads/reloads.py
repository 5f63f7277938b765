"""The life of a reload, as an explicit state machine without processes, clocks or files.

::

    (new) --> invalid                      the text does not parse
    (new) --> applied                      the data equals what runs: nothing to send
    (new) --> failed                       no worker to send it to
    (new) --> superseded                   a newer one came before it was checked
    (new) --> sent --> applied             the worker took it
                   --> superseded          the worker took a newer one instead
                   --> rejected            the worker refused it, whether the task runs or was to start with it
                   --> failed              the worker ended before it answered
                   --> reverted            a new worker died of it, the last good version was started again
    applied -------> reverted              an automatic rollback took it back
"""

from __future__ import annotations

import time as wall
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from tui.config.diff import changes, same
from tui.config.problems import Error, problem_of
from tui.engine.deck.spec import SETTLE, ProbationPeriod
from tui.engine.reloads.candidate import Candidate, Data
from tui.engine.reloads.effective import effective
from tui.engine.reloads.probation import Probation
from tui.protocol.messages import Problem, Reload

_NEXT: dict[str, frozenset[str]] = {
    "sent": frozenset({"applied", "superseded", "rejected", "failed", "reverted"}),
    "applied": frozenset({"reverted"}),
}


class Reloads:
    """All reloads of one job that still matter to the engine: what runs and what is on its way.

    Args:
        job: The job's name.
        newest: The newest version that was given, 0 for none.
        who: The user and the host, for the rows.
        run: How often the user has started the job.
        clock: Tells the seconds since the epoch, for the time of each status.
        settle: How long a reload has to prove itself.

    Attributes:
        running: The version that the worker runs, None before the first and after the worker's end.
        last: The version that runs, or ran last, and its content.
        former: The version that ran last in an engine before this one, and its data.
        newest: The newest version, 0 before the first.
        run: The number of the run, 0 before the first.
        trial: Whether what runs has proved itself.
    """

    def __init__(
        self,
        job: str,
        newest: int = 0,
        who: str = "",
        run: int = 0,
        clock: Callable[[], float] = wall.time,
        settle: ProbationPeriod = SETTLE,
    ) -> None:
        self.job = job
        self.newest = newest
        self.run = run
        self._who = who
        self._clock = clock
        self.running: int | None = None
        self.last: tuple[int, Candidate] | None = None
        self.former: tuple[int, Data] | None = None
        self.trial = Probation(settle)
        self._sent: dict[int, tuple[Reload, Candidate]] = {}
        self._tried: Data | None = None  # what was sent last: as long as nothing has run, a save changes that
        # The version that is to take some back, why, and which; and what a guard has found meanwhile.
        self._breach: tuple[int, Problem, list[Reload]] | None = None
        self._late: tuple[int, str] | None = None

    @property
    def text(self) -> str | None:
        """The text of the version that runs, or ran last."""
        return self.last[1].text if self.last is not None else None

    @property
    def pending(self) -> tuple[int, Candidate] | None:
        """The newest version that the worker has not answered, and its content."""
        return next(((version, sent[1]) for version, sent in reversed(self._sent.items())), None)

    @property
    def awaits_code(self) -> bool:
        """Whether one of those that the worker has not answered brings other code, which only a new worker has."""
        return any(candidate.source == "code" for _, candidate in self._sent.values())

    @property
    def pending_text(self) -> str:
        """The text of that version, which there must be."""
        assert self.pending is not None
        return self.pending[1].text

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
        row = self._row(candidate, time)
        if candidate.data is None:
            return _first(row, "invalid", **_errors(candidate.problem))
        if not live:
            problem = Problem("the job is not running; its next start takes the file as it is then")
            return _first(row, "failed", **_errors(problem))
        if self.running is not None and not self._sent and self.last is not None and same(self._data, candidate.data):
            row = _first(row, "applied", step=step, latency_ms=0.0)
            self.trial.follow(row, self.last)
            self._run(row.version, candidate)
            return row
        row = _first(row, "sent")
        self._sent[row.version] = (row, candidate)
        self._tried = candidate.data
        return row

    def with_code(self, files: tuple[str, ...], seen: float) -> Candidate | None:
        """Return what runs, or is about to, as content that other code is to take; None where there is nothing."""
        chosen = self.pending or self.last
        return replace(chosen[1], source="code", seen=seen, who="", files=files) if chosen is not None else None

    def renew(self, candidate: Candidate, time: float) -> Reload:
        """Give what runs the next version, for a worker with other code: the row is to be recorded and sent."""
        row = replace(_first(self._row(candidate, time), "sent"), changes=())
        self._sent[row.version] = (row, candidate)
        return row

    def skip(self, candidate: Candidate, time: float) -> Reload:
        """Return the row of content that a newer one replaced before it was checked: the next version."""
        row = self._row(candidate, time)
        return _first(row, "superseded", by=row.version + 1)

    def refuse(self, candidate: Candidate, status: str, problem: Problem, time: float) -> Reload:
        """Return the row of content that was refused before it was written: ``invalid`` or ``rejected``."""
        return _first(self._row(candidate, time), status, **_errors(problem))

    def applied(self, version: int, step: int, at: float, differences: Iterable[Sequence[Any]] = ()) -> list[Reload]:
        """Take the worker's receipt for `version`, which settles all older ones too.

        Args:
            version: What the task took.
            step: Checkpoints completed.
            at: Monotonic seconds at which the task took it.
            differences: Where the task has something else than the config says; see `tui.engine.reloads.effective`.

        Returns:
            The rows that changed, oldest first.
        """
        if version not in self._sent:
            if self.last is not None and version == self.last[0]:
                self.running = version  # a new worker took what ran before
            return []
        older = [sent for sent in self._sent if sent < version]
        rows = [self._answer(old, "superseded", by=version) for old in older]
        sent, candidate = self._sent[version]
        assert candidate.data is not None
        now = sent.changes
        if sent.base != self._base:  # another version was applied since it was sent
            now = changes(self._data, candidate.data) if self._data is not None else ()
        latency = round((at - candidate.seen) * 1000, 3)
        taken = {"step": step, "latency_ms": latency, "changes": now, "base": self._base}
        row = self._answer(version, "applied", **taken, effective=effective(candidate.data, differences))
        rows += [row, *self._taken_back(version)]
        if candidate.source in ("start", "guard", "code") or self.last is None:
            self.trial.end()
        else:
            self.trial.begin(row, self.last, at)
        self._run(version, candidate)
        return rows

    def rejected(self, version: int, message: str, errors: Iterable[Error] = ()) -> list[Reload]:
        """Take the worker's refusal of `version`; what was sent before and after it is answered on its own.

        Returns:
            The row, with the reason and what still runs; none where it is a new worker that refuses what ran before.
        """
        if version not in self._sent:
            return []
        candidate = self._sent[version][1]
        problem = problem_of(message, errors, candidate.data, candidate.marks)
        if self.running is not None:
            joint = "\n" if "\n" in problem.message else "; "
            problem = replace(problem, message=f"{problem.message}{joint}v{self.running} still runs")
        return [self._answer(version, "rejected", **_errors(problem))]

    def delay(self, version: int, why: str) -> list[Reload]:
        """Take why a version can't be taken yet, empty where nothing is in its way; return the row, if that is news."""
        sent = self._sent.get(version)
        problem = Problem(why) if why else None
        if sent is None or sent[0].error == problem:
            return []
        row = replace(sent[0], **_errors(problem))
        self._sent[version] = row, sent[1]
        return [row]

    def lost(self) -> None:
        """The worker ended, and a new one will answer what is still open."""
        self.running = None

    def ended(self, reason: str) -> list[Reload]:
        """The worker ended: nothing runs, and the newest that it has not answered has failed."""
        self.running = None
        self.trial.close()
        return self._answer_all("failed", **_errors(Problem(reason)))

    def missed(self, reason: str) -> list[Reload]:
        """The worker goes on without the task, which takes nothing any more: what it has not answered has failed."""
        return self._answer_all("failed", **_errors(Problem(reason)))

    def revert(self, reason: str, *, seen: float, time: float, trial: bool = False) -> list[Reload]:
        """The worker died of the newest reload: go back to the last good version, as a new one.

        Args:
            reason: Why it died.
            seen: Monotonic seconds of its end.
            time: Seconds since the epoch.
            trial: What ran last is on trial, and is no good version either.

        Returns:
            The rows that changed, oldest first; the last one is new, and to be sent.
        """
        self.running = None
        why = {"by": self.newest + 1, **_errors(Problem(reason))}
        good = self.trial.back if trial else self.last
        assert good is not None
        taken = self.trial.since_back if trial else []
        rows = [move(row, "reverted", self._clock(), **why) for row in taken]
        rows += self._answer_all("reverted", **why)
        self.trial.end()
        return [*rows, self._go_back(good, seen, time)]

    def breach(self, version: int, reason: str, *, seen: float, time: float) -> Reload | None:
        """A guard of the worker has found that a version does harm, which runs or has left its mark on what runs.

        Returns:
            The new row, to be sent, of the last good version before it; those that are taken back change once that is
            applied. None where there is nothing to take back, the last good version says the same, or a newer reload
            is on its way: it may be the cure, and the worker tells anew if it is not; see `overdue`.
        """
        if self._sent:
            self._late = version, reason
            return None
        found = self.trial.before(version) if self.running else None
        if found is None or same(self._data, found[0][1].data):
            return None
        back, rows = found
        self._breach = self.newest + 1, Problem(reason), rows
        return self._go_back(back, seen, time)

    def overdue(self, *, seen: float, time: float) -> Reload | None:
        """Return what `breach` would have, had a reload that was then refused not been on its way."""
        late, self._late = self._late, None
        return self.breach(*late, seen=seen, time=time) if late is not None else None

    def _go_back(self, good: tuple[int, Candidate], seen: float, time: float) -> Reload:
        return self.begin(replace(good[1], source="guard", seen=seen, who=""), live=True, time=time)

    def _taken_back(self, version: int) -> list[Reload]:
        """Return the row that is taken back by `version`, now that it is applied."""
        breach, self._breach, self._late = self._breach, None, None
        if breach is None or breach[0] != version or self.trial.row is None:
            return []
        return [move(row, "reverted", self._clock(), by=version, **_errors(breach[1])) for row in breach[2]]

    @property
    def _data(self) -> Data | None:
        if self.last is not None:
            return self.last[1].data
        return self.former[1] if self.former is not None else None

    @property
    def _base(self) -> int | None:
        known = self.last or self.former
        return known[0] if known is not None else None

    def _row(self, candidate: Candidate, time: float) -> Reload:
        self.newest += 1
        if candidate.source == "start":
            self.run += 1
        old = self._tried if self._data is None and candidate.source != "start" else self._data
        changed = changes(old, candidate.data) if old is not None and candidate.data is not None else ()
        return Reload(
            self.job,
            self.newest,
            "",
            candidate.source,
            changes=changed,
            who=candidate.who or self._who,
            base=self._base,
            run=self.run,
            time=time,
            files=candidate.files,
        )

    def _run(self, version: int, candidate: Candidate) -> None:
        self.running = version
        self.last = version, candidate

    def _answer_all(self, status: str, **fields: Any) -> list[Reload]:
        """Settle all that is open: the newest so, which has taken the place of the others."""
        versions = list(self._sent)
        rows = [self._answer(version, "superseded", by=versions[-1]) for version in versions[:-1]]
        return rows + [self._answer(version, status, **fields) for version in versions[-1:]]

    def _answer(self, version: int, status: str, **fields: Any) -> Reload:
        row = self._sent.pop(version)[0]
        return move(row, status, self._clock(), **{**_errors(None), **fields})


def _errors(problem: Problem | None) -> dict[str, Any]:
    return {"error": problem, "errors": problem.all if problem is not None else ()}


def _first(row: Reload, status: str, **fields: Any) -> Reload:
    return replace(row, status=status, times={status: row.time}, **fields)


def move(row: Reload, status: str, at: float, **fields: Any) -> Reload:
    """Return `row` in its next status, which it has come to `at` so many seconds since the epoch.

    Raises:
        ValueError: No reload goes from the one status to the other.
    """
    if status not in _NEXT.get(row.status, frozenset()):
        raise ValueError(f"version {row.version} is {row.status} and can't become {status}")
    return replace(row, status=status, times={**row.times, status: at}, **fields)
