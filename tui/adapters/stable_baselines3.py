"""Stable-Baselines3.

```python
from tui.adapters.stable_baselines3 import TuneSB3

model.learn(100_000, callback=TuneSB3(config))
```
"""

from __future__ import annotations

from stable_baselines3.common.callbacks import BaseCallback

from tui.adapters.tuning import Tuning, Unseen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tui.adapters.tuning import Apply


class TuneSB3(BaseCallback):  # type: ignore[misc]
    """Makes each step of the environments a checkpoint.

    It reports what the last update of the policy logged, and the mean return and length of the latest episodes; it
    ends by returning False. Another learning rate counts from the next update on.

    Args:
        config: The config that the training was set up with.
        apply: Is given each new config and the model, for all but the learning rate.
        lr: The path of the learning rate in the config, None where it has none.
    """

    def __init__(self, config: Any, apply: Apply | None = None, lr: str | None = "lr") -> None:
        super().__init__()
        self._tuning = Tuning(config, apply, lr)
        self._news = Unseen()
        self._episodes: dict[str, Any] = {}

    def _on_rollout_end(self) -> None:
        """Keep how the latest episodes went, to be reported at the next step."""
        ended = list(self.model.ep_info_buffer or ())
        if ended:
            returns, lengths = ([episode[key] for episode in ended] for key in ("r", "l"))
            self._episodes = {
                "rollout/ep_rew_mean": float(sum(returns)) / len(ended),
                "rollout/ep_len_mean": float(sum(lengths)) / len(ended),
            }

    def _on_step(self) -> bool:
        """Come to a checkpoint."""
        metrics = {**self._news.of(self.logger.name_to_value), **self._episodes}
        self._episodes = {}
        return not self._tuning.step(self.model, metrics, self._take)

    def _take(self, old: float, new: float) -> None:
        model = self.model
        model.lr_schedule = _scaled(model.lr_schedule, old, new)
        # From this the schedule is made where a saved model is loaded.
        rate = model.learning_rate
        model.learning_rate = model.lr_schedule if callable(rate) else rate * new / old if old else new


def _scaled(schedule: Callable[[float], float], old: float, new: float) -> Callable[[float], float]:
    """Return a schedule that begins with another rate; it is saved with the model, as a function without us."""
    if not old:
        return lambda _: new
    factor = new / old
    return lambda left: schedule(left) * factor
