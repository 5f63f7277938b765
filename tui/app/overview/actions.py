"""Starting, ending and holding several jobs at once, after one question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tui.app import job_actions
from tui.app.deck import RunningDeck
from tui.app.dialogs.dialog import Choice, Dialog
from tui.app.dialogs.loss import work_lost
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.protocol import messages

RESTART = Choice("r", "restart", "restart them", "their state is lost")
STOP = Choice("s", "stop", "stop them")

#: So many jobs are named in a question.
MOST_NAMED = 8


async def start(deck: RunningDeck, jobs: Sequence[JobModel]) -> None:
    """Start the jobs that do not run; those that do go on."""
    ended = [job for job in jobs if not job.alive]
    if not ended:
        _say(deck, "These jobs run" if len(jobs) > 1 else "It runs", "ctrl+r starts anew what runs.")
    await asyncio.gather(*(job_actions.order(deck, messages.Start(0, job.name), "Not started") for job in ended))


async def restart(deck: RunningDeck, jobs: Sequence[JobModel]) -> None:
    """Start the jobs, running ones anew; ask once where that costs some their state."""
    if len(jobs) == 1:
        await job_actions.restart(deck, jobs[0])
        return
    live = [job for job in jobs if job.has_worker]
    if live and not await _agreed(deck, f"Restart {len(jobs)} jobs?", live, RESTART):
        return
    await asyncio.gather(*(job_actions.order(deck, messages.Start(0, job.name), "Not started") for job in jobs))


async def stop(deck: RunningDeck, jobs: Sequence[JobModel]) -> None:
    """Stop the jobs that run, after asking once."""
    alive = [job for job in jobs if job.alive]
    if len(jobs) == 1:
        await job_actions.stop(deck, jobs[0])
    elif not alive:
        _say(deck, "None of them runs", "s starts them.")
    elif await _agreed(deck, f"Stop {len(alive)} jobs?", alive, STOP):
        await asyncio.gather(*(job_actions.order(deck, messages.Stop(0, job.name), "Not stopped") for job in alive))


async def pause(deck: RunningDeck, jobs: Sequence[JobModel]) -> None:
    """Hold the jobs that run, or let them go on where all of them are held."""
    if len(jobs) == 1:
        await job_actions.pause(deck, jobs[0])
        return
    alive = [job for job in jobs if job.alive]
    going = [job for job in alive if job.state is not None and job.state.state != "paused"]
    if not alive:
        _say(deck, "None of them runs", "s starts them.")
    what = "Not paused" if going else "Not resumed"
    wanted = [messages.Pause(0, job.name, paused=bool(going)) for job in going or alive]
    await asyncio.gather(*(deck.order(command, what) for command in wanted))


async def _agreed(deck: RunningDeck, title: str, jobs: Sequence[JobModel], choice: Choice) -> bool:
    names = ", ".join(plain(job.name) for job in jobs[:MOST_NAMED])
    more = f" and {len(jobs) - MOST_NAMED} more" if len(jobs) > MOST_NAMED else ""
    body = f"{names}{more}\n\n{work_lost(jobs, deck.clock())}".rstrip()
    answer: str = await deck.push_screen_wait(Dialog(title, body, [choice]))
    return bool(answer)


def _say(deck: RunningDeck, title: str, words: str) -> None:
    deck.notify(words, title=title, severity="warning", markup=False)
