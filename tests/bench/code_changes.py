"""The code of a task changed at random under `code: restart`, and what it costs to watch a large project.

Run as ``python tests/bench/code_changes.py [--changes 300] [--files 2000]``. Modules are saved good, broken or half,
renamed, deleted and put back, 0 to 2 s apart, so also while one is tried and another worker starts. Every now and
then all of it is good and at rest: what the job has imported must then be what is on disk. The large project is
imported by another job, of which nothing changes.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.bench.live import Client, engine, share, table
from tui.protocol.messages import DeckChange, Message, Reload, State

#: How long the newest good code may take to run.
PATIENCE = 30.0

MODULES = ("main", "a", "b", "c")

MAIN = """\
import json, sys, time
{imports}
NUMBER = {number}

def run(config):
    names = [name for name in ("main", "a", "b", "c") if name in sys.modules]
    with open({journal!r}, "a") as journal:
        print(json.dumps({{name: sys.modules[name].NUMBER for name in names}}), file=journal)
    while True:
        time.sleep(0.01)
        yield
"""

LARGE = """\
import importlib, time
for number in range({files}):
    importlib.import_module(f"part_{{number // 100}}.module_{{number}}")

def run(config):
    while True:
        time.sleep(0.5)
        yield
"""


class Project:
    """The modules of the job, each with its number."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self._folder = folder
        self._dice = dice
        self._journal = folder / "journal"
        self._number = 0
        self.numbers: dict[str, int] = {}
        self.imports: tuple[str, ...] = MODULES[1:]
        for name in reversed(MODULES):
            self.save(name)

    def save(self, name: str) -> None:
        """Write good code."""
        self._number += 1
        self.numbers[name] = self._number
        self._write(name, self._text(name))

    def _text(self, name: str) -> str:
        number = self.numbers[name]
        if name != "main":
            return f"NUMBER = {number}\n"
        imports = "".join(f"import {other}\n" for other in self.imports)
        return MAIN.format(number=number, journal=str(self._journal), imports=imports)

    def _write(self, name: str, text: str) -> None:
        path = self._folder / f"{name}.py"
        if self._dice.random() < 0.5:
            path.write_text(text)
        else:
            new = path.with_suffix(".new")
            new.write_text(text)
            new.replace(path)

    def change(self) -> None:
        """Do something to one of them."""
        name = self._dice.choice(MODULES)
        path = self._folder / f"{name}.py"
        what = self._dice.choice(["good", "good", "good", "broken", "half", "renamed", "deleted and back", "import"])
        if what == "good":
            self.save(name)
        elif what == "broken":
            self._write(name, "NUMBER = = 1\n")
        elif what == "half":
            self._write(name, self._text(name)[:-6])
        elif what == "renamed" and path.exists():
            path.rename(path.with_suffix(".py.away"))
        elif what == "deleted and back" and path.exists():
            before = path.read_bytes()
            path.unlink()
            time.sleep(self._dice.random() / 20)
            path.write_bytes(before)
        else:
            self.imports = tuple(other for other in MODULES[1:] if self._dice.random() < 0.7)
            self.save("main")

    @property
    def runs(self) -> dict[str, int]:
        """What the newest worker has imported."""
        return dict(json.loads(self._journal.read_text().splitlines()[-1]))

    @property
    def wanted(self) -> dict[str, int]:
        """What it would import now, were all of it good."""
        return {name: number for name, number in self.numbers.items() if name in ("main", *self.imports)}


def change(client: Client, project: Project, dice: random.Random, changes: int) -> dict[str, int]:
    """Change the code; return what came of it."""
    found: Counter[str] = Counter()

    def note(messages: list[Message]) -> None:
        for message in messages:
            if isinstance(message, Reload) and message.source == "code":
                found[f"rows {message.status}"] += 1
            elif isinstance(message, State) and message.job == "small" and message.state == "crashed":
                found["broken starts"] += 1

    for number in range(changes):
        project.change()
        until = time.monotonic() + dice.random() * dice.choice([0.1, 0.4, 2.0])
        while (left := until - time.monotonic()) > 0:
            note(client.read(left))
        if number % 20 == 19 or number == changes - 1:
            for name in MODULES:
                project.save(name)
            until = time.monotonic() + PATIENCE
            while project.runs != project.wanted and time.monotonic() < until:
                note(client.read(0.05))
            found["rests"] += 1
            found["rests without the newest"] += project.runs != project.wanted
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="for the share of a core")
    parser.add_argument("--seed", type=int, default=19)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for number in range(options.files):
            part = root / "large" / f"part_{number // 100}"
            part.mkdir(parents=True, exist_ok=True)
            (part / f"module_{number}.py").write_text(f"NUMBER = {number}\n")
        (root / "large" / "main.py").write_text(LARGE.format(files=options.files))
        (root / "small").mkdir()
        project = Project(root / "small", dice)
        jobs = {}
        for job in ("small", "large"):
            (root / f"{job}.yaml").write_text("lr: 1\n")
            code = "restart" if job == "small" else "off"
            jobs[job] = {"task": f"{root}/{job}/main.py:run", "config": f"{job}.yaml", "code": code}
        deck = root / "deck.yaml"
        deck.write_text(json.dumps({"jobs": jobs}))
        with engine(deck) as client:
            running = {"small", "large"}
            while running:
                states = (message for message in client.read(1) if isinstance(message, State))
                running -= {state.job for state in states if state.state == "running"}
            time.sleep(2)
            alone = share(client.engine, options.seconds)
            jobs["large"]["code"] = "ask"
            deck.write_text(json.dumps({"jobs": jobs}))
            client.until(DeckChange)
            time.sleep(2)
            watching = share(client.engine, options.seconds)
            found = change(client, project, dice, options.changes)
    rows = [(f"engine, with `code: off` for {options.files:,} files", alone, "-")]
    rows += [("engine, with `code: ask` for them", watching, "0.5 % more")]
    rows += [(what, str(found[what]), "0") for what in ("broken starts", "rests without the newest")]
    rows += [(what, str(count), "-") for what, count in sorted(found.items()) if what.startswith("rows")]
    table(f"{options.changes} changes of code, 0 to 2 s apart", rows)


if __name__ == "__main__":
    main()
