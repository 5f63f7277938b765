"""Where the panes of a job stand, for every size of the screen: pure geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from textual.geometry import Offset, Region, Size

LOG, CONFIG, TIMELINE, CHARTS, KNOBS = "log", "config", "timeline", "charts", "knobs"

#: What shares the place of another pane, above it or below it, or stands instead of it.
GUESTS = {CHARTS: LOG, KNOBS: CONFIG}

#: From this width on log and config stand side by side above the timeline, below it all three on top of each other.
WIDE = 100

#: Below this height there is room for two panes only, side by side.
SHORT = 17

#: From twice this height on a pane and its guest share its room, below it the guest stands instead of it.
SHARED = 9

#: Below this height of the screen one rule stands between two panes, not two frames.
LOW = 30

#: What a pane keeps however far the divider is moved: its frame, and a little to see in it.
LEAST_WIDTH, LEAST_HEIGHT = 16, 3

#: What one key moves a divider by, in parts of the whole.
STEP = 0.05


class Sizes(NamedTuple):
    """How the room is shared.

    Attributes:
        log: The log's part of the width, beside the config.
        timeline: The timeline's part of the height, below the two.
        used: The part of the height of the pane in use, where all stand on top of each other.
    """

    log: float = 0.525
    timeline: float = 0.3
    used: float = 0.5

    @classmethod
    def of(cls, kept: Any) -> Sizes:
        """Return the sizes in a mapping; what is no size is as it always was."""
        found = {name: kept.get(name) for name in cls._fields} if isinstance(kept, dict) else {}
        return cls(**{name: part for name, part in found.items() if isinstance(part, float) and 0 < part < 1})


class Divider(NamedTuple):
    """A line between panes that can be moved: which of the sizes it changes, and the panes before and behind it."""

    size: str
    before: str
    behind: str


#: How high a pane would be with all of its content; one that is not named takes what it can get.
Needs = Mapping[str, int]


def arrange(
    size: Size, sizes: Sizes, panes: Sequence[str], used: str, whole: bool, needs: Needs = MappingProxyType({})
) -> dict[str, Region]:
    """Return where each pane that can be seen stands: none is higher than its content, unless the user wants it so.

    Args:
        size: The room that there is.
        sizes: How it is shared.
        panes: The panes that there are: `LOG` alone, or it with the config and the timeline; each with
            its guests or not.
        used: The pane in use, which can be seen at every size.
        whole: It gets all of the room.
        needs: How high they would be with all of their content.
    """
    width, height = size
    if used not in panes:  # a guest that was hidden just now
        used = GUESTS[used]
    if whole:
        return {used: size.region}
    if guests := [pane for pane in panes if pane in GUESTS]:
        hosts = [pane for pane in panes if pane not in GUESTS]
        alone = {pane: need for pane, need in needs.items() if pane not in map(GUESTS.get, guests)}
        found = arrange(size, sizes, hosts, GUESTS.get(used, used), whole=False, needs=alone)
        shared = [guest for guest in guests if GUESTS[guest] in found]
        return {name: room for guest in shared for name, room in _shared(found.pop(GUESTS[guest]), guest, used)} | found
    if len(panes) == 1:
        return {panes[0]: size.region}
    left = _part(width, sizes.log, LEAST_WIDTH, LEAST_WIDTH)
    if height < SHORT:
        second = TIMELINE if used == TIMELINE else CONFIG
        return {LOG: Region(0, 0, left, height), second: Region(left, 0, width - left, height)}
    if width < WIDE:
        return _stack(size, sizes, used, needs)
    top = _part(height, 1 - sizes.timeline, LEAST_HEIGHT, LEAST_HEIGHT)
    if sizes.timeline == Sizes().timeline:
        top = max(top, height - max(needs.get(TIMELINE, height), LEAST_HEIGHT))
    return {
        LOG: Region(0, 0, left, top),
        CONFIG: Region(left, 0, width - left, top),
        TIMELINE: Region(0, top, width, height - top),
    }


def _shared(slot: Region, guest: str, used: str) -> list[tuple[str, Region]]:
    """Return where a guest and its host stand: charts above the log, knobs below the config."""
    host = GUESTS[guest]
    if slot.height < 2 * SHARED:
        return [(host if used == host else guest, slot)]
    rooms = slot.split_horizontal((slot.height + 1) // 2)
    return list(zip((guest, host) if guest == CHARTS else (host, guest), rooms, strict=True))


def slots(regions: dict[str, Region]) -> dict[str, Region]:
    """Return where the panes stand, each with its guest as one."""
    found = {}
    for host in (LOG, CONFIG, TIMELINE):
        rooms = [region for pane, region in regions.items() if GUESTS.get(pane, pane) == host]
        if rooms:
            found[host] = Region.from_union(rooms)
    return found


def _stack(size: Size, sizes: Sizes, used: str, needs: Needs) -> dict[str, Region]:
    names = (LOG, CONFIG, TIMELINE)
    most = _part(size.height, sizes.used, LEAST_HEIGHT, 2 * LEAST_HEIGHT)
    rest = size.height - most
    others = iter((rest // 2, rest - rest // 2))
    heights = {pane: most if pane == used else next(others) for pane in names}
    if sizes.used == Sizes().used:
        _level(heights, used, needs)
    found, top = {}, 0
    for pane in names:
        found[pane] = Region(0, top, size.width, heights[pane])
        top += heights[pane]
    return found


def _level(heights: dict[str, int], used: str, needs: Needs) -> None:
    """Let panes that are higher than their content give the rows to those that are not, the one in use last."""
    spare = 0
    for pane, height in heights.items():
        heights[pane] = min(height, max(needs.get(pane, height), LEAST_HEIGHT))
        spare += height - heights[pane]
    for pane in sorted(heights, key=lambda pane: pane == used):
        given = min(spare, max(needs.get(pane, heights[pane] + spare) - heights[pane], 0))
        heights[pane] += given
        spare -= given
    heights[LOG] += spare


def _part(whole: int, part: float, least: int, others: int) -> int:
    # The parts are rounded; what is cut off must not put a divider a cell before the pointer.
    return min(max(int(whole * part + 0.05), least), whole - others)


def dividers(regions: dict[str, Region]) -> list[Divider]:
    """Return the lines between panes that stand like this."""
    regions = slots(regions)
    match list(regions):
        case [first, second]:
            return [Divider("log", first, second)]
        case [_, _, _] if regions[LOG].y == regions[CONFIG].y:
            return [Divider("log", LOG, CONFIG), Divider("timeline", CONFIG, TIMELINE)]
        case [_, _, _]:
            return [Divider("used", LOG, CONFIG), Divider("used", CONFIG, TIMELINE)]
    return []


def divider_at(regions: dict[str, Region], at: Offset, ruled: bool = False) -> Divider | None:
    """Return the divider at a place: the frames of two panes where they meet, or the rule between them."""
    regions = slots(regions)
    thick = 0 if ruled else 1
    for divider in dividers(regions):
        before, behind = regions[divider.before], regions[divider.behind]
        if divider.size == "log":
            if behind.x - thick <= at.x <= behind.x and before.y <= at.y < before.bottom:
                return divider
        elif behind.y - thick <= at.y <= behind.y:
            return divider
    return None


def dragged(size: Size, sizes: Sizes, used: str, divider: Divider, to: Offset) -> Sizes:
    """Return the sizes with a divider where it was dragged to."""
    width, height = max(size.width, 1), max(size.height, 1)
    if divider.size == "log":
        return _with(sizes, "log", to.x / width, LEAST_WIDTH / width)
    above, below = to.y / height, 1 - to.y / height
    used = GUESTS.get(used, used)
    if divider.size == "timeline":
        return _with(sizes, "timeline", below, LEAST_HEIGHT / height)
    # The two panes that are not in use are of the same height, so the divider stays under the pointer.
    outer = above if divider.before == LOG else below
    part = outer if used == (divider.before if divider.before == LOG else divider.behind) else 1 - 2 * outer
    return _with(sizes, "used", part, LEAST_HEIGHT / height)


def moved(size: Size, sizes: Sizes, regions: dict[str, Region], used: str, x: int, y: int) -> Sizes:
    """Return the sizes after a key has moved the divider beside the pane in use by some steps, from where it is."""
    names = {divider.size for divider in dividers(regions)}
    found, used = slots(regions), GUESTS.get(used, used)
    width, height = max(size.width, 1), max(size.height, 1)
    if x and "log" in names:
        return _with(sizes, "log", sizes.log + x * STEP, LEAST_WIDTH / width)
    if y and "timeline" in names:
        return _with(sizes, "timeline", found[TIMELINE].height / height - y * STEP, LEAST_HEIGHT / height)
    if y and "used" in names:
        grows = -y if used == TIMELINE else y
        return _with(sizes, "used", found[used].height / height + grows * STEP, LEAST_HEIGHT / height)
    return sizes


def _with(sizes: Sizes, name: str, part: float, least: float) -> Sizes:
    most = 1 - (2 if name == "used" else 1) * least
    return sizes._replace(**{name: round(min(max(part, least), max(most, least)), 4)})
