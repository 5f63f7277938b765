"""The keys of a deck file: what each must be, in a type and in words, and what may be meant by a wrong one."""

from __future__ import annotations

import difflib
import shlex
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tui.engine.deck.spec import is_keyed, missing_program

RUNNERS = ("process", "thread", "asyncio", "dask")
MOST_REPLICAS = 10_000
CODES = ("ask", "restart", "off")
RESTARTS = ("never", "on-failure", "always")
SIGNALS = tuple(item.name for item in signal.Signals)

Kinds = Mapping[str, tuple[type | tuple[type, ...], str]]

KINDS: Kinds = {
    "task": (str, "text such as train.py:train"),
    "command": (list, "a list such as [nginx, -g, daemon off;]"),
    "config": (str, "the path of a file"),
    "runner": (str, "a name"),
    "scheduler": (str, "an address such as tcp://head:8786"),
    "replicas": (int, "a number, 1 or more"),
    "on_change": ((str, dict), "a name, or a mapping such as {command: ./reload.sh}"),
    "loop": (bool, "true or false"),
    "check": (str, "a command line"),
    "schema": (str, "the path of a JSON Schema"),
    "validate": (str, "text such as train.py:check"),
    "restart": (str, "a name"),
    "stop": (dict, "a mapping such as {signal: SIGTERM, grace: 10}"),
    "python": (str, "the path of an interpreter"),
    "restart_keys": (list, "a list of keys such as [model.*, layers[*].size]"),
    "settle": ((int, float, dict), "a number of seconds, or a mapping such as {seconds: 10, steps: 10}"),
    "guards": (dict, "a mapping such as {loss: {max: 10, for: 20}, finite: true}"),
    "metrics": (dict, "a mapping such as {loss: min, accuracy: max}"),
    "args": (list, "a list such as [--seed, '1']"),
    "cwd": (str, "the path of a folder"),
    "depends_on": (dict, "a mapping such as {db: ready}"),
    "log": (str, "the path of a file"),
    "code": (str, "ask, restart or off"),
    "env": (dict, "a mapping such as {PORT: '{server.port}'}"),
    "tty": (bool, "true or false"),
    "ranks": (str, "together or each"),
    "hold": ((int, float), "a number of seconds"),
    "rank_metrics": (str, "first or mean"),
    "ready": ((str, int, dict), "a line of output, a port, or one of {line: ...}, {port: ...}, {command: ...}"),
}
STOP_KINDS: Kinds = {
    "signal": (str, "a name such as SIGTERM"),
    "grace": ((int, float), "a number of seconds"),
}
READY_KINDS: Kinds = {
    "line": (str, "a pattern for a line of output"),
    "port": (int, "a number"),
    "command": (str, "a command line"),
}
TELL_KINDS: Kinds = {"command": (str, "a command line")}
SETTLE_KINDS: Kinds = {
    "seconds": ((int, float), "a number of seconds"),
    "steps": (int, "a number of checkpoints"),
}
GUARD_KINDS: Kinds = {
    "max": ((int, float), "a number"),
    "min": ((int, float), "a number"),
    "finite": (bool, "true or false"),
    "for": (int, "a number of steps"),
}
#: Keys that only the one kind of job has.
FOR_TASKS = ("runner", "scheduler", "replicas", "loop", "python", "validate", "args", "code")
FOR_COMMANDS = ("check", "ready")
#: Keys of jobs with a process of their own.
OF_PROCESS = ("args", "env", "cwd", "tty")
#: Keys of jobs on a cluster, and why some have no meaning there.
OF_CLUSTER = ("scheduler", "replicas")
NOT_OF_CLUSTER = {
    "python": "the cluster's workers have an interpreter of their own",
    "tty": "a replica has no terminal",
}


def on_change_problem(word: str | None, config: Path) -> str | None:
    """Return what is wrong with the `on_change` of a command with this config, None if nothing is."""
    if word in (None, "reload") and not is_keyed(config):
        choice = "restart, none or a signal name such as SIGHUP"
        if word is None:
            return f"a command whose config is not YAML or JSON needs on_change: {choice}"
        return f"the processes of a command can be given YAML and JSON only, not {config.name}: write {choice}"
    if word in ("SIGKILL", "SIGSTOP"):
        return f"no program can catch {word} to read its config again: write restart, or a signal such as SIGHUP"
    known = ("reload", "restart", "none", *SIGNALS)
    if word is None or word in known:
        return None
    meant = hint(word, known) or ": it must be reload, restart, none or a signal name"
    return f"unknown on_change {word}{meant}"


def hint(word: str, known: Iterable[str]) -> str:
    """Return the question for a word that may be a slip, empty for none."""
    meant = near(word, known)
    return f": did you mean {meant}?" if meant else ""


def near(word: str, known: Iterable[str]) -> str:
    """Return what may be meant by a word, empty for nothing."""
    names = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(str(word).casefold(), list(names), 1)
    return names[close[0]] if close else ""


def events_command(command: Any, folder: Path) -> tuple[str, str]:
    """Return the `on_event` of a deck in this folder for a shell, and what is wrong with it; empty for nothing."""
    if command == "":
        return "", ""
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:  # a quote that has no end
        words = []
    if not words:
        return "", "on_event must be a command line such as notify.sh"
    beside = folder / words[0]
    program = str(beside) if beside.is_file() else words[0]
    return shlex.join([program, *words[1:]]), missing_program(program, folder) or ""
