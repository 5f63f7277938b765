"""The bounds of a job's metrics, as a viewer says them: what is outside of them, and in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

#: The bounds of each metric; those without a name hold for every one. See `tui.worker.guards`.
Guards = Mapping[str, Mapping[str, Any]]

_ALL = ""


def outside(guards: Guards, metrics: Mapping[str, Any]) -> list[str]:
    """Return the metrics whose last value is out of bounds."""
    return [name for name, value in metrics.items() if _is_outside(guards, name, value)]


def _is_outside(guards: Guards, name: str, value: Any) -> bool:
    try:
        number = float(value)
    except (TypeError, ValueError):  # it is no metric
        return False
    rules = [guards[key] for key in (name, _ALL) if key in guards]
    if any(rule.get("finite") for rule in rules) and not math.isfinite(number):
        return True
    return any(math.isnan(number) or not rule.get("min", -math.inf) <= number <= rule.get("max", math.inf)
               for rule in rules)  # fmt: skip


def words(guards: Guards) -> str:
    """Return the guards in words: ``loss at most 10 for 20 steps, every metric finite``."""
    return ", ".join(said for name, rule in guards.items() for said in _words(name or "every metric", rule))


def _words(name: str, rule: Mapping[str, Any]) -> Iterator[str]:
    bounds = [f"{word} {rule[key]:g}" for key, word in (("min", "at least"), ("max", "at most")) if key in rule]
    bounds += ["finite"] if rule.get("finite") else []
    if bounds:
        steps = rule.get("for", 1)
        yield f"{name} {' and '.join(bounds)}" + (f" for {steps} steps" if steps > 1 else "")
