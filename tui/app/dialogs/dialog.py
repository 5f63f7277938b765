"""A question with a few answers, each under a key of its own; enter alone changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.app.textual_ext.key_queue import KeyQueueApp

#: Columns of a terminal in which a choice and its explanation fit on one line.
ROOMY = 60


class Choice(NamedTuple):
    """An answer: the key that gives it, the value that the dialog returns, its label and a word of explanation."""

    key: str
    value: str
    label: str
    note: str = ""


class Dialog(ModalScreen[str]):
    """Asks a question; the result is the value of the choice, or an empty string for escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "Cancel")]

    def __init__(self, title: str, body: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._title = title
        self._body = body
        self._choices = [*choices, Choice("escape", "", "cancel", "enter does it too")]

    def compose(self) -> ComposeResult:
        """Yield the question and its answers."""
        with Vertical(classes="dialog") as box:
            box.border_title = Text(self._title).markup
            if self._body:
                yield Static(self._body, markup=False)
            answers = OptionList(
                *(Option(self._prompt(choice), id=choice.key) for choice in self._choices), markup=False
            )
            # To cancel: an enter may have been meant for what was there before.
            answers.highlighted = len(self._choices) - 1
            yield answers

    def _prompt(self, choice: Choice) -> Text:
        key = "esc" if choice.key == "escape" else choice.key
        prompt = Text.assemble((f" {key:<4}", "bold"), choice.label)
        roomy = self.app.size.width >= ROOMY
        return prompt.append(f"  {choice.note}", "dim") if choice.note and roomy else prompt

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer by enter or a click; who has typed on blindly does not write into what is below."""
        value = self._choices[event.option_index].value
        if not value and isinstance(self.app, KeyQueueApp):
            self.app.drop_text()
        self.dismiss(value)

    def on_key(self, event: events.Key) -> None:
        """Answer by the key of a choice."""
        for choice in self._choices[:-1]:
            if event.key == choice.key:
                event.stop()
                self.dismiss(choice.value)


class StoppingScreen(ModalScreen[None]):
    """Shows that the engine is ending the jobs; it goes away with the engine."""

    def compose(self) -> ComposeResult:
        """Yield the words."""
        with Vertical(classes="dialog") as box:
            box.border_title = "stopping the jobs"
            yield Static("", id="states", markup=False)
            yield Static("ctrl+q quits without waiting; the engine goes on stopping them.", classes="note")

    def show(self, states: Sequence[str]) -> None:
        """Say how far each job is."""
        self.query_one("#states", Static).update(Text("\n".join(states)))
