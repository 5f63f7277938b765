"""The tasks that the benchmarks run. Each notes on its board which config it has."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import tui
from tests.bench.board import Board

Task = Generator[None, dict[str, Any], None]


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


def resting(config: dict[str, Any]) -> Task:
    """Do as `paced`, with a pause that ends when a reload waits."""
    board = Board(config["board"])
    while True:
        board.note(config["number"])
        tui.sleep(config["pause"])
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


def quiet(_: dict[str, Any]) -> Task:
    """Say one line, then nothing."""
    print("started", flush=True)
    while True:
        tui.sleep(3600)
        yield


def talking(_: dict[str, Any]) -> Task:
    """Print ten lines a second."""
    number = 0
    while True:
        number += 1
        print(f"step {number:6}  loss {1 / number:.5f}  accuracy {1 - 1 / (number + 1):.3f}", flush=True)
        time.sleep(0.1)
        yield
