"""Notes and tags on versions: through the engine where a job runs with the config, else into its history."""

from __future__ import annotations

import sqlite3
import sys
from argparse import Namespace

from tui.cli import client
from tui.cli.arguments import UsageError
from tui.cli.change import engine_of, job_of
from tui.cli.history import number_of, rows_of
from tui.engine import claims, paths
from tui.engine.service.history_commands import note_of, tag_of
from tui.protocol import messages


def annotate(arguments: Namespace) -> int:
    """Carry out ``tunedeck note`` or ``tunedeck tag``, and return the exit code."""
    config = paths.absolute(arguments.config)
    try:
        text: str = {"note": note_of, "tag": tag_of}[arguments.what](arguments.text)
    except ValueError as error:
        print(f"tunedeck: refused: {error}", file=sys.stderr)
        return 1
    found = engine_of(config)
    if found is not None:
        arguments.job = job_of(found, str(arguments.config), arguments.job)
    version = arguments.version
    if isinstance(version, str):
        with rows_of(arguments) as rows:
            version = number_of(rows, arguments, version)
    refusal = _keep(arguments, version, text) if found is None else _tell(found, arguments, version, text)
    if refusal:
        print(f"tunedeck: refused: {refusal}", file=sys.stderr)
        return 1
    print(f"v{version} has the {arguments.what} {text}" if text else f"v{version} has no {arguments.what}")
    return 0


def _tell(found: client.RunningEngine, arguments: Namespace, version: int, text: str) -> str:
    """Have the engine keep it, which tells every viewer; return why it does not."""
    kind = {"note": messages.Note, "tag": messages.Tag}[arguments.what]
    try:
        reply = client.send_command(found.socket, kind(1, arguments.job, version, text), client.ANSWER_PATIENCE)
    except (ConnectionError, FileNotFoundError) as error:
        raise UsageError(f"{found.name} ended meanwhile") from error
    if reply is None:
        raise UsageError(f"{found.name} has not answered: tunedeck history shows what became of it")
    if reply.code == "unknown":
        raise UsageError(f"{arguments.config}: {reply.message}")
    return "" if reply.ok else reply.message


def _keep(arguments: Namespace, version: int, text: str) -> str:
    """Write it to the history, which no engine does; return why it can't be written."""
    if (holder := claims.holder(paths.absolute(arguments.config))) is not None:
        raise UsageError(f"{arguments.config} is in use by {holder}, which does not answer: nothing was written")
    with rows_of(arguments, read_only=False) as history:
        try:
            noted = history.annotate(version, **{arguments.what: text})
        except sqlite3.Error as error:
            return f"the history can't be written: {error}"
        if noted is None:
            raise UsageError(f"{arguments.config} has no version {version}: the newest is {history.newest()}")
    return ""
