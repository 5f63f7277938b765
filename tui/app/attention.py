"""What the user should not miss, whatever is on the screen: said in a toast, and some of it by the bell."""

from __future__ import annotations

import math
from collections.abc import Callable

from tui import wording
from tui.app import formatting
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.protocol import messages

_SEVERE = ("invalid", "rejected", "failed", "reverted")

#: What is worth a bell: an invalid text is the user's own, just typed.
_RINGS = ("rejected", "failed", "reverted", "crashed", "finished")


class Attention:
    """Sees what is told of the jobs.

    Args:
        say: Shows a message, how bad it is, and its title.
        ring: Rings the bell.
    """

    def __init__(self, say: Callable[[str, str, str], None], ring: Callable[[], None]) -> None:
        self._say = say
        self._ring = ring
        self._warned: set[tuple[str, int]] = set()

    def tell(self, job: JobModel, message: messages.Event, before: str | None, in_view: bool) -> None:
        """Say what is not to be missed of a message.

        Args:
            job: It is about this one.
            message: What was told; the job knows it already.
            before: The state in which the job was.
            in_view: Its panes are on the screen.
        """
        if isinstance(message, messages.State | messages.Reload):
            told = message.state if isinstance(message, messages.State) else message.status
            if told in _RINGS and told != before and not job.fell_with_host:
                self._ring()
        if isinstance(message, messages.Judged) and message.verdict == "worse":
            self._warn(job, message)
        elif isinstance(message, messages.State) and message.state != before:
            self._tell_end(job, message)
        elif isinstance(message, messages.Reload) and message.status in _SEVERE:
            self._tell_failure(job, message, in_view)

    def _tell_failure(self, job: JobModel, row: messages.Reload, in_view: bool) -> None:
        if in_view and row.error is not None and job.problem is row.error:
            return  # it stands below the editor, and the user is in the middle of solving it
        severity = "warning" if row.status == "reverted" else "error"
        self._say(formatting.outcome(row), severity, f"{plain(job.name)}: v{row.version} {row.status}")

    def _tell_end(self, job: JobModel, state: messages.State) -> None:
        name, reason = plain(job.name), plain(state.reason or "")
        if state.state == "crashed" and not job.fell_with_host:
            said = reason or f"exit code {state.exit_code}"
            then = "Its jobs ended with it." if job.is_host else "ctrl+r starts it again."
            self._say(f"{said}\n{then}", "error", f"{name} crashed")
        elif state.state == "finished":
            self._say(reason or "ctrl+r starts it again.", "information", f"{name} finished")

    def _warn(self, job: JobModel, found: messages.Judged) -> None:
        """Say that a change was for the worse, once: of the main metric, or of one that is no number any more."""
        row = job.timeline.get(found.version)
        main = row is None or row.effect[0].metric == found.metric
        if (main or found.change is None or math.isnan(found.change)) and (job.name, found.version) not in self._warned:
            self._warned.add((job.name, found.version))
            self._ring()
            then = "In the timeline b goes to the best version, and r back to the one under the cursor."
            title = f"{plain(job.name)}: v{found.version} is worse"
            self._say(f"{plain(wording.effect(found))}\n{then}", "error", title)
