from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

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
