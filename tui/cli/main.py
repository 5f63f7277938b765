"""The command line. Whatever is heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tui
from tui import streams
from tui.cli import history
from tui.cli.usage import Usage
from tui.engine.paths import PlaceError

if TYPE_CHECKING:
    from tui.cli.client import HangingDeck, RunningDeck


def main() -> None:
    """Run the command that the arguments name and exit with its code."""
    streams.secure()
    words, command = _split(sys.argv[1:])
    arguments = _parser().parse_args(words, argparse.Namespace(command=command, acts=False))
    try:
        code: int = arguments.run(arguments)
    except (Usage, PlaceError) as error:
        print(f"tunedeck: {error}", file=sys.stderr)
        code = 2
    lost = streams.unwritten()
    if lost is not None:
        print(f"tunedeck: the output could not be written: {lost.strerror}", file=sys.stderr)
        # Of a command that changes something the code says whether it has.
        code = code if arguments.acts else code or 2
    sys.exit(code)


def _split(words: list[str]) -> tuple[list[str], list[str] | None]:
    """Part tunedeck's own words from those of a command, which stand after ``--``."""
    if "--" not in words:
        return words, None
    place = words.index("--")
    return words[:place], words[place + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tunedeck", description="Change the config of a running job and see what became of it."
    )
    parser.add_argument("--version", action="version", version=f"tunedeck {tui.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    demo = commands.add_parser("demo", help="copy the sample deck to ./tunedeck-demo and open it")
    demo.set_defaults(run=_demo)
    run = commands.add_parser("run", help="run a deck, or a task or command with its config", description=_RUN)
    run.add_argument("what", nargs="?", metavar="DECK.yaml | FILE.py:FUNC | pkg.mod:FUNC | -- COMMAND ARG...")
    run.add_argument("-c", "--config", metavar="CONFIG", help="the config file of the task or command")
    run.add_argument("--name", help="of the job; else FUNC, or the command's base name")
    run.add_argument("--runner", choices=("process", "thread", "asyncio"), help="of a task; else process")
    run.add_argument(
        "--on-change",
        metavar="reload|restart|none|SIGNAL",
        help="a task: reload (else) or restart; a command: reload by its tui.checkpoint (else, where CONFIG is YAML or "
        "JSON), restart, none (it watches CONFIG itself), or a signal name such as SIGHUP",
    )
    run.add_argument(
        "--once",
        action="store_const",
        const=True,
        help="call a plain function of a task once; else again and again, unless it has called tui.checkpoint",
    )
    run.add_argument(
        "--tty", action="store_const", const=True, help="its standard streams are a terminal, as large as the log"
    )
    run.add_argument(
        "--env", action="append", metavar="K=V", type=_variable, help="a variable that is added to its environment"
    )
    run.add_argument("--check", metavar="CMD", help="of a command: must exit 0 before a change is sent")
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
        command.set_defaults(run=function, acts=True)

    path = commands.add_parser("path", help="print what to put on PYTHONPATH for scripts of other environments")
    path.set_defaults(run=_path)
    check = commands.add_parser("check", help="show what is wrong with a deck or a config")
    check.add_argument("file", metavar="DECK | CONFIG")
    check.set_defaults(run=_check)
    engine = commands.add_parser("engine")  # for `tui.join` in other environments; the help does not show it
    engine.add_argument("ready", type=int)
    engine.add_argument("arguments", type=json.loads)
    engine.set_defaults(run=_engine)
    history.add(commands)
    return parser


_RUN = """Run a deck file, or one task or command with its config. Without --headless this opens the deck on the
screen; if it is running already, it is attached to."""


def _demo(arguments: argparse.Namespace) -> int:
    folder = Path("tunedeck-demo")
    source = Path(tui.__file__).parent / "samples" / "configs"
    if not source.is_dir():  # a checkout; an installed package brings them along
        source = Path(tui.__file__).parent.parent / "sample_configs"
    try:
        folder.mkdir(exist_ok=True)
        for file in [*source.glob("*.yaml"), *source.glob("*.json")]:
            if not (folder / file.name).exists():
                shutil.copyfile(file, folder / file.name)
    except OSError as error:
        raise Usage(f"the sample deck can't be copied to {folder}: {error.strerror}") from error
    return _open({"deck": str(folder / "deck.yaml")}, arguments)


def _run(arguments: argparse.Namespace) -> int:
    what: str | None = arguments.what
    command: list[str] | None = arguments.command
    options = ("config", "name", "runner", "on_change", "once", "check", "tty", "env")
    given = {key for key in options if getattr(arguments, key) is not None}
    if command is not None and (what is None or what.endswith((".yaml", ".yml", ".json"))):
        return _open(_command(what, command, given, arguments), arguments)
    if what is None:
        raise Usage("name what to run: a deck, a task, or -- and a command")
    if what.endswith((".yaml", ".yml", ".json")):
        if given:
            too_much = ", ".join(f"--{key.replace('_', '-')}" for key in sorted(given))
            raise Usage(f"{what} is a deck, which says all of this itself: leave out {too_much}")
        return _open({"deck": what}, arguments)
    if arguments.config is None:
        raise Usage(f"{what} is a task, so it needs its config: add -c CONFIG (a deck ends in .yaml)")
    if arguments.check is not None:
        raise Usage("--check is for commands")
    if arguments.on_change not in (None, "reload", "restart"):
        raise Usage(f"--on-change of a task is reload or restart, not {arguments.on_change}")
    job = {"what": what, "config": arguments.config, "name": arguments.name, "on_change": arguments.on_change}
    job["loop"] = False if arguments.once else None
    job.update(args=command or [], **_place(arguments))
    if arguments.runner in ("thread", "asyncio") and (command or arguments.tty or arguments.env):
        raise Usage(f"arguments, --tty and --env are for a process of its own, which a {arguments.runner} job has not")
    return _open({**job, "runner": arguments.runner or "process"}, arguments)


def _command(what: str | None, command: list[str], given: set[str], arguments: argparse.Namespace) -> dict[str, object]:
    """Return the job of a command line such as ``-c CONFIG --on-change SIGHUP -- COMMAND ARG...``."""
    from tui.engine.deck.load import on_change_problem

    if what is not None:
        raise Usage(f"what is to be run, {what} or the command after --?")
    if not command:
        raise Usage("the command after -- is missing")
    if "config" not in given:
        raise Usage(f"{command[0]} needs its config: add -c CONFIG")
    if "runner" in given:
        raise Usage("--runner is for tasks")
    if "once" in given:
        raise Usage("--once is for tasks")
    problem = on_change_problem(arguments.on_change, Path(arguments.config))
    if problem is not None:
        raise Usage(f"--on-change: {problem}" if "on_change" in given else problem.replace("on_change:", "--on-change"))
    keys = ("config", "name", "on_change", "check")
    return {"what": command, **{key: getattr(arguments, key) for key in keys}, **_place(arguments)}


def _place(arguments: argparse.Namespace) -> dict[str, object]:
    return {"env": dict(arguments.env or ()), "tty": bool(arguments.tty)}


def _variable(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise argparse.ArgumentTypeError(f"write NAME=VALUE, not {text}")
    return name, value


def _open(what: dict[str, Any], arguments: argparse.Namespace) -> int:
    if arguments.headless:
        from tui.engine.main import headless

        return headless(what, json_lines=arguments.json)
    if arguments.json:
        raise Usage("--json goes with --headless")
    _require_terminal()
    return _view(what)


def _require_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Usage("this is not a terminal: use --headless, or --headless --json for programs")


def _view(what: dict[str, Any]) -> int:
    """Open a viewer on the deck, on its running engine or on a new one."""
    from tui.cli import launch
    from tui.engine import paths

    path: str = what.get("deck") or what["config"]
    socket = paths.socket_of(str(paths.absolute(path)))
    if socket.exists() and _attached(what, socket):
        return _show(socket)
    process, answer = launch.start(what, paths.log_of(socket))
    from tui.app import app as _  # noqa: F401 - takes a while, which the engine needs as well

    line = answer.readline()
    answer.close()
    if not line:
        process.wait()
        raise Usage(f"the engine did not start:\n{_read_log(socket)}")
    said = json.loads(line)
    if "error" in said:
        process.wait()
        raise Usage(said["error"])
    return _show(Path(said["socket"]))


def _attached(what: dict[str, Any], socket: Path) -> bool:
    """Tell whether an engine runs what is wanted."""
    from tui.cli import client

    found = client.greet_deck(socket)
    if found is None:
        return False
    if isinstance(found, client.HangingDeck):
        raise Usage(str(found))
    task = what.get("what") if isinstance(what.get("what"), str) else " ".join(what.get("what", ()))
    if task and task not in [job.task for job in found.jobs.values()]:
        holder = f"{', '.join(found.jobs)} (process {found.hello.pid})"
        raise Usage(f"{what['config']} is in use by {holder}; tunedeck stop ends it")
    return True


def _show(socket: Path) -> int:
    from tui.app.main import run
    from tui.engine import paths

    outcome = run(str(socket))
    if outcome.message:
        print(f"tunedeck: {outcome.message}", file=sys.stderr)
    log = _read_log(socket)
    sys.stderr.write(log)
    if log and outcome.why in ("quit-stop", "engine-gone"):
        paths.log_of(socket).unlink(missing_ok=True)
    return outcome.exit_code


def _read_log(socket: Path) -> str:
    from tui import reading
    from tui.engine import paths

    try:
        return reading.read(paths.log_of(socket))[0].decode("utf-8", "replace")
    except FileNotFoundError:  # all went well
        return ""
    except OSError as error:
        return f"{error.filename} {error.strerror}\n"


def _ls(_: argparse.Namespace) -> int:
    from tui.cli import client

    for found in client.running():
        if isinstance(found, client.HangingDeck):
            print(f"{found.name}  {found.socket}  process {found.pid or 'unknown'}  hangs")
            continue
        print(f"{found.name}  {found.path or '-'}  process {found.hello.pid}")
        for name, state in found.states.items():
            version = found.versions.get(name)
            print(f"  {name}  {state.state}" + (f"  v{version}" if version else "") + f"  {found.jobs[name].config}")
    return 0


def _attach(arguments: argparse.Namespace) -> int:
    _require_terminal()
    found = _choose(arguments.deck)
    return _show(found.socket)


def _stop(arguments: argparse.Namespace) -> int:
    from tui.cli import client

    found = _choose(arguments.deck)
    with contextlib.suppress(ConnectionError):  # it ended by itself meanwhile
        hangs = client.stop_deck(found.socket)
        if hangs is not None:
            raise Usage(str(hangs))
    print(f"stopped {found.name}")
    return 0


def _choose(wanted: str | None) -> RunningDeck:
    """Return the running deck with this name or path; without one, the one of this folder or the only one."""
    from tui.cli import client

    decks = client.running()
    if not decks:
        raise Usage("no deck is running")
    if wanted is not None:
        found = [deck for deck in decks if _is(deck, wanted)]
    else:
        here = f"{Path.cwd()}/"
        found = [deck for deck in decks if any(path.startswith(here) for path in deck.paths)] or decks
    if len(found) != 1:
        names = ", ".join(deck.path or deck.name for deck in (found or decks))
        problem = "several decks are running" if len(found) > 1 else f"no deck {wanted} is running"
        raise Usage(f"{problem}; name one of: {names}")
    if isinstance(found[0], client.HangingDeck):
        raise Usage(str(found[0]))
    return found[0]


def _is(deck: RunningDeck | HangingDeck, wanted: str) -> bool:
    from tui.engine import paths

    path = str(paths.absolute(wanted))
    # One that hangs does not say what it runs, but its socket bears a name that is made of the path.
    return wanted == deck.name or path in deck.paths or deck.socket == paths.socket_of(path)


def _engine(arguments: argparse.Namespace) -> int:
    from tui.engine.main import background

    return background(arguments.ready, arguments.arguments)


def _path(_: argparse.Namespace) -> int:
    print(Path(tui.__file__).parent / "path")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from tui.cli import check as cli_check
    from tui.export import harmless, one_line

    found = list(cli_check.findings(arguments.file))
    for line, _ in found:
        print(harmless(one_line(line)))
    wrong = any(finding.wrong for finding in found)
    if not wrong and sys.stdout.isatty():
        print(f"{arguments.file}: ok")
    return 2 if wrong else 0
