"""The commands that name a config: its versions, and new ones. What is heavy is imported where it is needed."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tui.cli.arguments import UsageError, seconds, version
from tui.streams import wanted

if TYPE_CHECKING:
    from tui.cli.colours import Colours
    from tui.engine.history.job_history import History
    from tui.protocol.messages import Reload


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    history = commands.add_parser(
        "history", help="show the timeline of a config", epilog="example: tunedeck history train.yaml --json"
    )
    show = commands.add_parser(
        "show", help="print the text of a version", epilog="example: tunedeck show train.yaml 12"
    )
    diff = commands.add_parser(
        "diff",
        help="show what differs between two versions, or a version and the file",
        epilog="example: tunedeck diff train.yaml 11 12",
    )
    for command, function in ((history, _history), (show, _show_version), (diff, _diff)):
        command.add_argument("config", metavar="CONFIG", type=Path)
        command.add_argument("--job", metavar="NAME", help="where the config serves several jobs")
        command.set_defaults(run=function)
    form = history.add_mutually_exclusive_group()
    form.add_argument("--json", dest="format", action="store_const", const="jsonl", help="the same as --format jsonl")
    form.add_argument("--format", choices=("jsonl", "csv", "markdown"), help="for other programs, oldest first")
    show.add_argument("version", metavar="VERSION", type=version)
    diff.add_argument("a", metavar="A", type=version)
    diff.add_argument("b", metavar="B", type=version, nargs="?", help="else the file as it is on disk")

    _add_measured(commands)
    change = commands.add_parser(
        "set",
        help="change values in a config, all or none, and see what the job says",
        epilog="example: tunedeck set train.yaml lr=0.05 opt.betas[1]=0.99",
    )
    change.add_argument("config", metavar="CONFIG", help="or several, by a pattern in quotes: 'sweep-*.yaml'")
    change.add_argument("values", metavar="key.path=value", nargs="+")
    change.add_argument("--add", action="store_true", help="make keys that are not there; else they are refused")
    change.add_argument("--together", action="store_true", help="of the files of a pattern: all or none")
    change.set_defaults(run=_set, acts=True)
    back = commands.add_parser(
        "rollback",
        help="write a version back to the file, and see what the job says",
        epilog="example: tunedeck rollback train.yaml 12",
    )
    back.add_argument("config", metavar="CONFIG", type=Path)
    back.add_argument("version", metavar="VERSION", type=version)
    back.set_defaults(run=_rollback, acts=True)
    for command in (change, back):
        _add_receipt(command)


def _add_measured(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    metrics = commands.add_parser(
        "metrics",
        help="print the metrics of a run, with the version that ran",
        epilog="example: tunedeck metrics train.yaml --metric loss",
    )
    best = commands.add_parser(
        "best", help="show the version under which a metric was best", epilog="example: tunedeck best train.yaml --json"
    )
    wait = commands.add_parser(
        "wait",
        help="wait until the newest change is applied or judged, or the job has finished",
        epilog="example: tunedeck wait train.yaml --for verdict --timeout 600 --json",
    )
    for command, function in ((metrics, _metrics), (best, _best), (wait, _wait)):
        command.add_argument("config", metavar="CONFIG", type=Path)
        command.add_argument("--job", metavar="NAME", help="where the config serves several jobs")
        command.set_defaults(run=function)
    metrics.add_argument("--run", metavar="N", dest="run_number", type=int, help="else the newest")
    metrics.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="csv (else) or JSON lines")
    for command in (metrics, best):
        command.add_argument("--metric", metavar="NAME", help="metrics: else all; best: else the main one")
    best.add_argument("--json", action="store_true", help="print it as one JSON object, with the config")
    wait.add_argument("--for", dest="what", choices=("applied", "verdict", "finished"), required=True)
    wait.add_argument("--timeout", metavar="SECONDS", type=seconds, help="else as long as it takes")
    wait.add_argument("--json", action="store_true", help="print the reload as history does")


def _metrics(arguments: argparse.Namespace) -> int:
    from tui.cli import measured

    with rows_of(arguments) as found:
        return measured.show(arguments, found)


def _best(arguments: argparse.Namespace) -> int:
    from tui.cli import measured

    with rows_of(arguments) as found:
        return measured.show_best(arguments, found)


def _wait(arguments: argparse.Namespace) -> int:
    from tui.cli import waiting

    return waiting.wait(arguments)


def _add_receipt(command: argparse.ArgumentParser) -> None:
    command.add_argument("--job", metavar="NAME", help="wait for this job alone, where the config serves several")
    command.add_argument("--json", action="store_true", help="print what became of it as JSON lines, as history does")
    command.add_argument("--timeout", metavar="SECONDS", type=seconds, default=10.0, help="to wait for the job (10)")
    command.add_argument(
        "--restart", action="store_true", help="also where a job that has run for a minute has to start anew for it"
    )


def _set(arguments: argparse.Namespace) -> int:
    from tui.cli import change as cli_change

    return cli_change.set_values(arguments)


def _rollback(arguments: argparse.Namespace) -> int:
    from tui.cli import change as cli_change

    number = arguments.version
    if isinstance(number, str):
        with rows_of(arguments) as found:
            number = number_of(found, arguments, number)

    def stored() -> str:
        with rows_of(arguments) as found:
            text = _text_of(found, arguments, number)
            if any(row.version == number and row.status == "invalid" for row in found.rows()):
                raise UsageError(f"version {number} was never valid: tunedeck history says why")
            if any(row.version == number and row.source == "code" for row in found.rows()):
                raise UsageError(f"version {number} is a change of the code, which no rollback touches")
        return text

    return cli_change.roll_back(arguments, number, stored)


def _history(arguments: argparse.Namespace) -> int:
    from tui import export
    from tui.cli.colours import Colours

    paint = Colours()
    with rows_of(arguments) as found:
        if arguments.format == "jsonl":
            sys.stdout.buffer.writelines(wanted(found.json_lines()))
        elif arguments.format is not None:
            for line in wanted(export.write(found.rows(), arguments.format)):
                sys.stdout.buffer.write(f"{line}\n".encode("utf-8", "replace"))
        else:
            for row in wanted(found.rows()):
                print(_row_words(row, paint))
    return 0


def _row_words(row: Reload, paint: Colours) -> str:
    """Return a reload in one line, the same words on a terminal and in a pipe."""
    from tui.cli import colours as colours
    from tui.engine.history import job_history
    from tui.engine.service.headless import reload_words
    from tui.export import one_line

    said = one_line(reload_words(row).removeprefix("* "))
    status = paint(row.status, colours.STATUSES.get(row.status, colours.RED))
    said = said.replace(f" {row.status} ", f" {status} ", 1)
    tag = paint(f"#{row.tag}", colours.CYAN) if row.tag else ""
    note = f'"{row.note}"' if row.note else ""
    origin = ", ".join(filter(None, (f"run {row.run}" if row.run else "", row.who)))
    origin = paint(f"[{origin}]", colours.DIM) if origin else ""
    return " ".join(filter(None, (paint(job_history.when(row), colours.DIM), said, tag, note, origin)))


def _show_version(arguments: argparse.Namespace) -> int:
    with rows_of(arguments) as found:
        text = _text_of(found, arguments, number_of(found, arguments, arguments.version))
    # Byte for byte: no newline is translated, and none is added.
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    from difflib import unified_diff

    from tui.cli.colours import Colours
    from tui.config import document
    from tui.config.disk import store
    from tui.engine import paths

    paint = Colours()
    with rows_of(arguments) as found:
        a = number_of(found, arguments, arguments.a)
        b = None if arguments.b is None else number_of(found, arguments, arguments.b)
        old = _text_of(found, arguments, a)
        new = "" if b is None else _text_of(found, arguments, b)
    if b is None:
        try:
            new = document.decode(store.read(paths.absolute(arguments.config)).raw)
        except document.ConfigError as error:
            raise UsageError(str(error)) from error
    names = f"{arguments.config} v{a}", f"{arguments.config}" + (f" v{b}" if b else "")
    for line in unified_diff(_lines(old), _lines(new), *names):
        ended = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        sys.stdout.buffer.write(paint.diff(ended).encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
    return 0


def _lines(text: str) -> list[str]:
    # Not at every character that Python takes for the end of a line: `diff` and `patch` know only one.
    return re.findall(r"[^\n]*\n|[^\n]+", text)


@contextlib.contextmanager
def rows_of(arguments: argparse.Namespace, *, read_only: bool = True) -> Iterator[History]:
    """Open the history of a config and its job; `read_only` where an engine may be writing to it."""
    import sqlite3

    from tui.engine import paths
    from tui.engine.history import database, job_history

    config = paths.absolute(arguments.config)
    folder = job_history.folder_of(config)
    if folder is None:
        raise UsageError(f"{arguments.config} has no history: no job has run with it")
    try:
        connection = database.open_database(folder, read_only=read_only)
    except database.HistoryError as error:
        raise UsageError(str(error)) from error
    try:
        with contextlib.closing(connection):
            jobs = job_history.jobs_of(connection, folder, config)
            if arguments.job is None and len(jobs) != 1:
                names = f"serves several jobs: {', '.join(jobs)}; choose one with --job" if jobs else "has no history"
                raise UsageError(f"{arguments.config} {names}")
            if arguments.job is not None and arguments.job not in jobs:
                known = ", ".join(jobs) or "none"
                raise UsageError(f"{arguments.config} has no history of a job {arguments.job!r}; it has {known}")
            yield job_history.History(connection, folder, config, arguments.job or jobs[0])
    except sqlite3.Error as error:
        raise UsageError(f"{folder} holds a history that can't be read: {error}") from error


def number_of(found: History, arguments: argparse.Namespace, named: int | str) -> int:
    """Return the number of a version that is named by it, or by its tag."""
    if isinstance(named, int):
        return named
    tagged = [row.version for row in found.rows() if row.tag == named]
    if not tagged:
        raise UsageError(f"{arguments.config} has no version with the tag {named}: write a number such as 12, or a tag")
    if len(tagged) > 1:
        raise UsageError(f"{named} is the tag of several versions: {', '.join(map(str, tagged))}; name one of them")
    return tagged[0]


def _text_of(found: History, arguments: argparse.Namespace, version: int) -> str:
    text = found.text(version)
    if text is None:
        newest = found.newest()
        raise UsageError(f"{arguments.config} has no version {version}: the newest is {newest}")
    return text
