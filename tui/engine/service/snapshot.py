"""All that is known of a job or a host, for a viewer that has just come."""

from __future__ import annotations

from collections.abc import Iterator

from tui.engine.jobs.host import HostJob
from tui.engine.jobs.job import Job
from tui.engine.service import history_commands
from tui.protocol import messages
from tui.protocol.messages import Message


def of_job(job: Job) -> Iterator[Message]:
    """Yield all that is known of a job."""
    yield info(job)
    yield job.state
    yield job.document
    yield job.running
    yield job.hints
    yield from history_commands.newest(job)
    yield from (known for known in (job.metrics, job.record.ranks) if known is not None)


def info(job: Job) -> messages.JobInfo:
    """Return how a job is described."""
    spec = job.spec
    runner = "command" if spec.command else spec.runner
    how = spec.on_change, spec.metrics, spec.guards
    return messages.JobInfo(job.name, spec.what, str(spec.config), runner, *how, tty=spec.has_terminal)


def of_host(host: HostJob) -> Iterator[Message]:
    """Yield all that is known of a host."""
    yield messages.JobInfo(host.name, "the host of thread and asyncio jobs", "", "host")
    yield host.state
