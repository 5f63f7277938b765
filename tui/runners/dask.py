"""Runs the replicas of a task on a Dask cluster, by a process of its own that is the cluster's client.

Dask never comes into the engine: a scheduler that hangs would hold it up, and it takes most of a second to import.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tui.runners.base import Owner, Payload, Relay
from tui.runners.process import Place, Process
from tui.runners.task import Task
from tui.runners.termination import Termination

#: The program of the process; see `tui.worker.main`.
_PROGRAM = "tui.cluster.controller"


@dataclass(frozen=True)
class DaskSpec:
    """Where and how often a task runs.

    Attributes:
        scheduler: The address of the cluster's scheduler; None for a local cluster that ends with the job.
        replicas: How many run at once.
    """

    scheduler: str | None = None
    replicas: int = 1


class DaskRunner(Task, Relay):
    """All replicas of a job.

    Args:
        owner: Told of everything that happens.
        setup: See `Task`.
        payload: See `Task`.
        spec: Where they run.
        place: The folder that travels there, and their environment.

    Raises:
        OSError: The interpreter can't be started.
    """

    def __init__(self, owner: Owner, setup: Mapping[str, Any], payload: Payload, spec: DaskSpec, place: Place) -> None:
        self._owner = owner
        self._stop: Termination | None = None
        self._process = Process(self, None, Place(place.cwd))
        self._process.send({"kind": "program", "module": _PROGRAM})
        where = {"scheduler": spec.scheduler, "replicas": spec.replicas}
        super().__init__({**setup, **where, "cwd": str(place.cwd), "env": dict(place.env)}, payload, self._process.send)

    async def stop(self, number: int, grace: float) -> None:
        """Ask all replicas to end, and see that they do; a cluster that is not ours stays."""
        tree = self._process.tree
        self._stop = Termination(tree, self._signal, number, grace, self._owner.worker_said, self._force)
        self._tell("stop", signal=int(number))
        await self._stop.run()

    def hurry(self) -> None:
        """Wait no longer for replicas that end by their own means."""
        if self._stop is not None:
            self._stop.hurry()

    def worker_said(self, message: Mapping[str, Any]) -> None:
        """Take what is said of the replicas."""
        if message["kind"] == "wrote":
            self._owner.worker_wrote(message["text"].encode("utf-8", "replace"))
        elif message["kind"] != "stopping":
            self._owner.worker_said(message)
        elif self._stop is not None:
            self._stop.take_answer(message["how"])

    async def wait_gone(self) -> None:
        """Wait until the client of the cluster and all its descendants are gone."""
        await self._process.tree.wait_gone()

    def _signal(self, number: int) -> None:
        self._tell("signal", signal=int(number))

    def _force(self) -> None:
        self._tell("leave")
