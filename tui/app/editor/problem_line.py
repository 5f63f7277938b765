"""The line below the editor that says what is wrong with its text, and what keeps the editor's marks right."""

from __future__ import annotations

import asyncio

from rich.text import Text
from textual import work
from textual.timer import Timer
from textual.widgets import Static

from tui.app import formatting
from tui.app.client import Request
from tui.app.editor.draft import Draft
from tui.app.editor.editor import ConfigEditor
from tui.app.editor.line_marks import differences
from tui.app.model.file_text import FileText
from tui.app.model.job import JobModel
from tui.protocol import messages

#: Seconds without a key after which the text is looked at.
PAUSE = 0.2

#: A longer text is looked at when it is saved only: to parse it takes the engine half a second.
LONG = 64 * 1024


class ProblemLine(Static):
    """Has a text that is being edited looked at by the engine in each pause, and compares it with what runs."""

    def __init__(self, job: JobModel, draft: Draft, editor: ConfigEditor, request: Request) -> None:
        super().__init__(id="problem", markup=False)
        self._job = job
        self._draft = draft
        self._editor = editor
        self._request = request
        self._timer: Timer | None = None
        self._looking = asyncio.Lock()
        self._version: int | None = None
        self._lines_that_run: list[str] | None = None

    def sync(self) -> None:
        """Take over what the engine says of the file, as far as it holds for the text in the editor."""
        if not self._draft.dirty(self._editor.text):
            self._take_over()
        self.show()
        self.look_soon()

    def look_soon(self) -> None:
        """Have the text looked at as soon as nothing is typed."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PAUSE, self._look)

    def show(self) -> None:
        """Say what is wrong under the cursor, or else the first of all that is wrong."""
        marks = self._editor.marks
        problem = marks.problem_at(self._editor.cursor_location[0])
        self.display = problem is not None
        if problem is not None:
            more = f" ({marks.count - 1} more)" if marks.count > 1 else ""
            self.update(Text(f"✗ {formatting.problem(problem)}{more}"))

    def on_click(self) -> None:
        """Go to where it is."""
        problem = self._editor.marks.problem_at(self._editor.cursor_location[0])
        if problem is not None:
            self._editor.jump(problem)

    def _take_over(self) -> None:
        document = self._job.document
        lines = document.restart_lines if document is not None else ()
        self._editor.marks.restarting = {line - 1 for line in lines}
        self._editor.blame(self._job.problems)

    @work
    async def _look(self) -> None:
        """Look at the text as it is now; one that was typed on meanwhile comes again by itself."""
        revision = self._editor.revision
        async with self._looking:
            if revision != self._editor.revision:
                return
            await self._compare(revision)
            problems = await self._ask()
            if revision != self._editor.revision:
                return
            if not self._draft.dirty(self._editor.text):
                self._take_over()
            elif problems is not None:
                self._editor.blame(problems)
            self.show()

    async def _ask(self) -> tuple[messages.Problem, ...] | None:
        """Return what the engine says of a text that was not saved; None where it is not asked."""
        shown = self._editor.text
        if not self._draft.dirty(shown) or len(shown) > LONG:
            return None
        command = messages.Preview(0, self._job.name, self._draft.base.restore(shown), brief=True)
        try:
            reply = await self._request(command)
        except ConnectionError:
            return None  # the whole screen says so
        if not reply.ok:
            return (messages.Problem(reply.message),)
        return tuple(messages.Problem(**error) for job in reply.data.get("jobs", ())[:1] for error in job["errors"])

    async def _compare(self, revision: int) -> None:
        """Mark the lines that differ from what runs."""
        await self._learn_what_runs()
        lines, running = list(self._editor.document.lines), self._lines_that_run
        if running is None:
            found = None
        elif len(lines) + len(running) < 2 * LONG // 64:
            found = differences(running, lines)
        else:
            found = await asyncio.to_thread(differences, running, lines)
        if revision == self._editor.revision and found != self._editor.marks.changed:
            self._editor.marks.changed = found
            self._editor.redraw()

    async def _learn_what_runs(self) -> None:
        version = self._job.running.version if self._job.running is not None else None
        if version == self._version:
            return
        self._version = self._lines_that_run = None
        if version is None:
            return
        try:
            reply = await self._request(messages.Detail(0, self._job.name, version))
        except ConnectionError:
            return  # the whole screen says so
        text = reply.data.get("text")
        if isinstance(text, str):  # else it is asked for again in the next pause
            self._version, self._lines_that_run = version, FileText(text).shown.split("\n")
