"""What the tests of the viewer share: a deck on a fake engine, waiting for conditions, text snapshots."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from textual.app import App

from tests.app.fake import NOW, Deck, FakeEngine
from tests.app.insides import drawn_rows, share_stylesheets
from tui.app.app import DeckApp
from tui.app.own_keys import KeysFile
from tui.protocol import messages

SNAPSHOTS = Path(__file__).parent / "snapshots"

OpenDeck = Callable[..., AbstractAsyncContextManager[Deck]]


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the pilot look every 4 ms whether the app is idle, not every 20 ms: it does so three times for a key."""
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", 0.004)
    monkeypatch.setattr("textual._wait.SLEEP_IDLE", 0.0004)


@pytest.fixture(autouse=True)
def stylesheets_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find out what a widget looks like once for all apps of the same text."""
    share_stylesheets(monkeypatch)


@pytest.fixture(autouse=True)
def toasts_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """No toast goes before it was looked at, though the machine is so busy that its seconds are over by then."""
    monkeypatch.setattr("textual.notifications.Notification.time_left", 1000.0)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clock times on the screen do not depend on where the tests run."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What a user chose before is none of the tests' business, nor theirs of the user's; return where it is kept."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "tunedeck" / "viewer.json"


@pytest.fixture
def open_deck() -> OpenDeck:
    """Open a deck on a fake engine; it is ready when the editor has the focus."""

    @asynccontextmanager
    async def opened(
        *backlogs: list[messages.Event],
        size: tuple[int, int] = (120, 40),
        focus_job: str | None = None,
        own_keys: KeysFile | None = None,
        overview: bool = False,
    ) -> AsyncIterator[Deck]:
        # A short path: the name of a unix socket holds about a hundred characters.
        with tempfile.TemporaryDirectory(prefix="deck") as folder:
            async with FakeEngine(Path(folder, "s"), *backlogs) as engine:
                app = DeckApp(engine.path, focus_job, clock=lambda: NOW, own_keys=own_keys)
                app.animation_level = "none"
                app.preferences = replace(app.preferences, overview=overview)
                async with app.run_test(size=size, notifications=True) as pilot:
                    deck = Deck(app, pilot, engine)
                    await deck.until(lambda: app.focused is not None or (app.greeted and not app.jobs))
                    yield deck

    return opened


def text_of(app: App[Any]) -> str:
    """Return what is on the screen, as text."""
    return "\n".join(strip.text.replace("\xa0", " ").rstrip() for strip in drawn_rows(app)) + "\n"


def style_of(app: App[Any], text: str) -> Style:
    """Return the style in which a text is drawn, where it stands first on the screen."""
    for strip in drawn_rows(app):
        place = strip.text.find(text)
        for segment in strip if place >= 0 else ():
            if place < len(segment.text):
                return segment.style or Style.null()
            place -= len(segment.text)
    raise AssertionError(f"not on the screen: {text}\n{text_of(app)}")


@pytest.fixture
def snapshot(request: pytest.FixtureRequest) -> Callable[[App[Any]], None]:
    """Compare the screen with the stored text of this test; UPDATE_SNAPSHOTS=1 stores it."""

    def compare(app: App[Any]) -> None:
        name = request.node.name.replace("[", "-").replace("]", "")
        stored = SNAPSHOTS / f"{name}.txt"
        found = text_of(app)
        if os.environ.get("UPDATE_SNAPSHOTS"):
            SNAPSHOTS.mkdir(exist_ok=True)
            stored.write_text(found, encoding="utf-8")
        assert found == stored.read_text(encoding="utf-8")

    return compare
