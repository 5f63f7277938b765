"""What is said alike on the screen and on the command line: a value, unmistakably; what a change did."""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from tui.protocol.messages import Change, Effect, Judged, Ranks

#: Text that YAML would read as something else, or that JSON has for it.
_NUMBER = r"[-+]?(?:\.?\d[\d_]*(?:\.[\d_]*)?(?:e[-+]?\d+)?|0x[\da-f_]+|0o[0-7_]+|\.?inf(?:inity)?)|\.?nan"
_DATE = r"\d{4}-\d\d?-\d\d?(?:[ t].*)?"
_MOMENT = re.compile(_DATE, re.IGNORECASE)
_OTHER = re.compile(rf"~|null|true|false|{_NUMBER}|{_DATE}", re.IGNORECASE)

_KINDS: dict[type, str] = {bool: "boolean", int: "number", float: "number", str: "text", list: "list", dict: "mapping"}

#: Numbers that JSON has as text.
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")


def misleading(text: str) -> bool:
    """Return whether a text looks like a value of another type: it needs quotes wherever it is shown."""
    return _OTHER.fullmatch(text) is not None


def retyped(change: Change) -> str:
    """Return how the type of a value has changed, such as ``number → text``; nothing where it has not."""
    kinds = _kind(change.old), _kind(change.new)
    return (
        "" if change.added or change.removed or None in kinds or kinds[0] == kinds[1] else " → ".join(map(str, kinds))
    )


def _kind(value: Any) -> str | None:
    """Return the type of a value in a word; None for null, and for what JSON has as text while it may be none."""
    if value is None or (isinstance(value, str) and (value in _NOT_FINITE or _MOMENT.fullmatch(value))):
        return None
    return next((word for kind, word in _KINDS.items() if isinstance(value, kind)), None)


#: The sign of each verdict; the word stands beside it.
VERDICTS = {"better": "✓", "worse": "✗", "higher": "↑", "lower": "↓", "none": "·"}


def figure(value: float | None) -> str:
    """Return a number of a metric in short."""
    if value is None:
        return "–"
    return "NaN" if math.isnan(value) else f"{value:.3g}"


def effect(found: Effect | Judged) -> str:
    """Return what a change did: ``loss 0.82 → 0.18 ✓ better``; ``better?`` where the way is guessed from the name."""
    if found.verdict is None:
        return f"{found.metric} {_awaited(found)}"
    sign = VERDICTS.get(found.verdict, "?")
    if found.verdict == "none":
        return f"{found.metric} {sign} no clear change"
    moved = f"{figure(found.before)} → {figure(found.after)}"
    return f"{found.metric} {moved} {sign} {found.verdict}{'?' if found.guessed else ''}"


def _awaited(found: Effect | Judged) -> str:
    if found.until is not None:
        return f"{found.points} points, then v{found.until}"
    if found.next is not None:
        return f"… {found.points} of {found.next}"
    return "is constant: nothing to compare with" if found.points >= 10 else "too little history"


def evidence(found: Effect | Judged) -> str:
    """Return what a verdict rests on: ``lower by 0.031 ± 0.012 (40 points)``, and when the next one comes."""
    if found.verdict is None:
        return effect(found)
    points = f"{found.points} points"
    later = f"; next verdict at {found.next} points" if found.next is not None else ""
    ended = f"; then v{found.until}" if found.until is not None else ""
    if found.change is None or found.smallest is None:
        return f"{effect(found)} ({points}){later}{ended}"
    if found.verdict == "none":
        return f"{effect(found)} ({points}; {figure(found.smallest)} would have been seen){later}{ended}"
    way = "higher" if found.change > 0 else "lower"
    guess = f"; {found.verdict} by its name alone" if found.guessed else ""
    size = f"{way} by {figure(abs(found.change))} ± {figure(found.smallest)}"
    return f"{effect(found)}: {size} ({points}){guess}{later}{ended}"


def ranks(found: Mapping[str, int] | None) -> str:
    """Return how many ranks have a change: ``2/3 ranks``, and what some have lost; nothing where there is one."""
    if not found:
        return ""
    anew = found.get("anew", 0)
    lost = f", {anew} of them anew: the state was lost" if anew else ""
    return f"{found['applied']}/{found['total']} ranks{lost}"


def standing(found: Ranks) -> str:
    """Return how far a version is with the ranks: ``4/4 ranks``, ``v5: 3/4 ranks, waits for rank 2``."""
    if found.why:
        return f"v{found.version}: {found.why}"
    if not found.missing:
        return f"{found.joined}/{found.total} ranks"
    waits = f", waits for {some_ranks(found.missing)}" if found.applied else ""
    step = f" at step {found.step:,}" if found.step is not None else ""
    return f"v{found.version}{step}: {found.applied}/{found.total} ranks{waits}"


def some_ranks(ranks: Sequence[int]) -> str:
    """Return some ranks by their numbers, of many the first: ``ranks 0, 2 and 5 more``."""
    more = f" and {len(ranks) - 8} more" if len(ranks) > 8 else ""
    return f"rank{'s' * (len(ranks) > 1)} {', '.join(map(str, ranks[:8]))}{more}"


def each_rank(found: Ranks) -> list[str]:
    """Return where each rank is, the last one first, and who has not come; of many the first few."""
    steps = sorted(((int(rank), step) for rank, step in found.steps.items()), key=lambda item: (item[1], item[0]))
    ahead = max((step for _, step in steps), default=0)
    said = [f"{found.joined} of {found.total} ranks have joined"]
    absent = [rank for rank in range(found.total) if str(rank) not in found.steps]
    if absent:
        said.append(f"{some_ranks(absent)} not come yet")
    for rank, step in steps[:8]:
        behind = f", {ahead - step:,} behind" if ahead - step > 1 else ""
        waits = ", waited for" if rank in found.missing else ""
        said.append(f"rank {rank} at step {step:,}{behind}{waits}")
    return [*said, f"and {len(steps) - 8} more"] if len(steps) > 8 else said


def exit_words(code: int | None) -> str:
    """Return how a worker ended, in words."""
    if code is None:
        return "the worker was killed together with its shim"
    if code < 0:
        names = {item.value: item.name for item in signal.Signals}  # real-time signals have none
        return f"killed by {names.get(-code, f'signal {-code}')}"
    return f"ended with exit code {code}"


def duration(seconds: float) -> str:
    """Return a time span in two units at most: ``3.2 s``, ``4m 07s``, ``2h 03m``, ``5d 4h``."""
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600}h"


def work(step: int, seconds: float) -> str:
    """Return what a worker has done so far, which a new one would begin anew: ``12,300 steps, 2h 03m``."""
    steps = f"{step:,} step{'s' if step != 1 else ''}, " if step else ""
    return f"{steps}{duration(seconds)}"


#: So many files are named; the others are counted.
MOST_FILES = 3


def files(names: Sequence[str]) -> str:
    """Return some files in a few words."""
    more = f" and {len(names) - MOST_FILES} more" if len(names) > MOST_FILES else ""
    return f"{', '.join(names[:MOST_FILES])}{more}"


def code_changed(names: Sequence[str]) -> str:
    """Return that code has changed, and what to do."""
    return f"code changed: {files(names)}, ctrl+r restarts with it"
