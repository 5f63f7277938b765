from __future__ import annotations

import contextlib
import socket
import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.runs.folder import TICKER, Folder, command, row, tunedeck
from tui.engine import paths
from tui.engine.history import database
from tui.engine.history.job_history import History
from tui.protocol import codec, messages
from tui.protocol.messages import Reload


def test_a_viewer_is_told_the_newest_rows_alone(folder: Folder) -> None:
    config = folder.write("c.yaml", "lr: 1\n")
    with contextlib.closing(database.open_database(database.folder_of(config))) as connection:
        history = History(connection, database.folder_of(config), config, "tick")
        for version in range(1, 301):
            history.add(Reload("tick", version, "applied", "disk", run=1), "lr: 1\n")
    run = folder.run_task(TICKER, "tick")
    run.wait_for(row(301, "applied"))
    with socket.socket(socket.AF_UNIX) as connection_, connection_.makefile("rwb") as stream:
        connection_.settimeout(PATIENCE)
        connection_.connect(str(paths.socket_of(str(config))))
        stream.write(codec.encode(messages.Hello(messages.PROTOCOL)))
        stream.flush()
        told = []
        for message in map(codec.decode, stream):
            if isinstance(message, messages.Ready):
                break
            told += [message.version] if isinstance(message, Reload) else []
    assert told == list(range(102, 302))
    run.stop()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_can_not_be_written_is_told(folder: Folder) -> None:
    config = folder.write("c.yaml", "lr: 1\n")
    with contextlib.closing(database.open_database(database.folder_of(config))) as connection:
        History(connection, database.folder_of(config), config, "tick").add(
            Reload("tick", 1, "applied", "disk"), "lr: 1\n"
        )
    for arguments in (("history", "c.yaml", "--json"), ("show", "c.yaml", "1")):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                command(*arguments), cwd=folder.path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE
            )
        assert done.returncode == 2
        assert done.stderr == "tunedeck: the output could not be written: No space left on device\n"


def test_show_and_diff_read_the_history_while_the_engine_runs(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick", "lr: 1  # é\r\n")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "lr: 2")
    run.wait_for(row(2, "applied"))
    assert tunedeck("show", "c.yaml", "2", cwd=folder.path).stdout == "lr: 2"
    shown = tunedeck("show", "c.yaml", "v1", "--job", "tick", cwd=folder.path)
    assert (shown.returncode, shown.stdout) == (0, "lr: 1  # é\n")  # the pipe's reader translates
    wanted = "--- c.yaml v1\n+++ c.yaml v2\n@@ -1 +1 @@\n-lr: 1  # é\n+lr: 2\n\\ No newline at end of file\n"
    assert tunedeck("diff", "c.yaml", "1", "2", cwd=folder.path).stdout == wanted
    assert tunedeck("diff", "c.yaml", "2", cwd=folder.path).stdout == ""
    folder.path.joinpath("c.yaml").write_text("lr: 3")
    assert "+lr: 3\n" in tunedeck("diff", "c.yaml", "2", cwd=folder.path).stdout
    run.stop()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "c.yaml", "9"), "no version 9: the newest is 1"),
        (("diff", "c.yaml", "1", "9"), "no version 9"),
        (("diff", "c.yaml", "9"), "no version 9"),
        (("rollback", "c.yaml", "9"), "no version 9: the newest is 1"),
        (("show", "c.yaml", "x"), "no version with the tag x"),
        (("show", "c.yaml", "x y"), "'x y' is no version"),
        (("show", "c.yaml", "1", "--job", "other"), "no history of a job 'other'; it has once"),
        (("show", "none.yaml", "1"), "no history"),
    ],
)
def test_an_unknown_version_is_refused(folder: Folder, arguments: tuple[str, ...], words: str) -> None:
    folder.run_task("def once(config):\n    yield\n", "once").end()
    done = tunedeck(*arguments, cwd=folder.path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_an_unknown_version_is_no_rollback_of_a_running_job(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick", "lr: 1\n")
    run.wait_for(row(1, "applied"))
    done = tunedeck("rollback", "c.yaml", "9", cwd=folder.path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "tunedeck: there is no version 9\n")
    assert (folder.path / "c.yaml").read_text() == "lr: 1\n"
    run.stop()
    assert list(run.rows()) == [1]
