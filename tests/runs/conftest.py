from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs.folder import Folder
from tests.runs.worker import Worker, interpreter


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    yield made
    made.close()


@pytest.fixture
def worker(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Worker]:
    version = getattr(request, "param", None)
    python = sys.executable if version is None else interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    made = Worker(tmp_path, python)
    yield made
    made.close()


@pytest.fixture
def host(worker: Worker) -> Worker:
    worker.send("host")
    return worker
