from __future__ import annotations

import compileall
import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.patience import PATIENCE


def compile_once() -> None:
    """Have modules compiled once, not by each of the hundreds of processes that the tests start.

    Where the environment forbids to leave the results beside the sources, as many containers do, they are kept with the
    virtual environment. Processes of the tests only read them: a test may write a module anew within the second and the
    size by which Python tells that it has changed.
    """
    if sys.dont_write_bytecode and sys.prefix != sys.base_prefix and "PYTEST_XDIST_WORKER" not in os.environ:
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(Path(sys.prefix, "bytecode"))
        for module in list(sys.modules.values()):  # which pytest has imported by now
            if (source := getattr(module, "__file__", None) or "").endswith(".py"):
                compileall.compile_file(source, quiet=2)
    sys.dont_write_bytecode = False
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


compile_once()

#: In the environment of every process that the tests start.
MARK = "TUNEDECK_TESTS"
os.environ[MARK] = str(os.getpid())

# The machine may be busy with other things: how long an example takes says nothing about the code.
# The suite tries the same examples each time; what is new is looked for by the thorough runs.
settings.register_profile(
    "patient",
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    database=None,
)

#: So many examples of each property are tried by who has the time: ``HYPOTHESIS_PROFILE=thorough pytest ...``
THOROUGH = 5_000
settings.register_profile("thorough", settings.get_profile("patient"), max_examples=THOROUGH, derandomize=False)
THOROUGHLY = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "patient"))


def pytest_collection_finish() -> None:
    """Have what is imported by now not looked at as garbage again and again: a sixth of the time of an app."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_xdist_auto_num_workers() -> int:
    """Run twice as many tests at a time as there are cores: most of them wait for another process."""
    return 2 * (os.cpu_count() or 1)


def started() -> dict[int, str]:
    """Return what runs of the processes that the tests have started, with their command lines (Linux)."""
    mark, found = f"{MARK}={os.getpid()}".encode(), {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Whatever the tests have started has ended when they have."""
    yield
    deadline = time.monotonic() + PATIENCE
    while left := started():
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
