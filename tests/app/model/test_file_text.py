from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.document._document import Document

from tui.app.model.file_text import BOM, FileText, changed_span, moved_row, visible

TEXTS = st.text(
    st.sampled_from("ab:# \t\n\r\x0b\x0c\x1b\x1c\x85\u2028\u2029\x00\x9b␛␋\ufffd\ue000é日") | st.characters()
)
FILES = st.builds(lambda mark, text: mark + text, st.sampled_from(["", BOM]), TEXTS)


@given(FILES)
def test_unedited_text_comes_back_as_it_was(text: str) -> None:
    file = FileText(text)
    assert file.restore(file.shown) == text


@given(TEXTS)
def test_editor_holds_what_it_is_shown(text: str) -> None:
    shown = FileText(text).shown
    assert Document(shown).text == shown


@given(FILES, st.data())
def test_lines_around_an_edit_keep_their_bytes(text: str, data: st.DataObject) -> None:
    file = FileText(text)
    lines = file.shown.split("\n")
    row = data.draw(st.integers(0, len(lines) - 1))
    lines[row] = "§edited§"
    before, after = file.restore("\n".join(lines)).split("§edited§")
    original_lines = FileText(text)
    assert text.startswith(before)
    assert text.endswith(after)
    assert FileText(before).shown.count("\n") == row
    assert len(original_lines.shown.split("\n")) == len(lines)


@given(FILES, st.data())
def test_inserting_a_line_touches_no_other(text: str, data: st.DataObject) -> None:
    file = FileText(text)
    lines = file.shown.split("\n")
    row = data.draw(st.integers(0, len(lines) - 1))
    result = file.restore("\n".join([*lines[:row], "§new§", *lines[row:]]))
    before, after = result.split("§new§")
    assert text.startswith(before)
    assert text.endswith(after.lstrip("\r\n") if after.strip("\r\n") else "")


@pytest.mark.parametrize(
    ("text", "edit", "expected"),
    [
        ("a: 1\r\nb: 2\r\n", ("b: 2", "b: 3"), "a: 1\r\nb: 3\r\n"),
        ("a: 1\r\nb: 2\n", ("a: 1", "a: 1\nnew: 0"), "a: 1\r\nnew: 0\r\nb: 2\n"),
        ("a: 1\rb: 2", ("b: 2", "b: 2\nc: 3"), "a: 1\rb: 2\rc: 3"),
        (BOM + "a: 1\n", ("1", "2"), BOM + "a: 2\n"),
        ("a: 1", ("1", "1\n"), "a: 1\n"),
        ("a: x\x0cy # ␌\n", ("y", "z"), "a: x\x0cz # ␌\n"),
        ("", ("", "a: 1\n"), "a: 1\n"),
    ],
)
def test_edits(text: str, edit: tuple[str, str], expected: str) -> None:
    file = FileText(text)
    assert file.restore(file.shown.replace(*edit, 1)) == expected


@given(st.text("ab\n"), st.text("ab\n"))
def test_span_turns_old_into_new(old: str, new: str) -> None:
    span = changed_span(old, new)
    assert old[: span.start] + new[span.start : span.new_end] + old[span.old_end :] == new


@given(st.lists(st.integers(), unique=True, min_size=1), st.data())
def test_kept_line_is_found_again(numbers: list[int], data: st.DataObject) -> None:
    new = [n for n in numbers if data.draw(st.booleans())]
    row = data.draw(st.integers(0, len(numbers) - 1))
    target = moved_row("\n".join(map(str, numbers)), "\n".join(map(str, new)), row)
    assert 0 <= target <= max(len(new) - 1, 0)
    if numbers[row] in new:
        assert new[target] == numbers[row]


def test_control_characters_are_shown_by_pictures() -> None:
    assert visible("a\x1b[31mb\x7f\x9b\tc\n") == "a␛[31mb␡\ufffd\tc\n"
