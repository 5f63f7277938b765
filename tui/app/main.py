"""The way into the viewer; textual is imported no earlier than a viewer is wanted."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

from tui.app.result import Result
from tui.app.textual_ext.own_terminal import own_terminal

if TYPE_CHECKING:
    from tui.app.own_keys import KeysFile


def run(socket_path: str, focus_job: str | None = None, own_keys: KeysFile | None = None) -> Result:
    """Show the deck whose engine listens at `socket_path` until the user leaves it.

    Args:
        socket_path: The engine's unix socket.
        focus_job: The job to show first; the first of the deck if None or unknown.
        own_keys: Of the user.

    Returns:
        How the viewer ended. A job is never touched unless the user said so.
    """
    from tui.app.app import DeckApp

    # What was imported stays: to look through it for garbage would hold up the screen for 60 ms now and then.
    gc.freeze()
    with own_terminal():
        app = DeckApp(Path(socket_path), focus_job, own_keys=own_keys)
        app.run()
    return app.result
