"""The config pane: the editor, what is wrong with its text, and whose text wins when two have changed it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Click
from textual.widgets import Static, TextArea

from tui import events
from tui.app import words
from tui.app.draft import Draft, Verdict
from tui.app.lines import plain
from tui.app.model import JobModel
from tui.app.screens.dialog import Choice, Dialog
from tui.app.screens.diff import DiffScreen
from tui.app.widgets.diff import diff_lines
from tui.app.widgets.editor import ConfigEditor
from tui.app.widgets.find import FindBar

Request = Callable[[events.Command], Awaitable[events.Reply]]

_YAML = (".yaml", ".yml", ".json")

MINE = Choice("m", "mine", "keep mine", "write your text over theirs")
THEIRS = Choice("t", "theirs", "take theirs", "load their text; undo brings yours back")
DIFFERENCE = Choice("d", "difference", "show the difference")


class ConfigPane(Vertical):
    """Edits and saves the config of one job."""

    def __init__(self, job: JobModel, request: Request) -> None:
        super().__init__(id="config")
        self.job = job
        self.draft = Draft()
        self.ready = False
        self._request = request
        self._saving = asyncio.Lock()
        self._saved_version: int | None = None
        self._name = plain(Path(job.info.config).name)

    def compose(self) -> ComposeResult:
        """Yield what tells of a conflict, the editor, find, and the line of a problem; the editor is always there."""
        yield Static(
            "[b]▲ changed on disk[/b]  [@click=screen.settle('mine')]f7 keep mine[/]  "
            "[@click=screen.settle('theirs')]f8 take theirs[/]  "
            "[@click=screen.settle('difference')]f9 show difference[/]",
            id="conflict",
        )
        editor = ConfigEditor()
        yield editor
        yield FindBar(editor)
        yield Static(id="problem", markup=False)

    def on_mount(self) -> None:
        """Show what is known already, the cursor in the editor."""
        self.sync()
        self.ready = True
        if not self.job.is_host:
            self.editor.focus()

    @property
    def editor(self) -> ConfigEditor:
        """The editor."""
        return self.query_one(ConfigEditor)

    @on(ConfigEditor.FindAsked)
    def find(self) -> None:
        """Ask what to find in the text."""
        self.query_one(FindBar).open()

    @property
    def dirty(self) -> bool:
        """Whether there are changes that were not saved."""
        return self.draft.dirty(self.editor.text)

    def sync(self) -> None:
        """Take over the file and its problem as the engine last described them."""
        document = self.job.document
        if document is not None:
            first = not self.draft.known
            verdict = self.draft.receive(document, self.editor.text)
            if verdict is Verdict.FOLLOW and first:
                self.editor.load(self.draft.base.shown, Path(self.job.info.config).suffix.lower() in _YAML)
            elif verdict is Verdict.FOLLOW:
                self.editor.follow(self.draft.base.shown)
        self._show_problem()
        self._label()

    def _show_problem(self) -> None:
        problem = self.job.problem
        line = self.query_one("#problem", Static)
        line.display = problem is not None
        if problem is not None:
            line.update(Text(f"✗ {words.problem(problem)}", no_wrap=True, overflow="ellipsis"))
        newest = self.job.timeline.newest
        self.editor.mark(problem)
        if problem is not None and newest is not None and newest.version == self._saved_version and not self.dirty:
            self._saved_version = None
            self.editor.jump(problem)

    @on(TextArea.Changed)
    def _label(self) -> None:
        dirty = self.dirty
        state = "  ● unsaved" if dirty else ""
        if self.draft.gone:
            state += (
                "  ✗ no file on disk" if self.draft.base.text == "" else "  ✗ deleted on disk, ctrl+s writes it anew"
            )
        if self.draft.unreadable is not None:
            state += "  ✗ can't be read"
        title = Text(f"{self._name}{state}")
        if str(self.border_title) != title.plain:
            self.border_title = title.markup
        self.set_class(dirty, "-dirty")
        conflict = self.query_one("#conflict")
        if conflict.display != (self.draft.theirs is not None):
            conflict.display = self.draft.theirs is not None
            self.screen.refresh_bindings()

    @on(Click, "#problem")
    def _jump(self) -> None:
        if self.job.problem is not None:
            self.editor.jump(self.job.problem)

    @on(TextArea.SelectionChanged)
    def _show_place(self) -> None:
        row, column = self.editor.cursor_location
        self.border_subtitle = f"{row + 1}:{column + 1}"

    @work
    async def save(self) -> None:
        """Write the editor's text to the file, asking first where that could lose something."""
        async with self._saving:
            if self.draft.theirs is not None:
                await self._settle("ask")
            elif self.draft.unreadable is None or await self._ask_unreadable(self.draft.unreadable):
                await self._write(self.draft.digest)

    @work
    async def settle(self, choice: str) -> None:
        """End a conflict as the user wants: ``mine``, ``theirs``, ``difference`` or ``ask``."""
        async with self._saving:
            await self._settle(choice)

    async def _settle(self, choice: str) -> None:
        while (theirs := self.draft.theirs) is not None and choice:
            if choice == "mine":
                await self._write(theirs.digest)
                return
            if choice == "theirs":
                self.draft.adopt(theirs.text or "", theirs.digest)
                self.editor.follow(self.draft.base.shown)
                self._label()
                return
            if choice == "difference":
                mine = self.draft.base.restore(self.editor.text)
                lines = diff_lines(mine, theirs.text or "", "mine (in the editor)", "theirs (on disk)")
                await self.app.push_screen_wait(DiffScreen(f"{self._name}: mine and theirs", lines))
            choice = await self.app.push_screen_wait(
                Dialog(
                    f"{self._name} was changed on disk",
                    "It was written by somebody else since you began to edit it. Nothing was overwritten.",
                    [MINE, THEIRS, DIFFERENCE],
                )
            )

    async def _write(self, base: str | None, *, in_place: bool = False, force: bool = False) -> None:
        text = self.draft.pending = self.draft.base.restore(self.editor.text)
        try:
            reply = await self._request(events.Save(0, self.job.name, text, base, in_place, force))
        except ConnectionError as error:
            self.app.notify(f"{error}. Your text is still in the editor.", title="Not saved", severity="error")
            return
        finally:
            self.draft.pending = None
        if reply.ok:
            self._saved_version = reply.data.get("version")
            self.draft.adopt(text, reply.data.get("digest"))
            self._show_problem()
            self._label()
        elif reply.code == "conflict":
            self.draft.theirs = events.Document(self.job.name, reply.data.get("text"), reply.data.get("digest"))
            self._label()
            await self._settle("ask")
        elif reply.code == "irreplaceable":
            if await self._ask_in_place(reply.message):
                await self._write(base, in_place=True, force=force)
        elif reply.code == "read-only":
            if await self._ask_read_only():
                await self._write(base, in_place=in_place, force=True)
        else:
            self.app.notify(plain(reply.message), title="Not saved", severity="error", timeout=15, markup=False)

    async def _ask_in_place(self, reason: str) -> bool:
        choices = [Choice("w", "write", "write in place", "a crash in that moment could leave half a file")]
        title = f"{self._name} can't be replaced by a new file"
        return await self.app.push_screen_wait(Dialog(title, plain(reason), choices)) == "write"

    async def _ask_read_only(self) -> bool:
        choices = [Choice("o", "overwrite", "overwrite it", "it stays marked as read-only")]
        dialog = Dialog(f"{self._name} is read-only", "Nothing was written.", choices)
        return await self.app.push_screen_wait(dialog) == "overwrite"

    async def _ask_unreadable(self, document: events.Document) -> bool:
        reason = words.problem(document.error) if document.error else "its text can't be shown"
        choices = [Choice("o", "overwrite", "overwrite it", "what it holds now is lost")]
        return await self.app.push_screen_wait(Dialog(f"{self._name} can't be read", reason, choices)) == "overwrite"
