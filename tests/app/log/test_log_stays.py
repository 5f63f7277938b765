"""What a reader looks at stays, whatever comes and goes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app.conftest import OpenDeck
from tests.app.log.test_filter import rows
from tui.app.log.search import line_filter
from tui.app.log.view import LogView
from tui.app.model import log_buffer as buffers
from tui.app.model.log_buffer import LogBuffer

#: How many lines are kept: those that a reader looks at for as many again.
KEPT = 300


def add(buffer: LogBuffer, count: int, version: int) -> None:
    """Add lines of many lengths, some of them wide."""
    numbers = range(buffer.end, buffer.end + count)
    buffer.extend(
        buffer.expected, [f"{n} {n % 2 * 'odd'} {'x語'[n % 3 == 0] * (n * 37 % 130)}" for n in numbers], version
    )


def prepare(log: LogView, buffer: LogBuffer, *, wrap: bool, text: str) -> None:
    """Begin anew, at the end of a full log."""
    log.frozen = False
    log.follow = True
    buffer.clear()
    add(buffer, KEPT, 7)
    log.wrap = wrap
    chosen = line_filter(text)
    log.keep(chosen.shows if chosen is not None else None)
    while not log.scan():
        pass


async def test_reader_sees_the_same_while_lines_come_and_go(
    open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffers, "SLAB", 7)
    async with open_deck() as deck:
        log, buffer = deck.view.log_view, deck.app.jobs["digits"].lines
        buffer.max_lines = KEPT
        pruned = []

        @settings(max_examples=settings().max_examples // 2, suppress_health_check=list(HealthCheck))
        @given(
            batches=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 1)), min_size=1, max_size=7),
            wrap=st.booleans(),
            text=st.sampled_from(["", "odd", "!odd"]),
            up=st.integers(1, 60),
            frozen=st.booleans(),
        )
        def check(batches: list[tuple[int, int]], wrap: bool, text: str, up: int, frozen: bool) -> None:
            prepare(log, buffer, wrap=wrap, text=text)
            if frozen:
                log.frozen = True
            else:
                log.scroll_y = float(max(log.max_scroll_y - up, 0))
            before, base = rows(log), buffer.base
            version = 7
            for count, newer in batches:
                version += newer
                add(buffer, count, version)
                log.sync()
                assert rows(log) == before
            assert not log.follow or frozen
            pruned.append(buffer.base > base)

        check()
        assert any(pruned)
