"""Saves a config thousands of times in five styles, and counts what a `Watcher` in another process makes of it.

Run as ``python tests/bench/saves.py --saves 10000``. The saver is this process; the watcher is a child. Half-written
content that the watcher delivers as settled, and a newest content that it does not deliver, are failures: exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from tui.config.disk import folder_events
from tui.config.disk.store import Content, StoreError
from tui.config.disk.watch import Watcher

STYLES = ("in place", "rename", "vim", "truncate", "configmap")

#: When each renaming was begun.
renamed_at: list[float] = []


def text(number: int) -> bytes:
    """Return a config whose end tells whether it is whole."""
    body = "".join(f"key{index}: {number}\n" for index in range(40))
    return f"number: {number}\n{body}end: {number}\n".encode()


def whole(raw: bytes) -> int | None:
    """Return the number of a whole text."""
    first, _, _ = raw.partition(b"\n")
    number = int(first.rpartition(b" ")[2] or -1) if first.startswith(b"number: ") else -1
    return number if raw == text(number) else None


def in_place(path: Path, raw: bytes) -> None:
    with path.open("r+b") as file:
        file.write(raw)
        file.truncate()


def rename(path: Path, raw: bytes) -> None:
    temporary = path.with_name("c.tmp")
    temporary.write_bytes(raw)
    renamed_at.append(time.monotonic())
    temporary.replace(path)


def vim(path: Path, raw: bytes) -> None:
    backup = path.with_name(path.name + "~")
    path.rename(backup)
    path.write_bytes(raw)
    backup.unlink()


def truncate(path: Path, raw: bytes) -> None:
    with path.open("wb", buffering=0) as file:
        time.sleep(random.uniform(0, 0.01))
        file.write(raw[: len(raw) // 2])
        time.sleep(random.uniform(0, 0.01))
        file.write(raw[len(raw) // 2 :])


def configmap(folder: Path, number: int, raw: bytes) -> None:
    target = folder / f"..{number}"
    target.mkdir()
    (target / "c.yaml").write_bytes(raw)
    link = folder / "..data_tmp"
    link.symlink_to(target.name)
    old = (folder / "..data").resolve() if (folder / "..data").exists() else None
    link.replace(folder / "..data")
    if old is not None:
        shutil.rmtree(old)


async def watch(paths: list[Path], report: Connection, portable: bool) -> None:
    stop = asyncio.Event()
    if portable:
        folder_events.source = folder_events.Portable

    def changed(path: Path, found: Content | StoreError, settled: bool, seen: float) -> None:
        raw = found.raw if isinstance(found, Content) else None
        report.send((path, raw, settled, seen, time.monotonic()))

    watcher = Watcher(paths, changed)
    await watcher.start()
    report.send(None)
    asyncio.get_running_loop().add_reader(report.fileno(), stop.set)
    await stop.wait()
    await watcher.close()
    report.send(time.process_time())


def run_watcher(paths: list[Path], report: Connection, portable: bool) -> None:
    asyncio.run(watch(paths, report, portable))


class Tally:
    """What the watcher has reported."""

    def __init__(self, report: Connection) -> None:
        self._report = report
        self.newest: dict[Path, int | None] = {}
        self.counts = {"contents": 0, "half-written as settled": 0, "unsettled": 0, "errors": 0}
        self.at: dict[int, float] = {}

    def read(self, seconds: float = 0) -> bool:
        """Take one report, if there is one."""
        if not self._report.poll(seconds):
            return False
        path, raw, settled, _, at = self._report.recv()
        if raw is None:
            self.counts["errors"] += 1
            return True
        number = whole(raw)
        self.counts["contents"] += number is not None
        self.counts["unsettled"] += not settled
        self.counts["half-written as settled"] += settled and number is None
        self.newest[path] = number
        if number is not None:
            self.at[number] = at
        return True


def save_all(
    paths: dict[str, Path], saves: int, spacing: float, tally: Tally
) -> tuple[dict[str, int], dict[int, float]]:
    """Save at random; return the last number of each style, and when each renaming was done."""
    ways: dict[str, Callable[[Path, bytes], None]] = {
        "in place": in_place,
        "rename": rename,
        "vim": vim,
        "truncate": truncate,
    }
    last: dict[str, int] = {}
    done: dict[int, float] = {}
    for number in range(1, saves + 1):
        style = random.choice(STYLES)
        if style == "configmap":
            configmap(paths[style].parent, number, text(number))
        else:
            ways[style](paths[style], text(number))
        if style == "rename":
            done[number] = renamed_at[-1]
        last[style] = number
        time.sleep(random.uniform(0, spacing))
        while tally.read():
            pass
    return last, done


def prepare(root: Path, one_file: bool) -> dict[str, Path]:
    """Make a file for each style; the four that can share one file do so with `one_file`."""
    paths = {}
    for style in STYLES:
        shared = one_file and style != "configmap"
        folder = root / ("shared" if shared else style.replace(" ", "-"))
        folder.mkdir(exist_ok=True)
        paths[style] = folder / "c.yaml"
        if style == "configmap":
            configmap(folder, 0, text(0))
            paths[style].symlink_to("..data/c.yaml")
        else:
            paths[style].write_bytes(text(0))
    return paths


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saves", type=int, default=2_000)
    parser.add_argument("--spacing", type=float, default=0.020, help="the longest pause between two saves, seconds")
    parser.add_argument("--one-file", action="store_true", help="mix the styles on one file, the symlink swap aside")
    parser.add_argument("--portable", action="store_true", help="watch with watchfiles, as on other systems than Linux")
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        paths = prepare(Path(name), options.one_file)
        report, theirs = spawn.Pipe()
        child = spawn.Process(target=run_watcher, args=(sorted({*paths.values()}), theirs, options.portable))
        child.start()
        report.recv()
        tally = Tally(report)
        began = time.monotonic()
        last, done = save_all(paths, options.saves, options.spacing, tally)
        took = time.monotonic() - began
        wanted: dict[Path, int] = {}
        for style, number in last.items():
            wanted[paths[style]] = max(number, wanted.get(paths[style], 0))
        deadline = time.monotonic() + 5
        while any(tally.newest.get(path) != number for path, number in wanted.items()) and time.monotonic() < deadline:
            tally.read(0.1)
        lost = [str(path) for path, number in wanted.items() if tally.newest.get(path) != number]
        report.send(None)
        while not isinstance(cpu := report.recv(), float):
            pass
        child.join()
    waits = sorted(1000 * (tally.at[number] - at) for number, at in done.items() if number in tally.at)
    result = {
        "saves": options.saves,
        "seconds": round(took, 1),
        **tally.counts,
        "newest delivered": not lost,
        "renames": len(done),
        "renames delivered": len(waits),
        "rename median ms": round(statistics.median(waits), 2) if waits else None,
        "rename p95 ms": round(waits[int(len(waits) * 0.95)], 2) if waits else None,
        "watcher cpu s": round(cpu, 2),
    }
    print(json.dumps(result, indent=1))
    return 1 if lost or tally.counts["half-written as settled"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
