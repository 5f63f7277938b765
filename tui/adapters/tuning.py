"""What all adapters have in common: a step of a framework is a checkpoint."""

from __future__ import annotations

import tui

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    #: Takes a new config, and what the framework trains with.
    Apply = Callable[[Any, Any], object]


class Tuning:
    """The config of a training, and what becomes of a new one.

    Args:
        config: The config that the training was set up with.
        apply: Is given each new config and the framework's object, for all that the adapter does not know.
        lr: The path of the learning rate in the config, None where it has none.

    Raises:
        ValueError: There is no such value in the config.

    Attributes:
        config: The config that counts.
    """

    def __init__(self, config: Any, apply: Apply | None, lr: str | None) -> None:
        self.config = config
        self._apply = apply
        self._lr = lr
        if lr is not None and self._rate(config) is None:
            raise ValueError(f"the config has no number {lr}: say where its learning rate is by lr=, or lr=None")

    def step(self, target: Any, metrics: Mapping[str, Any], rescale: Callable[[float, float], object]) -> bool:
        """Report metrics and take a new config; return whether the training is to end.

        Args:
            target: What `apply` is given.
            metrics: Numbers by their names.
            rescale: Is given the old and the new learning rate where they differ.
        """
        stopping = tui.stopping()  # before the checkpoint, which would end by an exception who never asks
        new = tui.checkpoint(self.config, **{name: value for name, value in metrics.items() if name != "config"})
        if new is self.config:
            return stopping
        old, self.config = self.config, new
        if new != old:
            before, now = (self._rate(old), self._rate(new)) if self._lr is not None else (None, None)
            if before is not None and now is not None and before != now:
                rescale(before, now)
            if self._apply is not None:
                self._apply(new, target)
        return stopping

    def _rate(self, config: Any) -> float | None:
        for name in (self._lr or "").split("."):
            try:
                config = config[name] if hasattr(config, "__getitem__") else getattr(config, name)
            except (AttributeError, LookupError):
                return None
        return None if isinstance(config, bool) or not isinstance(config, (int, float)) else float(config)


class Unseen:
    """Tells which of some values are new since it was asked last, so that one is not counted at every step."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values that are other objects than those of the last time."""
        news = {name: value for name, value in values.items() if self._known.get(name) is not value}
        self._known.update(news)
        return news
