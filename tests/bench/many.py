"""Two hundred thread jobs and two hundred asyncio jobs in one deck: their start, a save to each, and their memory.

Run as ``python tests/bench/many.py``. Every job has a config of its own; all lie in one folder, with ``--apart`` each
in a folder of its own. This process is the viewer. ``--runners process`` has two hundred processes instead; the limit
of open files is what the shell has (``ulimit -n 1024``).
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.live import TASKS, Client, engine, memory, table, ten_keys, write_deck
from tui.config.disk import store
from tui.protocol.messages import Message, Reload, Save, State

RUNNERS = {"thread": "light", "asyncio": "light_async", "process": "light"}


def text(number: int) -> str:
    """Return the config of every job."""
    return ten_keys(pause=1.0, number=number)


def prepare(root: Path, runners: list[str], each: int, apart: bool) -> tuple[dict[str, Path], Path]:
    """Write a config for every job, and the deck; return both."""
    configs = {}
    for runner in runners:
        for number in range(each):
            name = f"{runner}-{number}"
            folder = root / name if apart else root
            folder.mkdir(exist_ok=True)
            configs[name] = folder / f"{name}.yaml"
            configs[name].write_text(text(0))
    jobs = {name: (f"{TASKS}:{RUNNERS[name.partition('-')[0]]}", config) for name, config in configs.items()}
    return configs, write_deck(root, jobs, lambda name: {"runner": name.partition("-")[0]})


def all_of(client: Client, names: set[str], arrived: Callable[[Message], str | None]) -> None:
    """Wait until every job has arrived somewhere."""
    waiting = set(names)
    deadline = time.monotonic() + 60
    while waiting:
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(waiting)} jobs never came so far, {min(waiting)} among them")
        waiting.difference_update(map(arrived, client.read(1)))


def running(message: Message) -> str | None:
    """Return the job that runs now."""
    return message.job if isinstance(message, State) and message.state == "running" else None


def applied(source: str) -> Callable[[Message], str | None]:
    """Return what tells the job that took a reload from `source`."""

    def name(message: Message) -> str | None:
        taken = isinstance(message, Reload) and message.status == "applied" and message.source == source
        return message.job if taken else None  # type: ignore[attr-defined]

    return name


def save(client: Client, configs: dict[str, Path]) -> float:
    """Save to every job, all at once; return the seconds until the last one has it."""
    base = store.digest(text(0).encode())
    began = time.monotonic()
    for number, name in enumerate(configs):
        client.send(Save(number, name, text(1), base))
    all_of(client, set(configs), applied("editor"))
    return time.monotonic() - began


def rename(client: Client, configs: dict[str, Path]) -> float:
    """Rename a new config into every place; return the seconds until the last job has it."""
    for name, config in configs.items():
        config.with_name(f"{name}.new").write_text(text(2))
    client.read()
    began = time.monotonic()
    for name, config in configs.items():
        config.with_name(f"{name}.new").replace(config)
    all_of(client, set(configs), applied("disk"))
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=200, help="jobs of either runner")
    parser.add_argument("--runners", nargs="+", choices=RUNNERS, default=["thread", "asyncio"])
    parser.add_argument("--apart", action="store_true", help="a folder for every config, so a history for each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        configs, deck = prepare(Path(name), options.runners, options.each, options.apart)
        began = time.monotonic()
        with engine(deck) as client:
            all_of(client, set(configs), running)
            up = time.monotonic() - began
            time.sleep(1)
            saved = save(client, configs)
            renamed = rename(client, configs)
            megabytes = memory(client.engine)
    rows = [
        ("until all are running", f"{up:.2f} s", "2 s"),
        ("a save to each, all at once, until the last is applied", f"{saved:.2f} s", "-"),
        ("a rename to each, all at once, until the last is applied", f"{renamed:.2f} s", "-"),
        *((f"memory of the {role}", f"{size:.0f} MB", "-") for role, size in megabytes.items()),
        ("memory in all", f"{sum(megabytes.values()):.0f} MB", "300 MB"),
    ]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    jobs = " and ".join(f"{options.each} {runner}" for runner in options.runners)
    table(f"{jobs} jobs, at most {limit:,} open files a process", rows)


if __name__ == "__main__":
    main()
