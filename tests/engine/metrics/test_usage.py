"""What the processes of a job use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tui.engine.metrics import usage
from tui.engine.metrics.usage import Meter, used

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")

CHILD = """
import time
while time.process_time() < 0.3:
    pass
print("done", flush=True)
time.sleep(60)
"""


def test_a_tree_is_measured_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "ask_gpus", lambda: (0.0, {}))
    meter = Meter()
    first = meter.measure(os.getpid(), 100)
    assert set(first) == {"system.memory_mb"}
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        second = meter.measure(os.getpid(), 110)
        took = time.monotonic() - began
        assert child.pid in used(os.getpid()).seconds
        child.kill()
    assert second["system.cpu_percent"] * took / 100 >= 0.28
    assert second["system.memory_mb"] > 10
    assert second["system.steps_per_second"] == pytest.approx(10 / took, rel=0.5)


def test_of_a_process_that_is_gone_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "ask_gpus", lambda: (0.0, {}))
    with subprocess.Popen(["true"]) as child:
        pass
    assert Meter().measure(child.pid, None) == {}


SMI = """#!/bin/sh
case $1 in
    --query-compute-apps*) printf '%s, 1500\\n7, 800\\n' $PID ;;
    *) printf '40\\n60\\n' ;;
esac
"""


@pytest.mark.parametrize(
    ("text", "known"), [(SMI, True), ("#!/bin/sh\necho 'N/A'\n", False), ("#!/bin/sh\nexit 9\n", False)]
)
def test_a_graphics_card(text: str, known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PID", str(os.getpid()))
    monkeypatch.setattr(usage, "asked", -usage.GPU_PAUSE)
    found = {"system.gpu_percent": 50.0, "system.gpu_memory_mb": 1500.0}
    assert usage.gpu({os.getpid()}) == (found if known else {})
    assert usage.gpu({1}) == {}
