"""The command line. Whatever is heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import tui
from tui import streams
from tui.cli import decks, history, jobs, run
from tui.cli.arguments import UsageError, deck_file, version
from tui.engine.paths import PlaceError


def main() -> None:
    """Run the command that the arguments name and exit with its code."""
    streams.secure()
    words, command = _split(sys.argv[1:])
    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:
        from tui.cli import completion

        completion.complete(parser)
    arguments = parser.parse_args(words, argparse.Namespace(command=command, acts=False))
    try:
        code: int = arguments.run(arguments)
    except (UsageError, PlaceError) as error:
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


def build_parser() -> argparse.ArgumentParser:
    """Return what understands the arguments."""
    parser = argparse.ArgumentParser(
        prog="tunedeck", description="Change the config of a running job and see what became of it."
    )
    parser.add_argument("--version", action="version", version=f"tunedeck {tui.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    run.add(commands)
    decks.add(commands)
    jobs.add(commands)
    path = commands.add_parser(
        "path",
        help="print what to put on PYTHONPATH for scripts of other environments",
        epilog="example: PYTHONPATH=$(tunedeck path) python train.py",
    )
    path.set_defaults(run=_path)
    completion = commands.add_parser(
        "completion",
        help="print what a shell needs to complete commands, keys, values, versions and jobs",
        epilog='example: eval "$(tunedeck completion bash)" in ~/.bashrc; tunedeck completion fish | source',
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    completion.set_defaults(run=_completion)
    check = commands.add_parser(
        "check", help="show what is wrong with a deck or a config", epilog="example: tunedeck check deck.yaml"
    )
    check.add_argument("file", metavar="DECK | CONFIG")
    check.set_defaults(run=_check)
    engine = commands.add_parser("engine")  # for `tui.join` in other environments; the help does not show it
    engine.add_argument("ready", type=int)
    engine.add_argument("arguments", type=json.loads)
    engine.set_defaults(run=_engine)
    history.add(commands)
    _add_notes(commands)
    return parser


def _engine(arguments: argparse.Namespace) -> int:
    from tui.engine.main import background

    return background(arguments.ready, arguments.arguments)


def _path(_: argparse.Namespace) -> int:
    print(Path(tui.__file__).parent / "path")
    return 0


def _completion(arguments: argparse.Namespace) -> int:
    from tui.cli import completion

    return completion.script(arguments)


def _check(arguments: argparse.Namespace) -> int:
    from tui.cli import check as cli_check
    from tui.export import harmless, one_line

    file = str(deck_file(Path(arguments.file))) if Path(arguments.file).is_dir() else arguments.file
    found = list(cli_check.findings(file))
    for line, _ in found:
        print(harmless(one_line(line)))
    wrong = any(finding.wrong for finding in found)
    if not wrong and sys.stdout.isatty():
        print(f"{file}: ok")
    return 2 if wrong else 0


def _add_notes(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    for what, metavar, example in (("note", "TEXT", '"the run of the paper"'), ("tag", "TAG", "paper")):
        command = commands.add_parser(
            what,
            help=f"put a {what} on a version; an empty one takes it away",
            epilog=f"example: tunedeck {what} train.yaml 12 {example}",
        )
        command.add_argument("config", metavar="CONFIG", type=Path)
        command.add_argument("version", metavar="VERSION", type=version)
        command.add_argument("text", metavar=metavar)
        command.add_argument("--job", metavar="NAME", help="where the config serves several jobs")
        command.set_defaults(run=_annotate, what=what, acts=True)


def _annotate(arguments: argparse.Namespace) -> int:
    from tui.cli import notes

    return notes.annotate(arguments)
