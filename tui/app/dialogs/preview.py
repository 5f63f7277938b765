"""What a save would do, before it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.app import formatting
from tui.app.sanitize import plain
from tui.protocol.messages import Change, Problem

#: What a save would do to the file.
_FILE = {
    "same": "The file holds this text already.",
    "changed": "The text would be written to the file.",
    "missing": "The file would be made: there is none.",
    "unreadable": "The file can't be read now.",
}

#: What it would do to a job; for any other word, the job gets that signal.
_EFFECTS = {
    "none": "nothing changes for the job",
    "live": "taken live, at the next checkpoint",
    "restart": "↻ restarts the worker, whose state is lost",
    "start": "starts the job",
    "idle": "the job is not running: its next start takes it",
}


class PreviewScreen(ModalScreen[bool]):
    """Shows what a save would do; the result is whether it is wanted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f2", "dismiss(False)", "Close"),
        Binding("ctrl+s", "dismiss(True)", "Save"),
    ]

    def __init__(self, title: str, data: Mapping[str, Any]) -> None:
        super().__init__()
        self._title = title
        self._data = data

    def compose(self) -> ComposeResult:
        """Yield a part for each job."""
        with Vertical(classes="sheet") as box:
            box.border_title = Text(f"{self._title}: what a save would do").markup
            box.border_subtitle = "^s save  esc close"
            with VerticalScroll():
                yield Static(Text("\n").join(preview(self._data)), id="preview")


def preview(data: Mapping[str, Any]) -> Iterator[Text]:
    """Yield the lines that say what a save would do, from the engine's answer."""
    yield Text(_FILE.get(str(data.get("disk")), ""))
    for job in data.get("jobs", ()):
        yield Text()
        yield from _of_job(job)


def _of_job(job: Mapping[str, Any]) -> Iterator[Text]:
    running = f"v{job['running']} runs" if job["running"] is not None else "nothing runs"
    yield Text.assemble((plain(job["job"]), "bold"), f"  {running}")
    if job["errors"]:
        goes_on = f", v{job['running']} goes on" if job["running"] is not None else ""
        yield Text(f"  ✗ {job['status']}: not taken{goes_on}", "bold")
    else:
        yield Text(f"  {_EFFECTS.get(job['effect'], 'sends it ' + plain(job['effect']))}", "bold")
    for error in job["errors"]:
        problem = Problem(**error)
        yield Text(f"    ✗ {formatting.problem(problem)}")
    for change in (Change(**item) for item in job["changes"]):
        yield Text(f"    {formatting.change(change)}" + ("  ↻ restarts" if change.key in job["restarting"] else ""))
    if not job["changes"] and not job["errors"] and job["effect"] != "start":
        yield Text("    no value changes", "dim")
    if job["effective"]:
        yield Text("  the task would work with")
    for change in (Change(**item) for item in job["effective"]):
        what = f"{formatting.value(change.new)}" if not change.removed else "it is not used"
        asked = f" (asked for {formatting.value(change.old)})" if not change.added else ""
        yield Text(f"    {plain(change.key)}: {what}{asked}")
    if job["remark"]:
        yield Text(f"  not all could be looked at: {plain(job['remark'])}", "dim")
