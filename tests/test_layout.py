"""What holds the house in order: no circle of imports, no name with two meanings, no test on private ways."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import tui

ROOT = Path(tui.__file__).parent


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


#: All modules by name; `path` holds what stands for the package itself elsewhere.
MODULES = {name_of(file): file for file in sorted(ROOT.rglob("*.py")) if ROOT / "path" not in file.parents}
TREES = {name: ast.parse(file.read_text()) for name, file in MODULES.items()}


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield what is imported when the code runs, in functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in TREES else str(node.module) for name in names)
        yield from imports(node)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of one circle, none where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: set(imports(tree)) & TREES.keys() for name, tree in TREES.items()}
    assert "tui.worker.joined" in graph["tui"]  # only where there is a deck
    assert "tui.worker.stack" in graph["tui.worker.joined"]  # in a function
    assert "tui.worker.loop" not in graph["tui.worker.stack"]  # for types
    assert circle(graph) == []


@pytest.mark.parametrize("late", ["import b", "def f():\n    from b import x", "if x:\n    import b.c"])
def test_a_circle_is_found_wherever_the_import_is(late: str) -> None:
    graph = {"a": {name.partition(".")[0] for name in imports(ast.parse(late))}, "b": {"a"}}
    assert set(circle(graph)) == {"a", "b"}
