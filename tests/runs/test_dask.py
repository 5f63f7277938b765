"""Replicas on real Dask clusters: one that ends with the job, and one that is somebody else's."""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE
from tests.runs.folder import ENVIRONMENT, Folder, Run, Wanted, Watch, log, row, state, tunedeck
from tui.cluster.connection import Connection

pytest.importorskip("distributed", reason="Dask is not installed")

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs process descriptors")

CONFIGS = Path(__file__).parents[2] / "sample_configs"

TASK = """
    import os
    import helper
    import tui

    def run(config):
        me = tui.rank()
        print("began", me, "of", tui.ranks(), helper.WORD, "with", config["lr"])
        print("from", tui.__file__)
        seen = config
        while True:
            tui.sleep(0.02)
            if config is not seen:
                print("took", config["lr"])
                seen = config
            if config["hold"] == me:
                while True:
                    pass
            config = yield {"rank": me}
"""

DECK = """
    jobs:
      sweep:
        task: sweep.py:run
        config: c.yaml
        runner: dask
        replicas: {replicas}
        stop: {{grace: 1}}
        {more}
"""


def config(lr: int, hold: int = -1) -> str:
    return f"lr: {lr}\nhold: {hold}\n"


def begin(folder: Folder, replicas: int, more: str = "") -> Run:
    folder.write("sweep.py", TASK)
    folder.write("helper.py", "WORD = 'helped'")
    folder.write("c.yaml", config(1))
    return folder.run_deck(DECK.format(replicas=replicas, more=more))


def counted(version: int, applied: int, anew: int | None = None) -> Wanted:
    """Match a row that so many replicas have, and that says so often that state was lost."""

    def is_it(event: dict[str, object]) -> bool:
        ranks = event.get("ranks")
        return (
            (event["event"], event.get("version")) == ("reload", version)
            and isinstance(ranks, dict)
            and (ranks["applied"], ranks.get("anew")) == (applied, anew)
        )

    return is_it


def notice(words: str) -> Wanted:
    return lambda event: event["event"] == "notice" and words in event["message"]


def test_a_local_cluster_takes_a_change_and_ends_with_the_job(folder: Folder) -> None:
    run = begin(folder, 2)
    for rank in (0, 1):
        run.wait_for(log(f"[{rank}] began {rank} of 2 helped with 1"))
    assert not [line for line in run.lines if line.startswith("[0] from ") and "tunedeck-" not in line]
    folder.save("c.yaml", config(2))
    run.wait_for(counted(2, 2))
    for rank in (0, 1):
        run.wait_for(log(f"[{rank}] took 2"))

    folder.save("c.yaml", config(3, hold=1))  # this one holds its interpreter, and only that
    run.wait_for(log("[1] took 3"))
    folder.save("c.yaml", config(4))
    run.wait_for(log("[0] took 4"))
    run.wait_for(counted(4, 1))
    folder.write("helper.py", "WORD = 'helped again'")
    run.wait_for(notice("code changed: helper.py"))
    assert run.stop() == 143
    assert run.rows()[4]["status"] == "applied"
    told = [event["message"] for event in run.events if event["event"] == "notice"]
    assert len(told) == 1, told


def test_the_sample_deck_runs_the_fifth_way(folder: Folder) -> None:
    for name in ("dask.yaml", "case100.yaml"):
        shutil.copy(CONFIGS / name, folder.path)
    run = folder.run("dask.yaml")
    run.wait_for(counted(1, 3))
    before = run.wait_for(lambda event: event["event"] == "metrics" and event["values"]["handled"] > 50)
    text = (folder.path / "case100.yaml").read_text()
    folder.save("case100.yaml", text.replace("batch: 4 ", "batch: 32 "))
    receipt = run.wait_for(counted(2, 3))
    assert receipt["changes"] == [{"key": "batch", "old": 4, "new": 32}]
    assert receipt["step"] >= before["step"]
    assert tunedeck("pause", "on-a-cluster", cwd=folder.path).returncode == 0
    run.wait_for(lambda event: state("paused")(event) and "held at step" in str(event["reason"]))
    assert run.stop() == 143


#: Starts processes of a cluster by forking: it takes a second to import what they need.
FORKING = """
import importlib, json, os, signal, sys
import dask, distributed.cli.dask_scheduler, distributed.cli.dask_worker
dask.config.set({"distributed.scheduler.allowed-failures": 0})
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # it waits for none of them
for line in sys.stdin:
    program, arguments, output = json.loads(line)
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        log, nothing = os.open(output, os.O_WRONLY | os.O_CREAT), os.open(os.devnull, os.O_RDONLY)
        for standard, descriptor in enumerate((nothing, log, log)):
            os.dup2(descriptor, standard)
        importlib.import_module(f"distributed.cli.{program}").main(arguments)
    print(pid, flush=True)
"""


class Member:
    """A process of a cluster."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._open = os.pidfd_open(pid)

    def send(self, number: int) -> None:
        if not self.ends_within(0):
            os.kill(self.pid, number)

    def ends_within(self, seconds: float) -> bool:
        return bool(select.select([self._open], [], [], seconds)[0])

    def close(self) -> None:
        self.send(signal.SIGKILL)
        os.close(self._open)


class Cluster:
    """A scheduler, for which one worker's death is too many, and workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self._folder = folder
        self._forking = subprocess.Popen(
            [sys.executable, "-c", FORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
        )
        self._members: list[Member] = []

    def scheduler(self) -> Member:
        host, _, port = self.address.removeprefix("tcp://").partition(":")
        return self._start("dask_scheduler", "--host", host, "--port", port, "--no-dashboard", "--no-show")

    def worker(self) -> Member:
        return self._start("dask_worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard")

    def _start(self, program: str, *arguments: str) -> Member:
        assert self._forking.stdin is not None
        assert self._forking.stdout is not None
        output = str(self._folder / f"{program}-{len(self._members)}.log")
        self._forking.stdin.write(json.dumps([program, arguments, output]) + "\n")
        self._forking.stdin.flush()
        self._members.append(Member(int(self._forking.stdout.readline())))
        return self._members[-1]

    def left(self) -> tuple[int, int]:
        """Return how many queues and tasks there are in the scheduler."""
        from distributed import Client

        def count(dask_scheduler: Any) -> tuple[int, int]:
            return len(dask_scheduler.extensions["queues"].queues), len(dask_scheduler.tasks)

        with Client(self.address, set_as_default=False) as client:
            found: tuple[int, int] = client.run_on_scheduler(count)
        return found

    def close(self) -> None:
        for member in self._members:
            member.close()
        self._forking.communicate()


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@linux
def test_workers_and_the_scheduler_of_another_cluster_may_die(folder: Folder, cluster: Cluster) -> None:
    scheduler = cluster.scheduler()
    workers = [cluster.worker(), cluster.worker()]
    run = begin(folder, 3, f"scheduler: {cluster.address}")  # more replicas than threads
    run.wait_for(counted(1, 3))
    folder.save("c.yaml", config(2))
    run.wait_for(counted(2, 3))

    workers[0].send(signal.SIGKILL)  # where one worker's death is too many for the scheduler
    lost = run.wait_for(notice(" lost with "))
    assert "with the newest config" in lost["message"]
    run.wait_for(lambda event: counted(2, 3, 1)(event) or counted(2, 3, 2)(event))
    folder.save("c.yaml", config(3))
    run.wait_for(counted(3, 3))

    scheduler.send(signal.SIGKILL)
    run.wait_for(notice("is gone"))
    folder.save("c.yaml", config(4))
    run.wait_for(row(4, "sent"))
    for worker in workers:
        assert worker.ends_within(PATIENCE)  # they do not outlive it
    cluster.scheduler()
    last = cluster.worker()
    run.wait_for(notice("is back"))
    run.wait_for(row(4, "applied"))
    run.wait_for(lambda event: (event["event"] == "reload" and counted(4, 3, 3)(event)) or counted(4, 3)(event))

    folder.save("c.yaml", config(5, hold=2))
    run.wait_for(log("[2] took 5"))
    tasks = Watch.tree(last.pid)
    assert len(tasks.pids) >= 3
    assert run.stop() == 143
    assert "stopped" in run.states
    assert tasks.survivors() == set()
    assert not last.ends_within(0)  # this cluster is not ours
    deadline = time.monotonic() + PATIENCE
    while (left := cluster.left()) != (0, 0) and time.monotonic() < deadline:
        time.sleep(0.1)  # nobody tells
    assert left == (0, 0)


@linux
def test_a_scheduler_that_hangs_keeps_nothing_from_going_on(folder: Folder, cluster: Cluster) -> None:
    scheduler = cluster.scheduler()
    worker = cluster.worker()
    run = begin(folder, 1, f"scheduler: {cluster.address}")
    run.wait_for(row(1, "applied"))
    scheduler.send(signal.SIGSTOP)
    folder.save("c.yaml", config(2))
    run.wait_for(notice("has not answered for"))
    folder.save("c.yaml", config(3))
    run.wait_for(row(3, "sent"))
    scheduler.send(signal.SIGCONT)
    run.wait_for(row(3, "applied"))
    run.wait_for(notice("answers again"))

    tasks = Watch.tree(worker.pid)
    scheduler.send(signal.SIGSTOP)
    assert run.stop() == 143  # it waits for no answer, and the replicas end once there is one
    assert run.rows()[3]["status"] == "applied"
    scheduler.send(signal.SIGCONT)
    assert tasks.survivors() == set()

    run = begin(folder, 1, f"scheduler: {cluster.address}")
    run.wait_for(lambda event: event["event"] == "reload" and event["status"] == "applied")
    tasks = Watch.tree(worker.pid)
    os.kill(run.pid, signal.SIGKILL)
    assert run.end() == -signal.SIGKILL
    assert tasks.survivors() == set()
    assert not worker.ends_within(0)


def test_a_cluster_that_is_not_there_is_named(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    with socket.socket() as taken:  # listens to nobody
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        run = begin(folder, 1, f"scheduler: {address}")
        ended = run.wait_for(state("crashed"))
        assert address in ended["reason"]
    assert run.end() == 2


async def test_a_cluster_that_takes_certificates_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match=r"set distributed\.comm\.tls\.ca-file, client\.cert and client\.key there"):
        await Connection("tls://127.0.0.1:1", 1, print, print, lambda work: asyncio.create_task(work)).open("topic")
