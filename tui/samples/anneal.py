"""Find the shortest round trip through 52 places in Berlin by simulated annealing, to be tuned while it runs.

Each move turns a stretch of the tour around. A move that makes the tour shorter is always taken, one that makes it
longer only by luck: often while the temperature is high, hardly ever when it is low. Cool too fast and the tour
freezes in a bad shape; cool slowly and it finds the optimum.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tui

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

DATA = Path(__file__).parent / "data" / "berlin52.tsp"
OPTIMUM = 7542  # proven: no tour of berlin52 is shorter


def anneal(config: dict[str, Any]) -> Generator[dict[str, float], dict[str, Any], None]:
    """Cool a tour down, and heat it up again when it is frozen or when `temperature` is changed."""
    rng = random.Random(config["seed"])
    distances = load()
    tour = list(range(len(distances)))
    rng.shuffle(tour)
    length = best = measure(tour, distances)
    best_tour = tour[:]
    heat = temperature = config["temperature"]
    step = 0
    while step < config["steps"]:
        step += 1
        for _ in range(config["moves"]):
            length += move(tour, distances, temperature, rng)
            if length < best:
                best, best_tour = length, tour[:]
        if step % max(1, config["report_every"]) == 0:
            above = best / OPTIMUM - 1
            print(f"temperature {temperature:7.2f}  length {length:6}  best {best:6}, {above:6.2%} above the optimum")
        tui.sleep(config["pause"])  # comes back at once when a new config is waiting
        config = yield {"length": length, "best": best, "temperature": temperature}
        temperature *= config["cooling"]
        if temperature < config["freeze"] or config["temperature"] != heat:
            heat = temperature = config["temperature"]
    print("best tour:", *(place + 1 for place in best_tour))


def move(tour: list[int], distances: list[list[int]], temperature: float, rng: random.Random) -> int:
    """Try to turn a random stretch of the tour around, and return by how much the tour is longer now."""
    first = int(rng.random() * len(tour))  # several times as fast as randrange
    last = int(rng.random() * len(tour))
    if first > last:
        first, last = last, first
    if last - first >= len(tour) - 2:
        return 0  # the same tour, read backwards
    # Only the two links at the ends of the stretch change.
    before, start, end, after = tour[first - 1], tour[first], tour[last], tour[(last + 1) % len(tour)]
    longer = distances[before][end] + distances[start][after] - distances[before][start] - distances[end][after]
    if longer > 0 and (temperature <= 0 or rng.random() >= math.exp(-longer / temperature)):
        return 0
    tour[first : last + 1] = tour[first : last + 1][::-1]
    return longer


def measure(tour: Sequence[int], distances: list[list[int]]) -> int:
    """Return the length of the round trip."""
    return sum(distances[tour[i - 1]][tour[i]] for i in range(len(tour)))


def load() -> list[list[int]]:
    """Return the distance between any two places, rounded to a whole number as TSPLIB's EUC_2D says."""
    text = DATA.read_text(encoding="ascii")
    section = text.partition("NODE_COORD_SECTION\n")[2].partition("EOF")[0]
    places = [tuple(map(float, line.split()[1:])) for line in section.splitlines()]
    return [[int(math.dist(a, b) + 0.5) for b in places] for a in places]
