"""Keras 3, with any of its backends.

```python
from tui.adapters.keras import TuneKeras

model.fit(x, y, callbacks=[TuneKeras(config)])
```
"""

from __future__ import annotations

import keras

from tui.adapters.tuning import Tuning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tui.adapters.tuning import Apply

#: In which a schedule keeps the rates that it begins with.
_FIRST = ("initial_learning_rate", "warmup_target", "values")


class TuneKeras(keras.callbacks.Callback):  # type: ignore[misc]
    """Makes each training batch of a Keras model a checkpoint.

    It reports what Keras logs, and ends by `model.stop_training`.

    Args:
        config: The config that the training was set up with.
        apply: Is given each new config and the model, for all but the learning rate.
        lr: The path of the learning rate in the config, None where it has none.
    """

    def __init__(self, config: Any, apply: Apply | None = None, lr: str | None = "lr") -> None:
        super().__init__()
        self._tuning = Tuning(config, apply, lr)
        self._judged: dict[str, Any] = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep what the validation has found, to be reported at the next batch."""
        self._judged = {name: value for name, value in (logs or {}).items() if name.startswith("val_")}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Come to a checkpoint."""
        metrics, self._judged = {**(logs or {}), **self._judged}, {}
        if self._tuning.step(self.model, metrics, self._take):
            self.model.stop_training = True

    def _take(self, old: float, new: float) -> None:
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of mixed precision
        schedule = optimizer._learning_rate
        if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            optimizer.learning_rate = float(optimizer.learning_rate) * new / old if old else new
            return
        for name in _FIRST:
            found = getattr(schedule, name, None)
            if isinstance(found, (list, tuple)):
                setattr(schedule, name, [rate * new / old if old else new for rate in found])
            elif found is not None:
                setattr(schedule, name, found * new / old if old else new)
        self.model.make_train_function(force=True)  # a compiled one has the old rates in it
