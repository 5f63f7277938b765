"""Learn to read handwritten digits: a small neural network, to be tuned while it trains.

A task is a function that takes the config. This one is a generator: at each `yield` it reports its metrics and gets
the config as it stands then. The network is a local variable, so no change of the config loses what it has learned.
"""

from __future__ import annotations

import gzip
import math
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tui
from tui.samples.network import Network

if TYPE_CHECKING:
    from collections.abc import Generator

    from tui.samples.network import Batch

DATA = Path(__file__).parent / "data" / "digits.csv.gz"
SIDE = 8  # pixels along each side of an image
HELD_OUT = 360  # images at the end of the file, kept for the accuracy and never trained on
GUESSING = math.log(10)  # the loss of a network that knows nothing


def train(config: dict[str, Any]) -> Generator[dict[str, float], dict[str, Any], None]:
    """Train on one batch of images a step."""
    rng = random.Random(config["seed"])
    images = load()
    images, held_out = images[:-HELD_OUT], images[-HELD_OUT:]
    network = Network(SIDE * SIDE, config["hidden"], rng)
    average = GUESSING  # of the last steps, for the log
    step = epoch = 0
    while epoch < config["epochs"]:
        epoch += 1
        rng.shuffle(images)
        used = 0
        while used < len(images):
            batch = images[used : used + max(1, config["batch_size"])]
            used += len(batch)
            step += 1
            loss = network.learn(augmented(batch, config["augment"], rng), config)
            average += 0.05 * (loss - average)
            metrics = {"loss": loss}  # as it is: an average would hide for a while what a change does
            tells = step % max(1, config["report_every"]) == 0
            if tells or step == 1:
                metrics["accuracy"] = network.accuracy(held_out)
            if tells:
                print(f"epoch {epoch:3}  loss {average:7.4f}  accuracy {metrics['accuracy']:6.1%}  lr {config['lr']}")
            if not math.isfinite(average):
                print("the weights are no longer finite: starting again with new ones")
                network, average = Network(SIDE * SIDE, config["hidden"], rng), GUESSING
            tui.sleep(config["pause"])  # comes back at once when a new config is waiting
            config = yield metrics


def load() -> Batch:
    """Return all images, their pixels from 0 to 1, with their digits."""
    with gzip.open(DATA, "rt", encoding="ascii") as lines:
        rows = [[int(value) for value in line.split(",")] for line in lines]
    return [([pixel / 16 for pixel in pixels] + [1.0], digit) for *pixels, digit in rows]


def augmented(batch: Batch, augment: dict[str, float], rng: random.Random) -> Batch:
    """Return `batch` with each image moved by up to `shift` pixels in a random direction, and with `noise` added."""
    if not augment["shift"] and not augment["noise"]:
        return batch
    result = []
    for image, digit in batch:
        moved = shifted(image, rng.randint(-1, 1), rng.randint(-1, 1))
        part = rng.uniform(0, augment["shift"])
        pixels = [a + part * (b - a) + rng.gauss(0, augment["noise"]) for a, b in zip(image[:-1], moved, strict=True)]
        result.append(([*pixels, 1.0], digit))
    return result


def shifted(image: list[float], dx: int, dy: int) -> list[float]:
    """Return the pixels of `image` moved by whole pixels, with nothing where it has moved away from."""
    wanted = range(SIDE)
    return [
        image[SIDE * y + x] if x in wanted and y in wanted else 0.0
        for y in range(dy, SIDE + dy)
        for x in range(dx, SIDE + dx)
    ]
