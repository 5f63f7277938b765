from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import pytest

from tui.engine.history import database


@pytest.fixture
def memory() -> Iterator[sqlite3.Connection]:
    """Return an empty database that is not kept."""
    with contextlib.closing(database.in_memory()) as connection:
        yield connection
