"""The Trainer of Hugging Face's transformers.

```python
from tui.adapters.transformers import TuneTransformers

trainer = Trainer(model, args, train_dataset=data, callbacks=[TuneTransformers(config)])
```
"""

from __future__ import annotations

from transformers import TrainerCallback

from tui.adapters.torch_rates import rescale
from tui.adapters.tuning import Tuning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tui.adapters.tuning import Apply


class TuneTransformers(TrainerCallback):  # type: ignore[misc]
    """Makes each optimizer step of a Trainer a checkpoint.

    It reports what the trainer logs, and ends by `control.should_training_stop`, with a last checkpoint of the
    trainer's where it saves any.

    Args:
        config: The config that the training was set up with.
        apply: Is given each new config and a dict of what the Trainer gives its callbacks (`args`, `model`,
            `optimizer`, `lr_scheduler`, `train_dataloader` and so on), for all but the learning rate.
        lr: The path of the learning rate in the config, None where it has none.
    """

    def __init__(self, config: Any, apply: Apply | None = None, lr: str | None = "lr") -> None:
        self._tuning = Tuning(config, apply, lr)
        self._logged: dict[str, Any] = {}

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **found: Any) -> None:
        """Keep what is to be reported at the next step."""
        self._logged.update(logs or {})

    def on_step_end(self, args: Any, state: Any, control: Any, **found: Any) -> None:
        """Come to a checkpoint."""
        logged, self._logged = self._logged, {}

        def take(old: float, new: float) -> None:
            args.learning_rate *= new / old if old else 0
            args.learning_rate = args.learning_rate or new  # schedulers that are made later begin with it
            rescale([found["optimizer"]], [found["lr_scheduler"]], old, new)

        if self._tuning.step({"args": args, "state": state, "control": control, **found}, logged, take):
            control.should_training_stop = True
            control.should_save = str(getattr(args.save_strategy, "value", args.save_strategy)) != "no"
