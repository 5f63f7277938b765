"""What a save of the deck file changes: from the jobs that there are to those that it names. Decisions only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from tui.engine.deck.spec import JobSpec

#: What a worker is started with: another value needs another worker. All else holds for the one that runs.
_OF_WORKER = frozenset(
    {"task", "command", "runner", "dask", "loop", "validate", "python", "cwd", "args", "env", "tty", "guards", "ranks"}
)


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        added: Jobs that are new.
        removed: Names of those that are to go.
        replaced: Jobs whose config is another file: to their history and their viewers they are new ones.
        restarted: Jobs that need another worker.
        adopted: Jobs whose worker stays, though something else of them is new.
    """

    added: tuple[JobSpec, ...] = ()
    removed: tuple[str, ...] = ()
    replaced: tuple[JobSpec, ...] = ()
    restarted: tuple[JobSpec, ...] = ()
    adopted: tuple[JobSpec, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    @property
    def names(self) -> dict[str, Any]:
        """The names of the jobs, by what is done to them."""
        found = {"removed": self.removed}
        for what in ("added", "replaced", "restarted", "adopted"):
            found[what] = tuple(spec.name for spec in getattr(self, what))
        return found

    @property
    def disturbed(self) -> tuple[str, ...]:
        """The names of the jobs whose worker would end."""
        names = self.names
        return (*names["removed"], *names["replaced"], *names["restarted"])

    def without(self, names: Iterable[str]) -> Plan:
        """Return the plan as far as it is about other jobs."""
        left = set(names)

        def kept(specs: tuple[JobSpec, ...]) -> tuple[JobSpec, ...]:
            return tuple(spec for spec in specs if spec.name not in left)

        removed = tuple(name for name in self.removed if name not in left)
        return Plan(kept(self.added), removed, kept(self.replaced), kept(self.restarted), kept(self.adopted))


def plan(now: Iterable[JobSpec], then: Iterable[JobSpec]) -> Plan:
    """Return what leads from the jobs that there are `now` to those of the deck file."""
    here, there = {spec.name: spec for spec in now}, {spec.name: spec for spec in then}
    both = [(here[name], spec) for name, spec in there.items() if name in here and spec != here[name]]
    moved = [new for old, new in both if new.config != old.config]
    renewed = [new for old, new in both if new.config == old.config and needs_worker(old, new)]
    return Plan(
        tuple(spec for name, spec in there.items() if name not in here),
        tuple(name for name in here if name not in there),
        tuple(moved),
        tuple(renewed),
        tuple(new for _, new in both if new not in moved and new not in renewed),
    )


def needs_worker(old: JobSpec, new: JobSpec) -> bool:
    """Return whether a job that is described so from now on needs another worker."""
    return any(getattr(old, name) != getattr(new, name) for name in _OF_WORKER)
