"""What a save would do, and what is wrong while the user types."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import TEXT
from tui.app.editor import external, problem_line
from tui.protocol import messages

LIVE: dict[str, Any] = {
    "job": "digits",
    "running": 7,
    "changes": [{"key": "lr", "old": 0.05, "new": 0.1}, {"key": "hidden", "old": 32, "new": 64}],
    "effect": "restart",
    "restarting": ["hidden"],
    "status": "",
    "effective": [{"key": "lr", "old": 0.1, "new": 0.10001}],
    "errors": [],
    "remark": "",
}
WRONG = {**LIVE, "status": "rejected", "errors": [{"message": "too large", "line": 2, "column": 5, "key": "lr"}]}


async def test_preview_says_what_a_save_would_do_and_saves_only_when_asked(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(messages.Preview, jobs=[LIVE], disk="changed")
        await deck.press("x", "f2")
        await deck.until(lambda: deck.type_of_screen() == "PreviewScreen")
        shown = text_of(deck.app)
        for part in ("lr 0.05 → 0.1", "hidden 32 → 64  ↻ restarts", "restarts the worker", "asked for 0.1"):
            assert part in shown
        sheet = deck.app.screen.query_one(".sheet").region
        assert sheet.x == deck.app.size.width - sheet.right > 0
        await deck.press("escape")
        assert deck.engine.saves() == []
        await deck.press("f2")
        await deck.until(lambda: deck.type_of_screen() == "PreviewScreen")
        await deck.press("ctrl+s")
        await deck.until(lambda: len(deck.engine.saves()) == 1)
        assert deck.engine.saves()[0].text == "x" + TEXT


async def test_preview_shows_what_is_wrong(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(messages.Preview, jobs=[WRONG], disk="same")
        await deck.press("f2")
        await deck.until(lambda: deck.type_of_screen() == "PreviewScreen")
        assert "✗ rejected: not taken, v7 goes on" in text_of(deck.app)
        assert "2:5" in text_of(deck.app)


async def test_errors_are_marked_while_the_user_types_and_go_away(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(messages.Preview, jobs=[WRONG], disk="changed")
        await deck.press("x")
        await deck.until(lambda: deck.view.config.editor.marks.count == 1)
        assert "too large" in text_of(deck.app)
        assert not deck.engine.saves()
        deck.engine.answer(messages.Preview, jobs=[{**LIVE, "errors": []}], disk="changed")
        await deck.press("y")
        await deck.until(lambda: deck.view.config.editor.marks.count == 0)
        assert "too large" not in text_of(deck.app)


async def test_lines_that_differ_from_what_runs_are_marked(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(messages.Detail, text=TEXT, base_text=TEXT, base=4, running=7)
        deck.engine.answer(messages.Preview, jobs=[{**LIVE, "errors": []}], disk="changed")
        editor = deck.view.config.editor
        await deck.press("x")
        await deck.until(lambda: editor.marks.changed == {0: "changed"})
        await deck.press("ctrl+z")
        await deck.until(lambda: editor.marks.changed == {})


async def test_long_text_is_looked_at_by_the_engine_when_it_is_saved_only(
    open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert problem_line.LONG == 64 * 1024
    monkeypatch.setattr(problem_line, "LONG", len(TEXT))
    async with open_deck() as deck:
        deck.engine.answer(messages.Detail, text=TEXT, base_text=TEXT, base=4, running=7)
        deck.engine.answer(messages.Preview, jobs=[WRONG], disk="changed")
        marks = deck.view.config.editor.marks
        for key, row in (("x", 0), ("down", 0), ("y", 1)):
            await deck.press(key)
            await deck.until(lambda row=row: marks.changed is not None and row in marks.changed)  # type: ignore[misc]
        # The second look at the changes began when the first one had ended.
        assert not any(isinstance(command, messages.Preview) for command in deck.engine.commands)
        monkeypatch.setattr(problem_line, "LONG", problem_line.LONG + 10)
        await deck.press("z")
        await deck.until(lambda: marks.count == 1)


async def test_marks_move_with_the_text_and_come_back_with_undo(
    open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_deck() as deck:
        deck.engine.answer(messages.Preview, jobs=[WRONG], disk="changed")
        marks = deck.view.config.editor.marks
        await deck.press("x")
        await deck.until(lambda: list(marks.problems) == [1])
        monkeypatch.setattr(problem_line, "PAUSE", 3600)  # from here on nobody says anew where they are
        await deck.press("home", "enter", "enter")
        assert list(marks.problems) == [3]
        assert "4✗" in text_of(deck.app)
        await deck.press("ctrl+z", "ctrl+z")
        await deck.until(lambda: list(marks.problems) == [1])
        assert "2✗" in text_of(deck.app)


async def test_key_that_restarts_is_marked(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        assert "↻" not in text_of(deck.app)
        document = deck.app.jobs["digits"].document
        assert document is not None
        await deck.news(dataclasses.replace(document, restart_lines=(3,)))
        await deck.until(lambda: "3↻ batch" in text_of(deck.app))
        await deck.press("home", "enter")
        await deck.until(lambda: "4↻ batch" in text_of(deck.app))


def test_own_editor_gets_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from contextlib import nullcontext

    file = tmp_path / "my config.yaml"
    file.write_text("lr: 1\n")
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\nprintf "lr: 2\\n" > "$2"\n')
    script.chmod(0o755)
    monkeypatch.setenv("VISUAL", f"{script} --wait")
    external.edit(file, nullcontext())
    assert file.read_text() == "lr: 2\n"
    for said, reason in (("/no/such/editor", "No such file"), ("false", "exit code 1"), ("'", "No closing quotation")):
        monkeypatch.setenv("VISUAL", said)
        with pytest.raises(external.EditorError, match=reason):
            external.edit(file, nullcontext())
