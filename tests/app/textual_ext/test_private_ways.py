"""Textual's private ways are used in `tui.app.textual_ext` alone, but for those that are listed here."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import textwrap
from pathlib import Path

import tui.app

ROOT = Path(tui.app.__file__).parent

#: What is used elsewhere, since there is no public way to it.
ELSEWHERE = {
    "app.py": {"_driver", "_handle_exception"},  # the terminal's title; what fails while a frame is drawn ends the app
    "editor/editor.py": {
        "_bindings",  # to take some away from an editor, and to know which there are
        "_line_cache",  # the marks beside the text have changed
        "_redo_batch",
        "_render_line",
        "_undo_batch",
    },
    "job_view.py": {"_clear_arrangement_cache"},  # a divider was moved: the styles are the same
    "styles.py": {"_component_styles"},  # whether a tone is still that of before
}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@functools.cache
def private_names(cls: type) -> set[str]:
    """Return the private names that a class of Textual has or sets."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    set_here = {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    return {name for name in {*set_here, *vars(cls)} if is_private(name)}


def used(node: ast.ClassDef) -> set[str]:
    """Return what a class has itself, or asks itself for."""
    names = set()
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(part.name)
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "self":
            names.add(part.attr)
    return names


def private_ways(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    module = importlib.import_module(".".join(file.relative_to(ROOT.parents[1]).with_suffix("").parts))
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = [base for base in getattr(module, node.name).__mro__ if base.__module__.startswith("textual.")]
            found |= used(node) & {name for base in bases for name in private_names(base)}
    for part in ast.walk(tree):  # of other objects: one of ours has no private ways but for itself
        if isinstance(part, ast.Attribute) and is_private(part.attr):
            owner = ast.unparse(part.value)
            if not re.match(r"self\b|cls\b|super\(", owner) and part.attr not in ("_replace", "_asdict"):
                found.add(part.attr)
    return found


def test_private_ways_of_textual_are_in_one_place() -> None:
    files = [file for file in ROOT.rglob("*.py") if file.parent.name != "textual_ext" and "textual" in file.read_text()]
    found = {str(file.relative_to(ROOT)): ways for file in files if (ways := private_ways(file))}
    assert found == ELSEWHERE


def test_each_module_says_since_when() -> None:
    for file in (ROOT / "textual_ext").glob("[a-z]*.py"):
        head = ast.get_docstring(ast.parse(file.read_text())) or ""
        assert "8.2.8" in head, f"{file.name} does not say in which versions of Textual it is needed"
