"""Whatever becomes of the deck or of the connection, the program that has joined goes on, and the deck says so."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.runs.folder import ENVIRONMENT, Event, Folder, Run, Wanted, log, row
from tui.engine import paths

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def start(folder: Folder, body: str, *options: str) -> Run:
    """Run a script that imports what it may need."""
    folder.write("script.py", "import os, socket, sys, threading, time\n" + textwrap.dedent(body))
    folder.write("c.yaml", "lr: 1\n")
    return folder.run("-c", "c.yaml", *options, "--", sys.executable, "script.py")


def says(words: str) -> Wanted:
    """Match a line of the log with these words."""

    def wanted(event: Event) -> bool:
        return event["event"] == "log" and words in event["line"]

    return wanted


def alone(folder: Path, address: str, body: str = "import tui\nprint(tui.checkpoint(7, loss=1), tui.rank())") -> str:
    """Return what a script writes that was started by hand with this address in its environment."""
    done = subprocess.run(
        [sys.executable, "-c", body],
        cwd=folder,
        env={**ENVIRONMENT, "TUNEDECK": address},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("address", ["", "#", "nowhere", "/nowhere.join#token", "x" * 300 + "#t", "/tmp#t", "\u1234#t"])
def test_address_that_leads_nowhere(tmp_path: Path, address: str) -> None:
    said = alone(tmp_path, address)
    assert said.startswith("7 0\n")
    assert ("no deck answers at" in said) == bool(address)


@pytest.mark.parametrize("backlog", [8, 0])
def test_engine_that_never_answers(backlog: int, tmp_path: Path) -> None:
    path = paths.sockets_folder() / f"deaf-{os.getpid()}.join"
    filling = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    try:
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.bind(str(path))
            deaf.listen(backlog)
            for one in filling if not backlog else []:
                one.setblocking(False)
                one.connect_ex(str(path))
            assert alone(tmp_path, f"{path}#token").startswith("7 0\n")
    finally:
        path.unlink()
        for one in filling:
            one.close()


@pytest.mark.parametrize("answer", [b"", b"\0\0\0\1M\xff", b"\0\0\0\1P\xff", b"\xff" * 100, b"\0\0\0\1Mi"])
def test_peer_that_is_no_engine(answer: bytes, tmp_path: Path) -> None:
    path = paths.sockets_folder() / f"other-{os.getpid()}.join"
    script = "import time, tui\nfor _ in range(20): print(tui.checkpoint(7)); time.sleep(0.01)"
    try:
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
            other.listen(1)
            program = subprocess.Popen(
                [sys.executable, "-c", script],
                cwd=tmp_path,
                env={**ENVIRONMENT, "TUNEDECK": f"{path}#token"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            connection = other.accept()[0]
            connection.sendall(answer)
            connection.close()
            out, _ = program.communicate(timeout=PATIENCE)
            assert (program.returncode, out) == (0, b"7\n" * 20)
    finally:
        path.unlink()


def test_wrong_token_is_told(folder: Folder) -> None:
    run = start(
        folder,
        """
        os.environ["TUNEDECK"] = os.environ["TUNEDECK"][:-3]
        import tui
        print("goes on with", tui.checkpoint(7))
        time.sleep(600)
        """,
    )
    run.wait_for(log("goes on with 7"))
    run.wait_for(says("has not joined: TUNEDECK in its environment is not this job's"))


@linux
def test_program_that_closes_all_and_opens_others_is_let_alone(folder: Folder) -> None:
    run = start(
        folder,
        """
        import tui
        print("has", tui.checkpoint(7, loss=1))
        high = 200
        os.closerange(3, high)
        pairs = [socket.socketpair() for _ in range(40)]
        for _ in range(200):
            tui.checkpoint(7, loss=1)
            time.sleep(0.002)
        for one, other in pairs:
            for end in (one, other):
                end.setblocking(False)
                try:
                    print("got", end.recv(100))
                except BlockingIOError:
                    pass
        for one, other in pairs:
            one.send(b"x")
            assert other.recv(100) == b"x"
        print("all are its own, and it has", tui.checkpoint(7))
        time.sleep(600)
        """,
    )
    run.wait_for(log("has {'lr': 1}"))
    run.wait_for(log("all are its own, and it has {'lr': 1}"))
    assert not [line for line in run.lines if line.startswith("got")]
    run.wait_for(says("has closed its connection to the deck: it goes on with v1"))


@linux
def test_engine_that_stands_still(folder: Folder) -> None:
    run = start(
        folder,
        """
        import tui
        metrics = {f"metric {number} with a long name": 1.5 for number in range(2000)}
        def work():
            while True:
                tui.checkpoint(7, **metrics)
                time.sleep(0.0001)
        threads = [threading.Thread(target=work, daemon=True) for _ in range(7)]
        for thread in threads:
            thread.start()
        step = 0
        while True:
            if step == 1:
                print("up", flush=True)
            config = tui.checkpoint(7, **metrics)
            step += 1
            with open("step.new", "w") as file:
                file.write(f"{step} {config}")
            os.replace("step.new", "step")
            time.sleep(0.01)
        """,
    )
    run.wait_for(row(1, "applied"))
    run.wait_for(log("up"))

    def steps() -> int:
        return int((folder.path / "step").read_text().split()[0])

    os.kill(run.pid, signal.SIGSTOP)
    try:
        before, deadline = steps(), time.monotonic() + PATIENCE
        while steps() < before + 60:
            assert time.monotonic() < deadline, "it waits for an engine that stands still"
            time.sleep(0.01)
    finally:
        os.kill(run.pid, signal.SIGCONT)
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))


def test_eight_threads_at_once(folder: Folder) -> None:
    run = start(
        folder,
        """
        import tui
        barrier = threading.Barrier(8)
        def work():
            barrier.wait()
            config = tui.checkpoint(None)
            while config is None:
                config = tui.checkpoint(None)
            found.append(id(config))
        found = []
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print("configs", len(set(found)), "of", len(found))
        """,
    )
    run.wait_for(log("configs 1 of 8"))
    assert run.end() == 0


def test_children_that_are_forked_at_any_moment(folder: Folder) -> None:
    run = start(
        folder,
        """
        import tui
        def work():
            while True:
                tui.checkpoint(None, loss=1.0)
        for _ in range(2):
            threading.Thread(target=work, daemon=True).start()
        codes = []
        for number in range(20):
            child = os.fork()
            if not child:
                for _ in range(10):
                    tui.checkpoint(None, loss=2.0)
                os._exit(5)
            codes.append(os.waitpid(child, 0)[1] >> 8)
        print("codes", set(codes), flush=True)
        os._exit(0)
        """,
    )
    run.wait_for(log("codes {5}"))
    assert run.end() == 0


@linux
def test_nothing_is_left_of_those_that_have_left(folder: Folder) -> None:
    run = start(
        folder,
        """
        import signal, tui
        tui.checkpoint(None)
        for number in range(60):
            child = os.fork()
            if not child:
                if number % 3 == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                tui.checkpoint(None)
                if number % 3 == 1:
                    os.kill(os.getpid(), signal.SIGKILL)
                os._exit(0)
            os.waitpid(child, 0)
            if number == 9:
                print("ten", flush=True)
        print("all", flush=True)
        while True:
            tui.checkpoint(None)
            time.sleep(0.01)
        """,
    )

    def open_files() -> int:
        return len(list(Path(f"/proc/{run.pid}/fd").iterdir()))

    run.wait_for(log("ten"))
    run.wait_for(log("all"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    after = open_files()
    folder.save("c.yaml", "lr: 3\n")
    run.wait_for(row(3, "applied"))
    assert open_files() <= after < 60


@pytest.mark.parametrize("order", ["patched first", "tui first"])
def test_gevent_and_the_deck_leave_each_other_alone(folder: Folder, order: str) -> None:
    pytest.importorskip("gevent")
    imports = ["from gevent import monkey; monkey.patch_all()", "import tui"]
    run = start(
        folder,
        f"""
        {"; ".join(imports if order == "patched first" else reversed(imports))}
        import gevent
        others = []
        def count():
            while True:
                others.append(1)
                gevent.sleep(0.001)
        gevent.spawn(count)
        config = None
        while config is None or config["lr"] != 2:
            config = tui.checkpoint(config, loss=1)
            gevent.sleep(0.001)
        before = len(others)
        tui.sleep(0.05)
        print("others ran meanwhile", len(others) > before)
        while True:
            tui.checkpoint(config)
            gevent.sleep(0.001)
        """,
    )
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    run.wait_for(log("others ran meanwhile True"))
    assert run.stop() == 128 + signal.SIGTERM
    assert run.states[-1] == "stopped"


def test_task_file_whose_package_patches_all_at_its_import(folder: Folder) -> None:
    pytest.importorskip("gevent")
    (folder.path / "patching").mkdir()
    folder.write("patching/__init__.py", "from gevent import monkey\nmonkey.patch_all()\n")
    run = folder.run_task(
        """
        import time
        import patching
        def train(config):
            while True:
                time.sleep(0.001)
                config = yield
        """,
        "train",
    )
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    assert run.stop() == 128 + signal.SIGTERM
