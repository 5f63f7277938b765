"""One line to type in: what it is for, the text, and what is wrong with the text."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Input, Static

_ACTIONS = {binding.key: binding.action for binding in Binding.make_bindings(Input.BINDINGS)}


class Field(Input):
    """An input that carries out its own keys at once, so that no letter typed behind a backspace overtakes it."""

    async def on_key(self, event: events.Key) -> None:
        """Do what an input does at the key; letters are in time by themselves."""
        if action := _ACTIONS.get(event.key):
            event.stop()
            event.prevent_default()
            await self.run_action(action)


class Prompt(Horizontal):
    """Stands below a pane while it is asked for something; the pane listens to the messages of the input."""

    def compose(self) -> ComposeResult:
        """Yield the three parts."""
        yield Static(classes="label", markup=False)
        yield Field(compact=True, select_on_focus=False)
        yield Static(classes="complaint", markup=False)

    @property
    def input(self) -> Input:
        """What takes the keys."""
        return self.query_one(Input)

    def ask(self, label: str, value: str, placeholder: str) -> None:
        """Come to the screen with a text to begin with."""
        self.query_one(".label", Static).update(label)
        self.complain("")
        with self.prevent(Input.Changed):
            self.input.value = value
        self.input.placeholder = placeholder
        self.display = True
        self.input.focus()
        self.input.action_end()

    def complain(self, reason: str) -> None:
        """Say what is wrong with the text, or nothing."""
        self.say(reason, bad=True)

    def say(self, words: str, bad: bool = False) -> None:
        """Show a word beside the text."""
        said = self.query_one(".complaint", Static)
        said.update(words)
        said.display = bool(words)
        said.set_class(bad, "-bad")
