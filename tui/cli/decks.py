"""The decks that are running: which there are, a screen for one, its end."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tui.cli.arguments import UsageError
from tui.cli.found import NAMED, choose, heading

if TYPE_CHECKING:
    from tui.cli.client import HangingEngine, RunningEngine


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    ls = commands.add_parser("ls", help="show the decks that are running", epilog="example: tunedeck ls --json")
    ls.add_argument("--json", action="store_true", help="one JSON object a job")
    ls.set_defaults(run=_ls)
    attach = commands.add_parser("attach", help="open a running deck", epilog="example: tunedeck attach ~/sweeps")
    stop = commands.add_parser(
        "stop",
        help="end a running deck and its jobs, or some of them",
        epilog="example: tunedeck stop deck.yaml --job digits",
    )
    for command, function in ((attach, _attach), (stop, _stop)):
        command.add_argument("deck", nargs="?", metavar="DECK", help=NAMED)
        command.set_defaults(run=function, acts=True)
    stop.add_argument(
        "--job", dest="jobs", metavar="JOB", action="append", help="end this job alone, and let the deck go on"
    )


#: How a deck is named, and when it need not be.


def _ls(arguments: argparse.Namespace) -> int:
    from tui.cli import client

    for found in client.running():
        if arguments.json:
            for item in _objects(found):
                print(json.dumps(item, ensure_ascii=False).encode("utf-8", "backslashreplace").decode())
        elif isinstance(found, client.HangingEngine):
            print(f"{found.name}  {found.socket}  process {found.pid or 'unknown'}  hangs")
        else:
            print(heading(found))
            for name, state in found.states.items():
                version = f"  v{found.versions[name]}" if found.versions.get(name) else ""
                print(f"  {name}  {state.state}{version}{_waiting(found, name)}  {found.jobs[name].config}")
    return 0


def _waiting(found: RunningEngine, name: str) -> str:
    """Return what a job that starts waits for, and how long it has."""
    from tui.export import one_line

    state, since = found.states[name], found.since.get(name)
    if state.state != "starting" or state.reason is None or since is None:
        return ""
    return f"  {one_line(state.reason)}, {max(time.time() - since, 0):.0f} s"


def _objects(found: RunningEngine | HangingEngine) -> Iterator[dict[str, object]]:
    """Yield an object for each job of a deck; one without a job for a deck that does not answer."""
    from tui.cli import client

    if isinstance(found, client.HangingEngine):
        yield {"deck": found.name, "job": None, "state": "hangs", "pid": found.pid, "version": None}
        return
    for name in found.own_jobs:
        state = found.states[name]
        yield {
            "deck": found.name,
            "job": name,
            "state": state.state,
            "pid": state.pid,
            "version": found.versions.get(name),
            "path": found.path or None,
            "config": found.jobs[name].config,
        }


def _attach(arguments: argparse.Namespace) -> int:
    from tui.cli import run

    run.require_terminal()
    return run.show(choose(arguments.deck).socket)


def _stop(arguments: argparse.Namespace) -> int:
    from tui.cli import client, jobs

    found = choose(arguments.deck)
    if arguments.jobs:
        return jobs.stop(found, arguments.jobs)
    with contextlib.suppress(ConnectionError):  # it ended by itself meanwhile
        hangs = client.stop_deck(found.socket)
        if hangs is not None:
            raise UsageError(str(hangs))
    print(f"stopped {found.name}")
    return 0
