"""Every command, whatever its caller has done to its standard streams, ends as it would and complains of nothing."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.runs.folder import ENVIRONMENT, Folder, command
from tui.engine.history import database
from tui.engine.history.job_history import History
from tui.protocol.messages import Reload

#: Runs the command line in a fork for each case, since a start takes long: with its streams as the case says, and as
#: Python has them after such a start. Answers with the exit code and what was said on each stream.
FORKS = """
import json, os, sys, tempfile
import tui.cli.change, tui.cli.check, tui.cli.client, tui.cli.colours, tui.export, tui.config.editing.edit
import tui.engine.main
from tui.cli import main

def put(name, number, how, said):
    if how == "closed":
        os.close(number)
        setattr(sys, name, None), setattr(sys, f"__{name}__", None)
        return
    if how == "gone":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = said if how == "open" else os.open("/dev/full", os.O_WRONLY)
    os.dup2(writer, number)
    os.close(writer) if writer > 2 and how != "open" else None
    stream = os.fdopen(number, "w", closefd=False)
    setattr(sys, name, stream), setattr(sys, f"__{name}__", stream)

def run(arguments, out, err):
    said = [tempfile.TemporaryFile() for _ in range(2)]
    pid = os.fork()
    if not pid:
        os.chdir(arguments.pop(0))
        put("stderr", 2, err, said[1].fileno())  # first: what is opened after would be given a number that was closed
        put("stdout", 1, out, said[0].fileno())
        sys.argv = ["tunedeck", *arguments]
        code = 70
        try:
            main.main()
        except SystemExit as ended:
            code = ended.code or 0
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()  # as Python does at its end
        except BaseException:
            import traceback
            os.write(said[1].fileno(), traceback.format_exc().encode())
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for file in said:
        file.seek(0)
    return code, *(file.read().decode() for file in said)

for line in sys.stdin:
    print(json.dumps(run(*json.loads(line))), flush=True)
"""

COMMANDS = (
    ("--help",),
    ("--version",),
    ("set", "--help"),
    ("nonsense",),
    ("ls",),
    ("stop", "nowhere"),
    ("attach", "nowhere"),
    ("run",),
    ("run", "deck.yaml"),
    ("run", "bad.yaml", "--headless"),
    ("check", "c.yaml"),
    ("check", "bad.yaml"),
    ("set", "c.yaml", "lr=3"),
    ("set", "c.yaml", "lrate=3"),
    ("set", "c.yaml", "lr=[1"),
    ("history", "c.yaml"),
    ("history", "c.yaml", "--json"),
    ("history", "c.yaml", "--format", "csv"),
    ("history", "bad.yaml"),
    ("show", "c.yaml", "1"),
    ("show", "c.yaml", "9"),
    ("diff", "c.yaml", "1", "2"),
    ("rollback", "c.yaml", "1"),
    ("rollback", "c.yaml", "9"),
)

FULL = "the output could not be written: No space left on device\n"
STREAMS = [("open", "closed"), ("closed", "open"), ("closed", "closed"), ("gone", "open"), ("gone", "gone")]
STREAMS += [("full", "open"), ("full", "full")] if Path("/dev/full").exists() else []


class Forks:
    """The process that forks; its home is a folder as every case finds it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORKS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**ENVIRONMENT, "TUNEDECK_RUNTIME_DIR": str(folder / "run")},  # no decks but our own
        )

    def run(self, arguments: tuple[str, ...], out: str, err: str) -> tuple[int, str, str]:
        """Return the exit code and what was said."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        home = made(self._folder / "home")
        self._process.stdin.write(json.dumps([[str(home), *arguments], out, err]) + "\n")
        self._process.stdin.flush()
        code, *said = json.loads(self._process.stdout.readline())
        text = (home / "c.yaml").read_text()
        changed = code == 0 and arguments[0] in ("set", "rollback") and "--help" not in arguments
        assert text == ({"set": "lr: 3\n", "rollback": "lr: 1\n"}[arguments[0]] if changed else "lr: 2\n")
        return code, *said

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def made(folder: Path) -> Path:
    """Return a folder with configs, and a history of two versions."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    config = folder / "c.yaml"
    config.write_text("lr: 2\n")
    folder.joinpath("bad.yaml").write_text("lr: [\n")
    home = database.folder_of(config)
    with contextlib.closing(database.open_database(home)) as connection:
        for version in (1, 2):
            row = Reload("tick", version, "applied", "disk", run=1, time=1.0)
            History(connection, home, config, "tick").add(row, f"lr: {version}\n")
    return folder


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    found = Forks(tmp_path_factory.mktemp("forks"))
    yield found
    found.close()


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_command_ends_as_it_would_whatever_its_streams_are(forks: Forks, arguments: tuple[str, ...]) -> None:
    code, out, err = forks.run(arguments, "open", "open")
    assert "Traceback" not in out + err
    acts = arguments[0] in ("set", "rollback")
    for one, two in STREAMS:
        # That help is lost nobody is told.
        lost = one == "full" and bool(out) and not arguments[-1].startswith("--h") and arguments[-1] != "--version"
        found, said, complained = forks.run(arguments, one, two)
        assert found == (code or 2 if lost and not acts else code), (one, two)
        assert said == (out if one == "open" else ""), (one, two)
        assert complained == (err + (f"tunedeck: {FULL}" if lost else "") if two == "open" else ""), (one, two)


def test_what_a_name_holds_does_no_harm_to_a_terminal(forks: Forks) -> None:
    name = "a\x1b]0;x\x07\x9b1m\x1b[31m\rb"
    for arguments in (("check", name), ("history", name), ("set", name, "a=1"), ("logs", name), ("stop", name)):
        code, out, err = forks.run(arguments, "open", "open")
        assert code
        assert out + err
        assert not {*"\x07\r\x9b"} & {*out + err}
        assert "\x1b]" not in out + err


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "| true", ">/dev/full 2>&1"])
def test_a_deck_and_a_set_run_as_ever_in_a_shell_without_streams(folder: Folder, closed: str) -> None:
    folder.task("def once(config):\n    yield {'lr': config['lr']}\n", "lr: 1\n")
    run, put = (" ".join(command(*words)) for words in (("run", "job.py:once", "-c", "c.yaml", "--headless"), ("set",)))
    script = f"set -o pipefail; {run} {closed}; a=$?; {put} c.yaml lr=2 {closed}; echo $a $? >code"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder.path, env=ENVIRONMENT, capture_output=True, text=True, timeout=4 * PATIENCE
    )
    assert (folder.path / "code").read_text() == "0 0\n", done
    assert "Traceback" not in done.stdout + done.stderr
    assert (folder.path / "c.yaml").read_text() == "lr: 2\n"
