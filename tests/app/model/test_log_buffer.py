from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.app.model import log_buffer as buffers
from tui.app.model.log_buffer import SLAB, LogBuffer
from tui.app.model.log_line import Line
from tui.app.model.sgr import SgrState


def lines(count: int) -> list[str]:
    return [f"line {n}" for n in range(count)]


def shown(buffer: LogBuffer) -> list[Line]:
    return buffer.part(buffer.base, buffer.end)


def test_numbers_stay_when_old_lines_go() -> None:
    buffer = LogBuffer(max_lines=100)
    buffer.extend(0, lines(100))
    kept = buffer[99]
    buffer.extend(100, lines(SLAB))
    assert len(buffer) == 100
    assert buffer.base == SLAB
    assert buffer.end == 1100
    with pytest.raises(IndexError):
        buffer[99]
    with pytest.raises(IndexError):
        buffer[1100]
    assert buffer[1099].text == f"line {SLAB - 1}"
    assert kept.text == "line 99"
    assert buffer.lost == SLAB


def test_reader_holds_on_to_lines_for_a_while() -> None:
    buffer = LogBuffer(max_lines=2000)
    buffer.extend(0, lines(2000))
    buffer.held = 10
    buffer.extend(2000, lines(SLAB))
    assert buffer.base == 10
    buffer.extend(3000, lines(SLAB + 10))
    assert len(buffer) == 2000


@pytest.mark.parametrize("letter", ["x", "\U0001f600"])
def test_memory_is_bounded_too(letter: str) -> None:
    buffer = LogBuffer(max_bytes=20_000)
    for n in range(100):
        buffer.extend(n, [letter * 1000], 1, float(n))
    kept = sum(len(line.text) * len(letter.encode()) for line in shown(buffer))
    assert 5_000 < kept <= 20_000
    assert buffer.lost + len(buffer) == 100
    buffer.clear()
    assert buffer.size == buffers.ORIGIN * len(buffer.origins)


def test_gap_in_the_numbers_is_shown_and_counted() -> None:
    buffer = LogBuffer()
    buffer.extend(5, lines(2))
    buffer.extend(10, lines(1))
    assert [line.dropped for line in shown(buffer)] == [0, 0, 3, 0]
    assert buffer.lost == 8


def test_every_line_knows_its_version_and_time() -> None:
    buffer = LogBuffer(max_lines=2)
    buffer.extend(0, ["a", "b"], 1, 5.0)
    buffer.extend(2, ["c"], 2, 6.0)
    buffer.extend(3, ["late"], 1, 7.0)
    found = [(line.text, line.version, line.time) for line in shown(buffer) if line.is_output]
    assert found == [("a", 1, 5.0), ("b", 1, 5.0), ("c", 2, 6.0), ("late", 1, 7.0)]
    assert [buffer[number] for number in range(buffer.base, buffer.end)] == shown(buffer)
    buffer.extend(4, lines(SLAB), 3, 8.0)
    assert [(line.version, line.time) for line in shown(buffer)] == [(3, 8.0)] * len(buffer)


def test_version_is_marked_once_and_never_backwards() -> None:
    buffer = LogBuffer()
    for number, version in enumerate((1, 2, 1)):
        buffer.extend(number, ["a"], version)
    buffer.mark(2)
    buffer.mark(3)
    assert [line.mark for line in shown(buffer)] == [1, None, 2, None, None, 3]


def test_snapshot_stays_as_it_is() -> None:
    buffer = LogBuffer(max_lines=10)
    buffer.extend(0, lines(3), 1)
    buffer.begin("half")
    copy = buffer.snapshot()
    before = shown(copy)
    buffer.extend(3, lines(SLAB + 20), 2)
    assert (copy.end, buffer.end) == (4, SLAB + 25)
    assert shown(copy) == before
    assert copy.begun == [Line("half", 1)]
    assert not buffer.begun


def test_versions_are_found_by_their_lines_and_lines_by_their_version() -> None:
    buffer = LogBuffer(max_lines=100)
    assert (buffer.rule(1), buffer.version_at(0)) == (None, None)
    buffer.extend(0, lines(1))
    for number, version in enumerate((1, 2, 1), 1):
        buffer.extend(number, ["a"], version)
    assert [buffer.rule(version) for version in (1, 2, 3)] == [1, 3, None]
    assert [buffer.version_at(number) for number in range(6)] == [None, 1, 1, 2, 2, 2]
    frozen = buffer.snapshot()
    buffer.extend(4, lines(SLAB + 200), 4)
    assert [buffer.rule(version) for version in (1, 2, 4)] == [None, None, buffer.base]
    assert frozen.rule(1) == 1
    buffer.clear()
    assert buffer.rule(4) is None
    buffer.extend(SLAB + 204, lines(1), 4)
    assert buffer.rule(4) == buffer.base
    assert buffer.version_at(buffer.base) == 4


def test_colours_stay_on_until_they_are_switched_off() -> None:
    buffer = LogBuffer()
    buffer.extend(0, ["plain", "\x1b[1;31mred", "", "\x1b[32mgreen\x1b[22m thin", "still"])
    buffer.extend(5, ["still", "\x1b[0mplain", "plain"])
    assert [line.text for line in shown(buffer)] == [
        "plain",
        "\x1b[1;31mred",
        "\x1b[1;31m",
        "\x1b[1;31m\x1b[32mgreen\x1b[22m thin",
        "\x1b[32mstill",
        "\x1b[32mstill",
        "\x1b[32m\x1b[0mplain",
        "plain",
    ]


def test_colours_end_where_lines_are_missing_or_another_process_goes_on() -> None:
    buffer = LogBuffer()
    buffer.extend(0, ["\x1b[31mred"])
    buffer.extend(5, ["plain", "\x1b[31mred"])
    buffer.lift_pen()
    buffer.extend(7, ["plain"])
    assert [line.text for line in shown(buffer) if line.text] == ["\x1b[31mred", "plain", "\x1b[31mred", "plain"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("\x1b[31mred \x1b[44mon blue", "\x1b[31;44m"),
        ("\x1b[38;5;9;1m", "\x1b[38;5;9;1m"),
        ("\x1b[38;2;1;2;3m\x1b[48;2;4;5;6m", "\x1b[38;2;1;2;3;48;2;4;5;6m"),
        ("\x1b[38:2::1:2:3m", "\x1b[38:2::1:2:3m"),
        ("\x1b[91m\x1b[39m", ""),
        ("\x1b[4:3m", "\x1b[4:3m"),
        ("\x1b[4m\x1b[4:0m", ""),
        ("\x1b[1;2m\x1b[22m", ""),
        ("\x1b[7m\x1b[m", ""),
        ("\x1b[007m", "\x1b[7m"),
        ("\x1b[38m\x1b[38;5m\x1b[999m", "\x1b[38;5m"),
    ],
)
def test_pen(line: str, code: str) -> None:
    pen = SgrState()
    pen.follow(line)
    assert pen.code == code


@given(st.lists(st.lists(st.integers(0, 120), max_size=6).map(lambda codes: f"\x1b[{';'.join(map(str, codes))}m")))
def test_whatever_is_switched_on_the_code_stays_short_and_says_the_same(parts: list[str]) -> None:
    pen, again = SgrState(), SgrState()
    pen.follow("".join(parts))
    assert len(pen.code) < 200
    again.follow(pen.code)
    assert again.code == pen.code


def test_line_that_was_begun_is_shown_until_its_end_comes() -> None:
    buffer = LogBuffer()
    buffer.extend(0, ["\x1b[31mone"], 3, 5.0)
    buffer.begin("50%\x1b[K")
    assert buffer.begun == [Line("\x1b[31m50%", 3, 5.0)]
    buffer.begin("\x1b[32m99%")
    assert buffer.begun == [Line("\x1b[31m\x1b[32m99%", 3, 5.0)]
    assert buffer.end == 2
    buffer.begin("")
    assert not buffer.begun
