"""Another learning rate for PyTorch's optimizers, in which their schedulers take part.

A scheduler computes each rate from the first one or from the last one. All of these are scaled, so that the schedule
goes on where it is, as if it had begun with the other rate.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

#: What optimizers and schedulers keep in a group of parameters.
_OF_GROUP = ("lr", "initial_lr", "max_lr", "min_lr", "swa_lr")

#: And schedulers in lists, with a rate for each group.
_OF_SCHEDULER = ("base_lrs", "max_lrs", "_last_lr")


def rescale(optimizers: Iterable[Any], schedulers: Iterable[Any], old: float, new: float) -> None:
    """Scale all rates from one first rate to another; where that was 0, all of them become the new one."""

    def scaled(rate: Any) -> Any:
        if hasattr(rate, "fill_"):  # a tensor, which the optimizer may have compiled in
            return rate.mul_(new / old) if old else rate.fill_(new)
        return rate * new / old if old else new

    floors = {id(group): floor for scheduler in schedulers for group, floor in _floors(scheduler)}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            floor = floors.get(id(group), 0.0)
            # What a cosine lets down to a floor is what is above it.
            first = group.get("initial_lr", old)
            above = (scaled(first) - floor) / (first - floor) if floor and old and first != floor else None
            rate = group["lr"]
            for key in _OF_GROUP:
                if key in group:
                    group[key] = scaled(group[key])
            if above is not None and not hasattr(rate, "fill_"):
                group["lr"] = floor + (rate - floor) * above
    for scheduler in schedulers:
        for part in _parts(scheduler):
            for name in _OF_SCHEDULER:
                if hasattr(part, name):
                    setattr(part, name, [scaled(rate) for rate in getattr(part, name)])


def _parts(scheduler: Any) -> Iterator[Any]:
    """Yield a scheduler, and those that it is made of."""
    scheduler = getattr(scheduler, "scheduler", scheduler)  # accelerate wraps them
    yield scheduler
    for part in getattr(scheduler, "_schedulers", ()):
        yield from _parts(part)


def _floors(scheduler: Any) -> Iterator[tuple[Any, float]]:
    """Yield the groups of a scheduler that lets their rates down to a floor, with that."""
    scheduler = getattr(scheduler, "scheduler", scheduler)
    floor = getattr(scheduler, "eta_min", 0.0)
    if isinstance(floor, (int, float)) and floor:
        for group in scheduler.optimizer.param_groups:
            yield group, floor
