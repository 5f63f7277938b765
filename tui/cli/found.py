"""Which of the running decks a command means, and how one is named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tui.cli.arguments import DECK_FILES, UsageError

if TYPE_CHECKING:
    from tui.cli.client import HangingEngine, RunningEngine

#: What a command says of the deck that it takes.
NAMED = "its name, path or folder; may be left out where one runs in this folder, or on this machine"


def heading(found: RunningEngine) -> str:
    """Return where a deck runs, in a line."""
    return f"{found.name}  {found.path or '-'}  process {found.hello.pid}"


def choose(wanted: str | None) -> RunningEngine:
    """Return the running deck with this name, path or folder; without one, that of this folder or the only one.

    Raises:
        UsageError: There is none, there are several, or it does not answer.
    """
    from tui.cli import client

    decks = client.running()
    if not decks:
        raise UsageError("no deck is running")
    if wanted is not None:
        found = [deck for deck in decks if _is(deck, wanted)]
    else:
        here = f"{Path.cwd()}/"
        found = [deck for deck in decks if any(path.startswith(here) for path in deck.paths)] or decks
    if len(found) != 1:
        names = ", ".join(deck.path or deck.name for deck in (found or decks))
        problem = "several decks are running" if len(found) > 1 else f"no deck {wanted} is running"
        raise UsageError(f"{problem}; name one of: {names}")
    if isinstance(found[0], client.HangingEngine):
        raise UsageError(str(found[0]))
    return found[0]


def _is(deck: RunningEngine | HangingEngine, wanted: str) -> bool:
    from tui.engine import paths

    path = paths.absolute(wanted)
    if wanted == deck.name or str(path) in deck.paths:
        return True
    names = [path / name for name in DECK_FILES] if path.is_dir() else [path]
    # One that hangs does not say what it runs, but its socket bears a name that is made of the path.
    if deck.socket in [paths.socket_of(str(name)) for name in names]:
        return True
    return path.is_dir() and any(Path(known).parent == path for known in deck.paths if known)
