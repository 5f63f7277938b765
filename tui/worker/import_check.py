"""Imports a task in an interpreter of its own, to see whether a worker could: ``check FILE``.

FILE is JSON: the task, its validator, its arguments, and further files, each of which must at least compile. The answer
takes its place: what is wrong, with the file and the line where they are known, and which files were imported, or
would have been.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Sequence

from tui.worker import sources, task_import
from tui.worker.failures import describe, place
from tui.worker.validation import load_rules


def main(path: str) -> None:
    """Tell what is wrong, and end; what the task prints meanwhile goes nowhere."""
    with open(path, encoding="utf-8") as file:
        setup = json.load(file)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    task_import.set_program(setup["task"], setup.get("args", ()))
    found = check(setup["task"], setup.get("validate"), setup.get("files", ()))
    with open(path, "w", encoding="utf-8") as file:
        json.dump(found, file)
    os._exit(0)  # a thread that the import has started would go on


def check(task: str, validate: Any, files: Sequence[str]) -> Dict[str, Any]:
    """Return which files a task is made of, and what is wrong with it, if anything is."""
    modules: List[Any] = []
    try:
        for path in files:
            if path.endswith(".py") and os.path.exists(path):
                with open(path, "rb") as file:
                    compile(file.read(), path, "exec", dont_inherit=True)
        modules.append(task_import.load_module(task))
        modules.append(load_rules(validate, task, modules[0], task_import.find(modules[0], task)).module)
    except BaseException as error:  # whatever it is, a worker would end of it too
        folder = sources.folder_of(task)
        where, line = place(error, folder)
        words = describe(error).split("\n")
        wanted = {*sources.files(task, *modules), *_missing(error, folder), os.path.abspath(where or folder)}
        wanted = {path for path in wanted if path.startswith(folder + os.sep)}
        message = words[-1 if isinstance(error, SyntaxError) else 0]
        return {"message": message, "file": where, "line": line, "files": sorted(wanted)}
    return {"files": sources.files(task, *modules)}


def _missing(error: BaseException, folder: str) -> List[str]:
    """Return where a module would be looked for that is not there, or not yet."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return []
    base = os.path.join(folder, *error.name.split("."))
    return [base + ".py", os.path.join(base, "__init__.py")]
