"""What is built for users holds what git knows, and nothing that a run leaves beside it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]

#: What runs, tests and tools leave in a tree.
LEFT = (
    *("sample_configs/.tunedeck/history.db", "tui/samples/.tunedeck/history.db", "tests/.tunedeck/metrics.db"),
    *("tui/__pycache__/export.cpython-311.pyc", "tui/samples/tunedeck-demo/deck.yaml", "docs/.hypothesis/examples/x"),
    *("tests/.mypy_cache/3.11/x.json", "tui/.ruff_cache/x", "sample_configs/.pytest_cache/x", "tui/build/x.py"),
)


@pytest.fixture
def known(tmp_path: Path) -> list[str]:
    """Copy what git knows to a folder, leave there what runs leave, and return what git knows."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    names = [name for name in listed.split("\0") if name and (ROOT / name).exists()]
    for name in names:
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / "tree" / name)
    for name in LEFT:
        assert name not in names
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text("left")
    return names


def test_what_is_built_is_what_git_knows(known: list[str], tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path / "built")]
    subprocess.run(build, cwd=tmp_path / "tree", capture_output=True, check=True)
    (wheel,) = (tmp_path / "built").glob("*.whl")
    (source,) = (tmp_path / "built").glob("*.tar.gz")

    samples = {name.replace("sample_configs/", "tui/samples/configs/") for name in known if "sample_configs/" in name}
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
    assert held == samples | {name for name in known if name.startswith("tui/")}

    folders = ("tui/", "tests/", "sample_configs/", "docs/")
    whole = {name for name in known if name.startswith(folders) or ("/" not in name and name[0] != ".")}
    with tarfile.open(source) as unpacked:
        held = {member.name.partition("/")[2] for member in unpacked.getmembers()}
    assert held - {"PKG-INFO", ".gitignore"} == whole


def test_a_commit_is_checked_by_what_the_project_asks_for() -> None:
    hooks = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    tomllib = pytest.importorskip("tomllib")  # since Python 3.11
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {*project["dependencies"], *project["optional-dependencies"]["dev"]} - {"pre-commit>=4"}
    for hook in hooks:
        assert set(hook["additional_dependencies"]) == wanted
