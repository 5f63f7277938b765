from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.plays import Play


@pytest.fixture(autouse=True)
def plays_are_closed() -> Iterator[None]:
    """Close what a test has opened; models close theirs after each run."""
    yield
    while Play.opened:
        Play.opened[-1].close()
