"""The charts with the line in which their names are looked for."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from tui.app.charts.source import Source
from tui.app.charts.view import ChartsView
from tui.app.model.job import JobModel
from tui.app.widgets.prompt import Prompt


class ChartsPane(Vertical):
    """Shows the charts of one job, or only those whose names fit.

    Args:
        job: Whose metrics.
        source: Asked for values.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Find", show=False, tooltip="Only the metrics whose names fit", id="charts.filter"),
        Binding("escape,q", "clear", "All metrics", show=False, id="charts.clear"),
    ]

    def __init__(self, job: JobModel, source: Source) -> None:
        super().__init__(id="charts-pane")
        self.view = ChartsView(job, source)
        self.prompt = Prompt()

    def compose(self) -> ComposeResult:
        """Yield the charts and, below them, the line that is hidden until it is needed."""
        yield self.view
        yield self.prompt

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Leave escape to others where there is nothing to clear."""
        return action != "clear" or self.prompt.display or bool(self.view.board.sought) or self.view.board.alone

    def action_filter(self) -> None:
        """Ask for parts of names; the charts follow what is typed."""
        self.prompt.ask("/", self.view.board.sought, "parts of the names of metrics")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.view.look_for(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._close()

    def action_clear(self) -> None:
        """Leave the one that has all the room, else show all metrics again."""
        if self.view.board.alone and not self.prompt.display:
            self.view.action_alone()
        else:
            self.view.look_for("")
        self._close()

    def _close(self) -> None:
        self.view.focus()
        self.prompt.display = False
