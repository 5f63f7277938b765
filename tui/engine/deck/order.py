"""What jobs wait for before they start, `depends_on`: what can't be, and the circles in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from tui.config.keys import child
from tui.engine.deck.vocabulary import hint

#: What can be waited for: its process is there, its task is loaded or its program ready, it has ended with success.
CONDITIONS = ("started", "ready", "finished")


def problems(jobs: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with what the jobs of a deck wait for: the path to it, and the words."""
    found = {name: job.get("depends_on") for name, job in jobs.items() if isinstance(job, dict)}
    waits = {name: others for name, others in found.items() if isinstance(others, dict)}
    for name, others in waits.items():
        where = child(child("jobs", name), "depends_on")
        for other, condition in others.items():
            if other not in jobs:
                yield child(where, other), f"there is no job {other}{hint(str(other), map(str, jobs))}"
            elif condition not in CONDITIONS:
                yield child(where, other), f"a job can wait for another to be {' or '.join(CONDITIONS)}"
        if way := circle(waits, name):
            steps = ", ".join(f"{one} waits for {other}" for one, other in itertools.pairwise(way))
            yield where, f"none of these could ever start: {steps}; one of them must not wait"


def circle(waits: Mapping[Any, Mapping[Any, Any]], first: Any) -> list[Any]:
    """Return the jobs by which one waits for itself, that one at both ends; empty where it does not."""
    ways, seen = [[first]], {first}
    while ways:
        way = ways.pop(0)
        for name in waits.get(way[-1], ()):
            if name == first:
                return [*way, name]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []
