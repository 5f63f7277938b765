"""A task's metrics on their way to the engine: numbers only, once a step."""

from __future__ import annotations

from _collections_abc import Mapping  # the interpreter has it from its start, `collections` takes its time

from tui.worker.blocks import detached, name_of, words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from tui.worker.loop import Outlet


class MetricsReporter:
    """Reports the metrics of one task.

    Args:
        channel: Where they go.
        complain: Told what the task should know of them.
    """

    def __init__(self, channel: Outlet, complain: Callable[[str], None]) -> None:
        self._channel = channel
        self._complain = complain
        self._reported = -1

    def report(self, step: int, metrics: Any) -> None:
        """Send the metrics of a step, unless that was done: they may be left out while the engine does not read."""
        if step == self._reported:
            return
        values = self._numbers(metrics) if isinstance(metrics, Mapping) else {}
        self._reported = step
        if metrics is not None and not isinstance(metrics, Mapping):
            self._complain(f"a task reports a mapping of metrics or None, not {type(metrics).__name__}")
        self._channel.offer({"kind": "metrics", "step": step, "values": values})

    def _numbers(self, metrics: Mapping[Any, Any]) -> dict[str, float]:
        values = {}
        for name, value in metrics.items():
            text = name_of(name, self._complain)
            if text is None:
                continue
            try:
                is_count = type(value) is int and value.bit_length() < 1024  # what is larger is no float either
                values[text] = value if is_count else float(detached(value))
            except Exception as error:  # whatever a user's type raises must not end the job
                self._complain(f"metric {text} is left out, it is no number: {words_of(error)}")
        return values
