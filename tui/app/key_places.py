"""Where on the screen which keys hold."""

from __future__ import annotations

from collections.abc import Mapping

from textual.binding import Binding
from textual.widgets import TextArea

from tui.app.charts.pane import ChartsPane
from tui.app.charts.view import ChartsView
from tui.app.commands import own_bindings
from tui.app.dialogs.help import HelpScreen
from tui.app.editor.editor import ConfigEditor
from tui.app.editor.find_bar import FindBar
from tui.app.job_view import JobView
from tui.app.knobs.pane import KnobsPane
from tui.app.knobs.view import KnobsView
from tui.app.log.pane import LogPane
from tui.app.log.view import LogView
from tui.app.overview.overview_screen import OverviewScreen
from tui.app.overview.table import OverviewTable
from tui.app.timeline.detail import DetailScreen
from tui.app.timeline.pane import TimelinePane
from tui.app.timeline.view import TimelineView
from tui.app.widgets.diff import DiffView

#: What has keys in each pane, the innermost first.
PANES: dict[str, tuple[type, ...]] = {
    "config": (ConfigEditor, TextArea),
    "knobs": (KnobsView, KnobsPane),
    "charts": (ChartsView, ChartsPane),
    "log": (LogView, LogPane),
    "timeline": (TimelineView, TimelinePane),
}

OVERVIEW = OverviewTable, OverviewScreen


def classes(main: type, app: type) -> dict[str, tuple[type, ...]]:
    """Return for each place of the screens of an app the classes whose keys hold there, the innermost first."""
    found = {name: (*kinds, JobView, main, app) for name, kinds in PANES.items()}
    return {**found, "overview": (*OVERVIEW, app), "details": (DiffView, DetailScreen, app)}


def means(key: str, keymap: Mapping[str, str]) -> dict[str, Binding]:
    """Return what a key means in the panes in which it means something, each with its binding."""
    return {
        f"{one.description}: {name}": one
        for name, kinds in PANES.items()
        for kind in kinds
        if kind is not TextArea
        for one in own_bindings(kind, keymap)
        if one.key == key and one.id is not None
    }


def help_of(used: str, main: type, app: type, keymap: Mapping[str, str]) -> HelpScreen:
    """Return all keys, those of the pane in use, or of the overview, first."""

    def keys(*kinds: type) -> list[Binding]:
        return [key for kind in kinds for key in own_bindings(kind, keymap)]

    of_panes = {name: keys(*(kind for kind in kinds if kind is not TextArea)) for name, kinds in PANES.items()}
    here = used == "overview"
    everywhere = [("With the panes of a job" if here else "Everywhere", keys(main, app)), ("Panes", keys(JobView))]
    overview = [("Overview of all jobs", keys(*OVERVIEW))]
    first = overview if here else [(used.capitalize(), of_panes[used])] if used in of_panes else []
    others = [(name.capitalize(), found) for name, found in of_panes.items() if name != used]
    sections = [
        *first,
        *everywhere,
        *others,
        *(() if here else overview),
        ("Find in the config", keys(FindBar)),
        ("Details of a reload", keys(DetailScreen)),
        ("Difference", keys(DiffView)),
        ("Editing text", keys(TextArea)),
    ]
    return HelpScreen(sections)
