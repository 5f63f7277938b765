"""Bounds for the metrics of a task: what leaves them after a reload has the reload taken back.

They are looked at where every step is seen, and cost nothing where there are none. A guard counts the steps in a row in
which its metric is out of bounds, of those that report it at all. After each reload it counts anew, and tells of one
breach: a reload may be the cure. But what it names is the version under which the metric has left its bounds, and has
not come back since.
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
        self._since: int | None = None  # the version under which the metric has left its bounds
        self._told = False

    def arm(self) -> None:
        """Another config is about to run: it has as many steps to be the cure."""
        self._count = 0
        self._told = False

    def check_metrics(self, metrics: Mapping[Any, Any], version: int) -> tuple[str, int] | None:
        """Return what is wrong and since which version, once it has been so for as many steps as are allowed."""
        names = list(metrics) if self.metric == ALL else [self.metric] if self.metric in metrics else []
        if not names:
            return None
        wrong = next((words for words in (self._wrong(name, metrics[name]) for name in names) if words), None)
        if wrong is None:
            self._count, self._since = 0, None
            return None
        self._since = version if self._since is None else self._since
        self._count += 1
        if self._told or self._count != self._steps:
            return None
        self._told = True
        return wrong if self._steps == 1 else f"{wrong}, for {self._steps} steps", self._since

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
        version: What runs.
        tell: Told what is wrong, and since which version.
    """

    def __init__(self, rules: Mapping[str, Mapping[str, Any]], version: int, tell: Callable[[str, int], Any]) -> None:
        self._guards = [_Guard(metric, rule) for metric, rule in rules.items()]
        self._version = version
        self._tell = tell

    def arm(self, version: int) -> None:
        """Another version is about to run."""
        self._version = version
        for guard in self._guards:
            guard.arm()

    def check_metrics(self, metrics: Any) -> None:
        """Look at what a step has reported."""
        if not isinstance(metrics, Mapping):
            return
        for guard in self._guards:
            wrong = guard.check_metrics(metrics, self._version)
            if wrong is not None:
                self._tell(*wrong)
