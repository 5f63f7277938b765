"""What a test can't ask of Textual: these are its private ways, and the only ones that tests of ours use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from textual._context import visible_screen_stack
from textual.app import App
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.css.types import Specificity3
from textual.dom import DOMNode
from textual.driver import Driver
from textual.strip import Strip

from tui.app.textual_ext.stylesheet import FrugalStylesheet

_parsed: dict[tuple[object, ...], list[RuleSet]] = {}
_remembered: dict[tuple[int, ...], tuple[list[RuleSet], dict[str, Any]]] = {}


def drawn_rows(app: App[Any]) -> list[Strip]:
    """Return the rows of the screen as they are drawn."""
    # What lies behind a dialog is drawn from this, which is unset outside of the app's own drawing.
    visible_screen_stack.set(app._background_screens)
    return app.screen._compositor.render_strips()


def toasts(app: App[Any]) -> list[str]:
    """Return what was said in toasts."""
    return [f"{toast.title}: {toast.message}" if toast.title else toast.message for toast in app._notifications]


def replace_driver(monkeypatch: pytest.MonkeyPatch, app: App[Any], driver: object) -> None:
    """Put something else in the place of the app's way to the terminal."""
    monkeypatch.setattr(app, "_driver", driver)


def watch_display(monkeypatch: pytest.MonkeyPatch, app: App[Any], display: Callable[[object, Any], None]) -> None:
    """Have each update of the screen handed to `display`."""
    monkeypatch.setattr(app, "_display", display)


def driver_of(app: App[Any]) -> Driver:
    """Return the app's way to the terminal."""
    assert app._driver is not None
    return app._driver


def share_stylesheets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all apps of the tests parse a text once, and remember together which rules hold for what."""
    parse, forget = Stylesheet._parse_rules, FrugalStylesheet._forget

    def parse_once(sheet: Stylesheet, *args: Any, **named: Any) -> list[RuleSet]:
        key = (*args, *sorted(named.items()), *sorted(sheet._variables.items()))
        if key not in _parsed:
            _parsed[key] = parse(sheet, *args, **named)
        return _parsed[key]

    def recall(sheet: FrugalStylesheet) -> None:
        key = tuple(map(id, sheet.rules))  # which stay, since they are kept here
        if key not in _remembered:
            forget(sheet)
            kept = {name: value for name, value in vars(sheet).items() if name in FrugalStylesheet.REMEMBERED}
            _remembered[key] = sheet.rules, kept
        vars(sheet).update(_remembered[key][1], _of=sheet.rules)

    monkeypatch.setattr(Stylesheet, "_parse_rules", parse_once)
    monkeypatch.setattr(FrugalStylesheet, "_forget", recall)


Look = dict[str, dict[str, Any]]


def looks(app: App[Any]) -> dict[str, Look]:
    """Return the rules that hold for each widget on the screen, and for each of its component classes."""
    return {
        f"{number} {widget!r}": {
            "": dict(widget.styles.base.get_rules()),
            **{name: dict(styles.base.get_rules()) for name, styles in widget._component_styles.items()},
        }
        for number, widget in enumerate(app.screen.walk_children(with_self=True))
    }


def style_plainly(app: App[Any]) -> None:
    """Have Textual's own way find out what everything looks like."""
    plain = Stylesheet(variables=app.get_css_variables())
    plain.source = app.stylesheet.source
    plain.parse()
    plain.update_nodes([app, *app.screen.walk_children(with_self=True)])


def rules_asked(monkeypatch: pytest.MonkeyPatch) -> list[RuleSet]:
    """Return a list that gets each rule that is asked whether it holds for a widget."""
    asked: list[RuleSet] = []
    check = Stylesheet._check_rule

    def ask(rule: RuleSet, path: list[DOMNode]) -> Iterable[Specificity3]:
        asked.append(rule)
        return check(rule, path)

    monkeypatch.setattr(Stylesheet, "_check_rule", staticmethod(ask))
    return asked
