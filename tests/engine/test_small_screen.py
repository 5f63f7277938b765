"""What is left of an output that goes back over its lines: against a terminal, and of programs as they are."""

from __future__ import annotations

import pyte
import pyte.modes
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.engine.scrollback import Scrollback
from tui.engine.small_screen import MOST_ROWS, SmallScreen

#: What a terminal is told, as often as text.
TOLD = st.one_of(
    st.sampled_from(["\n", "\r", "\b", "\t", "\x1b[K", "\x1b[2K", "\x1b[1K", "\x1b[J", "\x1b[31m", "\x1b[m"]),
    st.builds("\x1b[{}{}".format, st.integers(1, 9) | st.just(""), st.sampled_from("ABCDEFG")),
    st.text("ab \u00e9\u4e16", min_size=1, max_size=12),
)


def rows(text: str) -> list[str]:
    """Return what all rows show, without colours and blanks at their ends."""
    terminal = pyte.Screen(200, 400)
    terminal.set_mode(pyte.modes.LNM)
    pyte.Stream(terminal).feed(text)
    return "\n".join(row.rstrip() for row in terminal.display).rstrip().split("\n")


@given(st.lists(TOLD, max_size=60))
def test_rows_are_those_of_a_terminal(told: list[str]) -> None:
    screen = SmallScreen(reach=50)  # what may be reached is held back from the beginning
    lines = screen.write("".join(told))
    assert rows("\n".join([*lines, screen.text])) == rows("".join(told))


@given(st.lists(TOLD, max_size=30), st.data())
def test_it_does_not_matter_where_the_output_is_cut(told: list[str], data: st.DataObject) -> None:
    output = "".join(told).encode()
    whole, parts = Scrollback(), Scrollback()
    whole.write(b"\x1b[30A" + output, 1, 0.0)  # drawn from the beginning, with all rows that may be reached
    whole.finish(1, 0.0)
    parts.write(b"\x1b[30A", 1, 0.0)
    place = 0
    while place < len(output):
        end = place + data.draw(st.integers(1, 7))
        parts.write(output[place:end], 1, 0.0)
        place = end
    parts.finish(1, 0.0)
    assert text_of(parts) == text_of(whole)


def text_of(scrollback: Scrollback) -> str:
    return "\n".join(block.text for block in scrollback.blocks)


def test_bars_below_each_other_are_lines_that_change() -> None:
    """As tqdm draws two of them: a newline, the inner bar, and one line up again."""
    output = Scrollback()
    output.write(b"start\n\router:  0%", 1, 0.0)
    for outer in range(1, 4):
        for inner in range(1, 101):
            output.write(f"\n\rinner: {inner:3d}%\x1b[A".encode(), 1, 0.0)
        output.write(f"\router: {outer * 33:2d}%".encode(), 1, 0.0)
    assert text_of(output) == "start"
    assert output.begun == "outer: 99%\ninner: 100%"
    output.write(b"\n\ndone", 1, 0.0)
    output.finish(1, 0.0)
    assert text_of(output).split("\n") == ["start", "outer: 99%", "inner: 100%", "done"]


@pytest.mark.parametrize(
    "frame",
    [
        "\x1b[2K\x1b[1G{}",  # ora, yarn
        "\x1b[2K\x1b[G{}",
        "\x1b[1000D\x1b[K{}",  # npm
        "\b\b\b\b\b\b\b\b{}",  # keras, fsck
    ],
)
def test_frames_of_a_spinner_are_one_line(frame: str) -> None:
    output = Scrollback()
    for number in range(50):
        output.write(frame.format(f"step {number:03d}").encode(), 1, 0.0)
    assert not output.blocks
    assert output.begun == "step 049"


def test_a_table_that_is_drawn_from_the_top_again_is_drawn_once() -> None:
    output = Scrollback()
    for number in range(20):
        output.write(f"\x1b[H\x1b[2Ja {number}\nb {number}\n".encode(), 1, 0.0)
    assert not output.blocks
    assert output.begun == "a 19\nb 19\n"


def test_colours_stay_with_their_characters() -> None:
    screen = SmallScreen("\x1b[31mred\x1b[0m plain\r\x1b[1m\x1b[32mg")
    assert screen.text == "\x1b[1m\x1b[32mg\x1b[m\x1b[31med\x1b[m plain"


def test_output_is_plain_again_after_a_while() -> None:
    output = Scrollback()
    output.write(b"one\ntwo\x1b[A\r\x1b[2Kagain\n\n", 1, 0.0)
    output.write(b"".join(b"%d\n" % number for number in range(40)) + b"rest", 1, 0.0)
    lines = text_of(output).split("\n")
    assert lines[-3:] == ["37", "38", "39"], "none is held back any more"
    assert output.begun == "rest"
    assert lines[:3] == ["again", "two", "0"]


def test_rows_that_are_held_back_are_few() -> None:
    output = Scrollback()
    output.write(b"\x1b[9999A" + b"x\n" * 1000 + b"\x1b[9999A", 1, 0.0)
    assert output.begun.count("\n") < MOST_ROWS
    output.write(b"y" * 200_000, 1, 0.0)
    output.finish(1, 0.0)
    assert max(map(len, text_of(output).split("\n"))) == 1 << 16


def test_colours_of_a_grep_are_not_drawn() -> None:
    output = Scrollback()
    output.write(b"\x1b[01;31m\x1b[Kfound\x1b[m\x1b[K\n", 1, 0.0)
    assert output.blocks[0].data == b"\x1b[01;31m\x1b[Kfound\x1b[m\x1b[K\n", "byte for byte"
