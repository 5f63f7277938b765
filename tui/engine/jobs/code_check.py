"""Asks a fresh interpreter whether a task can be imported as its files are now."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from tui.engine.deck.spec import JobSpec
from tui.protocol.messages import Problem
from tui.runners import process_tree, readiness

#: Seconds that an import may take.
TIMEOUT = 60.0


async def check(spec: JobSpec, files: Iterable[Path]) -> Problem | None:
    """Return what is wrong with the code of a task, with its file and line in the words; None where nothing is."""
    setup = {
        "task": spec.task,
        "validate": spec.validate,
        "args": list(spec.args),
        "files": [str(one) for one in files],
    }
    arguments = [spec.python or sys.executable, process_tree.PROGRAM, "1", "check", json.dumps(setup)]
    command = "exec " + " ".join(shlex.quote(str(word)) for word in arguments)
    code, said = await readiness.run(command, spec.cwd, TIMEOUT, spec.env)
    if code is None:
        return Problem(f"{spec.task} was not imported within {TIMEOUT:g} s")
    try:
        found = json.loads(said)
    except ValueError:
        return Problem(f"{spec.task} can't be imported: {said or 'the interpreter ended'}")
    if not found or not isinstance(found, dict):
        return None
    path = found.get("file")
    where = f"{os.path.relpath(path, spec.cwd)}:{found['line']}: " if path else ""
    return Problem(f"{where}{found['message']}")
