"""Runs a task of any kind in the calling thread."""

from __future__ import annotations

from typing import Any, Callable

from tui.worker import task_import
from tui.worker.loop import Loop


def run(loop: Loop, function: Callable[[Any], Any], again: bool | None) -> None:
    """Run a task to its end; an async one gets an event loop of its own."""
    if task_import.is_async(function):
        import asyncio  # takes longer to import than everything else of a worker together

        asyncio.run(loop.run_async(function, again))
    else:
        loop.run(function, again)
