"""One line to type in: what it is for, the text, and what is wrong with the text."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Static


class Prompt(Horizontal):
    """Stands below a pane while it is asked for something; the pane listens to the messages of the input."""

    def compose(self) -> ComposeResult:
        """Yield the three parts."""
        yield Static(classes="label", markup=False)
        yield Input(compact=True, select_on_focus=False)
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
