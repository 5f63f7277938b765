"""The tasks that the benchmarks run. Each notes on its board which config it has."""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import math
import os
import sys
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any

import tui
from tests.bench.board import Board

Task = Generator[None, dict[str, Any], None]
AsyncTask = AsyncGenerator[None, dict[str, Any]]


def paced(config: dict[str, Any]) -> Task:
    """Take a step of `pause` seconds, again and again."""
    board = Board(config["board"])
    seen = None
    while True:
        if config is not seen:
            seen = config
            board.note(config["number"])
        time.sleep(config["pause"])
        board.count_step()
        config = yield


async def paced_async(config: dict[str, Any]) -> AsyncTask:
    """Do as `paced` on an event loop."""
    board = Board(config["board"])
    seen = None
    while True:
        if config is not seen:
            seen = config
            board.note(config["number"])
        await asyncio.sleep(config["pause"])
        board.count_step()
        config = yield


def resting(config: dict[str, Any]) -> Task:
    """Do as `paced`, with a pause that ends when a reload waits."""
    board = Board(config["board"])
    while True:
        board.note(config["number"])
        tui.sleep(config["pause"])
        config = yield


def journal(config: dict[str, Any]) -> Task:
    """Write down each config with the time, and take steps of `pause` seconds."""
    seen = None
    with open(config["journal"], "a", buffering=1, encoding="utf-8") as lines:  # noqa: PTH123 - as people write it
        while True:
            if config is not seen:
                seen = config
                lines.write(f"{config['number']} {time.monotonic()}\n")
            time.sleep(config["pause"])
            config = yield


def tight(config: dict[str, Any]) -> Task:
    """Never sleep, and never let go of the interpreter."""
    board = Board(config["board"])
    seen = None
    while True:
        if config is not seen:
            seen = config
            board.note(config["number"])
        config = yield


def careful(config: dict[str, Any], path: str) -> Task:
    """Do as `paced` with the configs of `saves.py`, and count those that are not whole."""
    board = Board(path)
    seen = None
    while True:
        if config is not seen:
            seen = config
            keys = [value for key, value in config.items() if key.startswith("key")]
            if config.get("end") != config["number"] or keys != [config["number"]] * 40:
                board.count_broken()
            board.note(config["number"])
        time.sleep(0.002)
        config = yield


_locks: list[int] = []


def alone(config: dict[str, Any]) -> None:
    """Note the config and, once in a process, take a lock that a second worker of the same job would find taken.

    The system gives it back at the very end of the process. The board counts the processes as steps.
    """
    board = Board(config["board"])
    if not _locks:
        _locks.append(os.open(config["board"], os.O_RDONLY))
        board.count_step()
        try:
            fcntl.flock(_locks[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            board.count_broken()
    if board.number != config["number"]:
        board.note(config["number"])
    time.sleep(0.001)


def alone_generator(config: dict[str, Any]) -> Task:
    """Be `alone` at each step."""
    while True:
        alone(config)
        config = yield


def alone_callback(config: dict[str, Any]) -> None:
    """Do the same deep inside a framework."""
    while True:
        alone(config)
        config = tui.checkpoint(config)


def quiet(_: dict[str, Any]) -> Task:
    """Say one line, then nothing."""
    print("started", flush=True)
    while True:
        tui.sleep(3600)
        yield


def talking(config: dict[str, Any]) -> Task:
    """Print `rate` lines a second, at most a hundred times a second; at 0 one line is all."""
    printed, rate = 0, config["rate"]
    began = time.monotonic()
    print("talking", flush=True)
    while True:
        pause = 1 / min(rate, 100) if rate else 3600
        tui.sleep(pause)
        due = int((time.monotonic() - began) * rate)
        for number in range(printed + 1, due + 1):
            print(f"step {number:6}  loss {1 / number:.5f}  accuracy {1 - 1 / (number + 1):.3f}")
        printed = due
        sys.stdout.flush()
        yield


def timing(config: dict[str, Any]) -> Task:
    """Print `rate` lines a second, each with the time, a hundred times a second; count them."""
    board = Board(config["board"])
    printed, began = 0, time.monotonic()
    while True:
        time.sleep(0.01)
        due = int((time.monotonic() - began) * config["rate"])
        print("".join(f"step {number} {time.monotonic()}\n" for number in range(printed, due)), end="", flush=True)
        for _ in range(printed, due):
            board.count_step()
        printed = due
        yield


def chatting(config: dict[str, Any]) -> Generator[dict[str, float], Any, None]:
    """Print `lines` lines for each config, and tell metrics meanwhile."""
    seen = None
    for step in itertools.count():
        if config is not seen:
            seen = config
            print("".join(f"step {step} line {number}\n" for number in range(config["lines"])), end="", flush=True)
        tui.sleep(0.001)
        config = yield {"loss": math.sin(step / 300), "rate": step / 7}


def light(config: dict[str, Any]) -> Task:
    """Take a step a second, sooner when a reload waits."""
    while True:
        tui.sleep(config["pause"])
        config = yield


async def light_async(config: dict[str, Any]) -> AsyncTask:
    """Do as `light`."""
    while True:
        await tui.asleep(config["pause"])
        config = yield


async def telling(config: dict[str, Any]) -> AsyncGenerator[dict[str, float], dict[str, Any]]:
    """Take a step of `pause` seconds again and again, with ten metrics that move."""
    for step in itertools.count():
        await asyncio.sleep(config["pause"])
        config = yield {f"metric {n}": math.sin(step * (n + 1) / 300) for n in range(10)}


def busy(config: dict[str, Any]) -> Generator[dict[str, float], Any, None]:
    """Take a step of `pause` seconds again and again, with five lines and a metric each."""
    for step in itertools.count():
        time.sleep(config["pause"])
        print("".join(f"step {step:6} line {n} of five, as long as lines are\n" for n in range(5)), end="", flush=True)
        config = yield {"loss": math.sin(step / 300)}


def waving(config: dict[str, Any]) -> Generator[dict[str, float], Any, None]:
    """Take 1,000 steps a second, each with as many metrics as the config says, of which the first ten move."""
    values = {f"metric {n}": n / 7 for n in range(config["metrics"])}
    due = time.monotonic()
    for step in itertools.count():
        due = max(due + 0.001, time.monotonic() - 0.1)
        time.sleep(max(due - time.monotonic(), 0))
        values |= {f"metric {n}": math.sin(step * (n + 1) / 3_000) for n in range(10)}
        yield values


def reporting(config: dict[str, Any]) -> Generator[dict[str, float], Any, None]:
    """Take 1,000 steps a second, each with as many metrics as the config says, and one more."""
    values = {f"metric {n}": n / 7 for n in range(config["metrics"])}
    due = time.monotonic()
    while True:
        due = max(due + 0.001, time.monotonic() - 0.1)
        time.sleep(max(due - time.monotonic(), 0))
        yield {**values, "loss": 0.5}
