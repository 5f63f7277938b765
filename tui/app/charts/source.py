"""What a pane of charts asks the engine for, and what it gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tui.app.charts.points import PlotPoint


class CurveQuery(NamedTuple):
    """Which values are wanted, and how finely.

    Attributes:
        names: The metrics.
        view: From which step or time to which, None for all of the run.
        columns: In how many places they are to be summed up.
        by_time: The places are seconds since the epoch, not steps.
        before: Of the run before too.
    """

    names: Sequence[str]
    view: tuple[float, float] | None
    columns: int
    by_time: bool
    before: bool


@dataclass(frozen=True)
class Answer:
    """What there is.

    Attributes:
        names: All metrics of the run, the main one first.
        whole: The first and the last place of the run.
        curves: The values of each metric that was asked for.
        before: Those of the run before, placed as if both had begun together.
        trouble: Why there is less than there should be, in words.
    """

    names: Sequence[str]
    whole: tuple[float, float]
    curves: Mapping[str, Sequence[PlotPoint]]
    before: Mapping[str, Sequence[PlotPoint]] = field(default_factory=dict)
    trouble: str = ""


Source = Callable[[CurveQuery], Awaitable[Answer]]
