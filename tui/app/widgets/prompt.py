"""One line to type in: what it is for, the text, and what is wrong with the text."""

from __future__ import annotations

from textual.containers import Horizontal
from textual.widgets import Input, Static


class Prompt(Horizontal):
    """Stands below a pane while it is asked for something; the pane listens to the messages of the input.

    Its parts are on the screen from the first question on: a job has six of these, and few are ever asked.

    Attributes:
        input: What takes the keys.
    """

    def __init__(self) -> None:
        super().__init__()
        self.input = Input(compact=True, select_on_focus=False)
        self._label = Static(classes="label", markup=False)
        self._complaint = Static(classes="complaint", markup=False)

    def ask(self, label: str, value: str, placeholder: str) -> None:
        """Come to the screen with a text to begin with."""
        if not self.input.is_attached:
            self.mount(self._label, self.input, self._complaint)
        self._label.update(label)
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
        self._complaint.update(words)
        self._complaint.display = bool(words)
        self._complaint.set_class(bad, "-bad")
