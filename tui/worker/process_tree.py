"""The tree of processes below one, and signals to all of it; the few kernel calls that Python has no word for."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from typing import Iterator

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

#: So often is looked for processes that were born while the others were stopped; most often two looks are enough.
MOST_SWEEPS = 20
_IOLBF = 1  # setvbuf: line buffered, as on a terminal


def adopt_orphans() -> None:
    """Become the parent of every descendant whose parent dies (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Be killed when the parent dies (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)


def line_buffer_stdout() -> None:
    """Make Python's and C's standard output line buffered, so that the order of all writers is kept."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    libc = ctypes.CDLL(None)
    name = "__stdoutp" if sys.platform == "darwin" else "stdout"
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, name), None, _IOLBF, 0)


def descendants(root: int) -> list[tuple[int, int]]:
    """Return process id and process group of every living descendant of `root`, parents first."""
    children: dict[int, list[tuple[int, int]]] = {}
    for pid, parent, group, ended in all_processes():
        if ended:
            continue
        children.setdefault(parent, []).append((pid, group))
    found = list(children.get(root, ()))
    for pid, _ in found:  # grows while it is walked
        found.extend(children.get(pid, ()))
    return found


def children(root: int) -> list[int]:
    """Return the process ids of the children of `root`, those included that wait to be reaped."""
    return [pid for pid, parent, *_ in all_processes() if parent == root]


def signal_tree(root: int, number: int) -> None:
    """Send a signal to every descendant of `root`.

    SIGKILL and SIGSTOP also go to their whole process groups, in one call each: a process that forks all the time
    can't slip through between the look and the signal. The group of `root` itself is spared.
    """
    found = descendants(root)
    if number in (signal.SIGKILL, signal.SIGSTOP):
        for group in {group for _, group in found} - {os.getpgid(root), os.getpgrp()}:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
    for pid, _ in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def hold_tree(root: int) -> None:
    """Stop every descendant of `root`, those included that are born meanwhile in a group of their own."""
    held: set[int] = set()
    for _ in range(MOST_SWEEPS):
        found = {pid for pid, _ in descendants(root)}
        if found <= held:
            return
        signal_tree(root, signal.SIGSTOP)
        held = found


def all_processes() -> Iterator[tuple[int, int, int, bool]]:
    """Yield id, parent and group of every process, and whether it has ended and waits to be reaped."""
    if sys.platform != "linux":
        import subprocess

        listing = subprocess.run(["ps", "-axo", "pid=,ppid=,pgid=,stat="], stdout=subprocess.PIPE, check=True)
        for line in listing.stdout.splitlines():
            pid, parent, group, state = line.split()
            yield int(pid), int(parent), int(group), state.startswith(b"Z")
        return
    for entry in os.listdir("/proc"):
        found = _process(int(entry)) if entry.isdigit() else None
        if found is not None:
            yield found


def lives(pid: int) -> bool:
    """Return whether a process is there, and has not ended."""
    found = [_process(pid)] if sys.platform == "linux" else all_processes()
    return any(one is not None and one[0] == pid and not one[3] for one in found)


def _process(pid: int) -> tuple[int, int, int, bool] | None:
    """Return what `all_processes` says of one; None where it ended just now, or is somebody else's."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The command name, in parentheses, may itself hold blanks and parentheses.
            state, parent, group = file.read().rpartition(b")")[2].split()[:3]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return pid, int(parent), int(group), state == b"Z"
