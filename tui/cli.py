"""The command line. Whatever is heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import tui
from tui.engine.place import PlaceError

if TYPE_CHECKING:
    from tui.remote import Running


class Usage(Exception):  # noqa: N818
    """The command can't be carried out as given; the message says why. Exit code 2."""


def main() -> None:
    """Run the command that the arguments name and exit with its code."""
    arguments = _parser().parse_args()
    try:
        code: int = arguments.run(arguments)
    except (Usage, PlaceError) as error:
        print(f"tunedeck: {error}", file=sys.stderr)
        code = 2
    except BrokenPipeError:
        # The reader of our output has seen enough. Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 0
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tunedeck", description="Change the config of a running job and see what became of it."
    )
    parser.add_argument("--version", action="version", version=f"tunedeck {tui.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    demo = commands.add_parser("demo", help="copy the sample deck to ./tunedeck-demo and open it")
    demo.set_defaults(run=_demo)
    run = commands.add_parser("run", help="run a deck, or a task with its config", description=_RUN)
    run.add_argument("what", metavar="DECK.yaml | FILE.py:FUNC | pkg.mod:FUNC")
    run.add_argument("-c", "--config", metavar="CONFIG", help="the config file of the task")
    run.add_argument("--name", help="of the job; else FUNC")
    run.set_defaults(run=_run)
    for command in (demo, run):
        command.add_argument("--headless", action="store_true", help="no screen: a log on standard output")
        command.add_argument("--json", action="store_true", help="with --headless: one JSON event a line")

    ls = commands.add_parser("ls", help="show the decks that are running")
    ls.set_defaults(run=_ls)
    for name, help_, function in (
        ("attach", "open a running deck", _attach),
        ("stop", "end a running deck and its jobs", _stop),
    ):
        command = commands.add_parser(name, help=help_)
        command.add_argument("deck", nargs="?", metavar="DECK", help="its name or path, where more than one is running")
        command.set_defaults(run=function)

    history = commands.add_parser("history", help="show the timeline of a config")
    history.add_argument("config", metavar="CONFIG", type=Path)
    history.add_argument("--job", metavar="NAME", help="where the config serves several jobs")
    history.add_argument("--json", action="store_true", help="one JSON object a line, oldest first")
    history.set_defaults(run=_history)
    return parser


_RUN = """Run a deck file, or one task with its config. Without --headless this opens the deck on the screen; if it
is running already, it is attached to."""


def _demo(arguments: argparse.Namespace) -> int:
    folder = Path("tunedeck-demo")
    source = Path(tui.__file__).parent / "samples" / "configs"
    if not source.is_dir():  # a checkout; an installed package brings them along
        source = Path(tui.__file__).parent.parent / "sample_configs"
    try:
        folder.mkdir(exist_ok=True)
        for file in source.glob("*.yaml"):
            if not (folder / file.name).exists():
                (folder / file.name).write_bytes(file.read_bytes())
    except OSError as error:
        raise Usage(f"the sample deck can't be copied to {folder}: {error.strerror}") from error
    return _open({"deck": str(folder / "deck.yaml"), "task": None, "config": None, "name": None}, arguments)


def _run(arguments: argparse.Namespace) -> int:
    what: str = arguments.what
    if what.endswith((".yaml", ".yml", ".json")):
        if arguments.config or arguments.name:
            raise Usage(f"-c and --name belong to a task; {what} is a deck, which names its configs and jobs itself")
        return _open({"deck": what, "task": None, "config": None, "name": None}, arguments)
    if arguments.config is None:
        raise Usage(f"{what} is a task, so it needs its config: add -c CONFIG (a deck ends in .yaml)")
    return _open({"deck": None, "task": what, "config": arguments.config, "name": arguments.name}, arguments)


def _open(what: dict[str, str | None], arguments: argparse.Namespace) -> int:
    if arguments.headless:
        from tui.engine.main import headless

        return headless(what, as_json=arguments.json)
    if arguments.json:
        raise Usage("--json goes with --headless")
    _require_terminal()
    return _view(what)


def _require_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Usage("this is not a terminal: use --headless, or --headless --json for programs")


def _view(what: dict[str, str | None]) -> int:
    """Open a viewer on the deck, on its running engine or on a new one."""
    from tui import remote
    from tui.engine import place

    path = what["deck"] or what["config"]
    assert path is not None
    socket = place.socket_of(str(place.absolute(path)))
    found = remote.ask(socket)
    if found is not None:
        if what["task"] not in (None, *(job.task for job in found.jobs.values())):
            holder = f"{', '.join(found.jobs)} (process {found.hello.pid})"
            raise Usage(f"{what['config']} is in use by {holder}; tunedeck stop ends it")
        return _show(socket, socket.with_suffix(".log"))
    log = socket.with_suffix(".log")
    process, answer = remote.start(what, log)
    from tui.app import main as _  # noqa: F401 - takes half a second, which the engine needs as well

    line = answer.readline()
    answer.close()
    if not line:
        process.wait()
        raise Usage(f"the engine did not start:\n{log.read_text()}")
    said = json.loads(line)
    if "error" in said:
        process.wait()
        raise Usage(said["error"])
    return _show(Path(said["socket"]), log)


def _show(socket: Path, log: Path) -> int:
    from tui.app.main import run

    outcome = run(str(socket))
    if outcome.message:
        print(f"tunedeck: {outcome.message}", file=sys.stderr)
    if log.exists():
        sys.stderr.write(log.read_text())
        if outcome.why in ("quit-stop", "engine-gone"):
            log.unlink()
    return outcome.exit_code


def _ls(_: argparse.Namespace) -> int:
    from tui import remote

    for found in remote.running():
        print(f"{found.hello.deck}  {found.hello.path or '-'}  process {found.hello.pid}")
        for name, state in found.states.items():
            version = found.versions.get(name)
            print(f"  {name}  {state.state}" + (f"  v{version}" if version else "") + f"  {found.jobs[name].config}")
    return 0


def _attach(arguments: argparse.Namespace) -> int:
    _require_terminal()
    found = _choose(arguments.deck)
    return _show(found.socket, found.socket.with_suffix(".log"))


def _stop(arguments: argparse.Namespace) -> int:
    from tui import remote

    found = _choose(arguments.deck)
    with contextlib.suppress(ConnectionError):  # it ended by itself meanwhile
        remote.stop(found.socket)
    print(f"stopped {found.hello.deck}")
    return 0


def _choose(wanted: str | None) -> Running:
    """Return the running deck with this name or path; without one, the one of this folder or the only one."""
    from tui import remote
    from tui.engine import place

    decks = list(remote.running())
    if not decks:
        raise Usage("no deck is running")
    if wanted is not None:
        path = str(place.absolute(wanted))
        found = [deck for deck in decks if wanted == deck.hello.deck or path in (deck.hello.path, *_configs(deck))]
    else:
        here = f"{Path.cwd()}/"
        found = [deck for deck in decks if any(path.startswith(here) for path in (deck.hello.path, *_configs(deck)))]
        if not found:
            found = decks
    if len(found) != 1:
        names = ", ".join(deck.hello.path or deck.hello.deck for deck in (found or decks))
        problem = "several decks are running" if len(found) > 1 else f"no deck {wanted} is running"
        raise Usage(f"{problem}; name one of: {names}")
    return found[0]


def _configs(deck: Running) -> list[str]:
    return [job.config for job in deck.jobs.values()]


def _history(arguments: argparse.Namespace) -> int:
    from tui.engine import history, place
    from tui.engine.headless import reload_words
    from tui.events import encode

    config = place.absolute(arguments.config)
    folder = history.existing_folder_of(config)
    if folder is None:
        raise Usage(f"{arguments.config} has no history: no job has run with it")
    try:
        connection = history.open_database(folder, read_only=True)
    except history.HistoryError as error:
        raise Usage(str(error)) from error
    jobs = history.jobs_of(connection, folder, config)
    if arguments.job is None and len(jobs) != 1:
        names = f"serves several jobs: {', '.join(jobs)}; choose one with --job" if jobs else "has no history"
        raise Usage(f"{arguments.config} {names}")
    if arguments.job is not None and arguments.job not in jobs:
        raise Usage(f"{arguments.config} has no history of a job {arguments.job!r}; it has {', '.join(jobs) or 'none'}")
    for row in history.History(connection, folder, config, arguments.job or jobs[0]).rows():
        if arguments.json:
            sys.stdout.buffer.write(encode(row))
        else:
            print(history.when(row), reload_words(row).removeprefix("* "))
    connection.close()
    return 0
