from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.app.lines import MAX_LENGTH, SLAB, LineBuffer, plain, sanitize

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


def test_endless_line_is_cut_and_says_so() -> None:
    assert sanitize("x" * (MAX_LENGTH + 5)).endswith(" … 5 more characters")


def lines(count: int, version: int | None = None) -> tuple[tuple[str, int | None, float], ...]:
    return tuple((f"line {n}", version, 0.0) for n in range(count))


def test_numbers_stay_when_old_lines_go() -> None:
    buffer = LineBuffer(max_lines=100)
    buffer.extend(0, lines(100))
    kept = buffer[99]
    buffer.extend(100, lines(SLAB))
    assert len(buffer) == 100
    assert buffer.base == SLAB
    assert buffer.end == 1100
    with pytest.raises(IndexError):
        buffer[99]
    assert buffer[1099].text == f"line {SLAB - 1}"
    assert kept.text == "line 99"


def test_reader_holds_on_to_lines_for_a_while() -> None:
    buffer = LineBuffer(max_lines=2000)
    buffer.extend(0, lines(2000))
    buffer.held = 10
    buffer.extend(2000, lines(SLAB))
    assert buffer.base == 10
    buffer.extend(3000, lines(SLAB + 10))
    assert len(buffer) == 2000


def test_characters_are_bounded_too() -> None:
    buffer = LineBuffer(max_characters=10_000)
    for n in range(100):
        buffer.extend(n, [("x" * 1000, None, 0.0)])
    assert sum(len(buffer[n].text) for n in range(buffer.base, buffer.end)) <= 10_000


def test_gap_in_the_numbers_is_shown() -> None:
    buffer = LineBuffer()
    buffer.extend(5, lines(2))
    buffer.extend(10, lines(1))
    assert [line.dropped for line in (buffer[n] for n in range(buffer.end))] == [0, 0, 3, 0]


def test_version_is_marked_once_and_never_backwards() -> None:
    buffer = LineBuffer()
    buffer.extend(0, [("a", 1, 0.0), ("b", 2, 0.0), ("late", 1, 0.0)])
    buffer.mark(2)
    buffer.mark(3)
    assert [buffer[n].mark for n in range(buffer.end)] == [1, None, 2, None, None, 3]


def test_snapshot_stays_as_it_is() -> None:
    buffer = LineBuffer()
    buffer.extend(0, lines(3))
    copy = buffer.snapshot()
    buffer.extend(3, lines(3))
    assert (copy.end, buffer.end) == (3, 6)


def test_versions_are_found_by_their_lines_and_lines_by_their_version() -> None:
    buffer = LineBuffer(max_lines=100)
    assert (buffer.rule(1), buffer.version_at(0)) == (None, None)
    buffer.extend(0, lines(1))
    buffer.extend(1, [("a", 1, 0.0), ("b", 2, 0.0), ("late", 1, 0.0)])
    assert [buffer.rule(version) for version in (1, 2, 3)] == [1, 3, None]
    assert [buffer.version_at(number) for number in range(6)] == [None, 1, 1, 2, 2, 2]
    frozen = buffer.snapshot()
    buffer.extend(4, lines(SLAB + 200, 4))
    assert [buffer.rule(version) for version in (1, 2, 4)] == [None, None, buffer.base]
    assert frozen.rule(1) == 1
    buffer.clear()
    assert buffer.rule(4) is None
    buffer.extend(SLAB + 204, lines(1, 4))
    assert buffer.rule(4) == buffer.base
    assert buffer.version_at(buffer.base) == 4
