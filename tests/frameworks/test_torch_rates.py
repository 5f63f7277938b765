"""A rate that is changed under a scheduler is what it would be if the training had begun with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: make frameworks")

from tui.adapters.torch_rates import rescale  # noqa: E402 - what is skipped needs none of it

of = torch.optim.lr_scheduler

SCHEDULERS: dict[str, Callable[[Any, float], Any]] = {
    "cosine": lambda optimizer, _: of.CosineAnnealingLR(optimizer, 60),
    "cosine to a floor": lambda optimizer, _: of.CosineAnnealingLR(optimizer, 60, eta_min=0.01),
    "warm restarts": lambda optimizer, _: of.CosineAnnealingWarmRestarts(optimizer, 17, eta_min=0.001),
    "lambda": lambda optimizer, _: of.LambdaLR(optimizer, lambda step: min(step / 30, 1.0)),
    "linear": lambda optimizer, _: of.LinearLR(optimizer, 0.1, 1.0, 40),
    "exponential": lambda optimizer, _: of.ExponentialLR(optimizer, 0.97),
    "steps": lambda optimizer, _: of.MultiStepLR(optimizer, [10, 25, 40]),
    "polynomial": lambda optimizer, _: of.PolynomialLR(optimizer, 60, 2.0),
    "one cycle": lambda optimizer, rate: of.OneCycleLR(optimizer, max_lr=[rate, rate / 2], total_steps=80),
    "cyclic": lambda optimizer, rate: of.CyclicLR(optimizer, [rate / 10, rate / 20], [rate, rate / 2], 7),
    "sequential": lambda optimizer, _: of.SequentialLR(
        optimizer, [of.LinearLR(optimizer, 0.1, 1.0, 20), of.CosineAnnealingLR(optimizer, 60)], [20]
    ),
    "chained": lambda optimizer, _: of.ChainedScheduler(
        [of.LinearLR(optimizer, 0.5, 1.0, 20), of.ExponentialLR(optimizer, 0.99)], optimizer=optimizer
    ),
}


class Training:
    """Two groups of parameters, the rate of one half of the other's."""

    def __init__(self, name: str, rate: float, tensor: bool = False) -> None:
        layers = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
        rates = [torch.tensor(part) if tensor else part for part in (rate, rate / 2)]
        groups = [{"params": layer.parameters(), "lr": part} for layer, part in zip(layers, rates, strict=True)]
        self.optimizer = torch.optim.AdamW(groups, capturable=tensor)
        self.scheduler = SCHEDULERS[name](self.optimizer, rate)

    def step(self) -> list[float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a sequence, that it steps with an epoch
            self.optimizer.step()
            self.scheduler.step()
        return [float(group["lr"]) for group in self.optimizer.param_groups]


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("at", [0, 7, 20, 33])
def test_the_rates_are_those_of_a_training_that_began_so(name: str, at: int) -> None:
    changed, begun = Training(name, 0.1), Training(name, 0.03)
    for _ in range(at):
        changed.step()
        begun.step()
    rescale([changed.optimizer], [changed.scheduler], 0.1, 0.03)
    for _ in range(45):
        assert changed.step() == pytest.approx(begun.step(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ["cosine", "exponential"])
def test_a_rate_that_is_a_tensor_stays_one(name: str) -> None:
    changed, begun = Training(name, 0.1, tensor=True), Training(name, 0.03, tensor=True)
    tensor = changed.optimizer.param_groups[0]["lr"]
    rescale([changed.optimizer], [changed.scheduler], 0.1, 0.03)
    assert changed.optimizer.param_groups[0]["lr"] is tensor
    for _ in range(20):
        assert changed.step() == pytest.approx(begun.step(), rel=1e-5)


def test_from_zero_every_rate_is_the_new_one() -> None:
    changed = Training("lambda", 0.0)
    for _ in range(40):
        changed.step()
    rescale([changed.optimizer], [changed.scheduler], 0.0, 0.03)
    assert changed.step() == [0.03, 0.03]
