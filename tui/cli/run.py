"""Opens a deck, a task or a command: on the screen, without one, or in the background."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tui
from tui.cli.arguments import UsageError, deck_file

_DECKS = (".yaml", ".yml", ".json")

_RUN = """Run a deck file, or one task or command with its config; without any, the deck.yaml (or tunedeck.yaml) of this
folder. Without --headless and -d this opens the deck on the screen; if it is running already, it is attached to."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    demo = commands.add_parser(
        "demo", help="copy the sample deck to ./tunedeck-demo and open it", epilog="example: tunedeck demo"
    )
    demo.set_defaults(run=_demo)
    run = commands.add_parser(
        "run",
        help="run a deck, or a task or command with its config",
        description=_RUN,
        epilog="example: tunedeck run train.py:train -c train.yaml -d",
    )
    run.add_argument("what", nargs="?", metavar="DECK | FILE.py:FUNC | pkg.mod:FUNC | -- COMMAND ARG...")
    run.add_argument("-c", "--config", metavar="CONFIG", help="the config file of the task or command")
    run.add_argument("--name", help="of the job; else FUNC, or the command's base name")
    run.add_argument("--runner", choices=("process", "thread", "asyncio"), help="of a task; else process")
    run.add_argument(
        "--on-change",
        metavar="reload|restart|none|SIGNAL",
        help="a task: reload (else) or restart; a command: reload by its tui.checkpoint (else, where CONFIG is YAML or "
        "JSON), restart, none (it watches CONFIG itself), a signal name such as SIGHUP, or '{command: CMD}', "
        "another one that tells it",
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
        command.add_argument(
            "-d", dest="behind", action="store_true", help="no screen: in the background, until tunedeck stop ends it"
        )


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
        raise UsageError(f"the sample deck can't be copied to {folder}: {error.strerror}") from error
    return _open({"deck": str(folder / "deck.yaml")}, arguments)


def _run(arguments: argparse.Namespace) -> int:
    what: str | None = arguments.what
    command: list[str] | None = arguments.command
    options = ("config", "name", "runner", "on_change", "once", "check", "tty", "env")
    given = {key for key in options if getattr(arguments, key) is not None}
    if command is not None and (what is None or what.endswith(_DECKS)):
        return _open(_command(what, command, given, arguments), arguments)
    if what is None and given:
        raise UsageError("name what to run: a task, or -- and a command; a deck says all of this itself")
    if what is None or Path(what).is_dir():
        what = str(deck_file(Path(what or ".")))
    if what.endswith(_DECKS):
        if given:
            too_much = ", ".join(f"--{key.replace('_', '-')}" for key in sorted(given))
            raise UsageError(f"{what} is a deck, which says all of this itself: leave out {too_much}")
        return _open({"deck": what}, arguments)
    if arguments.config is None:
        raise UsageError(f"{what} is a task, so it needs its config: add -c CONFIG (a deck ends in .yaml)")
    if arguments.check is not None:
        raise UsageError("--check is for commands")
    if arguments.on_change not in (None, "reload", "restart"):
        raise UsageError(f"--on-change of a task is reload or restart, not {arguments.on_change}")
    job = {"what": what, "config": arguments.config, "name": arguments.name, "on_change": arguments.on_change}
    job["loop"] = False if arguments.once else None
    job.update(args=command or [], **_place(arguments))
    if arguments.runner in ("thread", "asyncio") and (command or arguments.tty or arguments.env):
        raise UsageError(
            f"arguments, --tty and --env are for a process of its own, which a {arguments.runner} job has not"
        )
    return _open({**job, "runner": arguments.runner or "process"}, arguments)


def _command(what: str | None, command: list[str], given: set[str], arguments: argparse.Namespace) -> dict[str, object]:
    """Return the job of a command line such as ``-c CONFIG --on-change SIGHUP -- COMMAND ARG...``."""
    from tui.engine.deck.vocabulary import on_change_problem

    if what is not None:
        raise UsageError(f"what is to be run, {what} or the command after --?")
    if not command:
        raise UsageError("the command after -- is missing")
    if "config" not in given:
        raise UsageError(f"{command[0]} needs its config: add -c CONFIG")
    if "runner" in given:
        raise UsageError("--runner is for tasks")
    if "once" in given:
        raise UsageError("--once is for tasks")
    if (arguments.on_change or "").startswith("{"):
        return {**_command_job(command, arguments), "on_change": "command", "tell": _teller(arguments.on_change)}
    problem = on_change_problem(arguments.on_change, Path(arguments.config))
    if problem is not None:
        raise UsageError(
            f"--on-change: {problem}" if "on_change" in given else problem.replace("on_change:", "--on-change")
        )
    return _command_job(command, arguments)


def _command_job(command: list[str], arguments: argparse.Namespace) -> dict[str, object]:
    keys = ("config", "name", "on_change", "check")
    return {"what": command, **{key: getattr(arguments, key) for key in keys}, **_place(arguments)}


def _teller(text: str) -> str:
    """Return CMD of ``{command: CMD}``, spelled as in a deck.

    Raises:
        UsageError: It is spelled in another way.
    """
    from tui.config import document

    try:
        found = document.parse(text).data
    except document.ConfigError as error:
        raise UsageError(f"--on-change: {error.problem.message}") from error
    command = found.get("command")
    if len(found) != 1 or not isinstance(command, str) or not command:
        raise UsageError("--on-change: a mapping is {command: CMD}, such as {command: './reload.sh {config}'}")
    return command


def _place(arguments: argparse.Namespace) -> dict[str, object]:
    return {"env": dict(arguments.env or ()), "tty": bool(arguments.tty)}


def _variable(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise argparse.ArgumentTypeError(f"write NAME=VALUE, not {text}")
    return name, value


def _open(what: dict[str, Any], arguments: argparse.Namespace) -> int:
    if arguments.headless and arguments.behind:
        raise UsageError("--headless stays in the foreground, -d does not: choose one")
    if arguments.headless:
        from tui.engine.main import headless

        return headless(what, json_lines=arguments.json)
    if arguments.json:
        raise UsageError("--json goes with --headless")
    if arguments.behind:
        return _stay_behind(what)
    require_terminal()
    return show(_engine_of(what, meanwhile=_import_viewer))


def _stay_behind(what: dict[str, Any]) -> int:
    """Run in the background, where it may run already, and say where that is."""
    from tui.cli import client
    from tui.cli.found import heading
    from tui.config.problems import in_file
    from tui.export import harmless, one_line

    found = client.greet_deck(_engine_of(what), brief=False)
    if not isinstance(found, client.RunningEngine):
        raise UsageError(str(found) if found else "it ended at once: tunedeck run, without -d, shows why")
    for name, problem in found.problems.items():
        where = in_file(found.jobs[name].config, problem)
        print(f"tunedeck: {name} waits for a valid config: {harmless(one_line(where))}", file=sys.stderr)
    print(heading(found))
    return 0


def require_terminal() -> None:
    """See that there is a terminal for a screen.

    Raises:
        UsageError: There is none.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("this is not a terminal: use --headless, or --headless --json for programs")


def _import_viewer() -> None:
    from tui.app import app as _  # noqa: F401 - takes a while, which the engine needs as well


def _engine_of(what: dict[str, Any], meanwhile: Callable[[], None] = lambda: None) -> Path:
    """Return where the engine of a deck listens: the one that runs, else a new one."""
    from tui.cli import launch
    from tui.engine import paths

    socket = paths.socket_of(str(paths.absolute(what.get("deck") or what["config"])))
    with launch.turn(socket):
        if socket.exists() and _attached(what, socket):
            return socket
        return _started(what, socket, meanwhile)


def _started(what: dict[str, Any], socket: Path, meanwhile: Callable[[], None]) -> Path:
    """Start an engine, and return where it listens."""
    from tui.cli import launch
    from tui.engine import paths

    process, answer = launch.start(what, paths.log_of(socket))
    meanwhile()
    with answer:
        line = answer.readline()
    if not line:
        process.wait()
        raise UsageError(f"the engine did not start:\n{_read_log(socket)}")
    said = json.loads(line)
    if "error" in said:
        process.wait()
        raise UsageError(said["error"])
    return Path(said["socket"])


def _attached(what: dict[str, Any], socket: Path) -> bool:
    """Tell whether an engine runs what is wanted."""
    from tui.cli import client

    found = client.greet_deck(socket)
    if found is None:
        return False
    if isinstance(found, client.HangingEngine):
        raise UsageError(str(found))
    task = what.get("what") if isinstance(what.get("what"), str) else " ".join(what.get("what", ()))
    if task and task not in [job.task for job in found.jobs.values()]:
        holder = f"{', '.join(found.jobs)} (process {found.hello.pid})"
        raise UsageError(f"{what['config']} is in use by {holder}; tunedeck stop ends it")
    return True


def show(socket: Path) -> int:
    """Open a viewer on the engine that listens at a socket, and return the exit code."""
    from tui.app.main import run
    from tui.cli import keys_file
    from tui.engine import paths

    result = run(str(socket), own_keys=keys_file.read())
    if result.message:
        print(f"tunedeck: {result.message}", file=sys.stderr)
    log = _read_log(socket)
    sys.stderr.write(log)
    if log and result.why in ("quit-stop", "engine-gone"):
        paths.log_of(socket).unlink(missing_ok=True)
    return result.exit_code


def _read_log(socket: Path) -> str:
    from tui import reading
    from tui.engine import paths

    try:
        return reading.read(paths.log_of(socket))[0].decode("utf-8", "replace")
    except FileNotFoundError:  # all went well
        return ""
    except OSError as error:
        return f"{error.filename} {error.strerror}\n"
