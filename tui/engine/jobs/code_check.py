"""Asks a fresh interpreter whether a task can be imported as its files are now."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tui import reading
from tui.engine.deck.spec import JobSpec
from tui.protocol.messages import Problem
from tui.runners import process_tree, readiness

#: Seconds that an import may take.
TIMEOUT = 60.0


class Checked(NamedTuple):
    """What an import has led to.

    Attributes:
        problem: What is wrong with the code, with its file and line in the words; None where nothing is.
        files: What was imported from below the task's folder, or would have been.
    """

    problem: Problem | None
    files: tuple[Path, ...] = ()


async def check(spec: JobSpec, files: Iterable[Path]) -> Checked:
    """Return whether the code of a task can be imported, all of these files included."""
    setup = {
        "task": spec.task,
        "validate": spec.validate,
        "args": list(spec.args),
        "files": [str(one) for one in files],
    }
    # In a file of its own: a large project has more names than there is room for among the arguments of a program.
    with tempfile.TemporaryDirectory(prefix="tunedeck-check-") as folder:
        path = Path(folder, "check.json")
        await asyncio.to_thread(path.write_text, json.dumps(setup), "utf-8")
        arguments = [spec.python or sys.executable, process_tree.PROGRAM, "1", "check", str(path)]
        command = "exec " + " ".join(shlex.quote(str(word)) for word in arguments)
        code, said = await readiness.run(command, spec.cwd, TIMEOUT, spec.env)
        if code is None:
            return Checked(Problem(f"{spec.task} was not imported within {TIMEOUT:g} s"))
        answer = await asyncio.to_thread(reading.read, path)
        return _read(spec, answer[0], said)


def _read(spec: JobSpec, answer: bytes, said: str) -> Checked:
    try:
        found = json.loads(answer)
    except ValueError:  # it ended while it answered
        found = {}
    if "files" not in found or "task" in found:  # else it is still what was asked
        return Checked(Problem(f"{spec.task} can't be imported: {said or 'the interpreter ended'}"))
    files = tuple(map(Path, found["files"]))
    if "message" not in found:
        return Checked(None, files)
    where = f"{os.path.relpath(found['file'], spec.cwd)}:{found['line']}: " if found["file"] else ""
    return Checked(Problem(f"{where}{found['message']}"), files)
