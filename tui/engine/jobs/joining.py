"""What is told of the processes that join a job by their first `tui.checkpoint`, and of those that don't."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tui.engine.deck.spec import JobSpec
from tui.engine.jobs.publisher import JobPublisher
from tui.engine.reloads.reloads import Reloads
from tui.protocol.messages import LIVE
from tui.worker import process_tree

#: Seconds after which a process that has left should have ended.
ENDING = 1.0


class Joining:
    """Tells it of one job.

    Args:
        spec: What the deck says of the job.
        record: Told.
        reloads: The job's.
    """

    def __init__(self, spec: JobSpec, record: JobPublisher, reloads: Reloads) -> None:
        self._spec = spec
        self._record = record
        self._reloads = reloads

    def take_message(self, message: Mapping[str, Any]) -> None:
        """Take what the worker says of its processes."""
        kind = message["kind"]
        if kind == "unjoined":
            self._tell_unjoined(message["seconds"])
        elif kind == "remark":
            self.remark(message["message"])
        elif kind == "ranks":
            self._record.count(message["version"], message["ranks"])
        elif kind == "standing":
            self._tell_standing(message)
        elif kind == "uneven":
            self._tell_uneven(message["fences"])
        elif kind == "joined":
            self._reason(None)
        elif kind == "ending":
            self._reason(message["reason"], until=message["until"])
        elif kind == "left":
            asyncio.get_running_loop().call_later(ENDING, self._look_after, message["pid"])

    def remark(self, message: str) -> None:
        """Tell a sentence on the screen and in the log."""
        self._record.notice(message, "warning")
        self._record.write(f"tunedeck: {message}\n".encode(), self._reloads.running)

    def _tell_standing(self, standing: Mapping[str, Any]) -> None:
        self._record.rank({name: value for name, value in standing.items() if name != "kind"})
        self._record.update(self._reloads.delay(standing["version"], standing["why"]))

    def _tell_uneven(self, fences: Mapping[int, int]) -> None:
        where = ", ".join(f"rank {rank} comes to step {fences[rank]:,}" for rank in sorted(fences)[:8])
        what = "a change waits for the slowest; with ranks: each every rank takes it by itself"
        self.remark(f"the ranks do not call tui.checkpoint equally often: {where}; {what}")

    def _tell_unjoined(self, seconds: float) -> None:
        why = f"none of its processes has called tui.checkpoint within {seconds:g} s"
        what = (
            "a change of its config reaches nobody until one does; on_change: restart, a signal such as SIGHUP or none "
            "(--on-change) suits a program that does not"
        )
        self._reason(f"{why}: {what}")
        self.remark(f"{self._spec.name}: {why}. {what[0].upper()}{what[1:]}")

    def _look_after(self, pid: int) -> None:
        """See whether a process that has left has ended; else it has closed its connection, and goes on."""
        if self._record.state.state not in LIVE:
            return
        if not process_tree.lives(pid):
            return
        runs = self._reloads.running
        has = f"v{runs}" if runs else "the config that it has"
        self.remark(f"process {pid} has closed its connection to the deck: it goes on with {has}")

    def _reason(self, reason: str | None, until: float | None = None) -> None:
        state = self._record.state
        if state.state in LIVE and state.reason != reason and (state.state != "paused" or until is not None):
            self._record.move(state.state, pid=state.pid, reason=reason, until=until)
