from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from wcwidth import wcwidth

from tui.app.sanitize import MAX_LENGTH, is_clean, plain, sanitize

COLOR = re.compile("\x1b\\[[0-9;:]*m")


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("plain [b]text[/b]", "plain [b]text[/b]"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[2J\x1b[Hcleared\x1b[?25l", "cleared"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdcs payload\x1b\\x\x1b_apc\x1b\\y", "xy"),
        ("\x9b31mred \x9d0;t\x9c!", "red !"),
        ("cut \x1b[31", "cut "),
        ("10%\r50%\r100%\r", "100%"),
        ("a\tb\t\x1b[1mc\td", "a       b       \x1b[1mc       d"),
        ("日\tx", "日      x"),
        ("nul \x00 back \x08", "nul ␀ back ␈"),
        ("bell\x07", "bell"),
        ("rtl \u202e evil", "rtl  evil"),
        ("👨\u200d👩\u200d👧 🇩🇪 👍🏽 ❤\ufe0f 1\ufe0f\u20e3", "👨👩👧 DE 👍 ❤ 1\u20e3"),
        ("e\u0301 \u200b\ufeff\xad\U000e0041\u3164x", "e\u0301 x"),
        ("", ""),
    ],
)
def test_sanitize(raw: str, clean: str) -> None:
    assert sanitize(raw) == clean


@given(st.text(st.sampled_from("ab\x1b[]0;31mP\\^_\x07\x9b\x9c\x9d\r\t ") | st.characters()))
def test_nothing_but_colours_reaches_the_terminal(raw: str) -> None:
    clean = COLOR.sub("", sanitize(raw))
    assert not re.search("[\x00-\x1f\x7f-\x9f]", clean)
    assert not re.search("[\x00-\x1f\x7f-\x9f]", plain(raw))


@given(
    st.text(
        st.sampled_from("a日é👍🏽🇩❤\u200d\ufe0f\u0301\u20e3") | st.characters(exclude_categories=["Cc", "Cs", "Cn"])
    )
)
def test_every_character_is_as_wide_in_a_line_as_alone(raw: str) -> None:
    clean = sanitize(raw)
    assert cell_len(clean) == sum(max(wcwidth(character), 0) for character in clean)


def test_endless_line_is_cut_and_says_so() -> None:
    assert sanitize("x" * (MAX_LENGTH + 5)).endswith(" … 5 more characters")


@given(st.lists(st.text(st.sampled_from("ab\x1b[m\r\t\x9b\u2028") | st.characters(exclude_characters="\n"))))
def test_text_that_is_called_clean_is_not_changed(lines: list[str]) -> None:
    assert is_clean("\n".join(lines)) == all(map(is_clean, lines))
    assert all(sanitize(line) == line for line in lines if is_clean(line))
