"""The documents for those who change tunedeck name what is there: files, functions, folders."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("docs/architecture.md", "CONTRIBUTING.md")

#: A file, a name in it, or a folder; commands and their options are none.
NAME = re.compile(r"(?P<path>[\w./]*\w\.py|(?:\w+/)+)(?::(?P<name>[A-Za-z_][\w.]*))?")


def named(document: str) -> list[re.Match[str]]:
    text = re.sub(r"```.*?```", "", (ROOT / document).read_text(), flags=re.DOTALL)
    spans = re.findall(r"`([^`]+)`", text)
    return [found for span in spans if (found := NAME.fullmatch(span))]


def place(path: str) -> Path:
    """Return what a path in a document means."""
    return ROOT / path if path.startswith(("tests/", "docs/", "tui/")) else ROOT / "tui" / path


@cache
def defined(path: Path) -> frozenset[str]:
    """Return what a file defines: functions, classes, their methods, constants."""
    found: set[str] = set()

    def look(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                look(node.body, f"{prefix}{node.name}.")
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            found.update(prefix + target.id for target in targets if isinstance(target, ast.Name))

    look(ast.parse(path.read_text()).body, "")
    return frozenset(found)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_is_there(document: str) -> None:
    missing = []
    for found in named(document):
        path = place(found["path"])
        if not path.exists() or (found["name"] and found["name"] not in defined(path)):
            missing.append(found[0])
    assert missing == []
    assert len(named(document)) > 50  # else they are written in another way by now


def test_every_folder_is_on_the_map() -> None:
    text = (ROOT / "docs/architecture.md").read_text().partition("## The map")[2].partition("\n## ")[0]
    on_it = {place(path) for path in re.findall(r"`((?:\w+/)+)`", text)}
    packages = {file.parent for file in (ROOT / "tui").rglob("*.py") if file.parent != ROOT / "tui"}
    # What lies in a folder that holds data, or stands for the package itself, is no room of its own.
    packages = {folder for folder in packages if folder.parent.name != "path"}
    packages |= {ROOT / "tui/path"}
    assert packages <= on_it


def test_every_loose_module_is_on_the_map() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    loose = {file.name for file in (ROOT / "tui").glob("*.py")} - {"__main__.py"}
    assert {name for name in loose if f"`{name}`" not in text} == set()
