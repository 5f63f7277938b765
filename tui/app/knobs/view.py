"""The knobs of one job on the screen: a row for each value, turned by left and right."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import ClassVar, cast

from rich.text import Text
from textual import events, work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

from tui.app.client import Request
from tui.app.deck import RunningDeck
from tui.app.dialogs.loss import RESTART, ask_loss
from tui.app.editor.nudge import spelled
from tui.app.editor.schema_hints import hint
from tui.app.editor.values import is_yaml, key_of, values
from tui.app.knobs.draw import columns, row, said
from tui.app.knobs.rack import Knob, Rack
from tui.app.model.file_text import FileText
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.app.styles import TONES, drawn, tone
from tui.app.textual_ext.ruled import Ruled
from tui.protocol import messages

#: Seconds without a key after which a knob rests: the last of all values that it passed is sent, and is one row. The
#: repetition of a key that is held comes four times as often.
REST = 0.15


class KnobsView(Ruled, can_focus=True):
    """Rows of knobs.

    Args:
        job: Whose config.
        request: Sends a command to the engine.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", "Turn", tooltip="With shift ten steps", id="knobs.down"),
        Binding("right", "turn(1)", "Turn up", show=False, id="knobs.up"),
        Binding("shift+left", "turn(-10)", "Ten steps down", show=False),
        Binding("shift+right", "turn(10)", "Ten steps up", show=False),
        Binding("enter", "enter", "Type/send", tooltip="Type the value; send what was turned", id="knobs.enter"),
        Binding("up,k", "choose(-1)", "Knob above", show=False, id="knobs.above"),
        Binding("down,j", "choose(1)", "Knob below", show=False, id="knobs.below"),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "choose(-1000000)", "First knob", show=False),
        Binding("end,G", "choose(1000000)", "Last knob", show=False),
        Binding("r", "reset", "Run's start", show=False, tooltip="What the run began with", id="knobs.reset"),
        Binding("d", "default", "Default", show=False, tooltip="Of the schema", id="knobs.default"),
        Binding(
            "a", "live", "Live / on enter", show=False, tooltip="Send when a knob rests, or on enter", id="knobs.live"
        ),
        Binding("ctrl+z", "undo", "Undo", show=False, tooltip="Take back the last change of a knob", id="knobs.undo"),
    ]

    class TypingAsked(Message):
        """The user wants to type a value."""

    class LiveChosen(Message):
        """The user has chosen when a knob is sent."""

        def __init__(self, live: bool) -> None:
            super().__init__()
            self.live = live

    def __init__(self, job: JobModel, request: Request) -> None:
        super().__init__(id="knobs")
        self.rack = Rack()
        self._job = job
        self._request = request
        self._sending = asyncio.Lock()
        self._rest: Timer | None = None
        self._loaded: tuple[object, ...] = ()
        self._run: int | None = None
        self._top = 0
        self._shown: list[Knob] = []
        self._columns = columns([], 0)
        self.border_title = "knobs"

    # News

    def sync(self) -> None:
        """Take over the file, if it is another."""
        document, hints = self._job.document, self._job.hints
        if document is None or (document, hints) == self._loaded:
            return
        self._loaded = document, hints
        if document.text is not None and is_yaml(self._job.info.config):
            restarts = self._job.info.on_change == "restart"
            self.rack.load(document.text, self._job.schema, document.restart_lines, all_restart=restarts)
        self.learn_start()
        self.draw_again()

    @work(exclusive=True, group="start")
    async def learn_start(self) -> None:
        """Learn what the run began with, if there is another run."""
        newest = self._job.timeline.newest
        if newest is None or newest.run == self._run:
            return
        try:
            version = await self._start_version(newest.version)
            reply = await self._request(messages.Detail(0, self._job.name, version)) if version is not None else None
        except ConnectionError:
            return  # the whole screen says so
        text = reply.data.get("text") if reply is not None else None
        if isinstance(text, str):
            self._run = newest.run
            self.rack.start = {key_of(value.path): value.text for value in values(FileText(text).shown.split("\n"))}
            self.draw_again()

    async def _start_version(self, last: int) -> int | None:
        """Return the version with which the run has begun, None where the history has none."""
        run = self._job.timeline.newest.run if self._job.timeline.newest is not None else None
        rows = self._job.timeline.known()
        known = [one.version for one in rows if one.source == "start" and one.run == run]
        if known:
            return known[-1]
        while last > 0:
            reply = await self._request(messages.Find(0, self._job.name, "source:start", 1, last))
            if not reply.ok or reply.data["versions"]:
                return reply.data["versions"][0] if reply.ok else None
            last = reply.data["first"] - 1
        return None

    # Turning

    def action_turn(self, steps: int) -> None:
        """Turn the knob in use."""
        if self.rack.turn(1 if steps > 0 else -1, abs(steps)):
            self._turned()
        elif self.rack.knob is not None:
            text = plain(self.rack.text(self.rack.knob))
            self.border_subtitle = Text(f"{text} has no step {'up' if steps > 0 else 'down'}; enter types one").markup

    def _turned(self) -> None:
        self.draw_again()
        if self._rest is not None:
            self._rest.stop()
        if self.rack.due():
            self._rest = self.set_timer(REST, self._send_due)

    @work(group="knob")
    async def _send_due(self) -> None:
        await self.send(self.rack.due())

    def action_enter(self) -> None:
        """Send what waits; where nothing does, type a value."""
        if self.rack.wanted:
            self._send_all()
        elif self.rack.knob is not None:
            self.post_message(self.TypingAsked())

    @work(group="knob")
    async def _send_all(self) -> None:
        await self.send(dict(self.rack.wanted))

    async def send(self, chosen: dict[str, str]) -> str:
        """Have values written, one command after the other; return why they were refused, or nothing.

        A knob that is turned on meanwhile goes with the next one.
        """
        async with self._sending:
            wanted = {key: text for key, text in chosen.items() if self.rack.wanted.get(key) == text}
            if not wanted:
                return ""
            base = self._job.document.digest if self._job.document is not None else None
            self.rack.send(wanted)
            self.draw_again()
            reply = await self._set(messages.Set(0, self._job.name, wanted, base, knob=True))
            if reply.ok:
                self.rack.take_values(wanted)
            elif reply.code == "costs":
                self.rack.hold()
            else:
                keys = {str(error.get("key")) for error in reply.data.get("errors", ())} & set(wanted)
                self.rack.refuse(reply.message, keys or set(wanted), conflict=reply.code == "conflict")
        self._turned()
        return "" if reply.ok else reply.message

    async def _set(self, command: messages.Set) -> messages.Reply:
        try:
            reply = await self._request(command)
            if reply.code == "costs" and await self._accepts(reply):
                reply = await self._request(replace(command, restart=True))
        except ConnectionError as error:
            return messages.Reply(0, False, str(error))
        return reply

    async def _accepts(self, reply: messages.Reply) -> bool:
        answer: str = await cast("RunningDeck", self.app).push_screen_wait(ask_loss(reply.data["losses"]))
        return answer == RESTART

    def action_reset(self) -> None:
        """Go back to what the run began with."""
        knob = self.rack.knob
        if knob is not None and knob.key in self.rack.start:
            self.put(self.rack.start[knob.key])
        else:
            self.border_subtitle = "what the run began with is not known"

    def action_default(self) -> None:
        """Go to the default of the schema."""
        knob = self.rack.knob
        if knob is not None and knob.default is not None:
            self.put(spelled(knob.default, knob.text))
        else:
            self.border_subtitle = "the schema has no default for it"

    def put(self, text: str) -> None:
        """Have the knob in use show a value."""
        if self.rack.knob is not None:
            self.rack.want(self.rack.knob.key, text)
            self._turned()

    def action_undo(self) -> None:
        """Take back the last change that was made here."""
        key = self.rack.undo()
        self._turned()
        if key is not None and self.rack.waits(key):
            self.border_subtitle = "enter sends the old value"

    def action_live(self) -> None:
        """Send what is turned when it rests, or on enter."""
        self.rack.live = not self.rack.live
        self.post_message(self.LiveChosen(self.rack.live))
        self._turned()

    def discard(self) -> None:
        """Let go what was turned and not sent."""
        for key in list(self.rack.wanted):
            self.rack.forget(key)
        self.rack.refused.clear()
        self.draw_again()

    # Choosing

    def action_choose(self, by: int) -> None:
        """Use another knob."""
        self.rack.choose(by)
        self._reveal()

    def action_page(self, direction: int) -> None:
        """Use the knob a page further."""
        self.action_choose(direction * max(self.size.height - 1, 1))

    def look_for(self, words: str) -> None:
        """Show only knobs whose names fit."""
        self.rack.look_for(words)
        self._top = 0
        self._reveal()

    def _reveal(self) -> None:
        keys = [knob.key for knob in self.rack.shown]
        at, height = keys.index(self.rack.chosen) if self.rack.chosen in keys else 0, max(self.size.height, 1)
        self._top = max(min(self._top, at, max(len(keys) - height, 0)), at - height + 1)
        self.draw_again()

    def on_resize(self) -> None:
        """Keep the knob in use in view."""
        self._reveal()

    def on_click(self, event: events.Click) -> None:
        """Use the knob under the pointer."""
        shown, at = self.rack.shown, self._top + event.get_content_offset_capture(self).y
        if at < len(shown):
            self.rack.chosen = shown[at].key
            self.draw_again()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Look at what is above; the wheel turns nothing."""
        event.stop()
        self._scroll(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Look at what is below; the wheel turns nothing."""
        event.stop()
        self._scroll(3)

    def _scroll(self, by: int) -> None:
        self._top = min(max(self._top + by, 0), max(len(self.rack.shown) - self.size.height, 0))
        self.refresh()

    # Drawing

    def draw_again(self) -> None:
        """Draw all rows and the frame."""
        rack, knob = self.rack, self.rack.knob
        self._shown = rack.shown
        self._columns = columns(self._shown, self.size.width)
        title = f"knobs · {'live' if rack.live else 'on enter'}"
        if rack.sought:
            title += f" · {len(rack.shown)} of {len(rack.knobs)} · {plain(rack.sought)}"
        waiting = sum(rack.waits(key) for key in rack.wanted)
        title += f" · {waiting} not sent, enter sends" if waiting else ""
        self.border_title = Text(title).markup
        self.border_subtitle = Text(self._of(knob) if knob is not None else "").markup
        self.refresh()

    def _of(self, knob: Knob) -> str:
        place = [one.key for one in self._shown].index(knob.key) + 1
        hinted = f"{plain(hint(self._job.schema, knob.path))}  {place}/{len(self._shown)}".strip()
        return said(self.rack, knob) or hinted

    def render_line(self, y: int) -> Strip:
        """Draw the row of a knob."""
        shown, width = self._shown, self.size.width
        if not shown:
            said = Text(self._nothing() if y == 0 else "", tone(self, "dim"))
            return drawn(self, said).crop_extend(0, width, self.rich_style)
        if self._top + y >= len(shown):
            return Strip.blank(width, self.rich_style)
        knob = shown[self._top + y]
        parts = row(self.rack, knob, self._columns, width)
        line = Text.assemble(*((part, tone(self, name)) for part, name in parts))
        if knob.key == self.rack.chosen:
            line.pad_right(max(width - line.cell_len, 0))
            line.stylize(tone(self, "cursor" if self.has_focus else "cursor-blurred"))
        return drawn(self, line).crop_extend(0, width, self.rich_style)

    def _nothing(self) -> str:
        if self.rack.knobs:
            return "  no name fits"
        if not is_yaml(self._job.info.config):
            return "  the config is no YAML or JSON: it has no keys to turn"
        return "  no value in the config"
