"""One line of a job's log."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """A line of output, or a mark between two: version `mark` took effect, or `dropped` lines were lost.

    `version` was running when it came, at `time`.
    """

    text: str
    version: int | None = None
    time: float = 0.0
    mark: int | None = None
    dropped: int = 0

    @property
    def is_output(self) -> bool:
        """Whether the job wrote it."""
        return self.mark is None and not self.dropped
