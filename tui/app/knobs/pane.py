"""The knobs with the line in which their names are looked for, or a value is typed."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from tui.app.client import Request
from tui.app.knobs.view import KnobsView
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.app.widgets.prompt import Prompt


class KnobsPane(Vertical):
    """Shows the knobs of one job, or only those whose names fit.

    Args:
        job: Whose config.
        request: Sends a command to the engine.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Find", tooltip="Only the knobs whose names fit", id="knobs.filter"),
        Binding("escape", "clear", "All knobs", show=False, tooltip="Let go what was not sent", id="knobs.clear"),
    ]

    def __init__(self, job: JobModel, request: Request) -> None:
        super().__init__(id="knobs-pane")
        self.view = KnobsView(job, request)
        self.prompt = Prompt()
        self._typed_key = ""  # whose value is typed; empty for a filter

    def compose(self) -> ComposeResult:
        """Yield the knobs and, below them, the line that is hidden until it is needed."""
        yield self.view
        yield self.prompt

    def sync(self) -> None:
        """Take over the file; what is being typed stays, and what has become of the value stands beside it."""
        knob = self.view.rack.knobs.get(self._typed_key)
        before = knob.text if knob is not None else ""
        self.view.sync()
        knob = self.view.rack.knobs.get(self._typed_key)
        if self.prompt.display and knob is not None and knob.text != before:
            self.prompt.say(f"now {plain(knob.text)} on disk", bad=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Leave escape to others where there is nothing to clear."""
        rack = self.view.rack
        return action != "clear" or self.prompt.display or bool(rack.sought or rack.wanted or rack.refused)

    def action_filter(self) -> None:
        """Ask for parts of names; the knobs follow what is typed."""
        self._typed_key = ""
        self.prompt.ask("/", self.view.rack.sought, "parts of the names of keys")

    @on(KnobsView.TypingAsked)
    def _ask_value(self) -> None:
        knob = self.view.rack.knob
        if knob is not None:
            self._typed_key = knob.key
            self.prompt.ask(plain(knob.key), self.view.rack.text(knob), "a value")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if not self._typed_key:
            self.view.look_for(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._typed_key:
            self._send(self._typed_key, event.value)
        else:
            self._close()

    @work(exclusive=True, group="typed")
    async def _send(self, key: str, text: str) -> None:
        """Have a value written; a refusal stands beside the text, which stays."""
        rack = self.view.rack
        rack.want(key, text)
        reason = await self.view.send({key: text})
        if reason:
            self.prompt.complain(plain(reason))
        else:
            self._close()

    def action_clear(self) -> None:
        """Leave the question; without one let go what was not sent; without that show all knobs again."""
        if not self.prompt.display and (self.view.rack.wanted or self.view.rack.refused):
            self.view.discard()
        elif not self._typed_key:
            self.view.look_for("")
        self._close()

    def _close(self) -> None:
        self._typed_key = ""
        self.view.focus()
        self.prompt.display = False
