"""The line on top: which job, which state, which version runs, how fast, and whether the file agrees."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.strip import Strip
from textual.widget import Widget

from tui import better, wording
from tui.app import formatting
from tui.app.model.bounds import outside
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.app.styles import TONES, drawn, tone

GAP = "  "

#: The rank of the main metric, before which others have room; that of the second is one above this, and so on.
OTHERS = 9


@dataclass(frozen=True)
class Piece:
    """A part of the line; the one with the highest `rank` goes first when there is no room."""

    text: str
    tone: str = "plain"
    rank: int = 0
    right: bool = False


def pieces(job: JobModel, now: float) -> list[Piece]:
    """Return what there is to say of a job, in the order of the screen."""
    state = job.state.state if job.state else "unknown"
    sign = formatting.STATES.get(state, formatting.UNKNOWN)
    version = job.running.version if job.running else None
    found = [
        Piece(f" {plain(job.name)} ", "badge", 1),
        Piece(f"{sign.glyph} {state}", sign.tone),
        Piece(f"v{version}", "strong", 2) if version is not None else Piece(""),
        Piece(_reason(job, now), "bad" if state in ("crashed", "backoff") else "wait", 4),
    ]
    if job.ranks is not None and job.has_worker:
        waits = job.ranks.why or job.ranks.missing
        found.append(Piece(plain(wording.standing(job.ranks)), "wait" if waits else "dim", 4 if waits else 7))
    if job.metrics is not None:
        metrics = list(_metrics(job, job.metrics.values))
        step = Piece(f"step {job.metrics.step:,}", rank=8), Piece(formatting.rate(job.rate), "dim", 6)
        found += [*metrics[:1], *step, *metrics[1:]]
    uptime = job.uptime(now)
    if uptime is not None:
        found.append(
            Piece(f"up {wording.duration(uptime)}" if job.alive else f"ran {wording.duration(uptime)}", "dim", 7)
        )
    return [piece for piece in [*found, _drift(job, version, now)] if piece.text]


def _metrics(job: JobModel, values: Mapping[str, Any]) -> Iterator[Piece]:
    """Yield the metrics, the main one first: that and what is out of bounds are what a user looks for."""
    wrong = outside(job.info.guards, values)
    for place, name in enumerate(better.ordered(values, job.info.metrics)):
        trend = f" {job.trend}" if place == 0 and job.trend else ""
        said = formatting.metrics({name: values[name]})[0] + trend
        yield Piece(said, "bad" if name in wrong else "key", 5 if place == 0 or name in wrong else OTHERS + place)


def _reason(job: JobModel, now: float) -> str:
    if job.state is None:
        return ""
    code = job.state.exit_code
    reason = plain(job.state.reason or "") or (f"exit code {code}" if code else "")
    if job.state.until is not None:
        return f"{reason}, {math.ceil(max(job.state.until - now, 0))} s left"
    since = job.running.since if job.running is not None else None
    if job.state.state == "starting" and reason and since is not None:
        return f"{reason}, {max(now - since, 0):.0f} s"
    if job.state.state == "paused":
        return f"{reason}, f5 resumes"
    if job.state.retry_at is not None:
        return f"next try in {math.ceil(max(job.state.retry_at - now, 0))} s: {reason}"
    return reason


def _drift(job: JobModel, version: int | None, now: float) -> Piece:
    if job.document is not None and job.document.text is None:
        what = "no file on disk" if job.document.missing else "file can't be read"
        return Piece(what, "bad", 3, right=True)
    if job.state is not None and not (job.alive or job.is_host) and job.problem is None:
        return Piece("ctrl+r starts it", "dim", 3, right=True)
    if job.running is None or version is None:
        return Piece("")
    waiting = job.timeline.waiting()
    if waiting is not None:
        return Piece(
            f"v{waiting.version} waits for its checkpoint, {wording.duration(now - waiting.time)}",
            "wait",
            3,
            right=True,
        )
    if job.running.differs:
        return Piece(f"disk differs, ^g writes v{version} back", "wait", 3, right=True)
    row = job.timeline.get(version)
    if row is not None and row.source == "start" and row.changes and row.base is not None:
        count = f"{len(row.changes)} change{'s' if len(row.changes) > 1 else ''}"
        return Piece(f"disk = v{version}, {count} since the run before", "wait", 3, right=True)
    return Piece(f"disk = v{version}", "dim", 3, right=True)


def fit(found: list[Piece], width: int) -> list[Piece]:
    """Return the pieces that fit into `width` cells, the least important ones left out.

    The reason of a crash is cut before it is dropped, down to a few words.
    """
    kept = list(found)
    hidden = 0  # metrics that were left out

    def excess() -> int:
        more = len(f"+{hidden}{GAP}") if hidden else 0
        return sum(cell_len(piece.text) + len(GAP) for piece in kept) + more - width

    while len(kept) > 1 and excess() > 0:
        worst = max(kept, key=lambda piece: piece.rank)
        room = len(worst.text) - excess()
        if worst.rank == 4 and room >= 12:
            kept[kept.index(worst)] = Piece(f"{worst.text[: room - 1]}…", worst.tone, 0)
        else:
            kept.remove(worst)
            hidden += worst.rank >= OTHERS
    if hidden and excess() <= 0:
        last = max((place for place, piece in enumerate(kept) if not piece.right), default=0)
        kept.insert(last + 1, Piece(f"+{hidden}", "dim"))
    return kept


class StatusLine(Widget):
    """The status of one job on a single line."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    def __init__(self) -> None:
        super().__init__()
        self._job: JobModel | None = None
        self._now = 0.0
        self._lost = ""
        self._said: list[Piece] | None = None

    def show(self, job: JobModel, now: float) -> None:
        """Say how `job` is `now`, if that is anything new."""
        self._job, self._now = job, now
        if self._pieces() != self._said:
            self.refresh()

    def lose(self, message: str) -> None:
        """Say from now on that nothing of this is news any more."""
        self._lost = message
        self.refresh()

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """Return the line, cut to the width of the screen."""
        width = self.size.width
        self._said = self._pieces()
        left = self._join([piece for piece in self._said if not piece.right])
        right = self._join([piece for piece in self._said if piece.right])
        left.append(" " * max(width - left.cell_len - right.cell_len - 1, 0))
        return drawn(self, left.append_text(right)).crop_extend(0, width, self.rich_style)

    def _pieces(self) -> list[Piece]:
        if self._job is None:
            return [Piece(self._lost or "connecting …", "bad" if self._lost else "dim")]
        found = pieces(self._job, self._now)
        if self._lost:
            found[1:2] = [Piece(f"? {self._lost}", "bad")]
        return fit(found, self.size.width)

    def _join(self, found: list[Piece]) -> Text:
        return Text(GAP, no_wrap=True).join(Text(piece.text, tone(self, piece.tone)) for piece in found)
