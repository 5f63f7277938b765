"""Lightning, under both of its names, `lightning.pytorch` and `pytorch_lightning`.

```python
from tui.adapters.lightning import TuneLightning

trainer = Trainer(callbacks=[TuneLightning(config)])
```
"""

from __future__ import annotations

import sys

from tui.adapters.torch_rates import rescale
from tui.adapters.tuning import Tuning, Unseen

# The name that the script uses has been imported by it before; a callback must be of the same package as its trainer.
if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules:
    from pytorch_lightning import Callback
else:
    try:
        from lightning.pytorch import Callback
    except ImportError:
        from pytorch_lightning import Callback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tui.adapters.tuning import Apply


class TuneLightning(Callback):  # type: ignore[misc]
    """Makes each training batch of a Lightning trainer a checkpoint.

    It reports all that is logged, the loss and the learning rate, and ends by `trainer.should_stop`.

    Args:
        config: The config that the training was set up with.
        apply: Is given each new config and the trainer, for all but the learning rate.
        lr: The path of the learning rate in the config, None where it has none.
    """

    def __init__(self, config: Any, apply: Apply | None = None, lr: str | None = "lr") -> None:
        super().__init__()
        self._tuning = Tuning(config, apply, lr)
        self._news = Unseen()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Come to a checkpoint."""
        metrics = self._news.of(trainer.callback_metrics)
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if loss is not None and "loss" not in trainer.callback_metrics:
            metrics["loss"] = loss
        if trainer.optimizers:
            metrics.setdefault("lr", trainer.optimizers[0].param_groups[0]["lr"])

        def take(old: float, new: float) -> None:
            rescale(trainer.optimizers, [found.scheduler for found in trainer.lr_scheduler_configs], old, new)

        if self._tuning.step(trainer, metrics, take):
            trainer.should_stop = True
