"""The terminal is closed at any moment: the viewer ends, whatever it was about, and the jobs go on."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import THOROUGHLY
from tests.terminal.closing import MOMENTS, Closing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="setsid --ctty is of util-linux")

#: Each of them once, or all of them often.
WHEN = MOMENTS * 20 if THOROUGHLY else list(dict.fromkeys(MOMENTS))


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Closing]:
    found = Closing(tmp_path)
    yield found
    found.end()


def test_no_viewer_outlives_its_terminal(deck: Closing) -> None:
    chance = random.Random(7)
    for moment in WHEN:
        deck.close_at(moment, chance)
