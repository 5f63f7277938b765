"""What a change would cost: a worker that has run for a while loses its state where a new one is needed for it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tui import wording
from tui.config.diff import changes
from tui.engine.jobs.job import Job
from tui.engine.reloads import checks
from tui.engine.reloads.candidate import Candidate
from tui.engine.service.dry_run import run_dry
from tui.protocol import messages
from tui.protocol.codec import jsonable
from tui.protocol.messages import Reply

#: A worker that has run for so many seconds has a state that is worth a question.
WORTH = 60.0


@dataclass(frozen=True)
class Loss:
    """What one job would lose.

    Attributes:
        job: Its name.
        step: Checkpoints that its worker has completed.
        seconds: Since it was started.
        keys: The changed keys that can't change live.
    """

    job: str
    step: int
    seconds: float
    keys: tuple[str, ...]

    @property
    def words(self) -> str:
        """The loss in a sentence."""
        why = f"{', '.join(self.keys)} can't change live" if self.keys else "the change can't be taken live"
        return f"{why}: {self.job} would start anew and lose {wording.work(self.step, self.seconds)}"


class CostsState(Exception):  # noqa: N818 - it is no error of ours
    """A change would cost jobs their state, and nobody has said that it may; the file stays as it is."""

    def __init__(self, losses: Iterable[Loss]) -> None:
        self.losses = list(losses)
        super().__init__("\n".join(loss.words for loss in self.losses))

    def reply(self, command: messages.Command) -> Reply:
        """Return the reply that asks for a word."""
        return Reply(command.id, False, str(self), code="costs", data={"losses": jsonable(self.losses)})


def require_little(jobs: Iterable[Job], candidate: Candidate) -> None:
    """See that no job would lose much by a change.

    Raises:
        CostsState: One would.
    """
    losses = [loss for job in jobs if (loss := _loss(job, candidate)) is not None]
    if losses:
        raise CostsState(losses)


async def require_little_by_save(jobs: Iterable[Job], text: str) -> None:
    """See that no job would lose much by a save; one that is refused anyway costs nothing.

    Raises:
        CostsState: One would.
    """
    risking = [job for job in jobs if _may_lose(job)]
    if not risking:
        return  # a large text takes long to parse
    candidate = await risking[0].file.draft(text.encode("utf-8", "replace"), "editor", 0.0)
    losing = [job for job in risking if _loss(job, candidate) is not None]
    taken = [job for job in losing if (await run_dry(job, candidate, brief=True)).problem is None]
    require_little(taken, candidate)


def _may_lose(job: Job) -> bool:
    """Tell whether there is a change that costs more than the deck has declared."""
    command = job.spec.command
    declared = job.spec.on_change == "restart" or not job.supervisor.live or job.spec.guest is not None
    return not declared and (bool(job.supervisor.patterns) or (command is not None and command.filled))


def _loss(job: Job, candidate: Candidate) -> Loss | None:
    since = job.running.since
    data = checks.examine(candidate, job.spec, job.reloads.text).data
    if (
        not _may_lose(job)
        or since is None
        or data is None
        or time.time() - since < WORTH
        or not job.supervisor.needs_restart(data)
    ):
        return None
    last = job.reloads.last
    found = changes(last[1].data, data) if last is not None else ()
    keys = tuple(change.key for change in found if job.supervisor.patterns and job.supervisor.patterns.touched(change))
    step = job.metrics.step if job.metrics is not None else 0
    return Loss(job.name, step, time.time() - since, keys)
