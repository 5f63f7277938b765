"""Every way to run a task, driven over the channel as an engine does, under every interpreter that is here."""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.runs.folder import Watch
from tests.runs.worker import ASYNC, KINDS, PLAIN, VERSIONS, Worker, said

PYTHONS = [None, *VERSIONS]

WAYS = [
    *[("process", kind) for kind in PLAIN + ASYNC],
    *[("thread", kind) for kind in PLAIN + ASYNC],
    *[("asyncio", kind) for kind in ASYNC],
]


def start(worker: Worker, runner: str, target: str, **more: Any) -> None:
    if runner != "process":
        worker.send("host")
    worker.setup(target, runner=runner, **more)


def printed(worker: Worker, runner: str) -> str:
    return worker.output if runner == "process" else worker.text()


@pytest.mark.parametrize("worker", PYTHONS, indirect=True, ids=lambda version: version or "ours")
@pytest.mark.parametrize(("runner", "kind"), WAYS)
def test_every_kind_of_task_reloads_pauses_and_stops(worker: Worker, runner: str, kind: str) -> None:
    worker.write("job.py", KINDS)
    start(worker, runner, f"job.py:{kind}", loop="callback" not in kind)
    worker.wait_for(said("loaded"))
    worker.wait_for(said("applied", version=1, step=0))
    worker.reload(2)
    assert worker.wait_for(said("applied", version=2))["superseded"] == []
    worker.send("pause")
    held = worker.wait_for(said("paused"))["step"]
    worker.reload(3)
    worker.reload(4)
    worker.send("resume")
    receipt = worker.wait_for(said("applied", version=4))
    assert receipt["superseded"] == [3]
    assert held <= receipt["step"] <= held + 1
    worker.wait_for(said("metrics", values={"lr": 4}))
    worker.send("stop")
    if runner == "process":
        assert worker.exit_code() == 0
    else:
        assert worker.wait_for(said("ended"))["code"] == 0
        assert worker.messages[-1]["kind"] == "ended"
    text = printed(worker, runner)
    assert next(line for line in text.split("\n") if line in ("lr 3", "lr 4")) == "lr 4"
    assert text.endswith("closed\n") or "function" in kind


@pytest.mark.skipif(sys.platform != "linux", reason="needs a child subreaper and process descriptors")
def test_a_shim_that_something_goes_wrong_in_leaves_nobody(worker: Worker) -> None:
    worker.write(
        "job.py",
        """
        import os, time
        def run(config):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    print("up", flush=True)
                    time.sleep(600)
                os._exit(0)
            os.wait()
            time.sleep(600)
            yield
        """,
    )
    worker.setup("job.py:run", runner="process")
    worker.wait_for_output("up\n")
    watch = Watch.tree(worker.shim)
    assert len(watch.pids) == 2
    worker.tell_shim(b"no JSON at all\n")
    assert watch.survivors() == set()


def test_a_worker_starts_in_an_engine_of_more_than_a_thousand_descriptors(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] <= 2_000:
        pytest.skip("this user may not have so many descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], 2_000), limits[1]))
    worker = Worker(tmp_path, above=1_500)
    try:
        worker.write("job.py", "def run(config):\n    print('up')\n")
        worker.setup("job.py:run", runner="process", loop=False)
        assert worker.exit_code() == 0
        assert worker.output == "up\n"
    finally:
        worker.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_shim_that_lags_behind_does_all_that_it_was_told(worker: Worker) -> None:
    """What it reads at once ends somewhere in a line."""
    worker.write(
        "job.py",
        """
        import signal, time
        count = 0
        def hup(*_):
            global count
            count += 1
        def run(config):
            signal.signal(signal.SIGHUP, hup)
            print("up", flush=True)
            while True:
                yield {"count": count}
                time.sleep(0.001)
        """,
    )
    worker.setup("job.py:run", runner="process")
    worker.wait_for_output("up\n")
    os.kill(worker.shim, signal.SIGSTOP)
    worker.tell_shim(b'{"signal": 1, "alone": true}\n' * 300)
    os.kill(worker.shim, signal.SIGCONT)
    worker.wait_for(lambda message: message["kind"] == "metrics" and message["values"]["count"] >= 1)
    worker.send("stop")
    assert worker.exit_code() == 0
