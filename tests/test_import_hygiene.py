from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tui

ROOT = Path(tui.__file__).parent
WORKER = sorted(f"tui.worker.{file.stem}" for file in (ROOT / "worker").glob("*.py") if not file.stem.startswith("__"))
#: What `import tui` takes with it.
CURRENT = {"tui.worker", "tui.worker.current"}
#: What a worker imports only when it has coroutines to run.
COROUTINES = {"tui.worker.event_loop", "tui.worker.watchdog"}

CODE = """
import json, sys
before = set(sys.modules)
{statement}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def imported(statement: str) -> set[str]:
    """Return the names of all modules that `statement` imports in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(statement=statement)],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT.parent)},
    )
    return set(json.loads(done.stdout))


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_tui_itself_is_light() -> None:
    modules = imported("import tui")
    assert modules & packages(modules) <= {"__future__", "time", "typing", "tui"} | sys.stdlib_module_names
    assert {name for name in modules if name.startswith("tui.")} == CURRENT
    assert not modules & {"asyncio", "json", "socket", "subprocess", "threading"}


@pytest.mark.parametrize("module", WORKER)
def test_the_worker_is_standard_library_only(module: str) -> None:
    modules = imported(f"import {module}")
    assert packages(modules) <= {"tui"} | sys.stdlib_module_names
    ours = {name for name in modules if name.startswith("tui.")}
    assert ours <= {"tui.worker", *WORKER}
    assert not modules & {"asyncio", "multiprocessing", "ssl"} or module in COROUTINES


def test_what_adapters_have_in_common_is_standard_library_only() -> None:
    modules = imported("import tui.adapters, tui.adapters.tuning, tui.adapters.torch_rates")
    assert packages(modules) <= {"tui"} | sys.stdlib_module_names
    assert {name for name in modules if name.startswith("tui.")} == {
        *CURRENT,
        *("tui.adapters", "tui.adapters.tuning", "tui.adapters.torch_rates"),
    }


def test_events_are_standard_library_only() -> None:
    modules = imported("import tui.protocol.codec")
    assert packages(modules) <= {"tui"} | sys.stdlib_module_names
    assert {name for name in modules if name.startswith("tui")} == {
        "tui",
        *CURRENT,
        "tui.protocol",
        "tui.protocol.events",
        "tui.protocol.requests",
        "tui.protocol.messages",
        "tui.protocol.codec",
    }


@pytest.mark.parametrize("module", ["tui.engine.engine", "tui.engine.main", "tui.runners.process"])
def test_the_engine_knows_no_screen(module: str) -> None:
    modules = imported(f"import {module}")
    assert not packages(modules) & {"textual", "rich", "tree_sitter"}
    assert not [name for name in modules if name.startswith("tui.app")]


HEAVY = {"textual", "rich", "ruamel", "watchfiles", "tree_sitter", "asyncio", "sqlite3", "socket", "subprocess"}


@pytest.mark.parametrize(
    "statement", ["import tui.cli.main", "import tui.cli.main; tui.cli.main.build_parser().format_help()"]
)
def test_the_command_line_is_light(statement: str) -> None:
    modules = imported(statement)
    assert not packages(modules) & HEAVY
    own = {
        "tui",
        *CURRENT,
        "tui.cli",
        "tui.cli.main",
        "tui.cli.run",
        "tui.cli.decks",
        "tui.cli.found",
        "tui.cli.jobs",
        "tui.streams",
        "tui.cli.arguments",
        "tui.cli.history",
        "tui.engine",
        "tui.engine.paths",
        "tui.protocol",
        "tui.protocol.events",
        "tui.protocol.requests",
        "tui.protocol.messages",
    }
    assert {name for name in modules if name.startswith("tui")} == own
