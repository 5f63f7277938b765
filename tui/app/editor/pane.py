"""The config pane: the editor, what is wrong with its text, and whose text wins when two have changed it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

from rich.markup import escape
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult, SuspendNotSupported
from textual.containers import Vertical
from textual.widgets import Static, TextArea

from tui.app import formatting
from tui.app.client import Request
from tui.app.deck import RunningDeck
from tui.app.dialogs.dialog import Choice, Dialog
from tui.app.dialogs.diff import DiffScreen
from tui.app.dialogs.loss import ask_loss
from tui.app.dialogs.preview import PreviewScreen
from tui.app.editor import conflict as editor_conflict
from tui.app.editor import external
from tui.app.editor.draft import WHOLE, Draft, Verdict
from tui.app.editor.editor import ConfigEditor
from tui.app.editor.find_bar import FindBar
from tui.app.editor.problem_line import ProblemLine
from tui.app.editor.schema_hints import hint, named, path_at
from tui.app.editor.values import is_yaml
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.app.textual_ext.ruled import Ruled
from tui.app.widgets.diff import diff_lines
from tui.protocol import messages

NO_BREAK = "\N{NO-BREAK SPACE}"

#: How a conflict is ended, in the line that tells of it.
SETTLE = f"[@click=screen.settle('ask')]{'ctrl+s settles it'.replace(' ', NO_BREAK)}[/]"

#: So often a merge is asked for again because the user has typed on.
TRIES = 5

SAVE = Choice("s", "save", "save them first")
DISCARD = Choice("d", "discard", "let them go", "undo brings them back")


class ConfigPane(Vertical, Ruled):
    """Edits and saves the config of one job."""

    def __init__(self, job: JobModel, request: Request) -> None:
        super().__init__(id="config")
        self.job = job
        self.draft = Draft()
        self.ready = False
        self._request = request
        self._saving = asyncio.Lock()
        self._saved_version: int | None = None
        self._file_name = plain(Path(job.info.config).name)

    def compose(self) -> ComposeResult:
        """Yield what tells of a conflict, the editor, find, and the line of a problem; the editor is always there."""
        yield Static(f"[b]▲ changed on disk[/b]  {SETTLE}", id="conflict")
        editor = ConfigEditor()
        yield editor
        yield FindBar(editor)
        yield ProblemLine(self.job, self.draft, editor, self._request)

    def on_mount(self) -> None:
        """Show what is known already, the cursor in the editor."""
        self.sync()
        if not self.job.is_host:
            self.screen.set_focus(self.editor)
        self.ready = True

    @property
    def editor(self) -> ConfigEditor:
        """The editor."""
        return self.query_one(ConfigEditor)

    @property
    def rows(self) -> int:
        """How many rows all of it takes: the text, and what stands above it and below it."""
        beside = (child for child in self.children if child.display and child is not self.editor)
        return self.editor.document.line_count + sum(child.outer_size.height for child in beside)

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
        self.editor.schema = self.job.schema
        document = self.job.document
        if document is not None:
            first = not self.draft.known
            verdict = self.draft.receive(document, self.editor.text)
            if verdict is Verdict.FOLLOW and first:
                self.editor.load(self.draft.base.shown, is_yaml(self.job.info.config))
            elif verdict is Verdict.FOLLOW:
                self.editor.follow(self.draft.base.shown)
            elif verdict is Verdict.CONFLICT and self.draft.pending is None:
                self._try_to_merge()
        self._show_problem()
        self._label()

    def _show_problem(self) -> None:
        problem = self.job.problem
        self.query_one(ProblemLine).sync()
        newest = self.job.timeline.newest
        if problem is not None and newest is not None and newest.version == self._saved_version and not self.dirty:
            self._saved_version = None
            self.editor.jump(problem)

    @on(TextArea.Changed)
    def _label(self) -> None:
        self.draft.undo(self.editor.text)
        dirty = self.dirty
        state = "  ● unsaved" if dirty else ""
        if self.draft.gone:
            state += (
                "  ✗ no file on disk" if self.draft.base.text == "" else "  ✗ deleted on disk, ctrl+s writes it anew"
            )
        if self.draft.unreadable is not None:
            state += "  ✗ can't be read"
        title = Text(f"{self._file_name}{state}")
        if str(self.border_title) != title.plain:
            self.border_title = title.markup
        self.set_class(dirty, "-dirty")
        conflict = self.query_one("#conflict", Static)
        keys = [plain(one.key) for one in self.draft.clashes if one.key]
        what = f"{keys[0]} was" if len(keys) == 1 else f"{len(keys)} keys were" if keys else ""
        conflict.update(f"[b]▲ {escape(what)} changed on disk[/b]  {SETTLE}".replace("  changed", " changed"))
        if conflict.display != (self.draft.theirs is not None):
            conflict.display = self.draft.theirs is not None
            self.screen.refresh_bindings()
        proof = self.query_one(ProblemLine)
        proof.show()
        proof.look_soon()

    @on(TextArea.SelectionChanged)
    def _show_place(self) -> None:
        row, column = self.editor.cursor_location
        path = path_at(self.editor.document.lines, row) if row < self.editor.document.line_count else []
        found = " · ".join(part for part in (named(path), hint(self.job.schema, path)) if part)
        self.border_subtitle = Text(f"{plain(found)}  {row + 1}:{column + 1}".strip()).markup
        self.query_one(ProblemLine).show()

    @on(ConfigEditor.Said)
    def _say(self, message: ConfigEditor.Said) -> None:
        self.border_subtitle = Text(plain(message.words)).markup

    @on(ConfigEditor.TakenBack)
    def _offer(self, message: ConfigEditor.TakenBack) -> None:
        if self.dirty and not self.draft.dirty(message.before):
            self.border_subtitle = "taken back: ctrl+s saves the old value"

    @work
    async def save(self) -> None:
        """Write the editor's text to the file, asking first where that could lose something."""
        async with self._saving:
            if self.draft.unreadable is None or await self._ask_unreadable(self.draft.unreadable):
                await self._write(self.draft.digest)

    @work
    async def settle_conflict(self, choice: str) -> None:
        """End a conflict as the user wants: ``mine``, ``theirs``, ``difference`` or ``ask``."""
        async with self._saving:
            await self._settle(choice)

    @work(exclusive=True, group="preview")
    async def preview(self) -> None:
        """Show what a save would do, and do it if that is wanted."""
        text = self.draft.base.restore(self.editor.text)
        try:
            reply = await self._request(messages.Preview(0, self.job.name, text))
        except ConnectionError as error:
            reply = messages.Reply(0, False, str(error))
        if not reply.ok:
            self.app.notify(plain(reply.message), title="No preview", severity="error", markup=False)
        elif await self.app.push_screen_wait(PreviewScreen(str(self._file_name), reply.data)):
            self.save()

    @work(exclusive=True, group="outside")
    async def edit_outside(self) -> None:
        """Open the file in the user's own editor; what is not saved is saved, or let go, before."""
        if self.dirty:
            dialog = Dialog(f"{self._file_name} has changes that are not saved", "", [SAVE, DISCARD])
            choice = await self.app.push_screen_wait(dialog)
            if choice == "save":
                await self.save().wait()
            elif choice == "discard":
                self.editor.rewrite(self.draft.base.shown)
            if not choice or self.dirty:
                return
        try:
            external.edit(Path(self.job.info.config), cast("RunningDeck", self.app).away())
        except (external.EditorError, SuspendNotSupported) as error:
            self.app.notify(plain(str(error)), title="Own editor", severity="error", markup=False)

    async def _settle(self, choice: str) -> None:
        while (theirs := self.draft.theirs) is not None and choice:
            if choice == "mine":
                # As a whole only where it can't be merged.
                whole = self.draft.clashes == WHOLE
                await self._write(theirs.digest if whole else self.draft.digest, {} if whole else {"": "mine"})
                return
            if choice == "each" and (choices := await self._choose_each()):
                await self._write(self.draft.digest, choices)
                return
            if choice == "theirs":
                await self._take(theirs)
                return
            if choice == "difference":
                mine = self.draft.base.restore(self.editor.text)
                lines = diff_lines(mine, theirs.text or "", "mine (in the editor)", "theirs (on disk)")
                await self.app.push_screen_wait(DiffScreen(f"{self._file_name}: mine and theirs", lines))
            choice = await self.app.push_screen_wait(
                editor_conflict.ask_whose_text(str(self._file_name), self.draft.clashes)
            )

    async def _choose_each(self) -> dict[str, str]:
        """Ask for each key whose value counts; return nothing if the user gives up."""
        choices = {}
        for one in self.draft.clashes:
            choices[one.key] = await self.app.push_screen_wait(editor_conflict.ask_whose_value(one))
            if not choices[one.key]:
                return {}
        return choices

    async def _take(self, theirs: messages.Document) -> None:
        """Have their values where both have changed the same; where that is not known, their text."""
        if not any(one.key for one in self.draft.clashes) or not await self._merge({"": "theirs"}):
            self.draft.adopt(theirs.text or "", theirs.digest)
            self.editor.follow(self.draft.base.shown)
        self._label()

    @work(exclusive=True, group="merge")
    async def _try_to_merge(self) -> None:
        if await self._merge({}):
            said = "It is merged into your text, which is not saved yet; undo brings yours back."
            self.app.notify(said, title=f"{self._file_name} was changed on disk", markup=False)

    async def _merge(self, choices: dict[str, str]) -> bool:
        """Merge what is on disk into the editor's text, if they don't clash; return whether that was done."""
        for _ in range(TRIES):
            shown, theirs = self.editor.text, self.draft.theirs
            if theirs is None:
                return False
            text = self.draft.base.restore(shown)
            try:
                reply = await self._request(messages.Merge(0, self.job.name, text, self.draft.digest, choices))
            except ConnectionError:
                return False  # the whole screen says so
            if self.draft.theirs is not theirs:
                return False  # there is another one, which is being merged
            if not reply.ok:
                self.draft.clashes = _clashes(reply)
                self._label()
                return False
            if self.editor.text == shown:
                return reply.data["digest"] == theirs.digest and self._show_merged(reply.data["text"], theirs)
        return False

    def _show_merged(self, text: str, theirs: messages.Document) -> bool:
        merged = self.draft.merge(text, theirs, self.editor.text)
        if merged is not None:
            self.editor.follow(merged)
        self._label()
        return merged is not None

    async def _write(
        self,
        base: str | None,
        choices: dict[str, str] | None = None,
        *,
        in_place: bool = False,
        force: bool = False,
        restart: bool = False,
    ) -> None:
        shown = self.editor.text
        text = self.draft.pending = self.draft.base.restore(shown)
        try:
            command = messages.Save(0, self.job.name, text, base, in_place, force, choices or {}, restart)
            reply = await self._request(command)
        except ConnectionError as error:
            self.app.notify(f"{error}. Your text is still in the editor.", title="Not saved", severity="error")
            return
        finally:
            self.draft.pending = None
        if reply.ok:
            self._saved_version = reply.data.get("version")
            await self._saved(text, shown, reply)
            self._show_problem()
            self._label()
        elif reply.code == "conflict":
            self.draft.theirs = messages.Document(self.job.name, reply.data.get("text"), reply.data.get("digest"))
            self.draft.clashes = _clashes(reply)
            self._label()
            await self._settle("ask")
        elif reply.code == "irreplaceable":
            if await self._ask_in_place(reply.message):
                await self._write(base, choices, in_place=True, force=force, restart=restart)
        elif reply.code == "read-only":
            if await self._ask_read_only():
                await self._write(base, choices, in_place=in_place, force=True, restart=restart)
        elif reply.code == "costs":
            if await self.app.push_screen_wait(ask_loss(reply.data["losses"])):
                await self._write(base, choices, in_place=in_place, force=force, restart=True)
        else:
            self.app.notify(plain(reply.message), title="Not saved", severity="error", timeout=15, markup=False)

    async def _saved(self, text: str, shown: str, reply: messages.Reply) -> None:
        """Go on from what was written: the text that was sent, or one into which somebody else's was merged."""
        written, digest = reply.data.get("text", text), reply.data.get("digest")
        if written == text:
            self.draft.adopt(text, digest)
            return
        self.draft.theirs = messages.Document(self.job.name, written, digest)
        if self.editor.text == shown:
            self._show_merged(written, self.draft.theirs)
        else:
            await self._merge({})
        said = "It is merged into what you have saved; undo brings yours back."
        self.app.notify(said, title=f"{self._file_name} was changed on disk", markup=False)

    async def _ask_in_place(self, reason: str) -> bool:
        choices = [Choice("w", "write", "write in place", "a crash in that moment could leave half a file")]
        title = f"{self._file_name} can't be replaced by a new file"
        return await self.app.push_screen_wait(Dialog(title, plain(reason), choices)) == "write"

    async def _ask_read_only(self) -> bool:
        choices = [Choice("o", "overwrite", "overwrite it", "it stays marked as read-only")]
        dialog = Dialog(f"{self._file_name} is read-only", "Nothing was written.", choices)
        return await self.app.push_screen_wait(dialog) == "overwrite"

    async def _ask_unreadable(self, document: messages.Document) -> bool:
        reason = formatting.problem(document.error) if document.error else "its text can't be shown"
        choices = [Choice("o", "overwrite", "overwrite it", "what it holds now is lost")]
        return (
            await self.app.push_screen_wait(Dialog(f"{self._file_name} can't be read", reason, choices)) == "overwrite"
        )


def _clashes(reply: messages.Reply) -> tuple[messages.Clash, ...]:
    """Return what a reply says of the keys that clash."""
    return tuple(messages.Clash(**one) for one in reply.data.get("clashes") or ()) or WHOLE
