"""Every key of every screen and widget is pressed and does something that can be seen.

A binding that is not in `STEPS` fails the suite: add a step with what can be seen of it.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from textual.binding import Binding

import tui.app
from tests.app.charts.test_view import answer_metrics
from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, TEXT, Deck, backlog
from tui.app.app import DeckApp
from tui.app.editor.find_bar import FindBar
from tui.app.widgets.diff import DiffView
from tui.app.widgets.prompt import Prompt
from tui.protocol import messages
from tui.protocol.messages import Document, Lines, Reload, Running


class Step(NamedTuple):
    """A key, and what is another after it was pressed than before.

    Attributes:
        key: The key as its binding names it.
        sees: What is looked at before and after.
        at: The pane that has the focus; as it is if empty.
        first: Keys to press before the first look.
        then: Keys to press afterwards, to leave what was opened.
    """

    key: str
    sees: Callable[[Deck], object]
    at: str = ""
    first: tuple[str, ...] = ()
    then: tuple[str, ...] = ()


def screen(deck: Deck) -> object:
    return deck.type_of_screen()


def text(deck: Deck) -> object:
    return deck.view.config.editor.text


def log_y(deck: Deck) -> object:
    return deck.view.log_view.scroll_offset.y


def log_x(deck: Deck) -> object:
    return deck.view.log_view.scroll_offset.x


def log_line(deck: Deck) -> object:
    return deck.view.log_view.cursor


def row(deck: Deck) -> object:
    return deck.view.timeline.row


def asked(deck: Deck) -> object:
    """The lines to type in that are on the screen."""
    return [prompt.display and prompt.size for prompt in deck.app.screen.query(Prompt) if prompt.region]


def focus(deck: Deck) -> object:
    return deck.app.focused


def current(deck: Deck) -> object:
    return deck.app.main.current


def selection(deck: Deck) -> object:
    return deck.view.config.editor.selection


def layout(deck: Deck) -> object:
    return deck.view.places(deck.view.size)


def overview_row(deck: Deck) -> object:
    return deck.app.overview.table.listing.chosen


def marked(deck: Deck) -> object:
    return set(deck.app.overview.table.listing.marked)


def diff_at(deck: Deck) -> object:
    return deck.app.screen.query_one(DiffView).scroll_offset


def board(deck: Deck) -> object:
    """What the keys of the charts change."""
    return repr(deck.view.charts.board)


def knob(deck: Deck) -> object:
    return deck.view.knobs.rack.chosen


def turned(deck: Deck) -> object:
    return dict(deck.view.knobs.rack.wanted)


def sent(kind: type[messages.Command]) -> Callable[[Deck], object]:
    return lambda deck: sum(isinstance(command, kind) for command in deck.engine.commands)


def scrolled(*pairs: tuple[str, str], sees: Callable[[Deck], object], at: str = "") -> list[Step]:
    """Return steps of keys that go one way, each with one that goes back first."""
    return [Step(key, sees, at, first=(back, back)) for key, back in pairs]


STEPS: dict[str, list[Step]] = {
    "DeckApp": [
        Step("ctrl+q", screen, then=("escape",)),
        Step("ctrl+p", screen, then=("escape",)),
        Step("ctrl+z", lambda deck: deck.app.title, "log"),
        Step("alt+z", lambda deck: deck.app.title, "config"),
    ],
    "MainScreen": [
        Step("ctrl+s", sent(messages.Save), "config"),
        Step("f2", screen, "config", then=("escape",)),
        Step("ctrl+e", lambda deck: deck.toasts, "log"),  # what it does in a terminal, tests/terminal sees
        Step("ctrl+o", screen, then=("escape",)),
        Step("f1", screen, then=("escape",)),
        Step("question_mark", screen, "log", then=("escape",)),
        Step("f6", focus, "config"),
        Step("ctrl+r", screen, then=("escape",)),
        Step("ctrl+t", screen, then=("escape",)),
        Step("f5", sent(messages.Pause)),
        Step("ctrl+g", sent(messages.Rollback), "differs"),
        Step("f4", current),
        Step("f3", current),
        Step("f9", screen, then=("f9",)),
        *(Step(f"alt+{n}", current) for n in (2, 3, 4, 5, 6, 7, 8, 9, 1)),
    ],
    "JobView": [
        *(
            Step(f"alt+{key}", layout, "config", first=(f"alt+{back}",) * 2)
            for key, back in (("left", "right"), ("right", "left"), ("up", "down"), ("down", "up"))
        ),
        Step("f7", layout, "config", then=("f7",)),
        Step("f8", layout, "config", then=("f8",)),
        Step("f10", layout, "config"),
        Step("escape", layout, "config"),
        Step("alt+m", layout, "config", then=("escape",)),
    ],
    "ConfigEditor": [
        Step("alt+n", selection, "config", first=("ctrl+home",)),
        Step("alt+p", selection, "config", first=("ctrl+end",)),
        *(
            Step(key, text, "config", first=("ctrl+home", "alt+n"))
            for key in ("ctrl+up", "ctrl+down", "alt+equals_sign", "alt+minus")
        ),
        Step("ctrl+end", selection, "config"),
        Step("ctrl+home", selection),
        Step("alt+a", selection),
        Step("ctrl+underscore", text, "config"),
        Step("ctrl+slash", text, "config"),
        Step("ctrl+e", screen, "config", first=("x",), then=("escape", "ctrl+z")),
        Step("ctrl+z", text, "config", first=("x",)),
        Step("ctrl+y", text, "config", first=("x", "ctrl+z")),
        Step("ctrl+f", asked, "config", then=("escape",)),
    ],
    "FindBar": [
        Step("down", selection, "config", first=("ctrl+f", *"e", "down")),
        Step("up", selection),
        Step("ctrl+l", text, first=("tab", *"3")),
        Step("escape", lambda deck: deck.view.query_one(FindBar).display),
    ],
    "LogView": [
        *scrolled(("up", "down"), ("k", "j"), ("down", "up"), ("j", "k"), sees=log_line, at="log"),
        *scrolled(("home", "G"), ("g", "end"), ("end", "g"), ("G", "home"), sees=log_y, at="log"),
        Step("enter", screen, "log", then=("escape",)),
        *scrolled(("right", "h"), ("l", "left"), ("left", "l"), ("h", "right"), sees=log_x, at="log"),
        Step("f", lambda deck: deck.view.log_view.follow, "log", first=("up",)),
        Step("space", lambda deck: deck.view.log_view.frozen, "log", then=("space",)),
        Step("t", lambda deck: deck.view.log_view.text.times, "log"),
        Step("w", lambda deck: deck.view.log_view.wrap, "log", then=("w",)),
        Step("y", lambda deck: deck.app.clipboard, "log"),
    ],
    "LogPane": [
        Step("slash", asked, "log", then=("escape",)),
        Step("ampersand", asked, "log", then=("escape",)),
        Step("n", lambda deck: deck.view.log_view.text.here, "log", first=("slash", *"epoch", "enter")),
        Step("N", lambda deck: deck.view.log_view.text.here, "log"),
        Step("escape", lambda deck: deck.view.log_view.text.query, "log"),
        Step("e", lambda deck: deck.view.log_view.text.error, "log"),
        Step("E", lambda deck: deck.view.log_view.text.error, "log"),
        Step("s", screen, "log", then=("escape",)),
        Step("ctrl+l", lambda deck: len(deck.view.log_view.shown), "log"),
    ],
    "OverviewTable": [
        Step("enter", screen, "overview"),
        *(Step(key, overview_row, "overview", first=("home",)) for key in ("down", "j", "pagedown", "end", "G")),
        *(Step(key, overview_row, "overview", first=("end",)) for key in ("up", "k", "pageup", "home", "g")),
        Step("space", marked, "overview", then=("space",)),
        Step("a", marked, "overview", then=("a",)),
        Step("o", lambda deck: deck.app.overview.table.listing.sort, "overview"),
        Step("O", lambda deck: deck.app.overview.table.listing.turned, "overview"),
    ],
    "OverviewScreen": [
        Step("slash", asked, "overview", then=("escape",)),
        Step("s", lambda deck: deck.toasts, "overview"),
        Step("f5", sent(messages.Pause), "overview"),
        *(Step(key, screen, "overview", then=("escape",)) for key in ("ctrl+r", "ctrl+t", "f1", "question_mark")),
        Step("l", screen, "overview", then=("escape",)),
        *(Step(key, screen, "overview") for key in ("escape", "f9", "q")),
    ],
    "DeckLogScreen": [Step(key, screen, "overview", first=("l",)) for key in ("escape", "q")],
    "TimelineView": [
        *scrolled(("up", "down"), ("k", "j"), ("down", "up"), ("j", "k"), sees=row, at="timeline"),
        *scrolled(("pageup", "pagedown"), ("pagedown", "pageup"), sees=row, at="timeline"),
        *scrolled(("home", "G"), ("g", "end"), ("end", "g"), ("G", "home"), sees=row, at="timeline"),
        Step("r", sent(messages.Rollback), "timeline"),
        Step("enter", screen, "timeline", then=("escape",)),
    ],
    "TimelinePane": [
        Step("b", row, "timeline"),
        Step("o", row, "timeline", then=("o",)),
        Step("slash", asked, "timeline", then=("escape",)),
        Step("e", asked, "timeline", then=("escape",)),
        Step("t", asked, "timeline", then=("escape",)),
        Step("s", screen, "timeline", then=("escape",)),
        Step("x", screen, "timeline", then=("escape",)),
        Step("m", lambda deck: deck.view.timeline.compared, "timeline", then=("m",)),
        Step("escape", lambda deck: deck.view.timeline.chosen, "timeline", first=("slash", *"lr", "enter")),
    ],
    "KnobsView": [
        Step("a", lambda deck: deck.app.preferences.live_knobs, "knobs"),
        *(Step(key, knob, "knobs", first=("home",)) for key in ("down", "j", "pagedown", "end", "G")),
        *(Step(key, knob, "knobs", first=("end",)) for key in ("up", "k", "pageup", "home", "g")),
        *(Step(key, turned, "knobs") for key in ("right", "left", "shift+right", "shift+left")),
        Step("ctrl+z", turned, "knobs", first=("right",)),
        Step("enter", asked, "knobs", then=("escape",)),
        Step("r", lambda deck: deck.view.knobs.border_subtitle, "knobs", first=("down",)),
        Step("d", lambda deck: deck.view.knobs.border_subtitle, "knobs", first=("up",)),
    ],
    "KnobsPane": [
        Step("slash", asked, "knobs", then=("escape",)),
        Step("escape", lambda deck: deck.view.knobs.rack.sought, "knobs", first=("slash", *"lr", "enter")),
    ],
    "ChartsView": [
        Step("enter", board, "charts", then=("enter",)),
        Step("left", board, "charts", then=("0",)),
        Step("right", board, "charts", first=("left", "left"), then=("0",)),
        Step("shift+left", board, "charts", then=("0",)),
        Step("shift+right", board, "charts", first=("shift+left",), then=("0",)),
        *(Step(key, board, "charts") for key in ("up", "down", "k", "j")),
        *(Step(key, board, "charts", then=("0",)) for key in ("plus", "equals_sign")),
        Step("minus", board, "charts", first=("plus", "plus"), then=("0",)),
        Step("h", board, "charts", first=("plus",), then=("0",)),
        Step("l", board, "charts", first=("plus", "h"), then=("0",)),
        *(Step(key, board, "charts", first=("plus",)) for key in ("0", "f", "end")),
        Step("o", board, "charts", then=("o",)),
        *(Step(key, board, "charts") for key in ("y", "s", "x", "p", "N")),
        Step("n", board, "charts", first=("N",)),
        Step("d", screen, "charts", then=("escape",)),
    ],
    "ChartsPane": [
        Step("slash", asked, "charts", then=("escape",)),
        Step("escape", board, "charts", first=("slash", *"loss", "enter")),
        Step("q", board, "charts", first=("enter",)),
    ],
    "DiffView": [
        *scrolled(("up", "j"), ("k", "down"), ("down", "k"), ("j", "up"), sees=diff_at),
        *scrolled(("right", "h"), ("l", "left"), ("left", "l"), ("h", "right"), sees=diff_at),
        Step("s", lambda deck: deck.app.screen.query_one(DiffView).side_by_side),
    ],
    "DiffScreen": [
        Step(key, screen, "conflict", first=("ctrl+s", "d"), then=("escape",)) for key in ("escape", "q", "enter")
    ],
    "DetailScreen": [
        *(Step(key, screen, "timeline", first=("enter",)) for key in ("escape", "q", "enter")),
        Step("p", row, "timeline", first=("enter",), then=("escape",)),
        Step("n", row, "timeline", first=("enter",), then=("escape",)),
        Step("r", sent(messages.Rollback), "timeline", first=("enter",)),
        Step("e", asked, "timeline", first=("enter",), then=("escape",)),
        Step("t", asked, "timeline", first=("enter",), then=("escape",)),
    ],
    "CompareScreen": [
        Step(key, screen, "timeline", first=("home", "m", "down", "m"), then=("escape",))
        for key in ("escape", "q", "enter")
    ],
    "TaskStackScreen": [
        *(Step(key, screen, "timeline", first=("x",)) for key in ("escape", "q")),
        Step("x", sent(messages.Stack), "timeline", first=("x",), then=("escape",)),
        Step("r", screen, "timeline", first=("x",), then=("escape",)),
    ],
    "LineScreen": [
        *(Step(key, screen, "log", first=("enter",)) for key in ("escape", "q", "enter")),
        Step("y", lambda deck: deck.app.clipboard, "log", first=("up", "enter"), then=("escape",)),
    ],
    "HelpScreen": [
        Step("slash", focus, "log", first=("f1",), then=("escape", "escape")),
        *(Step(key, screen, "log", first=("f1",)) for key in ("escape", "q", "f1", "ctrl+p")),
    ],
    "PreviewScreen": [
        *(Step(key, screen, "config", first=("f2",)) for key in ("escape", "q", "f2")),
        Step("ctrl+s", sent(messages.Save), "config", first=("f2",)),
    ],
    "JumpScreen": [Step(key, screen, "log", first=("ctrl+o",)) for key in ("escape", "ctrl+o")],
    "Dialog": [Step("escape", screen, "log", first=("ctrl+t",))],
    "PathDialog": [Step("escape", screen, "log", first=("s",))],
}


def bindings() -> dict[str, list[Binding]]:
    """Return the keys that each class of the viewer itself defines."""
    found = {}
    for module in pkgutil.walk_packages(tui.app.__path__, "tui.app."):
        for kind in vars(importlib.import_module(module.name)).values():
            if isinstance(kind, type) and kind.__module__ == module.name and "BINDINGS" in vars(kind):
                found[kind.__name__] = list(Binding.make_bindings(vars(kind)["BINDINGS"]))
    return found


def test_every_key_has_a_step() -> None:
    defined = {name: {binding.key for binding in found} for name, found in bindings().items()}
    assert {name: {step.key for step in steps} for name, steps in STEPS.items()} == defined


async def prepared(deck: Deck) -> None:
    """Give the deck something to scroll through, to find and to go to."""
    rows = [Reload("digits", n, "applied", "disk", time=NOW) for n in range(8, 60)]
    output = "\n".join(f"epoch {n} {'ERROR' if n % 7 == 0 else 'x'} {'long ' * 40}" for n in range(60, 160))
    await deck.news(*rows, Lines("digits", 60, output, 7, time=NOW))
    long = "".join(f"key{n}: {'long ' * 60}\n" for n in range(100))
    deck.engine.answer(messages.Find, versions=[7], first=1)
    deck.engine.answer(messages.Best, version=7, metric="loss", mean=0.1, slope=0.0, points=50)
    deck.engine.answer(messages.Order, versions=[7, 2])
    deck.engine.answer(messages.Preview, jobs=[], disk="changed")
    deck.engine.answer(messages.Stack, stack="File train.py, line 3, in step")
    deck.engine.answer(messages.Detail, text=long, base_text=long.replace("key", "yek"), base=4, running=7)


async def come_to(deck: Deck, at: str) -> None:
    """Bring the focus to a pane of the first job, or the editor into a conflict; or show the overview."""
    if at == "overview":
        if screen(deck) == "MainScreen":
            await deck.press("f9")
        await deck.until(lambda: screen(deck) == "OverviewScreen" and deck.app.focused is not None)
        return
    if at:
        deck.app.main.show_job("digits")
        await deck.until(lambda: current(deck) == "digits" and deck.view.ready)
    if at == "differs":
        await deck.news(Running("digits", 7, NOW, differs=True))
    elif at == "conflict":
        for kind in (messages.Merge, messages.Save):
            deck.engine.answer(kind, ok=False, code="conflict", text="theirs: 1\n", digest="d8", clashes=[])
        deck.app.main.set_focus(deck.view.config.editor)
        await deck.press("x")
        await deck.news(Document("digits", f"{TEXT}# by somebody else {deck.step}\n", f"d{deck.step}", time=NOW))
        await deck.until(lambda: deck.view.config.draft.theirs is not None)
    elif at:
        if at == "charts":
            deck.view.show_charts(True)
            await deck.until(lambda: deck.view.charts.board.names)
        if at == "knobs" and not deck.view.knobs_pane.display:
            await deck.press("f7")
        shown = (
            "config",
            *["knobs"] * deck.view.knobs_pane.display,
            "timeline",
            *["charts"] * deck.view.charts_pane.display,
            "log",
        )
        goals = dict(zip(shown, deck.view.goals(), strict=True))
        deck.app.main.set_focus(goals[at])


@pytest.mark.parametrize("name", sorted(STEPS))
async def test_keys(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def suspend(app: DeckApp) -> None:  # what it does to a terminal, tests/terminal sees
        app.title += " was suspended"

    monkeypatch.setattr(DeckApp, "action_suspend_process", suspend)
    others = range(2, {"MainScreen": 10, "OverviewTable": 4, "OverviewScreen": 3, "DeckLogScreen": 3}.get(name, 2))
    async with open_deck(backlog(), *(backlog(f"job-{n}", 5) for n in others)) as deck:
        answer_metrics(deck)
        await prepared(deck)
        if name == "DiffView":
            await come_to(deck, "timeline")
            await deck.press("enter")
            await deck.until(lambda: screen(deck) != "MainScreen" and deck.app.screen.query(DiffView))
            deck.app.screen.set_focus(deck.app.screen.query_one(DiffView))
        for step in STEPS[name]:
            await come_to(deck, step.at)
            if step.first:
                await deck.press(*step.first)
                await deck.pilot.pause()
            if name.endswith("Dialog") or (name.endswith("Screen") and name not in ("MainScreen", "OverviewScreen")):
                await deck.until(lambda: screen(deck) == name)
            before = step.sees(deck)
            await deck.press(step.key)
            try:
                await deck.until(lambda step=step, before=before: step.sees(deck) != before)  # type: ignore[misc]
            except AssertionError as error:
                raise AssertionError(f"{step.key} of {name} changed nothing: {before}\n{text_of(deck.app)}") from error
            for key in step.then:
                await deck.press(key)
                await deck.pilot.pause()


#: What comes up and says its own keys.
SHEETS = {"HelpScreen", "PreviewScreen", "JumpScreen", "TaskStackScreen", "CompareScreen", "DiffScreen"}
SHEETS |= {"Dialog", "PathDialog", "LineScreen", "DeckLogScreen"}


async def test_the_help_has_every_key(open_deck: OpenDeck) -> None:
    async with open_deck(size=(160, 200)) as deck:
        deck.app.main.set_focus(deck.view.log_view)
        await deck.press("f1")
        await deck.until(lambda: deck.type_of_screen() == "HelpScreen")
        await deck.until(lambda: "Editing text" in text_of(deck.app))
        shown = text_of(deck.app)
    for name in sorted(bindings().keys() - SHEETS):
        missing = {key.description for key in bindings()[name] if key.description not in shown}
        assert (name, missing) == (name, set())


#: Where the keys of a class hold, as the reference says it; of what comes up over the panes, in each of its rows.
PLACES = {
    "LogPane": "in the log",
    "LogView": "in the log",
    "TimelinePane": "in the timeline",
    "TimelineView": "in the timeline",
    "ChartsPane": "in the charts",
    "ChartsView": "in the charts",
    "KnobsPane": "in the knobs",
    "KnobsView": "in the knobs",
    "OverviewScreen": "in the overview",
    "OverviewTable": "in the overview",
    "ConfigEditor": "in the config",
    "FindBar": "in the config",
    **dict.fromkeys([*SHEETS, "DetailScreen", "DiffView"], "in what comes up"),
}

#: How a key is written for people.
WRITTEN = {"slash": "/", "ampersand": "&", "question_mark": "?", "plus": "+", "equals_sign": "=", "minus": "-"}


def test_the_reference_has_every_key() -> None:
    text = (Path(tui.__file__).parents[1] / "docs/reference.md").read_text()
    told: dict[str, set[str]] = {}
    for line in text.partition("\n## Keys\n")[2].partition("\n## ")[0].splitlines():
        if line.startswith("| `"):
            keys, says = line[2:].split(" | ", 1)
            place = next((place for place in PLACES.values() if says.startswith(place)), "anywhere")
            told.setdefault(place, set()).update(re.findall(r"`([^`]+)`", keys))
    for name, found in bindings().items():
        # What terminals send for ctrl+/ is ctrl+_.
        own = {"+".join(WRITTEN.get(part, part) for part in one.key.split("+")) for one in found} - {"ctrl+underscore"}
        assert (name, own - told[PLACES.get(name, "anywhere")] - told["anywhere"]) == (name, set())
