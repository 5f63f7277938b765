"""What is said of a deck file that was saved, and the question before jobs end for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tui.app.dialogs.dialog import Choice, Dialog
from tui.app.dialogs.loss import work_lost
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.protocol.messages import DeckChange

#: No letter: it comes up by itself, perhaps while somebody is typing.
APPLY = Choice("ctrl+d", "apply", "do it")

_WORDS = {
    "added": "new",
    "removed": "removed",
    "replaced": "replaced by one with another config",
    "restarted": "restarted",
    "adopted": "changed, without a new worker",
}


def words(change: DeckChange) -> str:
    """Return what becomes of which jobs, a line for each way."""
    found = {said: getattr(change, what) for what, said in _WORDS.items()}
    return "\n".join(f"{said}: {', '.join(map(plain, names))}" for said, names in found.items() if names)


def question(change: DeckChange, jobs: Mapping[str, JobModel], now: float) -> Dialog:
    """Ask whether the jobs may end that would end."""
    ending: Iterable[str] = (*change.removed, *change.replaced, *change.restarted)
    lost = work_lost([jobs[name] for name in ending if name in jobs], now)
    said = f"{words(change)}\n{lost}".strip()
    return Dialog("The deck file was saved", f"{said}\nUntil you say so, they go on as they are.", [APPLY])
