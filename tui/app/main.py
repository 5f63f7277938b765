"""The way into the viewer; textual is imported no earlier than a viewer is wanted."""

from __future__ import annotations

import gc
from pathlib import Path

from tui.app.result import Result
from tui.app.textual_ext.own_terminal import own_terminal


def run(socket_path: str, focus_job: str | None = None) -> Result:
    """Show the deck whose engine listens at `socket_path` until the user leaves it.

    Args:
        socket_path: The engine's unix socket.
        focus_job: The job to show first; the first of the deck if None or unknown.

    Returns:
        How the viewer ended. A job is never touched unless the user said so.
    """
    from tui.app.app import DeckApp

    # What was imported stays: to look through it for garbage would hold up the screen for 60 ms now and then.
    gc.freeze()
    with own_terminal():
        app = DeckApp(Path(socket_path), focus_job)
        app.run()
    return app.result
