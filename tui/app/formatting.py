"""How things are said on the screen: numbers, times, states and changes as short words."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from rich.cells import cell_len

from tui import wording
from tui.app.sanitize import plain
from tui.protocol.messages import Change, Problem, Reload
from tui.wording import duration, misleading, retyped


class Sign(NamedTuple):
    """A glyph and the tone that it is drawn in; the word stands beside it, so colour never speaks alone."""

    glyph: str
    tone: str


STATES = {
    "starting": Sign("◌", "wait"),
    "running": Sign("●", "good"),
    "paused": Sign("‖", "wait"),
    "backoff": Sign("↻", "wait"),
    "finished": Sign("✓", "good"),
    "crashed": Sign("✗", "bad"),
    "stopped": Sign("■", "dim"),
}

STATUSES = {
    "applied": Sign("●", "good"),
    "sent": Sign("◌", "wait"),
    "invalid": Sign("✗", "bad"),
    "rejected": Sign("⊘", "bad"),
    "superseded": Sign("↷", "dim"),
    "failed": Sign("‼", "bad"),
    "reverted": Sign("↺", "wait"),
}

UNKNOWN = Sign("?", "dim")

#: How the verdicts on a change are drawn.
VERDICTS = {"better": "good", "worse": "bad", "higher": "plain", "lower": "plain", "none": "dim"}


def number(value: Any) -> str:
    """Return a metric's value in at most about ten characters."""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e6 else f"{value:.3e}"
    return plain(str(value))[:40]


def metrics(values: Mapping[str, Any]) -> list[str]:
    """Return each metric as ``name value``."""
    return [f"{plain(name)} {number(value)}" for name, value in values.items()]


def latency(milliseconds: float | None) -> str:
    """Return how long a reload took: ``4.2 ms``, ``85 ms``, ``3.2 s``; nothing where no worker had to take it."""
    if not milliseconds:
        return ""
    if milliseconds < 9.95:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds:.0f} ms" if milliseconds < 999.5 else duration(milliseconds / 1000)


def rate(per_second: float | None) -> str:
    """Return a step rate: ``812/s``, ``3.4/s``, ``12/min``."""
    if per_second is None:
        return ""
    if per_second >= 9.95:
        return f"{per_second:,.0f}/s"
    return f"{per_second:.1f}/s" if per_second >= 0.95 else f"{per_second * 60:.1f}/min"


def clock(moment: float) -> str:
    """Return the local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def day(moment: float) -> str:
    """Return the local date."""
    return time.strftime("%Y-%m-%d", time.localtime(moment))


def run(row: Reload) -> str:
    """Return the name of the run that a start begins; histories of old have none."""
    return f"run {row.run}" if row.run else "start"


def moment(when: float, style: str, now: float) -> str:
    """Return a time for the margin of the log, the same width for all: by the ``clock``, or its ``age``."""
    return f"{clock(when)} " if style == "clock" else f"{duration(now - when):>7} "


def value(item: Any) -> str:
    """Return a config value as a config would say it."""
    if isinstance(item, str) and item and item == item.strip() and not misleading(item):
        return plain(item)
    return plain(json.dumps(item, ensure_ascii=False))


def change(item: Change) -> str:
    """Return one change: ``lr 0.1 → 0.05``, ``+ momentum 0.9``, ``− momentum``; and its type where that changed."""
    key = plain(item.key)
    if item.added:
        return f"+ {key} {value(item.new)}"
    kinds = retyped(item)
    told = f"{key} {value(item.old)} → {value(item.new)}" + (f" ({kinds})" if kinds else "")
    return f"− {key}" if item.removed else told


def place(item: Problem) -> str:
    """Return where a problem is, with a blank behind it: ``line 3:7 ``; nothing where it has no place."""
    if item.line is None:
        return ""
    return f"line {item.line}:{item.column} " if item.column is not None else f"line {item.line} "


def problem(item: Problem) -> str:
    """Return what is wrong, its place first: ``line 3:7 message``."""
    return place(item) + plain(item.message)


def outcome(reload: Reload, nothing: str = "no value changed") -> str:
    """Return what a reload was about: its error, else what it changed."""
    if reload.error is not None:
        # What follows the first line of a crash is its traceback, which the details show.
        crash = reload.status == "reverted" and "\n" in reload.error.message
        return problem(replace(reload.error, message=reload.error.message.split("\n")[0]) if crash else reload.error)
    by = f"by v{reload.by}" if reload.by is not None else ""
    code = f"code: {plain(wording.files(reload.files))}" if reload.files else ""
    if not reload.changes:
        return ": ".join(filter(None, (by, code))) or ("" if reload.source == "start" else nothing)
    changes = ", ".join(change(item) for item in reload.changes)
    if reload.source == "start":
        changes = f"drift: {changes}"
    return f"{by}: {changes}" if by else changes


def applied(reload: Reload | None, version: int, same: int | None = None, room: int | None = None) -> str:
    """Return the words of the rule in the log where `version` took effect; one before it was the `same`.

    Where there is no room for all, the step is left out: what it did says more.
    """
    if reload is None:
        return f"v{version}"
    if reload.source == "start":
        return f"v{version} started at {clock(reload.time)}"
    changes = ", ".join(change(item) for item in reload.changes)
    step = f"step {reload.step:,}" if reload.step is not None else ""
    verdict = next((wording.effect(found) for found in reload.effect[:1] if found.verdict not in (None, "none")), "")
    back = f"= v{same}" if same is not None else ""
    said = [part for part in (f"v{version}", back, changes, step, plain(verdict)) if part]
    if verdict and step and room is not None and cell_len("  ".join(said)) > room:
        said.remove(step)
    return "  ".join(said)
