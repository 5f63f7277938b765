"""What a test can't ask of Textual: these are its private ways, and the only ones that tests of ours use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual._context import visible_screen_stack
from textual.app import App
from textual.driver import Driver
from textual.strip import Strip


def drawn_rows(app: App[Any]) -> list[Strip]:
    """Return the rows of the screen as they are drawn."""
    # What lies behind a dialog is drawn from this, which is unset outside of the app's own drawing.
    visible_screen_stack.set(app._background_screens)
    return app.screen._compositor.render_strips()


def toasts(app: App[Any]) -> list[str]:
    """Return what was said in toasts."""
    return [f"{toast.title}: {toast.message}" for toast in app._notifications]


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
