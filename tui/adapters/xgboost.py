"""XGBoost, by `xgboost.train` and by its estimators for scikit-learn; `xgboost.cv` trains many boosters at once.

```python
from tui.adapters.xgboost import TuneXGBoost

xgboost.train(params, data, 1000, evals=[(data, "train")], callbacks=[TuneXGBoost(config, lr="eta")])
```
"""

from __future__ import annotations

import json

from xgboost.callback import TrainingCallback

from tui.adapters.tuning import Tuning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tui.adapters.tuning import Apply


class TuneXGBoost(TrainingCallback):  # type: ignore[misc]
    """Makes each round of boosting a checkpoint.

    It reports what is evaluated, as `train-rmse`, and ends by returning True. Of a `LearningRateScheduler` beside it
    each rate is scaled.

    Args:
        config: The config that the training was set up with.
        apply: Is given each new config and the booster, for all but the learning rate: `set_param` takes the rest.
        lr: The path of the learning rate in the config, None where it has none.
    """

    def __init__(self, config: Any, apply: Apply | None = None, lr: str | None = "lr") -> None:
        super().__init__()
        self._tuning = Tuning(config, apply, lr)
        self._factor = 1.0
        self._ours: float | None = None

    def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Scale what a scheduler has said since we have."""
        if self._ours is not None and (rate := _rate(model)) != self._ours:
            self._set(model, rate * self._factor)
        return False

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Come to a checkpoint."""
        metrics = {
            f"{data}-{name}": values[-1][0] if isinstance(values[-1], tuple) else values[-1]
            for data, found in evals_log.items()
            for name, values in found.items()
        }

        def take(old: float, new: float) -> None:
            self._factor *= new / old if old else 1.0
            rate = _rate(model)
            ours = rate == self._ours  # else a scheduler's, which knows of no factor
            self._set(model, new if not old else rate * new / old if ours else rate * self._factor)

        return self._tuning.step(model, metrics, take)

    def _set(self, model: Any, rate: float) -> None:
        model.set_param("learning_rate", rate)
        self._ours = _rate(model)  # as it is kept, in fewer digits


def _rate(model: Any) -> float:
    return next(_rates(json.loads(model.save_config())["learner"]["gradient_booster"]))


def _rates(kept: Any) -> Iterator[float]:
    """Yield the learning rates in what a booster keeps, which depends on its kind."""
    if isinstance(kept, dict):
        if "learning_rate" in kept:
            yield float(kept["learning_rate"])
        kept = list(kept.values())
    if isinstance(kept, list):
        for part in kept:
            yield from _rates(part)
