"""The user's own editor on a file, in the viewer's terminal, while the viewer waits."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path


class EditorError(Exception):
    """There is no editor, or it failed; the message says so."""


def command() -> list[str]:
    """Return what `$VISUAL`, or else `$EDITOR`, says; raises EditorError for what is no command."""
    said = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        words = shlex.split(said)
    except ValueError as error:
        raise EditorError(f"{said}: {error}; set $VISUAL or $EDITOR to a command") from error
    return words or ["vi"]


def edit(path: Path, terminal: AbstractContextManager[None]) -> None:
    """Open the editor on a file and wait for its end; nothing else happens meanwhile, and nothing is drawn.

    Args:
        path: The file.
        terminal: Has given the terminal away until the end of its block.

    Raises:
        EditorError: The editor can't be run, or did not end well.
    """
    words = command()
    failure: OSError | None = None
    code = 0
    with terminal:  # which is not taken back where an exception leaves the block
        screen = sys.__stdout__.fileno() if sys.__stdout__ is not None else None
        try:
            code = subprocess.call([*words, str(path)], stdout=screen, stderr=screen)
        except OSError as error:
            failure = error
    if failure is not None:
        raise EditorError(f"{words[0]}: {failure.strerror}; set $VISUAL or $EDITOR to another one") from failure
    if code:
        end = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise EditorError(f"{words[0]} ended with {end}; the file is as it left it")
