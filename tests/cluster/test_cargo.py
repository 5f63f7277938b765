"""What travels to a cluster."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tui.cluster import cargo


def names(packed: cargo.Cargo) -> set[str]:
    found = zipfile.ZipFile(io.BytesIO(packed.data)).namelist()
    return {name.removeprefix("job/") for name in found if name.startswith("job/") and not name.endswith("/")}


def write(folder: Path, *files: str, size: int = 1) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"x" * size)


def test_the_folder_of_the_task_travels_and_what_is_hidden_or_made_stays(tmp_path: Path) -> None:
    write(tmp_path, "run.py", "helpers/a.py", "data/labels.json", ".env", ".git/config", "__pycache__/run.pyc")
    write(tmp_path, "venv/pyvenv.cfg", "venv/lib/x.py", "node_modules/x.js")
    packed = cargo.pack(tmp_path, ["run.py:f", None])
    assert names(packed) == {"run.py", "helpers/a.py", "data/labels.json"}
    assert (packed.cwd, packed.targets, packed.behind) == (".", ("run.py:f", None), ())


def test_a_large_file_stays_behind_and_is_named(tmp_path: Path) -> None:
    write(tmp_path, "run.py")
    write(tmp_path, "model/weights.bin", size=cargo.LARGE + 1)
    assert cargo.pack(tmp_path, ["run.py:f"]).behind == ("model/weights.bin",)


def test_too_much_is_refused_in_words(tmp_path: Path) -> None:
    write(tmp_path, "run.py", *(f"{number}.bin" for number in range(17)), size=cargo.LARGE)
    with pytest.raises(cargo.CargoError, match="has 18 MB in files of up to 1 MB, of which 16 MB may"):
        cargo.pack(tmp_path, ["run.py:f"])


def test_paths_lead_to_the_same_files_there(tmp_path: Path) -> None:
    write(tmp_path, "deck/c.yaml", "lib/run.py", "deck/checks/check.py")
    packed = cargo.pack(tmp_path / "deck", ["../lib/run.py:f", str(tmp_path / "deck/checks/check.py:g")])
    assert names(packed) == {"lib/run.py", "deck/checks/check.py"}
    assert (packed.cwd, packed.targets) == ("deck", ("../lib/run.py:f", "checks/check.py:g"))
    assert packed.base == tmp_path


def test_a_module_is_looked_for_in_the_current_folder_but_not_a_sample(tmp_path: Path) -> None:
    write(tmp_path, "pkg/mod.py")
    assert names(cargo.pack(tmp_path, ["pkg.mod:f"])) == {"pkg/mod.py"}
    assert names(cargo.pack(tmp_path, ["tui.samples.case100:serve"])) == set()


def test_the_program_that_travels_runs_without_anything_of_ours(tmp_path: Path) -> None:
    write(tmp_path, "run.py")
    with zipfile.ZipFile(io.BytesIO(cargo.pack(tmp_path, ["run.py:f"]).data)) as archive:
        archive.extractall(tmp_path / "there")
    code = "import sys, tui, tui.worker.main, tui.worker.host, tui.samples.case100; print(tui.__file__)"
    where = tmp_path / "there" / "tunedeck"
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = [{str(where)!r}]; {code}"],
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == str(where / "tui" / "__init__.py"), found.stderr
