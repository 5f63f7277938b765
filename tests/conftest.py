from __future__ import annotations

import compileall
import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings


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

# The machine may be busy with other things: how long an example takes says nothing about the code.
# The suite tries the same examples each time; what is new is looked for by the thorough runs.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True, database=None
)

#: So many examples of each property are tried by who has the time: ``HYPOTHESIS_PROFILE=thorough pytest ...``
THOROUGH = 5_000
settings.register_profile("thorough", settings.get_profile("patient"), max_examples=THOROUGH, derandomize=False)
THOROUGHLY = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "patient"))


def pytest_xdist_auto_num_workers() -> int:
    """Run twice as many tests at a time as there are cores: most of them wait for another process."""
    return 2 * (os.cpu_count() or 1)
