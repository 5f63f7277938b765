"""What the overview says of one job: a cell for each column, and all of it in words below the table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tui import wording
from tui.app import formatting
from tui.app.model.bounds import outside
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.protocol.messages import Reload

#: So many of the newest reloads are looked through for the last one that was a change.
LOOKED_AT = 20

#: The most points of a sparkline.
COURSE = 12

BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Figures:
    """What the engine says of a job when it is asked for a summary."""

    cpu: float | None = None
    memory: float | None = None
    restarts: int = 0
    metric: str | None = None
    course: Sequence[float | None] = ()

    @staticmethod
    def of(told: Mapping[str, Any]) -> Figures:
        """Return the figures of one job as they are in the engine's answer."""
        # Of what is not finite the engine tells the name.
        course = tuple(value if isinstance(value, (int, float)) else None for value in told["course"])
        return Figures(told["cpu"], told["memory"], told["restarts"], told["metric"], course)


class Cell(NamedTuple):
    """A text and the tone that it is drawn in."""

    text: str
    tone: str = "plain"


class TableColumn(NamedTuple):
    """A column of the table.

    Attributes:
        title: What stands above it.
        width: In cells; that of the last takes all that is left, and is the least that it needs.
        rank: The column with the highest goes first where there is little room.
    """

    title: str
    width: int
    rank: int
    right: bool = False


COLUMNS = (
    TableColumn("state", 10, 0),
    TableColumn("ver", 5, 4, right=True),
    TableColumn("step", 10, 7, right=True),
    TableColumn("rate", 8, 6, right=True),
    TableColumn("metric", 16, 1),
    TableColumn("course", COURSE, 5),
    TableColumn("cpu", 5, 8, right=True),
    TableColumn("memory", 7, 9, right=True),
    TableColumn("up", 7, 10, right=True),
    TableColumn("restarts", 8, 11, right=True),
    TableColumn("effect", 9, 3),
    TableColumn("last change", 16, 2),
)


def cells(job: JobModel, figures: Figures, now: float) -> tuple[Cell, ...]:
    """Return what stands in each of `COLUMNS`."""
    state = job.state.state if job.state is not None else "unknown"
    sign = formatting.STATES.get(state, formatting.UNKNOWN)
    version = job.running.version if job.running is not None else None
    change = last_change(job)
    return (
        Cell(f"{sign.glyph} {state}", sign.tone),
        Cell(f"v{version}" if version is not None else "", "strong"),
        Cell(f"{job.metrics.step:,}" if job.metrics is not None else ""),
        Cell(formatting.rate(job.rate), "dim"),
        _metric(job),
        Cell(sparkline(figures.course), "key"),
        Cell(f"{figures.cpu:.0f} %" if figures.cpu is not None else ""),
        Cell(memory(figures.memory)),
        Cell(_uptime(job, now), "dim"),
        Cell(str(figures.restarts) if figures.restarts else "", "wait"),
        _effect(change),
        _change(change),
    )


def last_change(job: JobModel) -> Reload | None:
    """Return the newest reload that changed something, or was to; without one the newest."""
    rows = job.timeline
    newest = (rows.get(version) for version in rows.versions[:LOOKED_AT])
    return next((row for row in newest if row is not None and (row.changes or row.error is not None)), rows.newest)


def _metric(job: JobModel) -> Cell:
    name = job.main_metric
    if name is None or job.metrics is None:
        return Cell("")
    said = formatting.metrics({name: job.metrics.values[name]})[0] + (f" {job.trend}" if job.trend else "")
    return Cell(said, "bad" if name in outside(job.info.guards, job.metrics.values) else "key")


def sparkline(values: Sequence[float | None]) -> str:
    """Return the course of a metric as bars; a gap where there was no number."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    most = len(BARS) - 1

    def bar(value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return " "
        return BARS[round((value - low) / (high - low) * most) if high > low else most // 2]

    return "".join(map(bar, values))


def memory(megabytes: float | None) -> str:
    """Return memory in at most seven characters: ``312 MB``, ``1.2 GB``."""
    if megabytes is None:
        return ""
    return f"{megabytes:.0f} MB" if megabytes < 999.5 else f"{megabytes / 1000:.1f} GB"


def _uptime(job: JobModel, now: float) -> str:
    up = job.uptime(now)
    return wording.duration(up) if up is not None else ""


def _effect(row: Reload | None) -> Cell:
    found = row.effect[0] if row is not None and row.effect else None
    if found is None or found.verdict is None:
        return Cell("…" if found is not None and found.next is not None else "", "dim")
    tone = formatting.VERDICTS.get(found.verdict, "dim")
    return Cell(f"{wording.VERDICTS.get(found.verdict, '?')} {found.verdict}{'?' * found.guessed}", tone)


def _change(row: Reload | None) -> Cell:
    if row is None:
        return Cell("")
    sign = formatting.STATUSES.get(row.status, formatting.UNKNOWN)
    what = formatting.outcome(row)
    if row.status == "applied":
        return Cell(what or formatting.run(row), "plain" if what else "dim")
    return Cell(f"{sign.glyph} {row.status} {what}".rstrip(), sign.tone)


def reason(job: JobModel) -> Cell:
    """Return why a job is as it is: the end of a crash, what a pause waits for; else what is wrong with its file."""
    if job.state is not None and (job.state.reason or job.state.exit_code):
        said = job.state.reason or wording.exit_words(job.state.exit_code)
        return Cell(plain(said.partition("\n")[0]), "bad" if job.state.state in ("crashed", "backoff") else "wait")
    return Cell(formatting.problem(job.problem), "bad") if job.problem is not None else Cell("")


def in_words(job: JobModel, figures: Figures, now: float) -> list[list[Cell]]:
    """Return all that there is to say of a job, in two lines: how it is, and what was changed last."""
    row = dict(zip((column.title for column in COLUMNS), cells(job, figures, now), strict=True))
    restarts = f"{figures.restarts} restart{'s' * (figures.restarts != 1)}" if figures.restarts else ""
    metrics = job.metrics.values if job.metrics is not None else {}
    others = {name: value for name, value in metrics.items() if name != job.main_metric}
    how = [
        Cell(plain(job.name), "strong"),
        row["state"],
        row["ver"],
        reason(job),
        row["metric"],
        Cell(row["step"].text and f"step {row['step'].text}"),
        row["rate"],
        Cell(row["cpu"].text and f"cpu {row['cpu'].text}"),
        row["memory"],
        Cell(row["up"].text and f"{'up' if job.has_worker else 'ran'} {row['up'].text}"),
        Cell(restarts, "wait"),
        *(Cell(said, "dim") for said in formatting.metrics(others)),
    ]
    change = last_change(job)
    found = change.effect[0] if change is not None and change.effect else None
    what = [
        Cell(f"v{change.version}" if change is not None else "", "strong"),
        Cell(f"{change.source} at {formatting.clock(change.time)}" if change is not None else "no change yet", "dim"),
        row["last change"],
        Cell(plain(wording.effect(found)), row["effect"].tone) if found is not None else Cell(""),
    ]
    return [[cell for cell in line if cell.text] for line in (how, what)]
