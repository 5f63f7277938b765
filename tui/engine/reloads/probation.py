"""Whether the reload that runs has proved itself, and what to go back to as long as it has not.

A worker that crashes soon after a reload probably does so because of it: such a reload is on trial for some seconds
and for some checkpoints, whichever is longer. What has not lived through them is no version to go back to.
A guard may take a reload back at any later time, once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tui.engine.deck.spec import SETTLE, ProbationPeriod
from tui.engine.reloads.candidate import Candidate
from tui.protocol.messages import Reload

#: A guard that is told of an older reload than so many takes nothing back.
MOST = 100


@dataclass
class Probation:
    """The last reload that has changed what the task works with.

    Args:
        settle: How long it is on trial.

    Attributes:
        row: It, as it was told when it was applied; None where there is nothing to go back from.
        back: The version that was the last good one before it, and its content.
        line: The reloads since there was nothing to go back from, each with what it took the place of.
    """

    settle: ProbationPeriod = SETTLE
    row: Reload | None = None
    back: tuple[int, Candidate] | None = None
    line: list[tuple[Reload, tuple[int, Candidate]]] = field(default_factory=list)
    _since: float = 0.0
    _step: int = 0
    _open: bool = False

    def begin(self, row: Reload, before: tuple[int, Candidate], at: float) -> None:
        """A reload was taken `at` so many monotonic seconds, in the place of another version.

        As long as that one is on trial itself, it is no version to go back to.
        """
        step = row.step or 0
        if self.back is None or not self.goes_on(at, step):
            self.back = before
        self.row, self._since, self._step, self._open = row, at, step, True
        self.line = [*self.line[1 - MOST :], (row, before)]

    def follow(self, row: Reload, before: tuple[int, Candidate]) -> None:
        """The same was saved again, in another text: it is taken back with the reload."""
        if self.row is not None:
            self.line = [*self.line[1 - MOST :], (row, before)]

    def before(self, version: int) -> tuple[tuple[int, Candidate], list[Reload]] | None:
        """Return what to go back to from a reload that does harm, and the rows that this takes back."""
        if self.row is not None and self.back is not None and version == self.row.version:
            return self.back, self.since_back
        for index, (row, before) in enumerate(self.line):
            if row.version == version:
                return before, [row for row, _ in self.line[index:]]
        return None

    @property
    def since_back(self) -> list[Reload]:
        """The rows that are taken back with the last one: of all since `back`, none has proved itself."""
        good = self.back[0] if self.back is not None else None
        first = next((index for index, (_, before) in enumerate(self.line) if before[0] == good), len(self.line) - 1)
        return [row for row, _ in self.line[first:]]

    def goes_on(self, now: float, step: int) -> bool:
        """Return whether the reload has still to prove itself at this time and step."""
        if not self._open:
            return False
        # Of a worker that was started anew the steps begin at 0.
        return now - self._since < self.settle.seconds or 0 <= step - self._step < self.settle.steps

    def left(self, version: int, now: float, step: int) -> tuple[float, int] | None:
        """Return the seconds and the steps for which a version is still on trial, None of one that never was."""
        if self.row is None or self.row.version != version or self.settle == (0, 0):
            return None
        if not self.goes_on(now, step):
            return 0.0, 0
        return max(self.settle.seconds - now + self._since, 0.0), max(self.settle.steps - step + self._step, 0)

    def close(self) -> None:
        """A worker that ends from now on does not do so for the reload; a guard may still take it back."""
        self._open = False

    def end(self) -> None:
        """There is nothing to go back from: the job has started anew, or has just gone back."""
        self.row = self.back = None
        self.line = []
        self._open = False
