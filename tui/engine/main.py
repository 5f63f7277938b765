"""The engine as a program: in the background for a viewer, or as all there is with ``--headless``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from typing import Any

from tui.config.document import ConfigError
from tui.config.problems import keyed
from tui.engine import paths
from tui.engine.deck import load as decks
from tui.engine.deck.spec import Deck, for_guest, single
from tui.engine.engine import BadStart, Engine, describe
from tui.engine.service.headless import Printer, Readable, as_json
from tui.runners.guest import GuestSpec


def load(deck: str | None = None, guest: dict[str, Any] | None = None, **job: Any) -> Deck:
    """Return the deck of a deck file, of one job as `tui.engine.deck.spec.single` takes it, or of a guest.

    Raises:
        BadStart: It is not right.
    """
    path = paths.absolute(deck) if deck else None
    try:
        if path is not None:
            return decks.load(path)
        if guest is not None:
            return for_guest(guest=GuestSpec(**guest), **job)
        if isinstance(job["what"], list):  # it came as JSON
            job["what"] = tuple(job["what"])
        return single(**job)
    except ConfigError as error:
        if path is None:
            raise BadStart(error.problem.message) from error
        raise BadStart("\n".join(describe(path, problem) for problem in keyed(error.problem))) from error


def headless(arguments: dict[str, Any], *, json_lines: bool) -> int:
    """Run what `load` makes of the arguments without a viewer, and return the exit code."""
    try:
        deck = load(**arguments)
    except BadStart as error:
        print(error, file=sys.stderr)
        return 2
    printer = Printer(as_json if json_lines else Readable(max(len(spec.name) for spec in deck.jobs)))
    engine = Engine(deck, headless=True, listener=printer.put)
    try:
        return asyncio.run(engine.run())
    except BadStart as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        # What a job wrote that ended by itself is waited for as in any pipeline; who asks for the end gets it.
        printer.close(wait=not engine.asked)


def background(ready: int, arguments: dict[str, Any]) -> int:
    """Run a deck for viewers; tell on the descriptor `ready`, in one line of JSON, where or why not."""

    def tell(**message: object) -> None:
        os.write(ready, json.dumps(message).encode() + b"\n")
        os.close(ready)

    guest = "guest" in arguments
    if guest and os.fork():
        os._exit(0)  # the process that has started this may wait for its children: this is none
    try:
        deck = load(**arguments)
        if guest:
            _write_log(arguments["config"])
        engine = Engine(deck, headless=guest)
        code = asyncio.run(engine.run(lambda socket: tell(socket=str(socket))))
    except BadStart as error:
        tell(error=str(error))
        code = 2
    _remove_log(arguments.get("deck") or arguments["config"])
    return code


def _write_log(path: str) -> None:
    """Have what goes wrong from here on in our log."""
    log = paths.log_of(paths.socket_of(str(paths.absolute(path))))
    log.unlink(missing_ok=True)
    with log.open("wb") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())


def _remove_log(path: str) -> None:
    """Remove our log, if nothing went wrong. What it tells otherwise stays until the next start or look."""
    log = paths.log_of(paths.socket_of(str(paths.absolute(path))))
    with contextlib.suppress(FileNotFoundError):
        own, found = os.fstat(sys.stderr.fileno()), log.stat()
        if os.path.samestat(own, found) and not found.st_size:
            log.unlink()


def main() -> None:
    """Run in the background, as the command line's first argument and the JSON after it say."""
    sys.exit(background(int(sys.argv[1]), json.loads(sys.argv[2])))
