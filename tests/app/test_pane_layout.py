from __future__ import annotations

from itertools import product

import pytest
from textual.geometry import Offset, Region, Size

from tui.app.pane_layout import (
    CHARTS,
    CONFIG,
    GUESTS,
    KNOBS,
    LEAST_HEIGHT,
    LEAST_WIDTH,
    LOG,
    SHORT,
    TIMELINE,
    Divider,
    Sizes,
    arrange,
    divider_at,
    dividers,
    dragged,
    moved,
    slots,
)

ALL = [LOG, CONFIG, TIMELINE]
SCREENS = [Size(width, height) for width, height in product((40, 80, 99, 100, 120, 200, 301), (9, 16, 17, 22, 38, 57))]


@pytest.mark.parametrize("size", SCREENS, ids=str)
@pytest.mark.parametrize("sizes", [Sizes(), Sizes(0.01, 0.01, 0.01), Sizes(0.99, 0.99, 0.99)], ids=str)
def test_panes_fill_the_room_and_the_one_in_use_is_there(size: Size, sizes: Sizes) -> None:
    for used, whole in product(ALL, (False, True)):
        found = arrange(size, sizes, ALL, used, whole)
        assert used in found
        assert sum(region.area for region in found.values()) == size.area
        assert all(size.region.contains_region(region) for region in found.values())
        assert all(region.width >= LEAST_WIDTH and region.height >= LEAST_HEIGHT for region in found.values())
        assert len(found) == (1 if whole else 2 if size.height < 17 else 3)


@pytest.mark.parametrize("size", SCREENS, ids=str)
def test_guests_have_room_in_the_place_of_their_hosts(size: Size) -> None:
    for number, used, whole in product(range(4), [*ALL, *GUESTS], (False, True)):
        guests = [guest for place, guest in enumerate(GUESTS) if number >> place & 1]
        found = arrange(size, Sizes(), [*ALL, *guests], used, whole)
        here = used if used in ALL or used in guests else GUESTS[used]
        assert here in found
        assert sum(region.area for region in found.values()) == size.area
        if not whole:
            assert slots(found) == arrange(size, Sizes(), ALL, GUESTS.get(used, used), whole)


def test_host_has_one_pane() -> None:
    assert arrange(Size(120, 37), Sizes(), [LOG], LOG, whole=False) == {LOG: Region(0, 0, 120, 37)}


@pytest.mark.parametrize("size", SCREENS, ids=str)
def test_divider_goes_where_it_is_dragged(size: Size) -> None:
    seen = 0
    for used in ALL:
        for number, divider in enumerate(dividers(arrange(size, Sizes(), ALL, used, whole=False))):
            for to in (Offset(x, y) for x, y in product((-5, 0, 20, size.width // 2, size.width), range(size.height))):
                found = arrange(size, dragged(size, Sizes(), used, divider, to), ALL, used, whole=False)
                assert dividers(found)[number] == divider
                if can_be_at(size, divider, used, to):
                    seen += 1
                    assert found[divider.behind].x == to.x if divider.size == "log" else found[divider.behind].y == to.y
    assert seen > 10


def can_be_at(size: Size, divider: Divider, used: str, to: Offset) -> bool:
    if divider.size == "log":
        return LEAST_WIDTH <= to.x <= size.width - LEAST_WIDTH
    if divider.size == "timeline":
        return LEAST_HEIGHT <= to.y <= size.height - LEAST_HEIGHT
    outer = to.y if divider.before == LOG else size.height - to.y
    is_used = used == (LOG if divider.before == LOG else TIMELINE)
    return LEAST_HEIGHT <= outer <= (size.height - 2 * LEAST_HEIGHT if is_used else (size.height - LEAST_HEIGHT) // 2)


def test_divider_is_where_two_frames_meet() -> None:
    found = arrange(Size(120, 37), Sizes(0.5, 0.3, 0.6), ALL, CONFIG, whole=False)
    assert [divider_at(found, Offset(x, 5)) for x in (58, 61)] == [None, None]
    assert [(divider_at(found, Offset(x, 5)) or [""])[0] for x in (59, 60)] == ["log", "log"]
    assert [(divider_at(found, Offset(90, y)) or [""])[0] for y in (24, 25)] == ["timeline", "timeline"]
    assert [divider_at(found, Offset(90, y)) for y in (23, 26)] == [None, None]


@pytest.mark.parametrize(
    ("size", "used", "x", "y", "grows"),
    [
        (Size(120, 37), CONFIG, 1, 0, LOG),
        (Size(120, 37), CONFIG, -1, 0, CONFIG),
        (Size(120, 37), LOG, 0, -1, TIMELINE),
        (Size(120, 37), TIMELINE, 0, 1, LOG),
        (Size(80, 21), LOG, 0, 1, LOG),
        (Size(80, 21), CONFIG, 0, 1, CONFIG),
        (Size(80, 21), TIMELINE, 0, -1, TIMELINE),
        (Size(80, 12), LOG, 1, 0, LOG),
    ],
)
def test_divider_moves_by_key(size: Size, used: str, x: int, y: int, grows: str) -> None:
    before = arrange(size, Sizes(), ALL, used, whole=False)
    after = arrange(size, moved(size, Sizes(), before, used, x, y), ALL, used, whole=False)
    assert after[grows].area > before[grows].area


def test_key_that_moves_nothing_changes_nothing() -> None:
    for size, x, y in ((Size(80, 21), 1, 0), (Size(80, 12), 0, 1)):
        assert moved(size, Sizes(), arrange(size, Sizes(), ALL, LOG, whole=False), LOG, x, y) == Sizes()


@pytest.mark.parametrize("size", SCREENS, ids=str)
@pytest.mark.parametrize("guests", [[], [CHARTS], [KNOBS], [CHARTS, KNOBS]], ids=str)
def test_pane_is_no_higher_than_its_content_and_none_pays_for_it(size: Size, guests: list[str]) -> None:
    for used, timeline, config in product(ALL, (1, 4, 99), (2, 12, 99)):
        needs = {TIMELINE: timeline, CONFIG: config}
        before = slots(arrange(size, Sizes(), [*ALL, *guests], used, whole=False))
        after = slots(arrange(size, Sizes(), [*ALL, *guests], used, whole=False, needs=needs))
        assert sum(region.area for region in after.values()) == size.area
        if size.height < SHORT:
            assert after == before
            continue
        assert after[TIMELINE].height <= max(timeline, LEAST_HEIGHT)
        if after[CONFIG].y >= after[LOG].bottom and KNOBS not in guests:
            assert after[CONFIG].height <= max(config, LEAST_HEIGHT)
        for pane in ALL:
            assert after[pane].height >= min(before[pane].height, max(needs.get(pane, 99), LEAST_HEIGHT))


def test_size_that_was_chosen_is_kept_though_there_is_less_to_see() -> None:
    needs = {TIMELINE: 4, CONFIG: 6}
    wide = arrange(Size(120, 38), Sizes(timeline=0.5), ALL, CONFIG, whole=False, needs=needs)
    assert wide[TIMELINE].height == 19
    stack = arrange(Size(80, 21), Sizes(used=0.7), ALL, CONFIG, whole=False, needs=needs)
    assert stack[CONFIG].height == 14


@pytest.mark.parametrize("kept", [None, [], {"log": "wide", "timeline": 3.0, "used": float("nan")}, {"x": 1}])
def test_what_is_no_size_is_left_out(kept: object) -> None:
    assert Sizes.of(kept) == Sizes()


def test_sizes_are_read_as_they_were_kept() -> None:
    assert Sizes.of(Sizes(0.1, 0.2, 0.3)._asdict()) == Sizes(0.1, 0.2, 0.3)
