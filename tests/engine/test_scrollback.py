from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.engine import scrollback as engine_scrollback
from tui.engine.scrollback import LONGEST_LINE, LineBlock, Scrollback


def lines_of(block: LineBlock | None) -> list[str]:
    return [] if block is None else block.text.split("\n")


def split(*pieces: bytes) -> list[str]:
    scrollback = Scrollback()
    for piece in pieces:
        scrollback.write(piece, 1, 0.0)
    scrollback.finish(1, 0.0)
    return everything(scrollback)


def everything(scrollback: Scrollback, number: int = 0) -> list[str]:
    found: list[str] = []
    while (block := scrollback.block(number)) is not None:
        lines = lines_of(block)
        assert len(lines) == block.count
        found += lines
        number = block.end
    return found


def naive(data: bytes, longest: int) -> list[str]:
    """Split byte by byte, as the words of the module say."""
    lines: list[bytes] = []
    line, returned = b"", False
    for byte in data:
        if byte == 0x0A:
            lines.append(line)
            line, returned = b"", False
        elif byte == 0x0D:
            returned = bool(line)
        else:
            line = b"" if returned else line
            line, returned = line + bytes([byte]), False
            if len(line) > longest:
                place = longest
                while place > longest - 3 and 0x80 <= line[place] < 0xC0:
                    place -= 1
                lines.append(line[:place])
                line = line[place:]
    return [part.decode("utf-8", "replace") for part in (*lines, *([line] if line else []))]


def test_lines_are_cut_at_newlines_whatever_the_pieces() -> None:
    assert split(b"one\ntw", b"o\n", b"", b"\nfour") == ["one", "two", "", "four"]


def test_a_carriage_return_before_the_newline_is_part_of_the_end() -> None:
    assert split(b"one\r\ntwo\r", b"\nthree\rfour\n") == ["one", "two", "four"]


def test_a_progress_bar_is_one_line_and_takes_no_room() -> None:
    scrollback = Scrollback()
    for percent in range(100):
        assert scrollback.write(b"\r%3d%% " % percent + b"#" * 5000, 1, 0.0) is None
        assert scrollback.begun == f"{percent:3d}% " + "#" * 5000
    assert scrollback.write(b"\r100%\r", 1, 0.0) is None
    assert scrollback.begun == "100%"
    assert lines_of(scrollback.write(b"\r\nnext", 1, 0.0)) == ["100%"]
    assert scrollback.begun == "next"
    assert lines_of(scrollback.finish(1, 0.0)) == ["next"]
    assert scrollback.begun == ""
    assert scrollback.finish(1, 0.0) is None


def test_carriage_returns_alone_take_no_room() -> None:
    scrollback = Scrollback()
    for _ in range(20):
        assert scrollback.write(b"\r" * 100_000, 1, 0.0) is None
    assert len(scrollback.rest) <= 1
    assert lines_of(scrollback.write(b"\n", 1, 0.0)) == [""]


def test_characters_may_be_torn_apart() -> None:
    assert split(b"gr\xc3", b"\xbc\xc3\x9fe \xf0\x9f", b"\x98\x80\n") == ["grüße 😀"]


def test_what_is_no_text_is_marked_and_never_an_error() -> None:
    assert split(b"a\xff\xfeb\n\xc3") == ["a\ufffd\ufffdb", "\ufffd"]


def test_only_a_newline_ends_a_line() -> None:
    odd = "a\x0bb\x0cc\x1cd\x85e\u2028f\x00g"
    assert split(odd.encode() + b"\n") == [odd]


def test_a_line_without_an_end_is_cut_before_it_fills_the_memory() -> None:
    text = "x" * 200_000 + "ü" * 100_000
    lines = split(*[text.encode()[start : start + 10_000] for start in range(0, 400_000, 10_000)])
    assert "".join(lines) == text
    assert max(len(line.encode()) for line in lines) == LONGEST_LINE
    assert len(split(text.encode() + b"\n", b"short\n")) == len(lines) + 1


def test_a_long_line_that_was_gone_back_over_is_not_cut() -> None:
    assert split(b"x" * LONGEST_LINE, b"\ry\n") == ["y"]
    assert split(b"x" * LONGEST_LINE, b"y\rz\n") == ["x" * LONGEST_LINE, "z"]


PARTS = [b"a", b"bcd", b"\r", b"\n", b"\xc3", b"\xbc", "ü".encode(), "😀".encode()]


@given(st.lists(st.sampled_from(PARTS)), st.data())
def test_blocks_are_what_a_naive_splitter_makes_of_any_pieces(parts: list[bytes], data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_scrollback, "LONGEST_LINE", data.draw(st.integers(4, 12)))
        whole = b"".join(parts)
        cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=8))
        pieces = [whole[start:end] for start, end in itertools.pairwise([0, *sorted(cuts), len(whole)])]
        assert split(*pieces) == naive(whole, engine_scrollback.LONGEST_LINE)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_are_split_so(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(places)]
    assert split(*pieces) == naive(data, LONGEST_LINE)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))))
def test_text_comes_out_as_it_went_in(lines: list[str]) -> None:
    assert split("".join(f"{line}\n" for line in lines).encode()) == lines


def test_lines_are_numbered_from_the_first_ever() -> None:
    scrollback = Scrollback()
    assert scrollback.write(b"a\nb\nc", 1, 5.0) == LineBlock(0, 2, b"a\nb\n", 1, 5.0)
    assert scrollback.write(b"\n", 2, 6.0) == LineBlock(2, 1, b"c\n", 2, 6.0)
    assert (scrollback.first, scrollback.end) == (0, 3)
    assert scrollback.block(1) == LineBlock(1, 1, b"b\n", 1, 5.0)
    assert scrollback.block(2) == LineBlock(2, 1, b"c\n", 2, 6.0)
    assert scrollback.block(3) is None


def test_lines_that_come_one_by_one_are_kept_together_but_told_apart() -> None:
    scrollback = Scrollback()
    for number in range(3):
        time = 5.0 + number / 1000
        assert scrollback.write(b"line\n", 1, time) == LineBlock(number, 1, b"line\n", 1, time)
    assert scrollback.block(0) == LineBlock(0, 3, b"line\n" * 3, 1, 5.0)
    scrollback.write(b"of another version\n", 2, 5.001)
    scrollback.write(b"later\n", 2, 5.5)
    assert [lines_of(scrollback.block(number)) for number in (3, 4)] == [["of another version"], ["later"]]


def test_the_oldest_lines_are_forgotten_and_a_reader_learns_it() -> None:
    scrollback = Scrollback(limit=10_000)
    for number in range(1_000):
        scrollback.write(b"%d\n" % number, 1, float(number))
    assert 0 < scrollback.first < scrollback.end == 1_000
    block = scrollback.block(0)
    assert block is not None
    assert block.first == scrollback.first
    assert everything(scrollback) == [str(number) for number in range(scrollback.first, 1_000)]
    assert sum(len(block.data) + 300 for block in scrollback.blocks) == scrollback.size <= 10_000


def test_newest_lines_by_their_size() -> None:
    scrollback = Scrollback()
    assert scrollback.newest(100) == 0
    for number in range(10):
        scrollback.write(b"x" * 9 + b"\n", 1, float(number))
    assert [scrollback.newest(size) for size in (0, 9, 10, 45, 1000)] == [10, 10, 9, 6, 0]
    assert [scrollback.newest(size, 7) for size in (0, 10, 45, 1000)] == [10, 9, 7, 7]


@given(st.lists(st.lists(st.integers(0, 300), max_size=8)), st.integers(0, 40))
def test_whatever_is_added_the_numbers_fit_and_the_bound_holds(batches: list[list[int]], start: int) -> None:
    scrollback = Scrollback(limit=3_000)
    added: list[str] = []
    for now, batch in enumerate(batches):
        lines = [f"{len(added) + index} {'x' * size}" for index, size in enumerate(batch)]
        scrollback.write("".join(f"{line}\n" for line in lines).encode(), 1, now / 100)
        added += lines
        assert scrollback.end == len(added)
        assert everything(scrollback, start) == added[max(start, scrollback.first) :]
        assert scrollback.size <= 3_000
