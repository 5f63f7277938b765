from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tui.engine.output import LONGEST_LINE, Line, LineSplitter, Scrollback


def split(*pieces: bytes) -> list[str]:
    splitter = LineSplitter()
    return [line for piece in pieces for line in splitter.feed(piece)] + splitter.end()


def test_lines_are_cut_at_newlines_whatever_the_pieces() -> None:
    assert split(b"one\ntw", b"o\n", b"", b"\nfour") == ["one", "two", "", "four"]


def test_a_carriage_return_before_the_newline_is_part_of_the_end() -> None:
    assert split(b"one\r\ntwo\r", b"\nthree\rfour\n") == ["one", "two", "four"]


def test_a_progress_bar_is_one_line_and_takes_no_room() -> None:
    splitter = LineSplitter()
    for percent in range(100):
        assert splitter.feed(b"\r%3d%% " % percent + b"#" * 5000) == []
    assert splitter.feed(b"\r100%\r") == []
    assert splitter.feed(b"\r\nnext") == ["100%"]
    assert splitter.end() == ["next"]


def test_characters_may_be_torn_apart() -> None:
    assert split(b"gr\xc3", b"\xbc\xc3\x9fe \xf0\x9f", b"\x98\x80\n") == ["grüße 😀"]


def test_what_is_no_text_is_marked_and_never_an_error() -> None:
    assert split(b"a\xff\xfeb\n\xc3") == ["a\ufffd\ufffdb", "\ufffd"]


def test_only_a_newline_ends_a_line() -> None:
    odd = "a\x0bb\x0cc\x1cd\x85e\u2028f\x00g"
    assert split(odd.encode() + b"\n") == [odd]


def test_a_line_without_an_end_is_cut_before_it_fills_the_memory() -> None:
    splitter = LineSplitter()
    lines = [line for _ in range(40) for line in splitter.feed(b"x" * 10_000)] + splitter.end()
    assert sum(map(len, lines)) == 400_000
    assert max(map(len, lines)) <= LONGEST_LINE + 10_000
    assert len(lines) > 1


def test_the_end_leaves_nothing_behind() -> None:
    splitter = LineSplitter()
    splitter.feed(b"half \xc3")
    assert splitter.end() == ["half \ufffd"]
    assert splitter.end() == []
    assert splitter.feed(b"next\n") == ["next"]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_the_pieces_make_no_difference(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(places)]
    assert split(*pieces) == split(data)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))))
def test_text_comes_out_as_it_went_in(lines: list[str]) -> None:
    assert split("".join(f"{line}\n" for line in lines).encode()) == lines


def line(text: str) -> Line:
    return text, 1, 0.0


def test_lines_are_numbered_from_the_first_ever() -> None:
    scrollback = Scrollback()
    assert scrollback.add([line("a"), line("b")]) == 0
    assert scrollback.add([line("c")]) == 2
    assert (scrollback.first, scrollback.end) == (0, 3)
    assert scrollback.since(1, 10) == (1, (line("b"), line("c")))
    assert scrollback.since(0, 2) == (0, (line("a"), line("b")))
    assert scrollback.since(3, 10) == (3, ())


def test_the_oldest_lines_are_forgotten_and_a_reader_learns_it() -> None:
    scrollback = Scrollback(limit=10_000)
    for number in range(1_000):
        assert scrollback.add([line(str(number))]) == number
    assert 0 < scrollback.first < scrollback.end == 1_000
    first, lines = scrollback.since(0, 10_000)
    assert first == scrollback.first
    assert [text for text, _, _ in lines] == [str(number) for number in range(first, 1_000)]
    assert sum(len(text) + 100 for text, _, _ in lines) <= 10_000


@given(st.lists(st.lists(st.integers(0, 300), max_size=8)), st.integers(0, 40))
def test_whatever_is_added_the_numbers_fit_and_the_bound_holds(batches: list[list[int]], start: int) -> None:
    scrollback = Scrollback(limit=1_000)
    everything: list[Line] = []
    for batch in batches:
        lines = [line("x" * size) for size in batch]
        assert scrollback.add(lines) == len(everything)
        everything += lines
        first, kept = scrollback.since(start, 5)
        assert first >= start or first == scrollback.first
        assert kept == tuple(everything[first : first + 5])
        assert sum(len(text) + 100 for text, _, _ in everything[scrollback.first :]) <= 1_000


def test_a_single_line_beyond_the_bound_is_not_kept() -> None:
    scrollback = Scrollback(limit=1_000)
    scrollback.add([line("x" * 5_000)])
    assert (scrollback.first, scrollback.end) == (1, 1)
