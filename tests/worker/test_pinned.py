"""Modules whose source is known are imported so, whatever is in their files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui.worker import pinned, task_import


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    finders, folders, names = list(sys.meta_path), list(sys.path), set(sys.modules)
    yield
    sys.meta_path[:], sys.path[:] = finders, folders
    for name in set(sys.modules) - names:
        del sys.modules[name]


def code(folder: Path, **sources: str) -> dict[str, bytes]:
    return {str(folder / f"{name}.py"): text.encode() for name, text in sources.items()}


def test_files_may_be_broken_gone_or_cached(tmp_path: Path) -> None:
    for name in ("pin_main", "pin_a", "pin_b"):
        (tmp_path / f"{name}.py").write_text("broken(\n")
    (tmp_path / "pin_b.py").unlink()
    known = code(tmp_path, pin_main="import pin_a\n", pin_a="from pin_b import X\n", pin_b="X = 1\n")
    pinned.install(known)
    module = task_import.load_module(f"{tmp_path}/pin_main.py:run", known)
    assert module.pin_a.X == 1
    assert not list(tmp_path.glob("__pycache__/*"))


def test_packages_and_what_is_not_pinned_beside_them(tmp_path: Path) -> None:
    (tmp_path / "pin_other.py").write_text("Y = 2\n")
    inner = "import pin_other\nX = 1\n"
    known = code(tmp_path, **{"pin_pack/__init__": "from . import inner\n", "pin_pack/inner": inner})
    sys.path.insert(0, str(tmp_path))
    pinned.install(known)
    import pin_pack  # type: ignore[import-not-found]

    assert (pin_pack.inner.X, pin_pack.inner.pin_other.Y) == (1, 2)


def test_a_task_that_is_pinned_is_loaded_so_each_time(tmp_path: Path) -> None:
    path = tmp_path / "pin_task.py"
    path.write_text("X = 1\n")
    for number in (2, 3):
        module = task_import.load_module(f"{path}:run", {str(path): f"X = {number}\n".encode()})
        assert number == module.X
    assert task_import.load_module(f"{path}:run").X == 1
