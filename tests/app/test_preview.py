"""What a save would do, and what is wrong while the user types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import TEXT
from tui import events
from tui.app import external

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
        deck.engine.answer(events.Preview, jobs=[LIVE], disk="changed")
        await deck.press("x", "f2")
        await deck.until(lambda: deck.type_of_screen() == "PreviewScreen")
        shown = text_of(deck.app)
        for part in ("lr 0.05 → 0.1", "hidden 32 → 64  ↻ restarts", "restarts the worker", "asked for 0.1"):
            assert part in shown
        await deck.press("escape")
        assert deck.engine.saves() == []
        await deck.press("f2")
        await deck.until(lambda: deck.type_of_screen() == "PreviewScreen")
        await deck.press("ctrl+s")
        await deck.until(lambda: len(deck.engine.saves()) == 1)
        assert deck.engine.saves()[0].text == "x" + TEXT


async def test_preview_shows_what_is_wrong(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(events.Preview, jobs=[WRONG], disk="same")
        await deck.press("f2")
        await deck.until(lambda: deck.type_of_screen() == "PreviewScreen")
        assert "✗ rejected: not taken, v7 goes on" in text_of(deck.app)
        assert "2:5" in text_of(deck.app)


async def test_errors_are_marked_while_the_user_types_and_go_away(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(events.Preview, jobs=[WRONG], disk="changed")
        await deck.press("x")
        await deck.until(lambda: deck.view.config.editor.marks.count == 1)
        assert "too large" in text_of(deck.app)
        assert not deck.engine.saves()
        deck.engine.answer(events.Preview, jobs=[{**LIVE, "errors": []}], disk="changed")
        await deck.press("y")
        await deck.until(lambda: deck.view.config.editor.marks.count == 0)
        assert "too large" not in text_of(deck.app)


async def test_lines_that_differ_from_what_runs_are_marked(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(events.Detail, text=TEXT, base_text=TEXT, base=4, running=7)
        deck.engine.answer(events.Preview, jobs=[{**LIVE, "errors": []}], disk="changed")
        editor = deck.view.config.editor
        await deck.press("x")
        await deck.until(lambda: editor.marks.changed == {0: "changed"})
        await deck.press("ctrl+z")
        await deck.until(lambda: editor.marks.changed == {})


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
