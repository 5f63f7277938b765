from __future__ import annotations

import re

from textual.widgets.text_area import Selection

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, TEXT, Deck, backlog
from tui.protocol import messages
from tui.protocol.messages import Document, Hints, Merge, Problem, Reload, Save

OTHER = TEXT.replace("batch: 64", "batch: 128")


def with_text(text: str) -> list[messages.Event]:
    return [Document("digits", text, "d7") if isinstance(e, Document) else e for e in backlog()]


def title(deck: Deck) -> str:
    return str(deck.view.config.border_title)


async def test_save_sends_the_text_and_what_it_was_based_on(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Save, digest="d8", version=8)
        await deck.press("down", "end", *" new")
        assert "● unsaved" in title(deck)
        await deck.press("ctrl+s")
        await deck.until(lambda: "unsaved" not in title(deck))
        edited = TEXT.replace("# step size", "# step size new")
        assert deck.engine.saves() == [Save(0, "digits", edited, "d7")]
        await deck.news(Document("digits", edited, "d8"))
        assert deck.view.config.draft.theirs is None
        await deck.press("x", "ctrl+s")
        await deck.until(lambda: len(deck.engine.saves()) == 2)
        assert deck.engine.saves()[1].base == "d8"


async def test_save_keeps_every_byte_that_was_not_touched(open_deck: OpenDeck) -> None:
    odd = "\ufefflr: 1\r\nbatch: 2\nname: 'a\x0cb\x85c'\r\nlast: 3"
    async with open_deck(with_text(odd)) as deck:
        await deck.press("down", "end", "0", "ctrl+s")
        await deck.until(deck.engine.saves)
        assert deck.engine.saves()[0].text == odd.replace("batch: 2", "batch: 20")


async def test_clean_editor_follows_the_disk_and_can_undo(open_deck: OpenDeck) -> None:
    long = "".join(f"key{n}: {n}\n" for n in range(200))
    async with open_deck(with_text(long)) as deck:
        editor = deck.view.config.editor
        editor.move_cursor((150, 3), center=True)
        await deck.pilot.pause()
        top = editor.scroll_offset.y
        changed = "new: 1\nnew: 2\n" + long.replace("key100: 100\n", "").replace("key199: 199", "key199: 0")
        await deck.news(Document("digits", changed, "d8"))
        assert editor.text == changed
        assert editor.cursor_location == (151, 3)
        assert editor.scroll_offset.y == top + 1
        assert not deck.view.config.dirty
        await deck.press("ctrl+z")
        assert editor.text == long
        await deck.press("ctrl+y")
        assert editor.text == changed


async def test_undo_reaches_back_past_a_change_on_disk(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Save, digest="d8", version=8)
        await deck.press("x", "ctrl+s")
        await deck.until(lambda: "unsaved" not in title(deck))
        await deck.news(Document("digits", "x" + OTHER, "d9"))
        await deck.press("ctrl+z", "ctrl+z")
        assert deck.view.config.editor.text == TEXT


async def test_keys_of_the_panes_select_nothing_in_the_text(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("f7", "f7", "x")
        await deck.until(lambda: deck.view.config.editor.text == f"x{TEXT}")


async def test_selection_survives_a_change_on_disk(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        editor = deck.view.config.editor
        editor.selection = Selection((3, 0), (3, 8))
        await deck.news(Document("digits", "# first\n" + OTHER, "d8"))
        assert editor.selected_text == "momentum"


async def test_unsaved_text_is_never_overwritten(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("x")
        await deck.news(Document("digits", OTHER, "d8"))
        assert deck.view.config.editor.text == "x" + TEXT
        assert "changed on disk" in text_of(deck.app)
        deck.engine.answer(Save, ok=False, code="conflict", text=OTHER, digest="d8")
        await deck.press("ctrl+s")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("escape")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        assert deck.engine.saves() == [Save(0, "digits", "x" + TEXT, "d7")]
        assert deck.view.config.editor.text == "x" + TEXT


MERGED = "x" + OTHER
CLASHES = [
    {"key": "lr", "base": 0.05, "mine": 0.2, "theirs": 0.3},
    {"key": "augment.noise", "base": 0.1, "mine": "a rather long text", "theirs": None},
]


async def test_what_does_not_clash_is_merged_into_the_text_and_undo_brings_mine_back(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Merge, text=MERGED, digest="d8")
        await deck.press("x")
        await deck.news(Document("digits", OTHER, "d8"))
        await deck.until(lambda: deck.view.config.editor.text == MERGED)
        assert deck.view.config.dirty
        assert "ctrl+s settles it" not in text_of(deck.app)
        assert any("is merged into your text" in toast for toast in deck.toasts)
        await deck.press("ctrl+z")
        assert deck.view.config.editor.text == "x" + TEXT
        await deck.until(lambda: "ctrl+s settles it" in text_of(deck.app))  # it is based on the older text again
        deck.engine.answer(Save, text=MERGED, digest="d9", version=9)
        await deck.press("ctrl+s")
        await deck.until(lambda: deck.view.config.editor.text == MERGED)
        assert deck.engine.saves() == [Save(0, "digits", "x" + TEXT, "d7")]
        await deck.until(lambda: "ctrl+s settles it" not in text_of(deck.app))
        assert not deck.view.config.dirty


async def test_a_save_takes_over_what_was_merged_into_it(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Save, text=MERGED, digest="d9", version=9)
        await deck.press("x", "ctrl+s")
        await deck.until(lambda: deck.view.config.editor.text == MERGED)
        assert not deck.view.config.dirty
        assert any("is merged into what you have saved" in toast for toast in deck.toasts)
        await deck.press("y", "ctrl+s")
        await deck.until(lambda: len(deck.engine.saves()) == 2)
        assert deck.engine.saves()[1].base == "d9"


async def test_keys_that_clash_are_shown_side_by_side(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Merge, ok=False, code="conflict", text=OTHER, digest="d8", clashes=CLASHES)
        deck.engine.answer(Save, ok=False, code="conflict", text=OTHER, digest="d8", clashes=CLASHES)
        await deck.press("x")
        await deck.news(Document("digits", OTHER, "d8"))
        await deck.until(lambda: "2 keys were changed on disk" in text_of(deck.app))
        await deck.press("ctrl+s")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        shown = text_of(deck.app)
        assert re.search(r"before +mine +theirs", shown)
        assert re.search(r"lr +0\.05 +0\.2 +0\.3", shown)
        assert re.search(r"augment\.noise +0\.1 +a rather long… +–", shown)
        deck.engine.answer(Save, digest="d9", version=9)
        await deck.press("m")
        await deck.until(lambda: len(deck.engine.saves()) == 2)
        assert deck.engine.saves()[1] == Save(0, "digits", "x" + TEXT, "d7", choices={"": "mine"})


async def test_each_key_that_clashes_can_be_chosen(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Save, ok=False, code="conflict", text=OTHER, digest="d8", clashes=CLASHES)
        await deck.press("x", "ctrl+s")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        deck.engine.answer(Save, text=MERGED, digest="d9", version=9)
        await deck.press("e")
        await deck.until(lambda: "before  0.05" in text_of(deck.app))
        await deck.press("t")
        await deck.until(lambda: "before  0.1" in text_of(deck.app))
        await deck.press("m")
        await deck.until(lambda: len(deck.engine.saves()) == 2)
        assert deck.engine.saves()[1].choices == {"lr": "theirs", "augment.noise": "mine"}
        await deck.until(lambda: deck.view.config.editor.text == MERGED)


async def test_their_values_come_into_my_text(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Merge, ok=False, code="conflict", text=OTHER, digest="d8", clashes=CLASHES)
        await deck.press("x")
        await deck.news(Document("digits", OTHER, "d8"))
        await deck.until(lambda: "2 keys were changed on disk" in text_of(deck.app))
        deck.engine.answer(Merge, text=MERGED, digest="d8")
        await deck.pilot.click("#conflict", offset=(40, 0))
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("t")
        await deck.until(lambda: deck.view.config.editor.text == MERGED)
        merges = [command for command in deck.engine.commands if isinstance(command, Merge)]
        assert [merge.choices for merge in merges] == [{}, {"": "theirs"}]
        assert deck.view.config.dirty
        assert deck.engine.saves() == []


async def test_mine_is_written_over_theirs(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Save, ok=False, code="conflict", text=OTHER, digest="d8")
        await deck.press("x")
        await deck.news(Document("digits", OTHER, "d8"))
        await deck.press("ctrl+s")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        deck.engine.answer(Save, digest="d9", version=9)
        await deck.press("m")
        await deck.until(lambda: len(deck.engine.saves()) == 2)
        assert deck.engine.saves()[1] == Save(0, "digits", "x" + TEXT, "d8")
        await deck.until(lambda: "changed on disk" not in text_of(deck.app))


async def test_theirs_is_loaded_and_undo_brings_mine_back(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("x")
        await deck.news(Document("digits", OTHER, "d8"))
        await deck.pilot.click("#conflict", offset=(28, 0))
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("t")
        await deck.until(lambda: deck.view.config.editor.text == OTHER)
        assert not deck.view.config.dirty
        await deck.press("ctrl+z")
        assert deck.view.config.editor.text == "x" + TEXT
        assert deck.view.config.dirty


async def test_escape_does_not_leave_the_editor(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("escape", "r")
        assert deck.view.config.editor.has_focus
        assert deck.view.config.editor.text == f"r{TEXT}"


async def test_difference_is_shown_before_the_choice(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("x")
        await deck.news(Document("digits", OTHER, "d8"))
        deck.engine.answer(Save, ok=False, code="conflict", text=OTHER, digest="d8")
        await deck.press("ctrl+s")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("d")
        await deck.until(lambda: "-batch: 64" in text_of(deck.app))
        assert deck.type_of_screen() == "DiffScreen"
        assert "+batch: 128" in text_of(deck.app)
        await deck.press("escape")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("t")
        await deck.until(lambda: deck.view.config.editor.text == OTHER)


async def test_engine_that_saw_the_conflict_first_is_believed(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Save, ok=False, code="conflict", text=OTHER, digest="d8")
        await deck.press("x", "ctrl+s")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        deck.engine.answer(Save, digest="d9", version=9)
        await deck.press("m")
        await deck.until(lambda: len(deck.engine.saves()) == 2)
        assert deck.engine.saves()[1].base == "d8"


async def test_file_that_cannot_be_replaced_is_written_in_place_after_asking(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Save, ok=False, code="irreplaceable", message="digits.yaml is a mount point")
        await deck.press("x", "ctrl+s")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        deck.engine.answer(Save, digest="d8", version=8)
        await deck.press("w")
        await deck.until(lambda: len(deck.engine.saves()) == 2)
        assert [save.in_place for save in deck.engine.saves()] == [False, True]


async def test_read_only_file_is_overwritten_after_asking(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Save, ok=False, code="read-only", message="digits.yaml is read-only")
        await deck.press("x", "ctrl+s")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("escape")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        assert deck.view.config.dirty
        await deck.press("ctrl+s")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        deck.engine.answer(Save, ok=False, code="irreplaceable", message="digits.yaml is a mount point")
        await deck.press("o")
        await deck.until(lambda: "write in place" in text_of(deck.app))
        deck.engine.answer(Save, digest="d8", version=8)
        await deck.press("w")
        await deck.until(lambda: not deck.view.config.dirty)
        asked = [(save.in_place, save.force) for save in deck.engine.saves()]
        assert asked == [(False, False), (False, False), (False, True), (True, True)]


async def test_failed_save_says_why_and_keeps_the_text(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Save, ok=False, code="denied", message="digits.yaml: [Errno 28] No space left on device")
        await deck.press("x", "ctrl+s")
        await deck.until(lambda: deck.toasts)
        assert deck.toasts == ["Not saved: digits.yaml: [Errno 28] No space left on device"]
        assert deck.view.config.dirty


async def test_deleted_file_is_told_and_written_anew(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(Document("digits", None, None, Problem("the file does not exist"), missing=True))
        assert "deleted on disk" in title(deck)
        assert "no file on disk" in text_of(deck.app)
        assert deck.view.config.editor.text == TEXT
        await deck.press("ctrl+s")
        await deck.until(deck.engine.saves)
        assert deck.engine.saves() == [Save(0, "digits", TEXT, None)]


async def test_what_can_not_be_read_is_not_said_to_be_deleted(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(Document("digits", None, None, Problem("c.yaml is a folder")))
        assert "can't be read" in str(deck.view.config.border_title)
        assert "deleted" not in str(deck.view.config.border_title)


async def test_unreadable_file_is_not_overwritten_unasked(open_deck: OpenDeck) -> None:
    start = [e for e in backlog() if not isinstance(e, Document)]
    async with open_deck([*start, Document("digits", None, "d7", Problem("not UTF-8", 2, 5))]) as deck:
        await deck.press("x", "ctrl+s")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        assert deck.engine.saves() == []
        await deck.press("o")
        await deck.until(deck.engine.saves)
        assert deck.engine.saves() == [Save(0, "digits", "x", "d7")]


async def test_problem_is_shown_marked_and_jumped_to_after_a_save(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Save, digest="d8", version=8)
        await deck.press("x", "ctrl+s")
        await deck.until(lambda: "unsaved" not in title(deck))
        await deck.news(Reload("digits", 8, "invalid", "editor", error=Problem("expected ':'", 8, 9), time=NOW))
        editor = deck.view.config.editor
        assert "✗ line 8:9 expected ':'" in text_of(deck.app)
        assert editor.cursor_location == (7, 8)
        assert any("underline" in str(span.style) for span in editor.get_line(7).spans)
        assert not editor.get_line(6).spans
        await deck.press("home", "y")
        assert not editor.get_line(7).spans
        await deck.news(Reload("digits", 9, "applied", "disk", time=NOW))
        assert "expected ':'" not in text_of(deck.app).split("timeline")[0]


async def test_problem_is_jumped_to_by_a_click(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(Reload("digits", 8, "invalid", "disk", error=Problem("wrong", 6, 3), time=NOW))
        assert deck.view.config.editor.cursor_location == (0, 0)
        await deck.pilot.click("#problem")
        await deck.until(lambda: deck.view.config.editor.cursor_location == (5, 2))


async def test_typing_suits_yaml(open_deck: OpenDeck) -> None:
    async with open_deck(with_text("opt:\n  lr: 1")) as deck:
        await deck.press("down", "end", "enter", "a", "enter", "tab", "b")
        assert deck.view.config.editor.text == "opt:\n  lr: 1\n  a\n    b"


async def test_pasted_control_characters_become_visible(open_deck: OpenDeck) -> None:
    async with open_deck(with_text("")) as deck:
        deck.view.config.editor.insert("a\x1b[2J\r\nb\x0cc")
        assert deck.view.config.editor.text == "a␛[2J\nb␌c"


SCHEMA = {
    "properties": {
        "lr": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.1, "description": "Step size"},
        "batch": {"type": "integer", "multipleOf": 32},
        "name": {"enum": ["digits", "letters"]},
    }
}


async def test_from_value_to_value_and_each_turned(open_deck: OpenDeck) -> None:
    async with open_deck([*backlog(), Hints("digits", SCHEMA)]) as deck:
        editor = deck.view.config.editor
        await deck.press("alt+n", "ctrl+up")
        assert editor.text == TEXT.replace("0.05 ", "0.063 ")
        assert editor.selected_text == "0.063"
        await deck.press("ctrl+down", "alt+n", "alt+equals_sign")
        assert editor.text == TEXT.replace("64\nm", "96\nm")
        await deck.press("alt+minus", *["alt+n"] * 2, "ctrl+up")
        assert editor.text == TEXT.replace("true", "false")
        await deck.press("ctrl+up", *["alt+n"] * 4, "ctrl+down")
        assert editor.text == TEXT.replace('"digits"', '"letters"')
        await deck.press("alt+n")
        assert "no value below" in str(deck.view.config.border_subtitle)
        await deck.press("ctrl+z")
        assert editor.text == TEXT


async def test_the_digit_under_the_cursor_is_turned_and_stays_under_it(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        editor = deck.view.config.editor
        editor.move_cursor((1, 7))
        await deck.press(*["ctrl+up"] * 5)
        assert editor.text == TEXT.replace("0.05", "0.10")
        assert editor.cursor_location == (1, 7)
        await deck.press(*["ctrl+z"] * 5)
        assert editor.text == TEXT


async def test_the_frame_names_the_key_and_what_can_stand_there(open_deck: OpenDeck) -> None:
    async with open_deck([*backlog(), Hints("digits", SCHEMA)], size=(160, 40)) as deck:
        await deck.press("down")
        frame = str(deck.view.config.border_subtitle)
        assert "lr · number · > 0, ≤ 1 · default 0.1 · Step size  2:1" in frame
        await deck.press(*["down"] * 4)
        await deck.press("ctrl+up")
        assert "no value in this line" not in str(deck.view.config.border_subtitle)
        await deck.press("up", "ctrl+up")
        assert "no value in this line" in str(deck.view.config.border_subtitle)


async def test_undo_behind_a_save_offers_to_save_the_old_value(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(Save, digest="d8", version=8)
        await deck.press("alt+n", "ctrl+up", "ctrl+s")
        await deck.until(lambda: not deck.view.config.dirty)
        await deck.press("ctrl+z")
        await deck.until(lambda: "ctrl+s saves the old value" in str(deck.view.config.border_subtitle))
        assert deck.view.config.editor.text == TEXT
