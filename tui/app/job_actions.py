"""Starting, stopping, pausing and rolling back a job from the screen, with the questions that come before."""

from __future__ import annotations

from dataclasses import replace

from tui.app.deck import RunningDeck
from tui.app.dialogs.dialog import Choice, Dialog
from tui.app.dialogs.loss import ask_loss, work_lost
from tui.app.dialogs.task_stack import AGAIN, TaskStackScreen
from tui.app.dialogs.task_stack import RESTART as RESTART_ANSWER
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.protocol import messages

RESTART = Choice("r", "restart", "restart it", "its state is lost")
STOP = Choice("s", "stop", "stop it")
BACK = Choice("r", "back", "roll back", "your text stays in the editor, beside that of the file")
HOST = Choice("h", "host", "restart the host", "kills it, and starts the others in it again")


async def restart(deck: RunningDeck, job: JobModel) -> None:
    """Start the job; ask first where that costs a running one its state."""
    title = f"{plain(job.name)} is still {job.state.state if job.state else 'there'}"
    lost = work_lost([job], deck.clock())
    if not job.has_worker or await deck.push_screen_wait(Dialog(title, lost, [RESTART])) == "restart":
        await order(deck, messages.Start(0, job.name), "Not started")


async def stop(deck: RunningDeck, job: JobModel) -> None:
    """Stop the job, after asking."""
    if not job.alive:
        _say_idle(deck, job)
        return
    title = f"Stop {plain(job.name)}?"
    said = f"{work_lost([job], deck.clock())}\nThe deck stays open; ctrl+r starts it again.".strip()
    if await deck.push_screen_wait(Dialog(title, said, [STOP])):
        await order(deck, messages.Stop(0, job.name), "Not stopped")


async def pause(deck: RunningDeck, job: JobModel) -> None:
    """Hold the job, or let it go on."""
    if job.alive:
        paused = job.state is not None and job.state.state == "paused"
        what = "Not resumed" if paused else "Not paused"
        await deck.order(messages.Pause(0, job.name, paused=not paused), what)
    else:
        _say_idle(deck, job)


def _say_idle(deck: RunningDeck, job: JobModel) -> None:
    deck.notify("It does not run: ctrl+r starts it.", title=plain(job.name), severity="warning", markup=False)


async def show_stack(deck: RunningDeck, job: JobModel) -> None:
    """Show where the task is, and offer to restart it."""
    answer = AGAIN
    while answer == AGAIN:
        reply = await deck.order(messages.Stack(0, job.name), "Nobody can say where the task is")
        if reply is None:
            return
        row = job.timeline.waiting()
        waits = f": v{row.version} waits for its checkpoint" if row is not None else ""
        answer = await deck.push_screen_wait(TaskStackScreen(f"{plain(job.name)}{waits}", str(reply.data.get("stack"))))
    if answer == RESTART_ANSWER:
        await restart(deck, job)


async def roll_back(deck: RunningDeck, job: JobModel, version: int, *, unsaved: bool) -> int | None:
    """Write a version back to the file; ask first where the editor holds something else, which would be in conflict.

    Return the new version, where it is known.
    """
    base = job.document.digest if job.document is not None else None  # what the user sees while being asked
    title = f"Roll {plain(job.name)} back to v{version}?"
    if unsaved and not await deck.push_screen_wait(Dialog(title, "The editor has changes that are not saved.", [BACK])):
        return None
    command = messages.Rollback(0, job.name, version, base)
    reply = await deck.order(command, "Not rolled back", also="costs")
    if reply is not None and reply.code == "costs":
        if not await deck.push_screen_wait(ask_loss(reply.data["losses"])):
            return None
        reply = await deck.order(replace(command, restart=True), "Not rolled back")
    if reply is None:
        return None
    if reply.data.get("changed") is False:
        deck.notify(f"The file is v{version} already.", title=plain(job.name), markup=False)
    found = reply.data.get("versions", {}).get(job.name)
    return found if isinstance(found, int) else None


async def order(deck: RunningDeck, command: messages.Start | messages.Stop, failure: str) -> None:
    """Send a command; if the job can't be ended alone, offer to end the host that it shares with others."""
    reply = await deck.order(command, failure, also="stuck")
    if reply is None or reply.code != "stuck":
        return
    beside = [str(name) for name in reply.data.get("with", ())]
    others = ", ".join(map(plain, beside))
    lost = work_lost([deck.jobs[name] for name in beside if name in deck.jobs], deck.clock())
    also = f"\nThe host also holds {others}: their state would be lost.\n{lost}" if others else ""
    body = f"{plain(reply.message)}{also}".rstrip()
    if await deck.push_screen_wait(Dialog(f"{plain(command.job)} does not end", body, [HOST])):
        kind = type(command)
        await deck.order(kind(0, command.job, host=True), failure)
