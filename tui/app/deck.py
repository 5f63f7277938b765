"""The deck as its screens and panes see it: what the app offers them, and no more."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from textual.notifications import SeverityLevel
from textual.screen import Screen

from tui.app.frame_scheduler import FrameScheduler
from tui.app.model.job import JobModel
from tui.app.preferences import Preferences
from tui.protocol import messages

T = TypeVar("T")


class RunningDeck(Protocol):
    """What `tui.app.app` is to all below it.

    Attributes:
        clock: Tells the time of the day.
        jobs: Those of the deck, by their names.
        preferences: What the user has chosen.
        keymap: The user's own keys, by the ids of bindings.
        greeted: The engine has told all that it knows.
        frames: What is to be drawn with the next frame.
    """

    clock: Callable[[], float]
    jobs: dict[str, JobModel]
    preferences: Preferences
    keymap: dict[str, str]
    greeted: bool
    frames: FrameScheduler

    async def request(self, command: messages.Command) -> messages.Reply:
        """Send a command and wait for the reply; raises ConnectionError when the engine is gone."""

    async def order(self, command: messages.Command, failure: str, also: str = "") -> messages.Reply | None:
        """Send a command and return the reply if it went well, or has the code `also`; else say what was wrong."""

    async def push_screen_wait(self, screen: Screen[T]) -> T:
        """Show a screen and return its answer."""

    def notify(
        self, message: str, *, title: str = "", severity: SeverityLevel = "information", markup: bool = True
    ) -> None:
        """Say something in a toast."""

    def choose(self, **changed: Any) -> None:
        """Keep what the user chose for the next time."""

    def open_overview(self) -> None:
        """Show all jobs at a glance."""

    def leave_overview(self, name: str) -> None:
        """Show the panes again, of a job if it is named."""

    def show_keys(self, used: str) -> None:
        """Show the help, what is in use first."""

    def name_window(self) -> None:
        """Say in the title of the terminal how the job on the screen is."""

    def away(self) -> AbstractContextManager[None]:
        """Give the terminal to another program until the end of the block."""
