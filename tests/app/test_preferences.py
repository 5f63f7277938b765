from __future__ import annotations

import json
from pathlib import Path

import pytest

from tui.app import preferences
from tui.app.pane_layout import Sizes
from tui.app.preferences import Preferences


def test_choices_come_back(tmp_path: Path) -> None:
    path = tmp_path / "state" / "tunedeck" / "viewer.json"
    assert preferences.load(path) == Preferences()
    preferences.save(path, theme="nord", sizes=Sizes(0.4, 0.2, 0.5))
    preferences.save(path, wrap=True)
    assert preferences.load(path) == Preferences("nord", Sizes(0.4, 0.2, 0.5), wrap=True)
    assert [item.name for item in path.parent.iterdir()] == ["viewer.json"]


def test_what_another_version_keeps_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "viewer.json"
    path.write_text('{"hats": 3, "theme": "nord"}')
    preferences.save(path, theme="dracula")
    assert json.loads(path.read_text()) == {"hats": 3, "theme": "dracula"}


@pytest.mark.parametrize("text", ["", "{", "[]", "\0", "3"])
def test_broken_file_is_an_error_and_is_written_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "viewer.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"\w"):
        preferences.load(path)
    preferences.save(path, theme="nord")
    assert preferences.load(path).theme == "nord"


def test_what_is_no_choice_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    path = tmp_path / "viewer.json"
    path.write_text('{"theme": 3, "sizes": {"log": "x", "used": 0.5}, "wrap": 1}')
    assert preferences.load(path) == Preferences(sizes=Sizes(used=0.5))


def test_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "viewer.json"
    path.mkdir()
    (path / "in the way").touch()
    with pytest.raises(OSError, match="directory"):
        preferences.save(path, theme="nord")
    assert list(tmp_path.iterdir()) == [path]


def test_place_is_that_of_the_state_of_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert preferences.default_path() == tmp_path / "tunedeck" / "viewer.json"
    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert preferences.default_path() == tmp_path / ".local" / "state" / "tunedeck" / "viewer.json"
