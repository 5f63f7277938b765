"""Which charts are shown, and from where to where: every key of the pane, without a screen."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Region, Size

from tui.app.charts.board import Board

SIZE = Size(120, 36)


class Seen(NamedTuple):
    view: tuple[float, float] | None
    cursor: float | None
    follows: bool


def seen(made: Board) -> Seen:
    """Return what the keys have come to: read anew, since each key changes it."""
    return Seen(made.view, made.cursor, made.follows)


def board(count: int = 3) -> Board:
    made = Board()
    made.learn([f"m{number}" for number in range(count)], 0, 1000)
    return made


@given(st.integers(0, 300), st.integers(0, 220), st.integers(0, 70), st.integers(0, 299))
def test_charts_of_a_grid_fill_the_room_and_the_one_in_use_is_there(
    count: int, width: int, height: int, at: int
) -> None:
    made = board(count)
    made.choose(at)
    places = made.places(Size(width, height))
    if places:
        assert made.current in places
        assert sum(region.area for region in places.values()) <= width * height
        assert all(Region(0, 0, width, height).contains_region(region) for region in places.values())
        assert all(region.height >= 5 for region in places.values())
        assert not any(one.overlaps(other) for one, other in combinations(places.values(), 2))


def test_alone_and_over_each_other_have_all_the_room() -> None:
    made = board()
    assert len(made.places(SIZE)) == 3
    made.alone = True
    assert made.places(SIZE) == {"m0": SIZE.region}
    made.alone, made.over = False, True
    assert made.places(SIZE) == {"m0": SIZE.region}


def test_names_that_fit_and_the_one_in_use() -> None:
    made = board(12)
    made.choose(-1)
    assert made.current == "m11"
    made.sought = "M1"
    assert made.shown == ["m1", "m10", "m11"]
    assert made.current == "m11"
    made.choose(1)
    assert made.current == "m1"
    made.sought = "nothing"
    assert (made.current, made.places(SIZE)) == ("", {})
    made.choose(1)  # nothing to choose from


def test_zoom_goes_around_the_cursor_and_back_to_the_whole() -> None:
    made = board()
    assert seen(made).follows
    made.zoom(0.5)
    assert seen(made).view == (500, 1000)
    made.cursor = 600
    made.zoom(0.5)
    assert seen(made).view == (550, 800)
    for _ in range(20):
        made.zoom(0.5)
    assert made.x.last - made.x.first >= 1
    for _ in range(30):
        made.zoom(2)
    assert seen(made).follows
    made.learn(made.names, 0, 2000)
    assert (made.x.first, made.x.last) == (0, 2000)


def test_the_view_is_moved_within_the_whole() -> None:
    made = board()
    made.zoom(0.5)
    made.pan(-0.5)
    assert seen(made).view == (250, 750)
    for _ in range(5):
        made.pan(-0.5)
    assert seen(made).view == (0, 500)
    for _ in range(5):
        made.pan(0.5)
    assert seen(made).view == (500, 1000)


def test_the_cursor_reads_from_the_newest_value_on() -> None:
    made = board()
    made.read(-1, 100)
    assert seen(made).cursor == 990
    made.read(1, 100)
    assert seen(made).cursor is None
    made.read(-200, 100)
    assert seen(made).cursor == 0
    made.zoom(0.5)
    assert seen(made).view == (0, 500)
    made.read(60, 100)
    assert seen(made).cursor == pytest.approx(300)
    made.read(60, 100)
    assert seen(made).cursor == pytest.approx(600)
    assert made.x.first <= 600 <= made.x.last
    made.show_all()
    assert seen(made).cursor is None


def test_time_and_steps_have_places_of_their_own() -> None:
    made = board()
    made.zoom(0.5)
    made.cursor = 700
    made.turn(by_time=True)
    assert seen(made) == (None, None, True)
    made.zoom(0.5)
    made.turn(by_time=True)
    assert not seen(made).follows


def test_log_scales_belong_to_their_metrics() -> None:
    made = board()
    made.toggle_log()
    made.choose(1)
    made.toggle_log()
    assert made.logs == {"m0", "m1"}
    made.toggle_log()
    assert made.logs == {"m0"}
