"""Programs of many kinds, started as their users start them: a live change, a stop that saves, and nothing left."""

from __future__ import annotations

import importlib.util
import json
import signal
import sys
from pathlib import Path

import pytest

from tests.runs.folder import Folder, Watch, log, row

linux = pytest.mark.skipif(sys.platform != "linux", reason="watches processes by their descriptors")

#: Says which config it has whenever that is another one; saves.
TUNED = """
    import time, tui

    seen = None

    def tune(config=None):
        global seen
        config = tui.checkpoint(config, loss=1.0)
        if config is not None and config != seen:
            seen = config
            print("has", config["lr"], flush=True)
        return config

    def save():
        with open("saved", "w") as file:
            file.write(str(seen["lr"]))
"""

ARGPARSE = """
    import argparse
    from tuned import *
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.parse_args(["--seed", "1"])
    try:
        while True:
            tune()
            time.sleep(0.001)
    finally:
        save()
"""

POOL = """
    import multiprocessing
    from tuned import *

    def work(_):
        config = {"lr": 0}  # of one that comes up when the stop has begun
        while not tui.stopping():
            config = tune()
            time.sleep(0.001)
        return config["lr"]

    if __name__ == "__main__":
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            found = pool.map(work, range(2), chunksize=1)
        with open("saved", "w") as file:
            file.write(str(max(found)))
"""

APSCHEDULER = """
    from apscheduler.schedulers.blocking import BlockingScheduler
    from tuned import *
    scheduler = BlockingScheduler()
    scheduler.add_job(tune, "interval", seconds=0.05)
    try:
        scheduler.start()
    finally:
        save()
"""

UVICORN = """
    import asyncio
    from tuned import *

    async def work():
        while True:
            tune()
            await tui.asleep(0.005)

    async def app(scope, receive, send):
        assert scope["type"] == "lifespan"
        await receive()
        task = asyncio.create_task(work())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        save()
        task.cancel()
        await send({"type": "lifespan.shutdown.complete"})
"""

SCRAPY = """
    import itertools, scrapy
    from tuned import *

    class Spider(scrapy.Spider):
        name = "it"
        custom_settings = {"FEEDS": {"feed.json": {"format": "json"}}, "TELNETCONSOLE_ENABLED": False}

        async def start(self):
            for number in itertools.count():
                yield scrapy.Request(f"data:,{number}", dont_filter=True)

        def parse(self, response):
            tune()
            time.sleep(0.002)
            yield {"text": response.text}

        def closed(self, reason):
            save()
"""

LOCUST = """
    import locust
    from tuned import *

    @locust.events.test_stop.add_listener
    def stopped(**_):
        save()

    class Someone(locust.User):
        wait_time = locust.constant(0.005)

        @locust.task
        def act(self):
            tune()
"""

NOTEBOOK = """
    import nbformat
    from nbclient import NotebookClient
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (
        "from tuned import *\\nconfig = tui.join('c.yaml')",
        "while not tui.stopping():\\n    config = tune(config)\\n    with open('told', 'w') as file:\\n"
        "        file.write(str(config['lr']))\\n    time.sleep(0.001)",
        "save()",
    )])
    NotebookClient(notebook, kernel_name="python3").execute()
"""

PROGRAMS = {
    "argparse": (ARGPARSE, [sys.executable, "prog.py"]),
    "multiprocessing": (POOL, [sys.executable, "prog.py"]),
    "apscheduler": (APSCHEDULER, [sys.executable, "prog.py"]),
    "uvicorn": (UVICORN, [sys.executable, "-m", "uvicorn", "prog:app", "--port", "0"]),
    "scrapy": (SCRAPY, [sys.executable, "-m", "scrapy", "runspider", "prog.py", "--loglevel", "WARNING"]),
    "locust": (LOCUST, [sys.executable, "-m", "locust", "-f", "prog.py", "--headless", "-u", "1"]),
    "nbclient": (NOTEBOOK, [sys.executable, "prog.py"]),
}


@linux
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_takes_a_change_and_saves_at_its_stop(folder: Folder, name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    program, command = PROGRAMS[name]
    folder.write("tuned.py", TUNED)
    folder.write("prog.py", program)
    folder.write("c.yaml", "lr: 1\n")
    run = folder.run_deck(f"""
        jobs:
          it:
            command: {json.dumps(command)}
            config: c.yaml
            stop: {{grace: 4}}
    """)
    run.wait_for(lambda event: event["event"] == "metrics" and event["values"] == {"loss": 1.0})
    if name != "nbclient":  # whose kernel has an output of its own
        run.wait_for(log("has 1"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    tree = Watch.tree(run.pid)
    if name != "nbclient":
        run.wait_for(log("has 2"))
    assert run.stop() == 128 + signal.SIGTERM
    assert run.states[-1] == "stopped", run.lines[-20:]
    assert (folder.path / "saved").read_text() == "2", run.lines[-20:]
    assert not tree.survivors()
    feed = Path(folder.path / "feed.json")
    if feed.exists():
        assert json.loads(feed.read_text())[0] == {"text": "0"}
