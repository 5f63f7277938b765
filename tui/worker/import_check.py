"""Imports a task in an interpreter of its own, to see whether a worker could: ``FD check SETUP``.

SETUP is JSON: the task, its validator, and further files, each of which must at least compile. What is wrong is told on
the descriptor, as one line of JSON: its message, and the file and the line where they are known.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Sequence

from tui.worker import sources, task_import
from tui.worker.failures import describe, place
from tui.worker.validation import load_rules


def main(descriptor: int, setup: Dict[str, Any]) -> None:
    """Tell what is wrong, and end; what the task prints meanwhile goes nowhere."""
    answer = os.dup(descriptor)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    task_import.set_program(setup["task"], setup.get("args", ()))
    found = check(setup["task"], setup.get("validate"), setup.get("files", ()))
    os.write(answer, json.dumps(found).encode() + b"\n")
    os._exit(0)  # a thread that the import has started would go on


def check(task: str, validate: Any, files: Sequence[str]) -> Dict[str, Any]:
    """Return what is wrong with a task, empty where nothing is."""
    try:
        for path in files:
            if path.endswith(".py") and os.path.exists(path):
                with open(path, "rb") as file:
                    compile(file.read(), path, "exec", dont_inherit=True)
        module = task_import.load_module(task)
        load_rules(validate, task, module, task_import.find(module, task))
    except BaseException as error:  # whatever it is, a worker would end of it too
        where, line = place(error, sources.folder_of(task))
        words = describe(error).split("\n")
        return {"message": words[-1 if isinstance(error, SyntaxError) else 0], "file": where, "line": line}
    return {}
