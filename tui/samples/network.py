"""A small neural network in plain Python, trained by gradient descent with momentum.

Nothing here knows of tunedeck. `learn` reads its settings from the config at every step, so they may change between
any two steps.
"""

from __future__ import annotations

import math
from operator import mul
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

#: Images, each a list of pixels and a constant 1 for the bias, with the digits that they show.
Batch = list[tuple[list[float], int]]


class Layer:
    """Weights and their velocity: a row for each unit, the bias last."""

    def __init__(self, inputs: int, units: int, rng: random.Random):
        self.weights = [[rng.gauss(0, inputs**-0.5) for _ in range(inputs)] + [0.0] for _ in range(units)]
        self.velocity = [[0.0] * (inputs + 1) for _ in range(units)]

    def forward(self, values: Sequence[float]) -> list[float]:
        """Return the sum of each unit."""
        return [sum(map(mul, row, values)) for row in self.weights]

    def descend(self, inputs: list[list[float]], errors: list[list[float]], config: dict[str, Any]) -> None:
        """Move the weights against the mean gradient of a batch."""
        lr, momentum, decay, limit = (config[key] for key in ("lr", "momentum", "weight_decay", "max_norm"))
        columns = list(zip(*inputs, strict=True))
        for unit, error in enumerate(zip(*errors, strict=True)):
            row, velocity = self.weights[unit], self.velocity[unit]
            gradient = [sum(map(mul, error, column)) / len(error) for column in columns]
            velocity = [momentum * v + g + decay * w for v, g, w in zip(velocity, gradient, row, strict=True)]
            self.velocity[unit] = velocity = capped(velocity, limit)
            self.weights[unit] = capped([w - lr * v for w, v in zip(row, velocity, strict=True)], limit)


def capped(row: list[float], limit: float) -> list[float]:
    """Return `row`, shortened to the length `limit`. This is what lets it recover from a learning rate far too high."""
    length = math.hypot(*row)
    return row if length <= limit else [value * limit / length for value in row]


class Network:
    """One hidden layer of leaky rectifiers, then a score for each of the ten digits."""

    def __init__(self, inputs: int, hidden: int, rng: random.Random):
        self.hidden, self.output = Layer(inputs, hidden, rng), Layer(hidden, 10, rng)

    def forward(self, image: Sequence[float]) -> tuple[list[float], list[float]]:
        """Return the hidden values, with a constant 1 for the bias, and the scores."""
        hidden = [value if value > 0 else 0.1 * value for value in self.hidden.forward(image)]
        hidden.append(1.0)
        return hidden, self.output.forward(hidden)

    def learn(self, batch: Batch, config: dict[str, Any]) -> float:
        """Take one step down the gradient of `batch`, and return its mean cross-entropy before that."""
        loss = 0.0
        hiddens, output_errors, hidden_errors = [], [], []
        columns = list(zip(*self.output.weights, strict=True))[:-1]
        for image, digit in batch:
            hidden, scores = self.forward(image)
            top = max(scores)
            powers = [math.exp(score - top) for score in scores]
            total = sum(powers)
            loss += math.log(total) + top - scores[digit]
            error = [power / total for power in powers]
            error[digit] -= 1
            back = [sum(map(mul, error, column)) for column in columns]
            hiddens.append(hidden)
            output_errors.append(error)
            hidden_errors.append([b if h > 0 else 0.1 * b for b, h in zip(back, hidden[:-1], strict=True)])
        self.output.descend(hiddens, output_errors, config)
        self.hidden.descend([image for image, _ in batch], hidden_errors, config)
        return loss / len(batch)

    def accuracy(self, images: Batch) -> float:
        """Return the share of `images` whose digit gets the highest score."""
        scores = [(self.forward(image)[1], digit) for image, digit in images]
        return sum(score.index(max(score)) == digit for score, digit in scores) / len(images)
