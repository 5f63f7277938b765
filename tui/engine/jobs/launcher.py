"""Starts the workers of a deck: each kind of job has its own, and the thread and asyncio jobs share hosts."""

from __future__ import annotations

import signal
from pathlib import Path

from tui.engine.deck.spec import JobSpec
from tui.engine.history.folders import state_folder
from tui.engine.jobs.host import HostJob, free_name
from tui.engine.jobs.publisher import Emit
from tui.engine.jobs.worker_slot import Launch
from tui.runners.base import Owner, Payload, Worker
from tui.runners.command import CommandRunner
from tui.runners.dask import DaskRunner
from tui.runners.guest import GuestRunner
from tui.runners.process import Place, ProcessRunner


class Launcher:
    """Knows how the workers of each job are started.

    Args:
        jobs: The names of all jobs of the deck.
        emit: Takes the events of the hosts.

    Attributes:
        hosts: The hosts, by their interpreters.
        joins: How the paths of the sockets begin to which processes come that join.
    """

    def __init__(self, jobs: list[str], emit: Emit) -> None:
        self.hosts: dict[str | None, HostJob] = {}
        self.joins = Path()
        self._jobs = jobs
        self._emit = emit

    def of(self, spec: JobSpec) -> Launch:
        """Return what starts the workers of a job."""
        state_dir = str(state_folder(spec.config, spec.name))
        setup = {
            "job": spec.name,
            "task": spec.task,
            "loop": spec.loop,
            "runner": spec.runner,
            "validate": spec.validate,
            "guards": spec.guards,
            "args": list(spec.args),
            "signal": int(signal.Signals[spec.stop_signal]),
            "state_dir": state_dir,
        }
        if spec.hosted:
            if spec.python not in self.hosts:
                taken = [*self._jobs, *(host.name for host in self.hosts.values())]
                self.hosts[spec.python] = HostJob(free_name(taken), spec.python, spec.cwd, self._emit)
            host = self.hosts[spec.python]
            return lambda owner, payload: host.host().seat(owner, setup, payload)

        def launch(owner: Owner, payload: Payload) -> Worker:
            joining = {"guards": spec.guards, "state_dir": state_dir}
            if spec.guest is not None:
                return GuestRunner(owner, spec.guest, payload, joining)
            if spec.command is not None:
                return CommandRunner(owner, spec.command, payload, joining, self.joins, spec.ranks)
            place = Place(spec.cwd, spec.env, tty=spec.tty)
            if spec.dask is not None:
                return DaskRunner(owner, setup, payload, spec.dask, place)
            return ProcessRunner(
                owner, setup, payload, python=spec.python, place=place, joins=self.joins, ranks=spec.ranks
            )

        return launch
