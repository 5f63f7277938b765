"""What holds the house in order: no circle of imports, no name with two meanings, no test on private ways."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests import sources
from tests.sources import ROOT


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


#: All modules by name; `path` holds what stands for the package itself elsewhere.
MODULES = {name_of(file): file for file in sorted(ROOT.rglob("*.py")) if ROOT / "path" not in file.parents}


def trees() -> dict[str, ast.Module]:
    return {name: sources.trees()[file.relative_to(ROOT)] for name, file in MODULES.items()}


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield what is imported when the code runs, in functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else str(node.module) for name in names)
        yield from imports(node)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of one circle, none where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: set(imports(tree)) & MODULES.keys() for name, tree in trees().items()}
    assert "tui.worker.joined" in graph["tui"]  # only where there is a deck
    assert "tui.worker.stack" in graph["tui.worker.joined"]  # in a function
    assert "tui.worker.loop" not in graph["tui.worker.stack"]  # for types
    assert circle(graph) == []


@pytest.mark.parametrize("late", ["import b", "def f():\n    from b import x", "if x:\n    import b.c"])
def test_a_circle_is_found_wherever_the_import_is(late: str) -> None:
    graph = {"a": {name.partition(".")[0] for name in imports(ast.parse(late))}, "b": {"a"}}
    assert set(circle(graph)) == {"a", "b"}


TESTS = Path(__file__).parent

#: What other libraries have under such names in public, or have no public way to.
PUBLIC_ALL_THE_SAME = {"_replace", "_asdict", "_exit", "_actions", "_choices_actions", "_SubParsersAction"}

#: Where tests may use private ways of Textual.
OF_TEXTUAL = {"app/insides.py", "app/textual_ext/test_still_needed.py"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def names_private(call: ast.Call) -> bool:
    """Return whether the second argument is a private name."""
    return any(isinstance(word, ast.Constant) and is_private(str(word.value)) for word in call.args[1:2])


def private_ways(tree: ast.AST) -> Iterator[str]:
    """Yield where a test reaches for what is private to something else."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in PUBLIC_ALL_THE_SAME:
            owner = ast.unparse(node.value)
            if owner not in ("self", "cls", "super()"):
                yield f"{owner}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith(("tui.", "tests.")):
            yield from (f"{node.module}.{alias.name}" for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Call) and names_private(node) and ast.unparse(node.func).endswith("setattr"):
            yield ast.unparse(node)


def test_tests_use_what_is_public() -> None:
    files = [file for file in TESTS.rglob("*.py") if str(file.relative_to(TESTS)) not in OF_TEXTUAL]
    found = {str(file.relative_to(TESTS)): [*private_ways(ast.parse(file.read_text()))] for file in files}
    assert {name: ways for name, ways in found.items() if ways} == {}


@pytest.mark.parametrize(
    "code", ["a._b", "self.a._b()", "from tui.a import _b", 'monkeypatch.setattr(a, "_b", 1)', "f()._b = 1"]
)
def test_a_private_way_is_found(code: str) -> None:
    assert len([*private_ways(ast.parse(code))]) == 1


#: Names of files that stand for the same thing at its two ends, or for the same part of several packages: each is
#: where the map says, and its folder tells which one it is.
REPEATED = {"client", "diff", "host", "job", "main", "pane", "process_tree", "run", "search", "store", "view"}


def twice(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


def test_no_class_has_the_name_of_another() -> None:
    """One inside another, such as a message, has the name of its owner before it."""
    classes = [node.name for tree in trees().values() for node in tree.body if isinstance(node, ast.ClassDef)]
    assert twice(classes) == set()


def test_each_package_says_what_lives_there_and_what_never_does() -> None:
    heads = {name: ast.get_docstring(tree) or "" for name, tree in trees().items() if MODULES[name].stem == "__init__"}
    assert [name for name, head in heads.items() if "\n\n" not in head] == []


def test_no_file_has_the_name_of_another() -> None:
    files = [file.stem for file in MODULES.values() if not file.stem.startswith("__")]
    assert twice(files) == REPEATED
