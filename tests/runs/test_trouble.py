"""Files and disks that get in the way of a run, real ones as far as the machine allows."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.namespaces import Mounts
from tests.patience import PATIENCE
from tests.runs.folder import TICKER, Folder, Run, ask, command, log, row
from tui.config.disk.store import digest
from tui.protocol.messages import Save

OLD = "lr: 1\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs mount namespaces and capabilities")


@pytest.fixture
def full(folder: Folder) -> Iterator[Mounts]:
    """A small disk that is mounted on the folder's folder `disk`, with the files of a run on it."""
    folder.task(TICKER, OLD)
    (folder.path / "disk").mkdir()
    mounts = Mounts(folder.path, "mount -t tmpfs -o size=512k none disk; cp job.py c.yaml disk; cd disk")
    yield mounts
    folder.close()
    mounts.close()


def fill(disk: Path) -> None:
    """Leave no room on a disk."""
    with (disk / "filler").open("ab", buffering=0) as file:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


def start(folder: Folder, mounts: Mounts, version: int) -> Run:
    run = folder.run("job.py:tick", "-c", "c.yaml", prefix=(*mounts.inside, "env", "-C", "disk"))
    run.wait_for(row(version, "applied"))
    return run


def test_a_full_disk_loses_nothing(folder: Folder, full: Mounts) -> None:
    disk = full.path / "disk"
    run = start(folder, full, 1)
    fill(disk)
    reply = ask(disk / "c.yaml", Save(1, "tick", "lr: 2\n" * 1_000, digest(OLD.encode())))
    assert (reply.ok, reply.code) == (False, "unwritable")
    assert "No space left on device" in reply.message
    assert (disk / "c.yaml").read_text() == OLD
    assert [item.name for item in disk.iterdir() if item.suffix == ".tmp"] == []

    for lr in range(2, 12):  # in place: the file has its room already
        (disk / "c.yaml").write_text(f"lr: {lr}\n")
        run.wait_for(log(f"config {{'lr': {lr}}}"))
    run.wait_for(lambda event: event["event"] == "notice" and "the history could not be written" in event["message"])
    (disk / "filler").unlink()
    run.wait_for(lambda event: event["event"] == "notice" and "is complete again" in event["message"])
    assert run.stop() == 143
    shown = subprocess.run(
        [*full.inside, "env", "-C", "disk", *command("history", "c.yaml", "--json")], stdout=subprocess.PIPE, check=True
    )
    # Its verdicts went on after the last news of a row.
    rows = [{**json.loads(line), "effect": []} for line in shown.stdout.splitlines()]
    assert rows == [{**row, "effect": []} for row in run.rows().values()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_versions_that_a_full_disk_did_not_take_are_not_given_again(
    folder: Folder, full: Mounts, number: signal.Signals
) -> None:
    disk = full.path / "disk"
    run = start(folder, full, 1)
    fill(disk)
    for lr in range(2, 6):
        (disk / "c.yaml").write_text(f"lr: {lr}\n")
        run.wait_for(log(f"config {{'lr': {lr}}}"))
    newest = max(run.rows())
    assert newest >= 5
    run.process.send_signal(number)
    run.end()
    (disk / "filler").unlink()
    run = start(folder, full, newest + 1)
    assert min(run.rows()) == newest + 1


def test_a_mounted_file_is_written_in_place(folder: Folder) -> None:
    folder.task(TICKER, OLD)
    mounts = Mounts(folder.path, "mount --bind c.yaml c.yaml")
    try:
        config = folder.path / "c.yaml"
        inode = config.stat().st_ino
        run = folder.run("job.py:tick", "-c", "c.yaml", prefix=mounts.inside)
        run.wait_for(row(1, "applied"))
        assert ask(config, Save(1, "tick", "lr: 2\n", digest(OLD.encode()))).ok
        assert run.wait_for(row(2, "applied"))["source"] == "editor"
        assert (config.read_text(), config.stat().st_ino) == ("lr: 2\n", inode)
        assert run.stop() == 143
    finally:
        folder.close()
        mounts.close()


def test_a_read_only_file_is_saved_only_by_who_insists(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick", OLD)
    run.wait_for(row(1, "applied"))
    config = folder.path / "c.yaml"
    config.chmod(0o444)
    reply = ask(config, Save(1, "tick", "lr: 2\n", digest(OLD.encode())))
    assert (reply.ok, reply.code) == (False, "read-only")
    assert config.read_text() == OLD
    assert ask(config, Save(1, "tick", "lr: 2\n", digest(OLD.encode()), force=True)).ok
    run.wait_for(row(2, "applied"))
    assert (config.read_text(), config.stat().st_mode & 0o777) == ("lr: 2\n", 0o444)


#: To root the system allows to read everything, unless the right to do so is given up.
AS_USERS_ARE = () if os.geteuid() else ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def test_a_config_that_can_not_be_read_is_told_and_nothing_is_started(folder: Folder) -> None:
    folder.write("job.py", "from pathlib import Path\nPath('imported').touch()\ndef run(config): pass\n")
    folder.write("c.yaml", OLD).chmod(0)
    done = subprocess.run(
        [*AS_USERS_ARE, *command("run", "job.py:run", "-c", "c.yaml", "--headless")],
        cwd=folder.path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{folder.path / 'c.yaml'} can't be read: give yourself the permission (chmod u+r)\n"
    assert not (folder.path / "imported").exists()


def test_a_config_that_can_not_be_read_any_more_is_told_and_the_job_goes_on(folder: Folder) -> None:
    folder.task(TICKER, OLD)
    run = folder.run("job.py:tick", "-c", "c.yaml", prefix=AS_USERS_ARE)
    run.wait_for(row(1, "applied"))
    config = folder.path / "c.yaml"
    config.chmod(0)
    notice = run.wait_for(lambda event: event["event"] == "notice")
    assert (
        "c.yaml can't be read: give yourself the permission (chmod u+r); the job goes on with v1" in notice["message"]
    )
    reply = ask(config, Save(1, "tick", "lr: 3\n", None))
    assert (reply.ok, reply.code) == (False, "unwritable")
    assert "can't be read" in reply.message
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    assert run.states == ["starting", "running"]


def test_what_killed_saves_have_left_is_cleared_up_and_a_text_of_somebody_is_told(folder: Folder) -> None:
    folder.task(TICKER, OLD)
    half = folder.write(".tunedeck-0123456789ab.tmp", "lr: ")
    known = digest(OLD.encode())
    done = folder.write(f".tunedeck-123456789abc-{known}-{digest(b'new')}.tmp", OLD)
    theirs = folder.write(f".tunedeck-23456789abcd-{known}-{digest(b'new')}.tmp", "theirs: 1\n")
    # No file can be made older than it is: the engine's clock goes wrong instead.
    folder.write("sitecustomize.py", "import time; real = time.time; time.time = lambda: real() + 3600\n")
    run = folder.run("job.py:tick", "-c", "c.yaml", prefix=("env", f"PYTHONPATH={folder.path}"))
    told = run.wait_for(lambda event: event["event"] == "notice" and str(theirs) in event["message"])
    assert "look at it, then delete it" in told["message"]
    assert [path.exists() for path in (half, done, theirs)] == [False, False, True]


def test_a_run_whose_output_nobody_reads_ends_when_it_is_asked_to(folder: Folder) -> None:
    chatty = (
        "import pathlib\n"
        "def tick(config):\n"
        "    for number in range(10**9):\n"
        "        print('x' * 100)\n"
        "        if number == 10_000:\n"
        "            pathlib.Path('far').touch()\n"
        "        yield {'number': number}\n"
    )
    folder.task(chatty, OLD)
    reader, writer = os.pipe()
    arguments = command("run", "job.py:tick", "-c", "c.yaml", "--headless", "--json")
    with subprocess.Popen(arguments, cwd=folder.path, stdin=subprocess.DEVNULL, stdout=writer) as run:
        os.close(writer)
        deadline = time.monotonic() + PATIENCE
        while not (folder.path / "far").exists():  # the job is not held up
            assert time.monotonic() < deadline
            time.sleep(0.01)
        run.terminate()
        assert run.wait(PATIENCE) == 143
    os.close(reader)


def test_a_history_in_a_folder_that_became_read_only_is_read_and_goes_on_elsewhere(folder: Folder) -> None:
    folder.task(TICKER, OLD)
    kept = folder.path / ".tunedeck"
    first = folder.run("job.py:tick", "-c", "c.yaml")
    first.wait_for(row(1, "applied"))
    folder.save("c.yaml", "lr: 2\n")
    first.wait_for(row(2, "applied"))
    first.stop()
    kept.chmod(0o500)
    prefix = (*AS_USERS_ARE, "env", f"XDG_STATE_HOME={folder.path / 'state'}")

    def versions() -> list[int]:
        done = subprocess.run(
            [*prefix, *command("history", "c.yaml", "--json")],
            cwd=folder.path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        return [json.loads(line)["version"] for line in done.stdout.splitlines()]

    try:
        assert versions() == [1, 2]
        second = folder.run("job.py:tick", "-c", "c.yaml", prefix=prefix)
        second.wait_for(row(3, "applied"))
        second.stop()
        assert versions() == [1, 2, 3]
    finally:
        kept.chmod(0o700)
