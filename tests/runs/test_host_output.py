"""Whose output, thread and time it is, in a worker that holds many jobs."""

from __future__ import annotations

import pytest

from tests.runs.worker import KINDS, VERSIONS, Worker, said

for_all = pytest.mark.parametrize("worker", [None, *VERSIONS], indirect=True, ids=lambda version: version or "ours")


TALK = """
    import asyncio, ctypes, logging, os, subprocess, sys, threading
    from concurrent.futures import ThreadPoolExecutor

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    pool = ThreadPoolExecutor(1)

    async def run(config):
        name = config["name"]
        print("print", name)
        print("error", name, file=sys.stderr)
        logging.info("log %s", name)
        sys.stdout.buffer.write(f"bytes {name}\\n".encode())
        threads = [threading.Thread(target=print, args=("thread", name)), threading.Timer(0, print, ("timer", name))]
        for thread in threads:
            thread.start()
            thread.join()
        pool.submit(lambda: (print("pool", name))).result()
        await asyncio.get_running_loop().run_in_executor(None, print, "executor", name)
        async def sub():
            print("task", name)
        await asyncio.create_task(sub())
        called = asyncio.Event()
        asyncio.get_running_loop().call_later(0, lambda: (print("callback", name), called.set()))
        await called.wait()
        os.write(1, b"fd 1\\n")
        ctypes.CDLL(None).puts(b"C")
        subprocess.run([sys.executable, "-c", "print('child')"], check=True)
        print("rest", name, end="")
"""
ONCE = ["print", "error", "log", "bytes", "thread", "timer", "pool", "executor", "task", "callback", "rest"]


@for_all
def test_what_python_code_prints_is_its_jobs_wherever_it_runs(host: Worker) -> None:
    host.write("job.py", TALK)
    jobs = {f"{runner}-{number}": runner for number in range(3) for runner in ("thread", "asyncio")}
    for name, runner in jobs.items():
        host.setup("job.py:run", name, runner, config={"name": name}, loop=False)
    for name in jobs:
        assert host.wait_for(said("ended", name))["code"] == 0
        assert host.text(name) == "\n".join(f"{word} {name}" for word in ONCE)
    for word in ("fd 1", "C", "child"):  # how they are mixed is the system's affair
        assert host.output.count(word) == len(jobs)


@for_all
def test_a_checkpoint_in_a_thread_of_a_job_is_that_jobs(host: Worker) -> None:
    host.write(
        "job.py",
        """
        import asyncio, threading, tui
        def wait(config):
            while config["lr"] == 1:
                tui.sleep(1000)
                config = tui.checkpoint(config)
            print(config["lr"])
        def plain(config):
            thread = threading.Thread(target=wait, args=(config,))
            thread.start()
            thread.join()
        async def coroutine(config):
            await asyncio.get_running_loop().run_in_executor(None, wait, config)
        """,
    )
    for number, (kind, runner) in enumerate([("plain", "thread"), ("coroutine", "asyncio")], 2):
        host.setup(f"job.py:{kind}", kind, runner, loop=False)
        host.wait_for(said("applied", kind))
        host.reload(number, kind)
        host.wait_for(said("ended", kind))
        assert host.text(kind) == f"{number}\n"


@for_all
def test_a_job_that_blocks_the_event_loop_is_named(host: Worker) -> None:
    host.write("other.py", KINDS)
    host.write(
        "job.py",
        """
        import asyncio, os, time
        def step():
            while not os.path.exists("go"):
                time.sleep(0.01)
        async def sub():
            step()
        async def run(config):
            await asyncio.create_task(sub())
            await asyncio.get_running_loop().create_future()
        """,
    )
    host.setup("other.py:async_generator", "other", "asyncio")
    host.wait_for(said("applied", "other"))
    host.setup("job.py:run", runner="asyncio")
    blocking = host.wait_for(said("blocking"))
    assert blocking["seconds"] >= 0.5
    assert blocking["where"].startswith("job.py:")
    assert blocking["where"].endswith("in step")
    host.write("go", "")
    host.wait_for(said("blocking", seconds=0))
    assert host.of("blocking", "other") == []
    host.reload(2, "other")
    host.wait_for(said("applied", "other", version=2))


LIGHT = """
    import tui
    def generator(config):
        while True:
            tui.sleep(0.05)
            yield
    async def async_generator(config):
        while True:
            await tui.asleep(0.05)
            yield
"""


def test_many_jobs_start_soon_and_each_takes_its_reload(host: Worker) -> None:
    host.write("job.py", LIGHT)
    jobs = [(f"{runner}-{number}", runner) for number in range(50) for runner in ("thread", "asyncio")]
    for name, runner in jobs:
        host.setup("job.py:async_generator" if runner == "asyncio" else "job.py:generator", name, runner)
    for name, _ in jobs:
        host.wait_for(said("applied", name))
    for name, _ in jobs:
        host.reload(2, name)
    for name, _ in jobs:
        host.wait_for(said("applied", name, version=2))
        host.send("stop", name)
    for name, _ in jobs:
        ended = host.wait_for(said("ended", name))
        assert ended["code"] == 0, [message for message in host.messages if message["job"] == name]


def test_the_samples_of_many_jobs_are_fewer(host: Worker) -> None:
    host.write("job.py", "import tui\ndef run(config):\n    tui.sleep(0.02)\n    return {'one': 1}\n")
    for number in range(50):
        host.setup("job.py:run", str(number))
    for number in range(50):
        host.wait_for(said("metrics", str(number)), count=2)

    def count() -> int:
        return sum(message["kind"] == "metrics" for message in host.messages)

    before = count()
    host.wait_for(said("metrics", "0"), count=len(host.of("metrics", "0")) + 10)
    # At most ten rounds of fifty jobs at 25 a tick: who has made no step since has nothing to say.
    assert count() - before <= 600
    for number in range(50):
        host.wait_for(said("metrics", str(number)), count=3)
