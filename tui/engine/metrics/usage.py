"""What the processes of a job use, from /proc and, where it is there, nvidia-smi: series like those of its task."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Seconds between two questions to nvidia-smi, which takes long, and the most that it may take.
GPU_PAUSE = 5.0
_GPU_PATIENCE = 2.0

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Usage(NamedTuple):
    """What a tree of processes has used: seconds of CPU by process, and bytes of memory."""

    seconds: dict[int, float]
    memory: int


def tree(root: int) -> Iterator[int]:
    """Yield a process and all its living descendants."""
    found = [root]
    for pid in found:  # grows while it is walked
        yield pid
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (thread / "children").read_bytes().split())


def used(root: int) -> Usage:
    """Return what a process and its descendants have used so far; nothing of one that is gone."""
    seconds, memory = {}, 0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            # The command name, in parentheses, may itself hold blanks and parentheses.
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            seconds[pid] = (int(fields[11]) + int(fields[12])) / _TICK
            memory += int(fields[21]) * _PAGE
    return Usage(seconds, memory)


class Meter:
    """Measures the processes of one job, from one call to the next."""

    def __init__(self) -> None:
        self._at = 0.0
        self._root = 0
        self._seconds: dict[int, float] = {}
        self._step: int | None = None

    def measure(self, root: int, step: int | None) -> dict[str, float]:
        """Return what there is to say of the time since the last call.

        Args:
            root: The first process of the job.
            step: Checkpoints that its task has completed, None for none.
        """
        now, usage = time.monotonic(), used(root)
        past, before = now - self._at, self._seconds if root == self._root else {}
        found = {"system.memory_mb": usage.memory / 1e6} if usage.seconds else {}
        if before and usage.seconds and past > 0:
            spent = sum(max(seconds - before.get(pid, 0.0), 0.0) for pid, seconds in usage.seconds.items())
            found["system.cpu_percent"] = 100 * spent / past
            if step is not None and self._step is not None and step >= self._step:
                found["system.steps_per_second"] = (step - self._step) / past
        self._at, self._root, self._seconds, self._step = now, root, usage.seconds, step
        return found | gpu(set(usage.seconds))


asked = -GPU_PAUSE
_answer: tuple[float, dict[int, float]] = 0.0, {}


def gpu(pids: set[int]) -> dict[str, float]:
    """Return how busy the graphics cards are and what of their memory the processes have; nothing if they use none."""
    global asked, _answer
    now = time.monotonic()
    if now - asked >= GPU_PAUSE:
        asked, _answer = now, ask_gpus()
    busy, memory = _answer
    mine = pids & set(memory)
    return {"system.gpu_percent": busy, "system.gpu_memory_mb": sum(memory[pid] for pid in mine)} if mine else {}


def ask_gpus() -> tuple[float, dict[int, float]]:
    """Return how busy all cards are on average, and the memory of each process in MB."""
    if shutil.which("nvidia-smi") is None:
        return 0.0, {}
    try:
        apps = [line.split(",") for line in _nvidia("--query-compute-apps=pid,used_gpu_memory")]
        busy = [float(line) for line in _nvidia("--query-gpu=utilization.gpu")]
        return sum(busy) / len(busy), {int(pid): float(memory) for pid, memory in apps}
    except (OSError, subprocess.SubprocessError, ValueError, ZeroDivisionError):
        return 0.0, {}  # a driver that does not answer, or has no figure for this card


def _nvidia(query: str) -> list[str]:
    command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    said = subprocess.run(
        command, capture_output=True, text=True, timeout=_GPU_PATIENCE, check=True, stdin=subprocess.DEVNULL
    )
    return said.stdout.splitlines()
