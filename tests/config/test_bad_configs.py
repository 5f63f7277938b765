"""Every kind of bad config has a message of its own, with its place; each stands beside its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.runs.folder import tunedeck
from tui.cli import check
from tui.config import document
from tui.config.disk import store
from tui.config.document import ConfigError

FOLDER = Path(__file__).parent / "data" / "bad_configs"
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix != ".txt")


def message(path: Path) -> Path:
    return path.with_name(f"{path.name}.txt")


def said(path: Path) -> str:
    """Return what is said of a file, as ``LINE:COLUMN: message``."""
    with pytest.raises(ConfigError) as caught:
        document.parse(document.decode(store.read(path).raw))
    problem = caught.value.problem
    return f"{problem.line}:{problem.column}: {problem.message}\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_bad_config_is_told_by_its_message_and_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.environ.get("UPDATE_SNAPSHOTS"):
        message(path).write_text(said(path), encoding="utf-8")
    wanted = message(path).read_text(encoding="utf-8")
    assert said(path) == wanted
    monkeypatch.chdir(FOLDER)
    assert list(check.findings(path.name)) == [check.Finding(f"{path.name}:{wanted.rstrip()}")]


def test_no_message_is_without_its_file() -> None:
    assert {message(path) for path in FILES} == set(FOLDER.glob("*.txt"))


def test_no_message_is_left_in_the_words_of_the_parser() -> None:
    for path in FILES:
        words = message(path).read_text(encoding="utf-8")
        assert not [word for word in ("expected", "while ", "found ", "token", "None") if word in words], words


def test_the_command_says_the_same() -> None:
    for name in ("duplicate-key.yaml", "utf-16-le.yaml", "crlf-unclosed.yaml"):
        done = tunedeck("check", name, cwd=FOLDER)
        assert (done.returncode, done.stdout) == (2, f"{name}:{message(FOLDER / name).read_text(encoding='utf-8')}")
