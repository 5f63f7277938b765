"""The engine as a program: in the background for a viewer, or as all there is with ``--headless``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tui import events
from tui.config.document import ConfigError
from tui.engine import deck as decks
from tui.engine import place
from tui.engine.deck import Deck
from tui.engine.engine import BadStart, Engine, describe
from tui.engine.headless import Printer, Readable


def load(deck: str | None, task: str | None, config: str | None, name: str | None) -> Deck:
    """Return the deck of a deck file, or of a task with its config.

    Raises:
        BadStart: It is not right, or needs what this version can't do.
    """
    path = place.absolute(deck) if deck else None
    try:
        if path is not None:
            loaded = decks.load(path)
        else:
            assert task is not None
            assert config is not None
            loaded = decks.single(task, place.absolute(config), name)
        problem = decks.unsupported(loaded)
    except ConfigError as error:
        problem = error.problem
    if problem is not None:
        raise BadStart(problem.message if path is None else describe(path, problem))
    return loaded


def headless(arguments: dict[str, str | None], *, as_json: bool) -> int:
    """Run what `load` makes of the arguments without a viewer, and return the exit code."""
    try:
        deck = load(**arguments)
    except BadStart as error:
        print(error, file=sys.stderr)
        return 2
    printer = Printer(events.encode if as_json else Readable(max(len(spec.name) for spec in deck.jobs)))
    try:
        return asyncio.run(_run(deck, printer))
    except BadStart as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        printer.close()


async def _run(deck: Deck, printer: Printer) -> int:
    return await Engine(deck, headless=True, listener=printer.put).run()


def background(ready: int, arguments: dict[str, str | None]) -> int:
    """Run a deck for viewers; tell on the descriptor `ready`, in one line of JSON, where or why not."""

    def tell(**message: object) -> None:
        os.write(ready, json.dumps(message).encode() + b"\n")
        os.close(ready)

    try:
        deck = load(**arguments)
        return asyncio.run(_serve(deck, lambda socket: tell(socket=str(socket))))
    except BadStart as error:
        tell(error=str(error))
        return 2


async def _serve(deck: Deck, ready: Callable[[Path], None]) -> int:
    return await Engine(deck, headless=False).run(ready)


def main() -> None:
    """Run in the background, as the command line's first argument and the JSON after it say."""
    sys.exit(background(int(sys.argv[1]), json.loads(sys.argv[2])))
