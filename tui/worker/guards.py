"""Bounds for the metrics of a task: what leaves them after a reload has the reload taken back.

They are looked at where every step is seen, and cost nothing where there are none. A guard counts the steps in a row in
which its metric is out of bounds, of those that report it at all. After each reload it tells of one breach. It says
nothing of a metric that was out of bounds before the reload, until that has come back: the reload may be the cure.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Mapping

#: The name of the guard that looks at every metric.
ALL = ""


class _Guard:
    """The bounds of one metric, or of all.

    Args:
        metric: Its name, `ALL` for all.
        rule: ``max``, ``min``, ``finite`` and ``for``.
    """

    def __init__(self, metric: str, rule: Mapping[str, Any]) -> None:
        self.metric = metric
        self._max = rule.get("max", math.inf)
        self._min = rule.get("min", -math.inf)
        self._finite = rule.get("finite", False)
        self._steps = rule.get("for", 1)
        self._count = 0
        self._armed = True

    def arm(self) -> None:
        """Another config is about to run: what is out of bounds already is not its doing."""
        self._armed = self._armed and self._count < self._steps
        self._count = 0

    def look(self, metrics: Mapping[Any, Any]) -> str | None:
        """Return what is wrong, once it has been so for as many steps as are allowed."""
        names = list(metrics) if self.metric == ALL else [self.metric] if self.metric in metrics else []
        if not names:
            return None
        wrong = next((words for words in (self._wrong(name, metrics[name]) for name in names) if words), None)
        if wrong is None:
            self._count, self._armed = 0, True
            return None
        self._count += 1
        if not self._armed or self._count != self._steps:
            return None
        return wrong if self._steps == 1 else f"{wrong}, for {self._steps} steps"

    def _wrong(self, name: Any, value: Any) -> str | None:
        try:
            number = float(value)
        except Exception:  # it is no metric, and the task has been told so
            return None
        if not math.isfinite(number) and (self._finite or math.isnan(number)):
            return f"{name} is {number}"
        if number > self._max:
            return f"{name} is {number:.6g}, more than {self._max:g}"
        if number < self._min:
            return f"{name} is {number:.6g}, less than {self._min:g}"
        return None


class Guards:
    """All guards of a task.

    Args:
        rules: By the names of the metrics; see `_Guard`.
        tell: Told what is wrong.
    """

    def __init__(self, rules: Mapping[str, Mapping[str, Any]], tell: Callable[[str], Any]) -> None:
        self._guards = [_Guard(metric, rule) for metric, rule in rules.items()]
        self._tell = tell
        self._told = False

    def arm(self) -> None:
        """Another config is about to run."""
        self._told = False
        for guard in self._guards:
            guard.arm()

    def look(self, metrics: Any) -> None:
        """Look at what a step has reported."""
        if not isinstance(metrics, Mapping):
            return
        for guard in self._guards:
            wrong = guard.look(metrics)
            if wrong is not None and not self._told:
                self._told = True
                self._tell(wrong)
