"""How often a verdict is false where nothing was changed, and how often a real step is seen.

Run as ``python tests/bench/effect.py [RUNS]``: each run is a series of 440 points with a change before point 400,
looked at after 10, 20 and 40 points.
"""

from __future__ import annotations

import random
import sys
import time

from tests.bench.live import table
from tests.series import NOISES, SERIES, judged

AT, AFTER = 400, 40

#: Percent of the runs that must be seen.
POWER = (85, 93, 90, 85)


def share(kind: str, deviations: float, runs: int) -> float:
    """Return the percentage of runs in which a step of so many deviations is called clear."""
    rng = random.Random(f"{kind} {deviations}")
    found = 0
    for _ in range(runs):
        series, deviation = SERIES[kind](AT + AFTER, rng)
        step = deviations * deviation
        found += judged([value + step * (place >= AT) for place, value in enumerate(series)], AT)
    return 100 * found / runs


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    began = time.perf_counter()
    false = {kind: share(kind, 0.0, runs) for kind in SERIES}
    took = (time.perf_counter() - began) / runs / len(false) / 3
    rows = [(kind, f"{found:.1f} %", "at most 7 %") for kind, found in false.items()]
    rows.append(("all", f"{sum(false.values()) / len(false):.1f} %", "at most 5 %"))
    table(f"false verdicts, {runs} runs each", rows)
    print()
    powers = [
        (f"{kind}, {size:g} deviations", f"{share(kind, size, runs):.0f} %", f"at least {least} %")
        for (kind, size), least in zip(NOISES, POWER, strict=True)
    ]
    table("steps seen", powers)
    print(f"\na look takes {1000 * took:.1f} ms")


if __name__ == "__main__":
    main()
