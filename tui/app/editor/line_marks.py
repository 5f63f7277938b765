"""What is said of single lines of a text that is being edited: it moves with them, and goes with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tui.app.model.file_text import matching_lines
from tui.protocol.messages import Problem

#: How a line differs from what runs; where lines are gone, the one that stands there now has the mark.
NEW, CHANGED, GONE = "new", "changed", "gone"


def differences(running: Sequence[str], lines: Sequence[str]) -> dict[int, str]:
    """Return the rows of `lines` that differ from what runs."""
    found: dict[int, str] = {}
    for tag, i1, i2, j1, j2 in matching_lines(running, lines):
        if tag == "delete":
            found.setdefault(min(j1, len(lines) - 1), GONE)
        elif tag != "equal":
            found.update((row, CHANGED if row - j1 < i2 - i1 else NEW) for row in range(j1, j2))
    return found


class LineMarks:
    """The marks of a text, by rows from 0.

    Attributes:
        problems: What is wrong, in order; None has what has no place in the text.
        changed: How rows differ from what runs; None where it is not known what runs.
        restarting: Rows with keys that can't change live.
    """

    def __init__(self) -> None:
        self.problems: dict[int | None, list[Problem]] = {}
        self.changed: dict[int, str] | None = None
        self.restarting: set[int] = set()

    def blame(self, problems: Iterable[Problem], count: int) -> None:
        """Take over what is wrong with a text of `count` lines."""
        self.problems = {}
        for problem in sorted(problems, key=lambda one: (one.line or 0, one.column or 0)):
            row = None if problem.line is None else min(max(problem.line, 1), count) - 1
            self.problems.setdefault(row, []).append(problem)

    def follow(self, top: int, old_end: int, new_end: int) -> None:
        """Go with an edit that has made the rows from `top` to `new_end` of those to `old_end`.

        What was wrong there is not known any more; what else there is stays with the row that the edit began in.
        """
        by = new_end - old_end
        if self.problems:
            kept = {row: found for row, found in self.problems.items() if row is None or not top <= row < old_end}
            self.problems = {row if row is None else _moved(row, old_end, by): kept[row] for row in kept}
        if self.restarting and (by or old_end - top > 1):
            rows = (row for row in self.restarting if not top < row < old_end)
            self.restarting = {_moved(row, old_end, by) for row in rows}
        if self.changed is not None:
            if by or old_end - top > 1:
                found = self.changed.items()
                self.changed = {_moved(row, old_end, by): how for row, how in found if not top < row < old_end}
            for row in range(top, new_end):
                if self.changed.get(row) != NEW:
                    self.changed[row] = CHANGED if row < old_end else NEW

    def problem_at(self, row: int) -> Problem | None:
        """Return what is wrong at a row, or else the first of all that is wrong."""
        found = self.problems.get(row) or next(iter(self.problems.values()), None)
        return found[0] if found else None

    @property
    def count(self) -> int:
        """How many problems there are."""
        return sum(map(len, self.problems.values()))


def _moved(row: int, old_end: int, by: int) -> int:
    return row + by if row >= old_end else row
