"""The code of the package, parsed once in each process of the tests, by who looks at it first."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import tui

ROOT = Path(tui.__file__).parent


@functools.cache
def trees() -> dict[Path, ast.Module]:
    """Return the code of each module, by its place in the package."""
    files = sorted(ROOT.rglob("*.py"))
    return {file.relative_to(ROOT): ast.parse(file.read_text(encoding="utf-8")) for file in files}


@functools.cache
def calls() -> dict[str, list[ast.Call]]:
    """Return all calls in each module."""
    return {
        path.as_posix(): [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        for path, tree in trees().items()
    }
